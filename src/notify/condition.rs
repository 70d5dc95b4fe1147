//! What is reported: a condition, which lasts until it is resolved, or something that happened once.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a condition is a value"
)]

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// What kind of condition it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Guards refuse the plan. It waits for an approval, or for another configuration.
    PlanRefused,
    /// The policy wants an approval of each plan.
    PlanWaiting,
    RunFailed,
    /// Answers showed that eSign was not as recorded.
    DriftFound,
    /// Calls may or may not have had an effect.
    CallsUnknown,
    /// The configuration can't be used. What was declared before stays in effect.
    ConfigurationBroken,
    /// Reconciling is suspended by hand.
    Suspended,
    /// Receivers failed their verification.
    ReceiversFailing,
    /// eSign reported it: a member joined or left, an operator quit. It happens once.
    EsignEvent,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::PlanRefused,
        Self::PlanWaiting,
        Self::RunFailed,
        Self::DriftFound,
        Self::CallsUnknown,
        Self::ConfigurationBroken,
        Self::Suspended,
        Self::ReceiversFailing,
        Self::EsignEvent,
    ];

    /// A name for programs.
    pub const fn id(self) -> &'static str {
        match self {
            Self::PlanRefused => "plan-refused",
            Self::PlanWaiting => "plan-waiting",
            Self::RunFailed => "run-failed",
            Self::DriftFound => "drift-found",
            Self::CallsUnknown => "calls-unknown",
            Self::ConfigurationBroken => "configuration-broken",
            Self::Suspended => "suspended",
            Self::ReceiversFailing => "receivers-failing",
            Self::EsignEvent => "esign-event",
        }
    }

    /// Whether it happens at one moment: it is reported once, and never as lasting or resolved.
    pub const fn is_momentary(self) -> bool {
        match self {
            Self::EsignEvent => true,
            Self::PlanRefused
            | Self::PlanWaiting
            | Self::RunFailed
            | Self::DriftFound
            | Self::CallsUnknown
            | Self::ConfigurationBroken
            | Self::Suspended
            | Self::ReceiversFailing => false,
        }
    }
}

/// How much it matters; the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Notice,
    Warning,
    Error,
}

/// By what a condition is recognized: its kind, and what it is about, such as an account. Of an event,
/// what is different for each, such as the id of its message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub kind: Kind,
    /// Empty if there is one condition of this kind only.
    pub about: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.id())?;
        if self.about.is_empty() {
            return Ok(());
        }
        write!(f, "/{}", self.about)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (id, about) = text.split_once('/').unwrap_or((&text, ""));
        let kind = Kind::ALL.into_iter().find(|kind| kind.id() == id);
        let kind =
            kind.ok_or_else(|| de::Error::custom(format_args!("`{id}` is no kind of condition")))?;
        Ok(Self {
            kind,
            about: about.to_owned(),
        })
    }
}

/// A condition as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub key: Key,
    pub severity: Severity,
    /// What the program itself prints: the error, and the help below it with an indent of two spaces. Untrusted
    /// text is escaped when it is rendered.
    pub lines: Vec<String>,
    /// Where to read more, or to approve.
    pub link: Option<String>,
    /// What must differ for it to be reported as changed, such as a digest; by default the lines. To be set if the
    /// lines hold times, counts or request ids.
    pub version: Option<String>,
}

impl Condition {
    /// A condition without lines.
    pub fn new(kind: Kind, about: impl Into<String>, severity: Severity) -> Self {
        Self {
            key: Key {
                kind,
                about: about.into(),
            },
            severity,
            lines: Vec::new(),
            link: None,
            version: None,
        }
    }

    /// Equal for the same content. The link is not part of it: it may lead to another run each time.
    pub(super) fn content(&self) -> Content {
        let Self {
            key: _,
            severity: _,
            lines,
            link: _,
            version,
        } = self;
        let mut digest = Sha256::new();
        let parts = match version {
            Some(version) => std::slice::from_ref(version),
            None => lines.as_slice(),
        };
        digest.update([u8::from(version.is_some())]);
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        Content(hex::encode(&digest.finalize()[..8]))
    }
}

/// A hash of what a condition says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once() {
        let mut ids: Vec<_> = Kind::ALL.iter().map(|kind| kind.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Kind::ALL.len());
    }

    #[test]
    fn a_key_is_read_back() {
        for kind in Kind::ALL {
            for about in ["", "acme", "a/b", "/"] {
                let key = Condition::new(kind, about, Severity::Error).key;
                let json = serde_json::to_string(&key).unwrap();
                // `kind/` and `kind` are one key.
                assert_eq!(serde_json::from_str::<Key>(&json).unwrap(), key, "{json}");
            }
        }
        assert!(serde_json::from_str::<Key>("\"future-kind/a\"").is_err());
    }

    #[test]
    fn content_follows_lines_or_version_and_not_the_link() {
        let mut one = Condition::new(Kind::RunFailed, "acme", Severity::Error);
        let empty = one.content();
        one.link = Some("https://status.example/".into());
        assert_eq!(one.content(), empty);
        one.lines = vec!["a".into(), "b".into()];
        let lines = one.content();
        one.lines = vec!["ab".into()];
        assert_ne!(one.content(), lines);
        one.version = Some("1".into());
        let version = one.content();
        one.lines.clear();
        assert_eq!(one.content(), version);
    }
}
