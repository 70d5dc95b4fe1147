//! The plan of a round: first what is to change, and only when there is nothing, a portion to heal.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cli::exit::Failure;
use crate::cli::options::planning::Planning;
use crate::cli::random::random;
use crate::cli::workspace::Loaded;
use crate::controller::{Counts, Policy, portion};
use crate::model::{Handle, Recorded, Salt};
use crate::plan::Plan;

/// What a plan is made of, beside what is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planner<'a> {
    pub(super) loaded: &'a Loaded,
    /// The organizations that are known, when some are not because of a broken file. Others are left alone.
    pub(super) only: Option<&'a BTreeSet<Handle>>,
    pub(super) policy: Policy,
    pub(super) interval: Duration,
    pub(super) heal_within: Duration,
    pub(super) rate: u32,
    /// The deletes that were approved.
    pub(super) allow_deletes: Option<usize>,
}

impl Planner<'_> {
    /// The plan against what is recorded.
    pub(super) fn plan(&self, recorded: &Recorded) -> Result<Plan, Failure> {
        let salt = Salt(random()?);
        let mut planning = Planning {
            target: self.targets(recorded),
            allow_deletes: self.allow_deletes,
            ..Planning::default()
        };
        let plan = self.loaded.plan(recorded, salt, &planning)?;
        if !plan.is_empty() || !plan.tripped.is_empty() {
            return Ok(plan);
        }
        let callbacks = Counts::of(recorded).all();
        let Some(portion) = portion(callbacks, self.interval, self.heal_within) else {
            return Ok(plan);
        };
        planning.heal = true;
        planning.older_than = Some(portion.older_than);
        planning.max_calls = Some(portion.calls);
        self.loaded.plan(recorded, salt, &planning)
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
