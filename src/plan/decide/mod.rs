//! The decision table: what to do with one callback, from what is wanted and what is recorded.
//!
//! | recorded ↓ · desired → | declared, same secrets | declared, other secrets | not wanted |
//! |---|---|---|---|
//! | nothing | add, or replace with `adoption: replace` | the same | nothing (`absent:` deletes) |
//! | absent | add | add | nothing |
//! | present | nothing (`--heal`: add again) | replace | delete |
//! | open add of this value | add again | replace | delete |
//! | open add of another value | replace | replace | delete |
//! | open delete | add | replace | delete again |
//!
//! One rule makes the fences: whenever a lost call may still arrive and what we are about to send is
//! anything but that same call, the lost one has to be dead first.

use crate::model::{Action, Adoption, Entry, Fingerprints, Presence, Steps, Write};

use super::Reason;

/// What the file says about one URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It shall be there, with these secrets. `forced`: replace it whatever is recorded.
    Declared {
        value: Value,
        adoption: Adoption,
        forced: bool,
    },
    /// It shall not be there, for this reason.
    Gone(Reason),
}

/// What can be told of a declared callback's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Their values are known.
    Known(Fingerprints),
    /// They were not resolved; it is known only which of the two there are.
    Shape { key: bool, token: bool },
}

/// How a declared value compares with a recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Same,
    Different,
    NotChecked,
}

impl Value {
    fn compare(self, recorded: Fingerprints) -> Comparison {
        match self {
            Self::Known(wanted) if wanted == recorded => Comparison::Same,
            Self::Known(_) => Comparison::Different,
            Self::Shape { key, token } => match (key, token) {
                shape if shape != (recorded.key.is_some(), recorded.token.is_some()) => {
                    Comparison::Different
                }
                (false, false) => Comparison::Same,
                (true, _) | (_, true) => Comparison::NotChecked,
            },
        }
    }
}

/// The decision for one URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) action: Action,
    pub(super) steps: Steps,
    pub(super) reason: Reason,
    /// Whether the recorded lost call must be dead before the first of the steps.
    pub(super) fenced: bool,
}

pub(super) fn decide(entry: Option<&Entry>, wanted: Wanted) -> Verdict {
    let (action, steps, reason) = match wanted {
        Wanted::Declared {
            value,
            adoption,
            forced,
        } => declared(entry, value, adoption, forced),
        Wanted::Gone(reason) => gone(entry, reason),
    };
    let lost = entry.and_then(|entry| entry.lost).map(|lost| lost.write);
    Verdict {
        action,
        steps,
        reason,
        fenced: lost.is_some_and(|lost| !repeats(lost, steps, wanted)),
    }
}

fn declared(
    entry: Option<&Entry>,
    value: Value,
    adoption: Adoption,
    forced: bool,
) -> (Action, Steps, Reason) {
    let replace = |reason| (Action::Replace, Steps::DeleteThenAdd, reason);
    let Some(entry) = entry else {
        return match (adoption, forced) {
            (_, true) => replace(Reason::Requested),
            (Adoption::Replace, false) => replace(Reason::Adoption),
            (Adoption::Keep, false) => (Action::Add, Steps::Add, Reason::NotRecorded),
        };
    };
    let Some(there) = entry.belief.presumed() else {
        return (Action::Add, Steps::Add, Reason::ProvenAbsent);
    };
    if entry.is_open() {
        let (again, reason) = match entry.lost.map(|lost| lost.write) {
            Some(Write::Add(lost)) if value.compare(lost) != Comparison::Different => {
                (true, Reason::OpenAdd)
            }
            Some(Write::Add(_)) => (false, Reason::OpenAddOfAnotherValue),
            Some(Write::Delete) | None => (
                value.compare(there.fingerprints) != Comparison::Different,
                Reason::OpenDelete,
            ),
        };
        let steps = if again && !forced {
            Steps::Add
        } else {
            Steps::DeleteThenAdd
        };
        return (Action::Finish, steps, reason);
    }
    if forced {
        return replace(Reason::Requested);
    }
    match value.compare(there.fingerprints) {
        Comparison::Different => replace(changed(there.fingerprints, value)),
        Comparison::NotChecked => (Action::NoOp, Steps::Nothing, Reason::NotChecked),
        Comparison::Same if there.exact => (Action::NoOp, Steps::Nothing, Reason::Unchanged),
        Comparison::Same => (Action::NoOp, Steps::Nothing, Reason::Unproven),
    }
}

fn gone(entry: Option<&Entry>, reason: Reason) -> (Action, Steps, Reason) {
    let Some(entry) = entry else {
        // Of what is not recorded only an explicit wish may be sent: --destroy means what is.
        return if reason == Reason::ListedAbsent {
            (Action::Delete, Steps::Delete, reason)
        } else {
            (Action::NoOp, Steps::Nothing, reason)
        };
    };
    match entry.belief.presence() {
        Presence::Absent => (Action::NoOp, Steps::Nothing, reason),
        Presence::Present => (Action::Delete, Steps::Delete, reason),
        Presence::Unknown => (Action::Finish, Steps::Delete, reason),
    }
}

fn changed(recorded: Fingerprints, value: Value) -> Reason {
    match value {
        Value::Known(wanted) => {
            let key = recorded.key != wanted.key;
            // A token's fingerprint is made with the key, so a new key gives it a new one too. That
            // the token itself changed can only be told while the key stays.
            let appeared = recorded.token.is_some() != wanted.token.is_some();
            Reason::SecretChanged {
                key,
                token: appeared || (!key && recorded.token != wanted.token),
            }
        }
        Value::Shape { key, token } => Reason::SecretChanged {
            key: key != recorded.key.is_some(),
            token: token != recorded.token.is_some(),
        },
    }
}

/// Whether the steps are nothing but the lost call once more.
fn repeats(lost: Write, steps: Steps, wanted: Wanted) -> bool {
    match (lost, steps) {
        (_, Steps::Nothing) | (Write::Delete, Steps::Delete) => true,
        (Write::Add(value), Steps::Add) => match wanted {
            Wanted::Declared {
                value: wanted,
                adoption: _,
                forced: _,
            } => wanted.compare(value) != Comparison::Different,
            Wanted::Gone(_) => false,
        },
        (Write::Add(_), Steps::Delete | Steps::DeleteThenAdd)
        | (Write::Delete, Steps::Add | Steps::DeleteThenAdd) => false,
    }
}

#[cfg(test)]
mod tests;
