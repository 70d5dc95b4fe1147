//! Laws of every text, over arbitrary plans.

use proptest::prelude::*;

use super::escape::is_treacherous;
use super::{Style, change_summary_json, guards_text, plan_text, planned_change_json};
use crate::model::Timestamp;
use crate::plan::{Plan, arbitrary};

fn text(plan: &Plan, style: &Style) -> String {
    let mut out = String::new();
    plan_text(plan, style, &mut out).unwrap();
    guards_text(plan, style, &mut out).unwrap();
    out
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
        for change in plan.changes() {
            prop_assert!(!planned_change_json(change, now).contains(is_treacherous));
        }
        prop_assert!(!change_summary_json(&plan, now).contains(is_treacherous));
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
            // The marks of continued comment lines are not words of the text.
            let words = shown.split_whitespace().filter(|word| *word != "#");
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        prop_assert_eq!(words(&Style { width, ..plain }), words(&plain));
    }
}
