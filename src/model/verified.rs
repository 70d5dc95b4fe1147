//! What `verify` finds out about a receiver.

use serde::Serialize;

use super::Address;

/// What is the result of the probes of one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub address: Address,
    /// The longest time until an answer was read, in milliseconds; `None` when there was none.
    pub latency_ms: Option<u64>,
    /// In the order of the probes.
    pub findings: Vec<Finding>,
}

/// Something that a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `V001`…, which docs/errors.md and `explain` explain.
    pub code: &'static str,
    pub severity: Gravity,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to do, without a full stop.
    pub remedy: String,
}

/// How much a finding matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// Nothing is wrong.
    Note,
    /// Messages arrive, but something is wrong.
    Warning,
    /// Messages of eSign do not arrive.
    Error,
}

/// The result of all probes of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Warning,
    Failed,
}

impl Verified {
    /// The gravest finding decides.
    pub fn verdict(&self) -> Verdict {
        match self.findings.iter().map(|finding| finding.severity).max() {
            None | Some(Gravity::Note) => Verdict::Ok,
            Some(Gravity::Warning) => Verdict::Warning,
            Some(Gravity::Error) => Verdict::Failed,
        }
    }
}
