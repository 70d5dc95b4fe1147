//! Who holds the right to write a state.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// What is known of an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOwner {
    /// Names this lock for `unlock`.
    pub id: String,
    pub who: String,
    pub host: String,
    pub pid: u32,
    /// What it runs, like `apply`.
    pub command: String,
    /// Since when it wants or has the lock.
    pub since: Timestamp,
    /// The CI job it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_url: Option<String>,
}

impl LockOwner {
    /// Who it is, without the id that would unlock it.
    pub(super) fn name(&self) -> String {
        let Self {
            id: _,
            who,
            host,
            pid,
            command,
            since,
            job_url: _,
        } = self;
        format!("{who}@{host}, process {pid} (`{command}`), since {since}")
    }
}

impl fmt::Display for LockOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, job_url, .. } = self;
        write!(f, "{}, lock id {id}", self.name())?;
        match job_url {
            Some(url) => write!(f, ", {url}"),
            None => Ok(()),
        }
    }
}
