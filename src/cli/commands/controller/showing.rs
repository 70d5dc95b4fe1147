//! Puts on the board what a round has read and planned.

use std::sync::Arc;

use super::planned::{Held, Planner};
use super::rounds::Rounds;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::controller::{
    Condition, Decision, Organization, Pending, WaitingPlan, decide, on_any_state, organizations,
};
use crate::model::{Recorded, Suspension};
use crate::plan::Plan;

impl Rounds<'_> {
    /// The suspension that was read, or one that was asked for during this round, which is newer.
    fn suspended(&self, read: Option<Suspension>) -> Option<Suspension> {
        read.or_else(|| {
            let asked_for = self.board.status().suspended;
            asked_for.filter(|_| self.board.is_halted())
        })
    }

    /// What is recorded. What was planned was made of files that are not in force.
    pub(super) fn show_behind(&self, recorded: Recorded) {
        let suspended = self.suspended(recorded.suspended(SystemClock.now()).cloned());
        self.note_suspension(suspended.as_ref());
        self.board.update(|status| {
            status.read(&recorded, suspended);
            status.behind = recorded.checkout.as_ref().map(|applied| applied.since);
            status.pending = None;
            status.waiting = None;
            status.organizations = Vec::new();
        });
        self.board.saw(Arc::new(recorded), None);
    }

    /// What was read and planned, and the deletes that are not planned.
    pub(super) fn show(
        &self,
        planner: &Planner<'_>,
        recorded: Recorded,
        (plan, held): (Plan, Held),
        suspended: Option<Suspension>,
    ) {
        let waiting = match decide(&plan, planner.policy, None) {
            Decision::Wait(waiting) => Some(WaitingPlan::of(&waiting, &plan)),
            Decision::Nothing | Decision::Apply { .. } => None,
        };
        let suspended = self.suspended(suspended);
        let desired = &planner.loaded.desired;
        let condition = match (&waiting, &suspended) {
            (Some(_), _) => Condition::Stalled,
            (None, Some(_)) => Condition::Suspended,
            (None, None) => Condition::Reconciling,
        };
        let mut organizations = organizations(desired, &recorded, &plan, condition);
        if let Some(known) = planner.only {
            let unknown = organizations
                .iter_mut()
                .filter(|one| !known.contains(&one.handle));
            unknown.for_each(|one| one.condition = Condition::Stalled);
        }
        let mut pending = Pending::of(&plan);
        pending.delete += held.values().sum::<usize>();
        for one in &mut organizations {
            hold(one, &held, planner.never_good);
        }
        self.note_suspension(suspended.as_ref());
        self.board.update(|status| {
            status.read(&recorded, suspended);
            status.pending = Some(pending);
            status.waiting = waiting;
            status.behind = None;
            status.organizations = organizations;
        });
        // One that says no more than the state is not worth its memory.
        let summary = &plan.summary;
        let says_more = !plan.is_empty()
            || !plan.tripped.is_empty()
            || summary.suspended + summary.disabled + summary.unknown > 0;
        self.board.saw(
            Arc::new(recorded),
            // The page shows the digest that waits.
            says_more.then(|| Arc::new(on_any_state(plan))),
        );
    }
}

/// Deletes of this organization may wait for files.
fn hold(organization: &mut Organization, held: &Held, files: &[String]) {
    let Some(deletes) = held.get(&organization.handle) else {
        return;
    };
    organization.pending += deletes;
    organization.condition = Condition::Stalled;
    organization.waits_for = files.to_vec();
}
