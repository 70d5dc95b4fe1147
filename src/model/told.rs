//! What people were told of a condition last, by whichever replica.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The last message about one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Whether the condition was said to be there, or over.
    pub is: ToldAs,
    /// A digest of what was told of it.
    pub content: String,
    /// Since when it was there, by the same clock.
    pub since: Timestamp,
    /// When, by the clock of who told it.
    pub at: Timestamp,
    /// Who has not taken the message yet. `None` when all have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed: Option<Owed>,
}

/// What a message says of its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToldAs {
    Present,
    Resolved,
}

/// A message that some targets have not taken yet, whole enough for another process to send it to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owed {
    /// The names of these targets.
    pub to: BTreeSet<String>,
    /// Until when the process that wrote this sends it. Later anyone may.
    pub until: Timestamp,
    pub news: News,
    /// When the message was decided; of a resolution, when the condition ended.
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// Why there is a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum News {
    Appeared,
    Changed,
    /// It lasts for another day.
    Lasting,
    Resolved,
}

impl News {
    /// As the state and messages to programs have it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::Changed => "changed",
            Self::Lasting => "lasting",
            Self::Resolved => "resolved",
        }
    }
}
