//! Guards against a bad merge: they refuse plans that delete too much by omission.
//!
//! What `absent:` lists is explicit and reviewed, and passes; a protected callback never does. A
//! replace is not a delete.

use super::{OrganizationPlan, Plan, Tripped};
use crate::model::{Action, Calls, Presence};

/// An organization's numbers, as the guards see them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Census {
    /// Recorded as present, or perhaps present.
    pub(super) recorded: usize,
    /// Deleted because not declared.
    pub(super) omitted: usize,
    /// There when the plan is done.
    pub(super) remaining: usize,
}

/// What refuses this plan. `census` has one item for each of the plan's organizations.
pub(super) fn tripped(
    plan: &Plan,
    census: &[Census],
    allow_deletes: Option<usize>,
) -> Vec<Tripped> {
    let mut protected = Vec::new();
    let mut liftable = Vec::new();
    for (organization, census) in plan.organizations.iter().zip(census) {
        protected.extend(protected_deletes(organization));
        let Census {
            recorded,
            omitted,
            remaining,
        } = *census;
        let handle = organization.handle.clone();
        if omitted > 0 && remaining == 0 {
            liftable.push(Tripped::LastOfOrganization {
                handle,
                deletes: omitted,
            });
        } else if omitted > 1 && most(omitted, recorded) {
            liftable.push(Tripped::MostOfOrganization {
                handle,
                deletes: omitted,
                recorded,
            });
        }
    }
    let deletes = plan.summary.deletes_by_omission;
    let recorded = census.iter().map(|census| census.recorded).sum();
    if deletes > 10 && most(deletes, recorded) {
        liftable.push(Tripped::MostOfAll { deletes, recorded });
    }
    match allow_deletes {
        Some(allowed) if allowed == deletes => liftable.clear(),
        Some(allowed) if !liftable.is_empty() => {
            liftable.push(Tripped::WrongAllowance { allowed, deletes });
        }
        Some(_) | None => {}
    }
    protected.append(&mut liftable);
    protected
}

fn protected_deletes(organization: &OrganizationPlan) -> impl Iterator<Item = Tripped> {
    organization
        .changes
        .iter()
        .filter(|change| {
            change.calls() == Calls::Delete
                && matches!(change.action, Action::Delete | Action::Finish)
        })
        .filter(|change| change.before.as_ref().is_some_and(|before| before.protect))
        .map(|change| Tripped::Protected {
            address: change.address.clone(),
        })
}

/// More than 30 %.
const fn most(part: usize, whole: usize) -> bool {
    part * 10 > whole * 3
}

/// Whether a recorded callback counts as one of its organization's.
pub(super) const fn counts(presence: Presence) -> bool {
    match presence {
        Presence::Present | Presence::Unknown => true,
        Presence::Absent => false,
    }
}
