//! What a plan does with one callback.

use std::fmt;

/// The word for a change.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing to call.
    NoOp,
    /// Add it.
    Add,
    /// Delete it.
    Delete,
    /// Delete it, then add it: the only way to change a key or token.
    Replace,
    /// Add it again, in case it was deleted behind our back.
    Heal,
    /// Settle a call whose outcome is open.
    Finish,
}

/// The calls of a change, in order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Steps {
    /// None.
    Nothing,
    /// One add.
    Add,
    /// One delete.
    Delete,
    /// A delete and, adjacent to it, an add.
    DeleteThenAdd,
}

impl Steps {
    /// How many calls that makes when nothing has to be repeated.
    pub const fn calls(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Add | Self::Delete => 1,
            Self::DeleteThenAdd => 2,
        }
    }

    /// Whether one of them is an add, which sends key and token.
    pub const fn adds(self) -> bool {
        match self {
            Self::Nothing | Self::Delete => false,
            Self::Add | Self::DeleteThenAdd => true,
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
