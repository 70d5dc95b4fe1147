//! What becomes of a plan: it is applied, or waits for somebody.

use crate::plan::{Plan, Tripped, calls_digest};

/// Which plans are applied without being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Those that the guards pass.
    Auto,
    /// None but those that only heal.
    Approve,
}

/// What to do with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is nothing to call and nothing to record.
    Nothing,
    /// Apply it.
    Apply {
        /// The deletes that were approved, where a guard refuses them.
        allow_deletes: Option<usize>,
    },
    /// It waits until it is approved, or changes.
    Wait(Waiting),
}

/// A plan that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Of its calls. Who approves names it.
    pub digest: String,
    pub why: Why,
}

/// Why a plan waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Every plan with changes does.
    Policy,
    /// It deletes more than the guards allow: so many callbacks.
    Deletes(usize),
    /// A guard refuses it that no approval overrides.
    Final,
}

/// The digest of a plan's calls, whatever state they were planned on. So it outlasts what is recorded for others while
/// the plan waits.
pub fn digest(plan: &Plan) -> String {
    calls_digest(&on_any_state(plan.clone()))
}

/// The same plan, for any state: for its calls only.
pub fn on_any_state(plan: Plan) -> Plan {
    Plan {
        lineage: None,
        serial: 0,
        ..plan
    }
}

/// What to do with this plan. `approved` is the digest of the plan that somebody approved.
pub fn decide(plan: &Plan, policy: Policy, approved: Option<&str>) -> Decision {
    let is_final = |tripped: &Tripped| match tripped {
        Tripped::Protected { .. } | Tripped::PerhapsShared { .. } => true,
        Tripped::MostOfOrganization { .. }
        | Tripped::LastOfOrganization { .. }
        | Tripped::MostOfAll { .. }
        | Tripped::WrongAllowance { .. } => false,
    };
    let why = if plan.tripped.iter().any(is_final) {
        Why::Final
    } else if !plan.tripped.is_empty() {
        Why::Deletes(plan.summary.deletes_by_omission)
    } else if plan.is_empty() {
        return if plan.records_something() {
            Decision::Apply {
                allow_deletes: None,
            }
        } else {
            Decision::Nothing
        };
    } else if policy == Policy::Approve && !only_heals(plan) {
        Why::Policy
    } else {
        return Decision::Apply {
            allow_deletes: None,
        };
    };
    let digest = digest(plan);
    match why {
        Why::Policy if approved == Some(&digest) => Decision::Apply {
            allow_deletes: None,
        },
        Why::Deletes(deletes) if approved == Some(&digest) => Decision::Apply {
            allow_deletes: Some(deletes),
        },
        Why::Policy | Why::Deletes(_) | Why::Final => Decision::Wait(Waiting { digest, why }),
    }
}

/// The digest of a plan that waits unless it is approved; `None` when nothing waits.
pub fn digest_that_waits(plan: &Plan, policy: Policy) -> Option<String> {
    match decide(plan, policy, None) {
        Decision::Wait(waiting) => Some(waiting.digest),
        Decision::Nothing | Decision::Apply { .. } => None,
    }
}

/// Whether it only asserts again what is recorded, and finishes calls that were lost.
fn only_heals(plan: &Plan) -> bool {
    let summary = &plan.summary;
    summary.add + summary.replace + summary.delete == 0
}
