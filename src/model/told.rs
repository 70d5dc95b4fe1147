//! What people were told of a condition last, by whichever replica.

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
}

/// What a message says of its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToldAs {
    Present,
    Resolved,
}
