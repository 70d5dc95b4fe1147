//! Folds equal errors during an apply: the first few are shown, the others are only announced. JSON has them all,
//! and the report counts the changes that were not made.

use std::collections::BTreeMap;

use crate::model::{ApiError, Event};

/// How many equal errors are shown.
const SHOWN: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct Fold(BTreeMap<(&'static str, String), usize>);

impl Fold {
    /// What is printed for an event: its text, a note that others like it are not shown, or nothing.
    pub(crate) fn text(&mut self, event: &Event, text: Option<String>) -> Option<String> {
        let Some((kind, error)) = error(event) else {
            return text;
        };
        let code = error.code.as_deref().unwrap_or_default();
        let sort = (kind, format!("{code} {}", error.message));
        let count = self.0.entry(sort).or_default();
        *count += 1;
        if *count <= SHOWN {
            return text;
        }
        (*count == SHOWN + 1)
            .then(|| "More calls fail with this error; they are not shown.".to_owned())
    }
}

const fn error(event: &Event) -> Option<(&'static str, &ApiError)> {
    match event {
        Event::Retrying { error, .. } => Some(("again", error)),
        Event::Failed { error, .. } => Some(("failed", error)),
        Event::Unknown { error, .. } => Some(("unknown", error)),
        Event::Started { .. }
        | Event::Completed { .. }
        | Event::NotAttempted { .. }
        | Event::Throttled { .. }
        | Event::FenceWait { .. }
        | Event::Drifted { .. }
        | Event::ClockOffset { .. }
        | Event::AccountStopped { .. }
        | Event::Interrupted { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Address, CallbackUrl, Handle};

    fn failed(message: &str) -> Event {
        Event::Failed {
            address: Address {
                handle: Handle::new("acme"),
                url: CallbackUrl::new("https://a.example/"),
            },
            action: Action::Add,
            error: ApiError {
                code: None,
                message: message.to_owned(),
                request_id: None,
                meaning: "".into(),
                advice: "".into(),
            },
        }
    }

    #[test]
    fn five_are_shown_then_a_note_then_nothing() {
        let mut fold = Fold::default();
        let mut show = |message| fold.text(&failed(message), Some(message.to_owned()));
        for _ in 0..5 {
            assert_eq!(show("refused").as_deref(), Some("refused"));
        }
        assert!(show("refused").is_some_and(|note| note.starts_with("More calls fail")));
        assert_eq!(show("refused"), None);
        assert_eq!(show("another").as_deref(), Some("another"));
    }
}
