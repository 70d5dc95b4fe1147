//! What the record has to learn or forget without a call: moves, what the file says now, and what is
//! gone for good.

use crate::model::{Belief, CallbackUrl, Calls, Recorded, Scope};
use crate::plan::{Bookkeeping, Details, Move, Plan};

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
            // A twin that the file declares now: a rotation and an apply that waits for one have calls for theirs.
            if change.calls() == Calls::Nothing && change.after().is_some() {
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
