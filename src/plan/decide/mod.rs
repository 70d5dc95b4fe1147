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

use crate::model::{Action, Adoption, Calls, Entry, Fingerprints, Presence, Write};

use super::{Deletion, Reason};

/// What the file says about one URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It must be there, with these secrets. `forced`: replace it whatever is recorded.
    Declared {
        value: Value,
        adoption: Adoption,
        forced: bool,
    },
    /// It must not be there.
    Gone(Deletion, Reason),
}

/// What is known of a declared callback's secrets.
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
    pub(super) calls: Calls,
    pub(super) reason: Reason,
    /// Whether the recorded lost call must be dead before the first of the calls.
    pub(super) fenced: bool,
}

pub(super) fn decide(entry: Option<&Entry>, wanted: Wanted) -> Verdict {
    let (action, calls, reason) = match wanted {
        Wanted::Declared {
            value,
            adoption,
            forced,
        } => declared(entry, value, adoption, forced),
        Wanted::Gone(deletion, reason) => {
            let (action, calls) = gone(entry, deletion);
            (action, calls, reason)
        }
    };
    let lost = entry.and_then(|entry| entry.lost).map(|lost| lost.write);
    Verdict {
        action,
        calls,
        reason,
        fenced: lost.is_some_and(|lost| !repeats(lost, calls, wanted)),
    }
}

fn declared(
    entry: Option<&Entry>,
    value: Value,
    adoption: Adoption,
    forced: bool,
) -> (Action, Calls, Reason) {
    let replace = |reason| (Action::Replace, Calls::Replace, reason);
    let Some(entry) = entry else {
        return match (adoption, forced) {
            (_, true) => replace(Reason::Requested),
            (Adoption::Replace, false) => replace(Reason::Adoption),
            (Adoption::Keep, false) => (Action::Add, Calls::Add, Reason::NotRecorded),
        };
    };
    let Some(there) = entry.belief.presumed() else {
        return (Action::Add, Calls::Add, Reason::ProvenAbsent);
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
        let calls = if again && !forced {
            Calls::Add
        } else {
            Calls::Replace
        };
        return (Action::Finish, calls, reason);
    }
    if forced {
        return replace(Reason::Requested);
    }
    match value.compare(there.fingerprints) {
        Comparison::Different => replace(changed(there.fingerprints, value)),
        Comparison::NotChecked => (Action::NoOp, Calls::Nothing, Reason::NotChecked),
        Comparison::Same if there.exact => (Action::NoOp, Calls::Nothing, Reason::Unchanged),
        Comparison::Same => (Action::NoOp, Calls::Nothing, Reason::Unproven),
    }
}

fn gone(entry: Option<&Entry>, deletion: Deletion) -> (Action, Calls) {
    let Some(entry) = entry else {
        // Of what is not recorded only an explicit wish may be sent: --destroy means what is.
        return match deletion {
            Deletion::Listed => (Action::Delete, Calls::Delete),
            Deletion::Omitted | Deletion::Twin => (Action::NoOp, Calls::Nothing),
        };
    };
    match entry.belief.presence() {
        Presence::Absent => (Action::NoOp, Calls::Nothing),
        Presence::Present => (Action::Delete, Calls::Delete),
        Presence::Unknown => (Action::Finish, Calls::Delete),
    }
}

fn changed(recorded: Fingerprints, value: Value) -> Reason {
    match value {
        Value::Known(wanted) => {
            let key = recorded.key != wanted.key;
            // A token's fingerprint is made with the key, so a new key gives it a new one too. That
            // the token itself changed is known only while the key stays.
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

/// Whether the calls are nothing but the lost call once more.
fn repeats(lost: Write, calls: Calls, wanted: Wanted) -> bool {
    match (lost, calls) {
        (_, Calls::Nothing) | (Write::Delete, Calls::Delete) => true,
        (Write::Add(value), Calls::Add) => match wanted {
            Wanted::Declared {
                value: wanted,
                adoption: _,
                forced: _,
            } => wanted.compare(value) != Comparison::Different,
            Wanted::Gone(..) => false,
        },
        (Write::Add(_), Calls::Delete | Calls::Replace)
        | (Write::Delete, Calls::Add | Calls::Replace) => false,
    }
}

#[cfg(test)]
mod tests;
