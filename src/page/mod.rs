//! The status page: what is recorded, what is pending and what has to be done, as one HTML file.
//!
//! A [`Page`] is built from a state alone; whoever knows more (a plan, the last runs, who works on the state)
//! adds it. [`html`] is a pure function of it.
//!
//! Invariants: the page loads nothing from elsewhere, and its policy forbids it; everything foreign stays text;
//! URLs are masked as everywhere; no meaning is in colour alone; it works without its script.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the page is a pure function; `now` is a field of it"
)]

mod callbacks;
mod frame;
mod parts;
mod plot;
mod policy;
mod runs;
mod summary;
mod survey;
#[cfg(test)]
mod tests;
mod times;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::Severity;
use crate::model::{Identity, Recorded, Tally, Timestamp};
use crate::plan::Plan;
use crate::state::LockOwner;

pub use policy::content_security_policy;

/// Everything that the page shows. [`Page::of`] leaves out all that a state alone does not tell.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// The version of the program.
    pub version: &'a str,
    /// When the page is made; ages are relative to it.
    pub now: Timestamp,
    /// Where the state is, as people name it.
    pub place: &'a str,
    pub recorded: &'a Recorded,
    /// What is pending, with the unchanged callbacks.
    pub plan: Option<&'a Plan>,
    /// What only a controller knows. `None` on a page that a command writes.
    pub keeping: Option<Keeping<'a>>,
    /// What is wrong beside what the record and the plan show.
    pub problems: &'a [Problem],
    /// The last runs, the newest last. `None` where no runs are kept.
    pub runs: Option<&'a [Run]>,
    /// Who works on the state now.
    pub lease: Option<&'a LockOwner>,
    /// When each callback was last seen to receive a message of eSign. `None` where that is not observed.
    pub seen: Option<&'a BTreeMap<Identity, Timestamp>>,
    /// The `description` of callbacks.
    pub descriptions: Option<&'a BTreeMap<Identity, Arc<str>>>,
}

impl<'a> Page<'a> {
    /// What a state alone tells.
    pub const fn of(recorded: &'a Recorded, place: &'a str, now: Timestamp) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            now,
            place,
            recorded,
            plan: None,
            keeping: None,
            problems: &[],
            runs: None,
            lease: None,
            seen: None,
            descriptions: None,
        }
    }
}

impl Page<'_> {
    /// Whether the environment is that of a state or of a configuration.
    fn knows_environment(&self) -> bool {
        self.keeping
            .is_none_or(|keeping| keeping.knows_environment || self.recorded.lineage.is_some())
    }
}

/// What a controller knows of its own work.
#[derive(Clone, Copy, Debug)]
pub struct Keeping<'a> {
    /// The configuration, as people name it.
    pub configuration: &'a str,
    /// Whether the configuration was read, which says what the environment is.
    pub knows_environment: bool,
    /// When the last round ended.
    pub last_round: Option<Timestamp>,
    /// Since when other files are in force than this replica has, if it waits for newer ones.
    pub behind: Option<Timestamp>,
    pub next: Next,
}

/// When pending changes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// In the next round.
    Round,
    /// After the suspension.
    Resumed,
    /// After an approval. How to give it is among the problems.
    Approved,
    /// Once the problems are solved.
    Solved,
}

/// Something that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    /// Without a full stop.
    pub headline: String,
    /// What exactly, a line each.
    pub details: Vec<String>,
    /// One sentence or more.
    pub remedy: Option<String>,
}

/// One run of a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub began: Timestamp,
    pub elapsed_ms: u64,
    /// Why it ran, such as `the configuration changed`, where that is known.
    pub why: Option<String>,
    pub end: RunEnd,
    pub tally: Tally,
    /// How many calls were sent.
    pub calls: usize,
    /// How many of them eSign refused for the rate limit.
    pub throttled: usize,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It has not.
    Running,
    /// Everything that was planned is done.
    Complete,
    /// Some changes are not done; the tally says how many.
    Incomplete,
    /// A guard refused the plan, or it waits for an approval.
    Refused,
    /// It was stopped.
    Interrupted,
    /// It made no plan, or could not apply it; why.
    Failed(String),
}

/// The page as one HTML document.
pub fn html(page: &Page<'_>) -> String {
    frame::document(page).into_string()
}
