//! What holds for every plan, wherever it comes from.

use ess_callbacks::model::Timestamp;
use ess_callbacks::plan::{Plan, read_document, write_document};
use ess_callbacks::render::{
    Style, Subject, guards_text, plan_diff, plan_markdown, plan_summary, plan_text,
};

/// It is saved and read back as the same plan, but for the fingerprints of values, and can be shown.
pub(crate) fn check(plan: &Plan) {
    let plan = &unlearnt(plan);
    let mut out = Vec::new();
    write_document(plan, &[], &mut out).expect("memory takes everything");
    let text = String::from_utf8(out).expect("a document is text");
    let again = read_document(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    assert_eq!(&again, plan, "{text}");
    let style = Style::plain(Timestamp(1_790_000_000));
    let mut shown = String::new();
    plan_text(plan, &style, &mut shown).expect("a string takes everything");
    guards_text(plan, &style, &mut shown).expect("a string takes everything");
    plan_summary(plan, &style, &mut shown).expect("a string takes everything");
    plan_diff(plan, &style, &mut shown).expect("a string takes everything");
    let markdown = plan_markdown(plan, &Subject::of("callbacks.yaml"), &style);
    assert!(markdown.chars().count() <= 65_000);
    shown.push_str(&markdown);
    assert!(
        !shown.chars().any(|c| c.is_control() && c != '\n'),
        "a control character reaches the terminal: {shown:?}"
    );
}

/// Without what only the values of its secrets tell, which no document has.
fn unlearnt(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for change in plan
        .organizations
        .iter_mut()
        .flat_map(|organization| &mut organization.changes)
    {
        if let Some(after) = change.after_mut() {
            after.fingerprints = None;
        }
    }
    plan
}
