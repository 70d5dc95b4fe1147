//! The plan of a round: first what is to change, and only when there is nothing, a portion to heal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::options::planning::Planning;
use crate::cli::random::random;
use crate::cli::workspace::Loaded;
use crate::controller::{Decision, Policy, Waiting, Why, portion};
use crate::model::{Action, Calls, Handle, Holdings, Recorded, Salt};
use crate::plan::{Change, Heal, Plan, Tripped};

/// What a plan is made of, beside what is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planner<'a> {
    pub(super) loaded: &'a Loaded,
    /// The organizations that are known, when some are not because of a broken file. Others are left alone.
    pub(super) only: Option<&'a BTreeSet<Handle>>,
    pub(super) policy: Policy,
    pub(super) interval: Duration,
    /// `None` when nothing is healed.
    pub(super) heal_within: Option<Duration>,
    pub(super) rate: u32,
    /// The deletes that were approved.
    pub(super) allow_deletes: Option<usize>,
    /// Files of which nothing is known. As long as there is one, plans have no deletes; what they replace they add again.
    pub(super) never_good: &'a [String],
}

/// How many deletes are not made now, by organization.
pub(super) type Held = BTreeMap<Handle, usize>;

/// The organization that a guard names.
fn refused(tripped: &Tripped) -> Option<Handle> {
    match tripped {
        Tripped::MostOfOrganization { handle, .. }
        | Tripped::LastOfOrganization { handle, .. }
        | Tripped::PerhapsShared { handle, .. } => Some(handle.clone()),
        Tripped::Protected { address } => Some(address.handle.clone()),
        Tripped::MostOfAll { .. } | Tripped::WrongAllowance { .. } => None,
    }
}

impl Planner<'_> {
    /// The plan against what is recorded.
    pub(super) fn plan(&self, recorded: &Recorded) -> Result<Plan, Failure> {
        let salt = Salt(random()?);
        let mut planning = Planning {
            target: self.targets(recorded),
            allow_deletes: self.allow_deletes,
            keep: !self.may_delete(),
            ..Planning::default()
        };
        let plan = self.loaded.plan(recorded, salt, &planning)?;
        if !plan.is_empty() || !plan.tripped.is_empty() {
            return Ok(plan);
        }
        let holdings = Holdings::of(recorded);
        let portion = self
            .heal_within
            .and_then(|within| portion(holdings.all(), self.interval, within));
        let Some(portion) = portion else {
            return Ok(plan);
        };
        let left = portion
            .calls
            .saturating_sub(self.confirmed_just_now(recorded))
            // What messages do not reach does not wait for its turn.
            .max(holdings.missing);
        if left == 0 {
            return Ok(plan);
        }
        planning.heal = true;
        planning.older_than = Some(portion.older_than);
        planning.max_calls = Some(left);
        self.loaded.plan(recorded, salt, &planning)
    }

    /// Whether anything may be deleted.
    pub(super) const fn may_delete(&self) -> bool {
        self.never_good.is_empty()
    }

    /// How many deletes of each organization wait for the files that were never good.
    pub(super) fn held(&self, recorded: &Recorded) -> Result<Held, Failure> {
        if self.may_delete() || self.is_void(recorded) {
            return Ok(Held::new());
        }
        let planning = Planning {
            target: self.targets(recorded),
            ..Planning::default()
        };
        // What only a delete needs, such as an account that is declared no more, keeps nothing else from being done.
        let whole = self.loaded.plan(recorded, Salt(random()?), &planning);
        let mut held = Held::new();
        for change in whole.iter().flat_map(Plan::changes) {
            if change.calls() == Calls::Delete {
                *held.entry(change.address.handle.clone()).or_default() += 1;
            }
        }
        Ok(held)
    }

    /// How many callbacks were confirmed since about the last round: another replica has healed the portion then.
    fn confirmed_just_now(&self, recorded: &Recorded) -> usize {
        let interval = i64::try_from(self.interval.as_secs()).unwrap_or(i64::MAX);
        let since = SystemClock.now().plus(-(interval / 10 * 8));
        // One of a clock that was ahead says nothing.
        let now = SystemClock.now().plus(Heal::CLOCKS);
        let proofs = recorded
            .iter()
            .filter_map(|(_, _, entry)| entry.proof.as_ref());
        proofs
            .filter(|proof| proof.at > since && proof.at <= now)
            .count()
    }

    /// The other organizations that have a callback; `None` when none is held up, or all are.
    pub(super) fn without(
        &self,
        held_up: &BTreeSet<Handle>,
        recorded: &Recorded,
    ) -> Option<BTreeSet<Handle>> {
        if held_up.is_empty() {
            return None;
        }
        let declared = self.loaded.addresses().map(|address| address.handle);
        let recorded = recorded.iter().map(|(_, _, entry)| entry.handle.clone());
        let is_free = |handle: &Handle| {
            !held_up.contains(handle) && self.only.is_none_or(|only| only.contains(handle))
        };
        let rest: BTreeSet<_> = declared.chain(recorded).filter(is_free).collect();
        (!rest.is_empty()).then_some(rest)
    }

    /// One for each organization that is known and has a callback, declared or recorded; none for all.
    fn targets(&self, recorded: &Recorded) -> Vec<String> {
        let Some(only) = self.only else {
            return Vec::new();
        };
        let declared = self.loaded.addresses().map(|address| address.handle);
        let recorded = recorded.iter().map(|(_, _, entry)| entry.handle.clone());
        let with_callbacks: BTreeSet<_> = declared.chain(recorded).collect();
        let known = with_callbacks
            .iter()
            .filter(|handle| only.contains(*handle));
        known.map(ToString::to_string).collect()
    }

    /// Whether nothing may be planned at all: no organization that is known has a callback.
    pub(super) fn is_void(&self, recorded: &Recorded) -> bool {
        self.only.is_some() && self.targets(recorded).is_empty()
    }
}

/// The organizations whose changes are not made now.
pub(super) fn held_up(plan: &Plan, decision: &Decision) -> BTreeSet<Handle> {
    let of_changes = |is_held_up: &dyn Fn(&Change) -> bool| -> BTreeSet<Handle> {
        let organizations = plan.organizations.iter();
        let held_up = organizations.filter(|one| one.changes.iter().any(is_held_up));
        held_up.map(|one| one.handle.clone()).collect()
    };
    match decision {
        Decision::Wait(Waiting {
            why: Why::Policy, ..
        }) => of_changes(&|change| change.calls().count() > 0),
        // The guards look at deletes, and at replaces where two accounts may be one.
        Decision::Wait(Waiting {
            why: Why::Deletes(_) | Why::Final,
            ..
        }) => {
            let named: Option<BTreeSet<_>> = plan.tripped.iter().map(refused).collect();
            // Otherwise it is a guard that counts the deletes of all.
            named.unwrap_or_else(|| of_changes(&|change| change.action == Action::Delete))
        }
        Decision::Apply { .. } | Decision::Nothing => BTreeSet::new(),
    }
}
