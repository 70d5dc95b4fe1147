//! The state file: what is read is written again as the same, and can be worked with; what is not
//! understood stays as it is.

use ess_callbacks::model::{Recorded, Timestamp};
use ess_callbacks::render::{Style, state_json, state_text};
use ess_callbacks::state::{Place, format};

/// Reads a state file of any bytes.
pub(crate) fn run(data: &[u8]) {
    let recorded = match format::read(&Place::new("callbacks.state.json"), data) {
        Ok(recorded) => recorded,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.advice().is_empty());
            return;
        }
    };
    let text = written(&recorded);
    let again = format::read(&Place::new("again"), &*text).expect("what was written can be read");
    // An entry that says nothing is not written.
    let kept = recorded
        .iter()
        .filter(|(_, _, entry)| !entry.is_untouched());
    assert!(kept.eq(again.iter()), "an entry changed");
    assert_eq!(
        (again.lineage, again.serial, again.salt),
        (recorded.lineage, recorded.serial, recorded.salt)
    );
    assert_eq!(written(&again), text);
    show(&recorded);
    let mut left = recorded;
    left.interrupt();
    assert!(
        left.iter().all(|(_, _, entry)| entry.pending.is_none()),
        "a call waits for its answer for ever"
    );
}

fn written(recorded: &Recorded) -> Vec<u8> {
    let mut text = Vec::new();
    format::write(recorded, &mut text).expect("what was read can be written");
    text
}

fn show(recorded: &Recorded) {
    let style = Style::plain(Timestamp(1_790_000_000));
    let mut out = String::new();
    state_text(recorded, &style, &mut out).expect("a string takes everything");
    assert!(
        !out.chars().any(|c| c.is_control() && c != '\n'),
        "a control character reaches the terminal: {out:?}"
    );
    let mut json = Vec::new();
    state_json(recorded, &mut json).expect("memory takes everything");
    serde_json::from_slice::<serde_json::Value>(&json).expect("it is JSON");
}
