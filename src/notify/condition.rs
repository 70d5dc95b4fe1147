//! What is reported: a condition, which lasts until it is resolved, or something that happened once.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a condition is a value"
)]

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// What kind of condition it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Guards refuse the plan. It waits for an approval, or for another configuration.
    PlanRefused,
    /// The policy wants an approval of each plan.
    PlanWaiting,
    RunFailed,
    /// The state can't be read, so nothing is done.
    StateUnreadable,
    /// The files are older than those that were applied: this replica does nothing until it has newer ones.
    ReplicaBehind,
    /// Answers showed that eSign was not as recorded, which a run mends. It happens once.
    DriftFound,
    /// Messages do not reach a callback that others got.
    CallbackMissing,
    /// The configuration can't be used. What was declared before stays in effect.
    ConfigurationBroken,
    /// Secrets that the configuration names can't be read.
    SecretsUnreadable,
    /// Reconciling is suspended by hand.
    Suspended,
    /// eSign reported it: a member joined or left, an operator quit. It happens once.
    EsignEvent,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::PlanRefused,
        Self::PlanWaiting,
        Self::RunFailed,
        Self::StateUnreadable,
        Self::ReplicaBehind,
        Self::DriftFound,
        Self::CallbackMissing,
        Self::ConfigurationBroken,
        Self::SecretsUnreadable,
        Self::Suspended,
        Self::EsignEvent,
    ];

    /// A name for programs.
    pub const fn id(self) -> &'static str {
        match self {
            Self::PlanRefused => "plan-refused",
            Self::PlanWaiting => "plan-waiting",
            Self::RunFailed => "run-failed",
            Self::StateUnreadable => "state-unreadable",
            Self::ReplicaBehind => "replica-behind",
            Self::DriftFound => "drift-found",
            Self::CallbackMissing => "callback-missing",
            Self::ConfigurationBroken => "configuration-broken",
            Self::SecretsUnreadable => "secrets-unreadable",
            Self::Suspended => "suspended",
            Self::EsignEvent => "esign-event",
        }
    }

    /// Whether it happens at one moment: it is reported once, and never as lasting or resolved.
    pub const fn is_momentary(self) -> bool {
        match self {
            Self::DriftFound | Self::EsignEvent => true,
            Self::PlanRefused
            | Self::PlanWaiting
            | Self::RunFailed
            | Self::StateUnreadable
            | Self::ReplicaBehind
            | Self::CallbackMissing
            | Self::ConfigurationBroken
            | Self::SecretsUnreadable
            | Self::Suspended => false,
        }
    }
}

/// How much it matters; the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Notice,
    Warning,
    Error,
}

/// By what a condition is recognized: its kind, and what it is about, such as an account. Of what happens once,
/// what is different for each, such as the id of its message or its time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub kind: Kind,
    /// Empty if there is one condition of this kind only.
    pub about: String,
}

impl Severity {
    /// A name for programs.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    pub(super) fn parse(id: &str) -> Option<Self> {
        let all = [Self::Notice, Self::Warning, Self::Error];
        all.into_iter().find(|one| one.id() == id)
    }
}

impl Key {
    /// Whether nothing is known of the other one while this lasts, so that its end can't be told.
    pub(super) fn hides(&self, other: &Self) -> bool {
        match self.kind {
            // The round failed before it could tell. Other failures are named.
            Kind::RunFailed => self.about.is_empty(),
            Kind::StateUnreadable | Kind::ReplicaBehind => true,
            // With an invalid file, the whole is not valid again.
            Kind::ConfigurationBroken => {
                let is_whole = other.kind == self.kind && other.about.is_empty();
                self.about.is_empty() || is_whole
            }
            Kind::PlanRefused
            | Kind::PlanWaiting
            | Kind::DriftFound
            | Kind::CallbackMissing
            | Kind::SecretsUnreadable
            | Kind::Suspended
            | Kind::EsignEvent => false,
        }
    }

    /// What [`Key::to_string`] gave.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, about) = text.split_once(' ').unwrap_or((text, ""));
        let kind = Kind::ALL.into_iter().find(|kind| kind.id() == id)?;
        let about = about.to_owned();
        Some(Self { kind, about })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, about } = self;
        f.write_str(kind.id())?;
        if about.is_empty() {
            return Ok(());
        }
        write!(f, " {about}")
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
            version: None,
        }
    }

    /// Equal for the same content.
    pub(super) fn content(&self) -> Content {
        let Self {
            key: _,
            severity: _,
            lines,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content(pub(super) String);

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
    fn content_follows_lines_or_version() {
        let mut one = Condition::new(Kind::RunFailed, "acme", Severity::Error);
        let empty = one.content();
        one.lines = vec!["a".into(), "b".into()];
        let lines = one.content();
        assert_ne!(lines, empty);
        one.lines = vec!["ab".into()];
        assert_ne!(one.content(), lines);
        one.version = Some("1".into());
        let version = one.content();
        one.lines.clear();
        assert_eq!(one.content(), version);
    }
}
