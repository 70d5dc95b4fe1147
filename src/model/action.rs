//! What a plan does with one callback.

use std::fmt;

/// The word for a change.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    NoOp,
    Add,
    Delete,
    /// Delete it, then add it: the only way to change a key or token.
    Replace,
    /// Add it again, in case it was deleted behind our back.
    Heal,
    /// Settle a call whose outcome is open.
    Finish,
}

/// Which calls a change makes, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Calls {
    Nothing,
    Add,
    Delete,
    /// A delete and, adjacent to it, an add.
    Replace,
}

/// What a change adds to the counts of a plan, and of a report once it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    pub added: usize,
    /// Callbacks added again, in case they were deleted by someone else.
    pub changed: usize,
    pub destroyed: usize,
}

impl Calls {
    /// How many calls that is when none has to be repeated.
    pub const fn count(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Add | Self::Delete => 1,
            Self::Replace => 2,
        }
    }

    /// Whether one of them is an add, which sends key and token.
    pub const fn adds(self) -> bool {
        match self {
            Self::Nothing | Self::Delete => false,
            Self::Add | Self::Replace => true,
        }
    }

    /// Whether one of them is a delete.
    pub const fn deletes(self) -> bool {
        match self {
            Self::Nothing | Self::Add => false,
            Self::Delete | Self::Replace => true,
        }
    }

    /// How these calls count under this action. The one rule for plans and reports, so that the two agree.
    pub const fn effect(self, action: Action) -> Effect {
        let (added, changed, destroyed) = match (action, self) {
            (_, Self::Nothing) => (0, 0, 0),
            (Action::Heal, _) => (0, 1, 0),
            (_, Self::Add) => (1, 0, 0),
            (_, Self::Delete) => (0, 0, 1),
            (_, Self::Replace) => (1, 0, 1),
        };
        Effect {
            added,
            changed,
            destroyed,
        }
    }
}

impl Action {
    /// Whether a change of this name may make these calls.
    pub const fn may_make(self, calls: Calls) -> bool {
        match (self, calls) {
            (Self::NoOp, Calls::Nothing)
            | (Self::Add, Calls::Add | Calls::Replace)
            | (Self::Delete, Calls::Delete)
            | (Self::Replace, Calls::Replace)
            | (Self::Heal, Calls::Add)
            | (Self::Finish, Calls::Add | Calls::Delete | Calls::Replace) => true,
            (Self::NoOp, Calls::Add | Calls::Delete | Calls::Replace)
            | (Self::Add, Calls::Nothing | Calls::Delete)
            | (Self::Delete, Calls::Nothing | Calls::Add | Calls::Replace)
            | (Self::Replace, Calls::Nothing | Calls::Add | Calls::Delete)
            | (Self::Heal, Calls::Nothing | Calls::Delete | Calls::Replace)
            | (Self::Finish, Calls::Nothing) => false,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoOp => "no-op",
            Self::Add => "add",
            Self::Delete => "delete",
            Self::Replace => "replace",
            Self::Heal => "heal",
            Self::Finish => "finish",
        })
    }
}
