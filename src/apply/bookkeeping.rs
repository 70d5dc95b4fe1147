//! What the record has to learn or forget without a call: moves, what the file says now, and what is
//! gone for good.

use crate::model::{Belief, CallbackUrl, Calls, Recorded, Scope};
use crate::plan::{Bookkeeping, Change, Details, Move, OrganizationPlan, Plan, Reason};

/// Whether the file declares this callback, and it is not only the twin of a rotation: that has calls for it, in a plan
/// without the callback itself or in one in which that waits.
fn is_declared(organization: &OrganizationPlan, change: &Change, recorded: &Recorded) -> bool {
    if change.calls() == Calls::Nothing {
        return true;
    }
    let of = recorded.twin_of(&organization.scope, &change.address.url);
    of.is_some_and(|of| {
        let mut changes = organization.changes.iter();
        let found = changes.find(|other| other.address.url == *of);
        found.is_some_and(|found| found.reason != Reason::RotationWaits)
    })
}

/// Records under its account of now what was recorded under another. Whether anything changed.
pub fn move_records(plan: &Plan, recorded: &mut Recorded) -> bool {
    let mut changed = false;
    for Move {
        handle: _,
        from,
        to,
        callbacks: _,
        renamed: _,
    } in &plan.moves
    {
        changed |= recorded.move_scope(from, to);
    }
    for (old, new) in plan.renamed_accounts() {
        changed |= recorded.rename_account(old, new);
    }
    changed
}

/// What the record has to learn or forget without a call. Whether anything changed.
pub fn keep_books(plan: &Plan, recorded: &mut Recorded) -> bool {
    let mut changed = move_records(plan, recorded);
    for item in &plan.bookkeeping {
        match item {
            Bookkeeping::Refresh {
                identity,
                before: _,
                after:
                    Details {
                        handle,
                        operator,
                        protect,
                    },
            } => {
                if let Some(entry) = recorded.get_mut(&identity.scope, &identity.url) {
                    entry.handle = handle.clone();
                    entry.operator = operator.clone();
                    entry.protect = *protect;
                    changed = true;
                }
            }
            Bookkeeping::Forget(identity) => {
                changed |= forget(recorded, &identity.scope, &identity.url);
            }
        }
    }
    for organization in &plan.organizations {
        for change in &organization.changes {
            if change.forgets() {
                changed |= forget(recorded, &organization.scope, &change.address.url);
            }
            if change.after().is_some() && is_declared(organization, change, recorded) {
                changed |= recorded.keep_twin(&organization.scope, &change.address.url);
            }
        }
    }
    recorded.forget_twins() || changed
}

/// Forgets what is proven absent and what no lost call can bring back.
fn forget(recorded: &mut Recorded, scope: &Scope, url: &CallbackUrl) -> bool {
    let gone = recorded
        .get(scope, url)
        .is_some_and(|entry| entry.belief == Belief::ABSENT && entry.lost.is_none());
    gone && recorded.remove(scope, url).is_some()
}
