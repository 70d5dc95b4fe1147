//! Why a message was not delivered, in one sentence, and whether to try again.

use std::time::Duration;

use crate::client::Redactor;

/// What came back, as far as it was read.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `Retry-After` in seconds.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// A message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Whether the same message may be taken later.
    pub(super) passing: bool,
    /// How long the service refuses any message.
    pub(super) after: Option<Duration>,
    what: String,
    /// Words of somebody else about it.
    foreign: Option<String>,
    advice: &'static str,
}

/// So much of foreign words, in characters.
const LONGEST_FOREIGN: usize = 100;

impl Failure {
    /// What happened, and what to do.
    pub(super) fn passing(what: impl Into<String>, advice: &'static str) -> Self {
        Self {
            passing: true,
            after: None,
            what: what.into(),
            foreign: None,
            advice,
        }
    }

    /// What happened, and what to do.
    pub(super) fn lasting(what: impl Into<String>, advice: &'static str) -> Self {
        Self {
            passing: false,
            ..Self::passing(what, advice)
        }
    }

    /// With what somebody else says about it.
    pub(super) fn saying(self, foreign: impl Into<String>) -> Self {
        Self {
            foreign: Some(foreign.into()),
            ..self
        }
    }

    /// Not before this time.
    pub(super) fn after(self, after: Option<Duration>) -> Self {
        Self { after, ..self }
    }

    /// One sentence. Foreign words are redacted before they are cut, so that no part of a secret is left.
    pub(super) fn sentence(&self, redactor: &Redactor) -> String {
        let Self {
            passing: _,
            after: _,
            what,
            foreign,
            advice,
        } = self;
        let foreign = foreign.as_ref().map(|foreign| {
            let clean = redactor.clean(foreign);
            let short: String = clean.chars().take(LONGEST_FOREIGN).collect();
            let cut = if short == clean { "" } else { "…" };
            format!(" ({short}{cut})")
        });
        format!("{what}{}; {advice}", foreign.unwrap_or_default())
    }

    /// By the status alone.
    pub(super) fn of_status(answer: &Answer) -> Self {
        let Answer {
            status,
            retry_after,
            body: _,
        } = answer;
        match status {
            429 => Self::passing(
                "it takes no more messages at the moment (HTTP 429)",
                "if that lasts, let fewer programs write to it",
            )
            .after(Some(retry_after.unwrap_or(A_MINUTE))),
            408 | 500..=599 => Self::passing(
                format!("it has a problem (HTTP {status})"),
                "nothing has to be done unless that lasts",
            )
            .after(*retry_after),
            300..=399 => Self::lasting(
                format!("it redirects (HTTP {status}), which is not followed"),
                "set the URL that it redirects to",
            ),
            _ => Self::lasting(
                format!("it refused the message (HTTP {status})"),
                "check that the URL is complete and still valid",
            ),
        }
    }

    /// Something else answered in place of the service.
    pub(super) fn not_the_service(name: &str) -> Self {
        Self::passing(
            format!("what answered is not {name}"),
            "check the URL, and what is between: a proxy or a login page",
        )
    }
}

/// How long a service that counts by the minute refuses.
pub(super) const A_MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn foreign_words_are_redacted_and_then_cut() {
        let secret = Secret::new("CANARY-CANARY-CANARY");
        let redactor = Redactor::new([&secret]);
        let foreign = format!("{}CANARY-CANARY-CANARY{}", "x".repeat(90), "y".repeat(90));
        let failure = Failure::lasting("it refused", "check it").saying(foreign);
        let sentence = failure.sentence(&redactor);
        assert!(
            !sentence.contains("CANARY") && sentence.ends_with("…); check it"),
            "{sentence}"
        );
    }
}
