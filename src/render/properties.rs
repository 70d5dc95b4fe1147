//! Properties of every text, for arbitrary plans.

use proptest::prelude::*;

use super::fixtures::subject;
use super::{
    Style, change_summary_json, error_json, error_text, guards_json, guards_text, plan_diff,
    plan_markdown, plan_summary, plan_text, planned_change_json, planned_move_json,
    planned_update_json,
};
use crate::harmless::is_treacherous;
use crate::model::{Address, CallbackUrl, Handle, OperatorId, Timestamp};
use crate::plan::{Bookkeeping, Plan, arbitrary, calls_digest, write_document};

fn text(plan: &Plan, style: &Style) -> String {
    let mut out = String::new();
    plan_text(plan, style, &mut out).unwrap();
    guards_text(plan, style, &mut out).unwrap();
    out
}

/// Every rendering of a plan.
fn all_outputs(plan: &Plan, style: &Style) -> Vec<String> {
    let mut outputs = vec![text(plan, style), plan_markdown(plan, &subject(), style)];
    let mut diff = String::new();
    plan_diff(plan, style, &mut diff).unwrap();
    outputs.push(diff);
    let mut brief = String::new();
    plan_summary(plan, style, &mut brief).unwrap();
    outputs.push(brief);
    outputs.extend(
        plan.changes_by_organization()
            .map(|(organization, change)| planned_change_json(organization, change, style.now)),
    );
    let moves = plan.moves.iter();
    outputs.extend(moves.map(|item| planned_move_json(item, style.now)));
    let updates = plan.updates();
    outputs.extend(
        updates
            .iter()
            .map(|update| planned_update_json(update, style.now)),
    );
    outputs.push(change_summary_json(plan, style.now));
    outputs.extend(guards_json(plan, 5, style.now));
    let mut document = Vec::new();
    write_document(plan, &[], &mut document).unwrap();
    outputs.push(String::from_utf8(document).unwrap());
    outputs.push(calls_digest(plan));
    outputs
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

proptest! {
    #[test]
    fn nothing_in_a_plan_can_act_on_the_terminal(
        plan in arbitrary::plan(),
        now in arbitrary::timestamp(),
        width in 0_usize..200,
    ) {
        let style = Style { width, ..Style::plain(now) };
        let shown = text(&plan, &style);
        prop_assert!(!shown.contains(|c| c != '\n' && is_treacherous(c)), "{shown:?}");
        for (organization, change) in plan.changes_by_organization() {
            prop_assert!(!planned_change_json(organization, change, now).contains(is_treacherous));
        }
        prop_assert!(!change_summary_json(&plan, now).contains(is_treacherous));
    }

    #[test]
    fn nothing_in_a_plan_is_a_command_to_a_ci_system(
        mut plan in arbitrary::plan(),
        now in arbitrary::timestamp(),
        width in 0_usize..200,
        name in proptest::sample::select(vec![
            "##[set-output name=a]b",
            "::add-mask::a",
            "x ##vso[task.setvariable variable=a]b",
            "a\n::stop-commands::b",
            "a\r##teamcity[b]",
            "###[group]",
        ]),
    ) {
        for organization in &mut plan.organizations {
            organization.handle = Handle::new(name);
            for (number, change) in organization.changes.iter_mut().enumerate() {
                change.address = Address {
                    handle: Handle::new(name),
                    url: CallbackUrl::new(format!("{name}{number}")),
                };
                change.operator = OperatorId::new(name);
            }
        }
        for item in &mut plan.bookkeeping {
            if let Bookkeeping::Refresh { identity, before, after } = item {
                identity.url = CallbackUrl::new(name);
                before.handle = Handle::new(name);
                after.handle = Handle::new(name);
                after.operator = OperatorId::new(name);
            }
        }
        let style = Style { width, ..Style::plain(now) };
        let mut outputs = all_outputs(&plan, &style);
        outputs.push(error_json(name, Some(name), 1, now));
        let mut error = String::new();
        error_text(name, &[name.to_owned()], Some(name), &style, &mut error).unwrap();
        outputs.push(error);
        for line in outputs.iter().flat_map(|output| output.lines()) {
            prop_assert!(!line.trim_start().starts_with("::"), "{line}");
            prop_assert!(!line.contains("##[") && !line.contains("##vso["), "{line}");
            prop_assert!(!line.contains("##teamcity["), "{line}");
        }
    }

    /// Otherwise anyone who may plan could try values until one has the fingerprint of a weak token.
    #[test]
    fn no_output_depends_on_the_fingerprint_of_a_declared_value(
        plan in arbitrary::plan(),
        now in arbitrary::timestamp(),
        declared in arbitrary::fingerprints(),
    ) {
        let mut known = plan.clone();
        for change in known.organizations.iter_mut().flat_map(|o| &mut o.changes) {
            if let Some(after) = change.after_mut() {
                after.fingerprints = Some(declared);
            }
        }
        let style = Style::plain(now);
        prop_assert_eq!(all_outputs(&known, &style), all_outputs(&plan, &style));
    }

    #[test]
    fn colour_carries_no_meaning_alone(plan in arbitrary::plan(), now in arbitrary::timestamp()) {
        let plain = Style::plain(now);
        let coloured = Style { colour: true, ..plain };
        prop_assert_eq!(without_colours(&text(&plan, &coloured)), text(&plan, &plain));
    }

    #[test]
    fn wrapping_loses_no_word(plan in arbitrary::plan(), width in 1_usize..120) {
        let plain = Style::plain(Timestamp(0));
        let words = |style: &Style| {
            let shown = text(&plan, style);
            // The `#` of continued comment lines is not part of the text.
            let words = shown.split_whitespace().filter(|word| *word != "#");
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        prop_assert_eq!(words(&Style { width, ..plain }), words(&plain));
    }
}
