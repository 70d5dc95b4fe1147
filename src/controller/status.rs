//! What a controller says of itself, as `GET /status` gives it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::decision::{Waiting, Why};
use super::files::Broken;
use crate::diag::Diagnostic;
use crate::model::{
    Action, Desired, Environment, Handle, Holdings, Lineage, Recorded, Report, Suspension,
    Timestamp,
};
use crate::notify::Deliveries;
use crate::plan::Plan;

/// Everything, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub format_version: &'static str,
    /// Of the program.
    pub version: &'static str,
    pub phase: Phase,
    /// Who holds the state's lock, while this replica waits for it.
    pub lock_holder: Option<String>,
    /// Whether a plan was made since the start, and the state could be read in the last round.
    pub ready: bool,
    pub environment: Option<Environment>,
    /// Where the state is.
    pub state: String,
    pub lineage: Option<Lineage>,
    pub serial: u64,
    pub files: Files,
    pub callbacks: Holdings,
    /// What is planned and not done; `None` before the first plan.
    pub pending: Option<Pending>,
    /// The plan that waits for somebody.
    pub waiting: Option<WaitingPlan>,
    pub suspended: Option<Suspension>,
    /// Since when other files than these are in force, if this replica has older ones, or perhaps some on their way, and makes no
    /// calls until it has newer ones.
    pub behind: Option<Timestamp>,
    /// What keeps eSign from being as declared, the most important first.
    pub problems: Vec<Problem>,
    pub organizations: Vec<Organization>,
    /// The newest first.
    pub runs: Vec<RunRecord>,
    /// What became of the messages to each target of notifications.
    pub notifications: Vec<Deliveries>,
    /// When the last round ended in which eSign was as declared.
    pub last_success: Option<Timestamp>,
    pub last_round: Option<Timestamp>,
    pub next_round: Option<Timestamp>,
}

impl Status {
    /// Takes over what a round has read.
    pub fn read(&mut self, recorded: &Recorded, suspended: Option<Suspension>) {
        self.ready = true;
        self.lineage = recorded.lineage;
        self.serial = recorded.serial;
        self.callbacks = Holdings::of(recorded);
        self.suspended = suspended;
    }

    /// Whether something is wrong. A plan that waits by policy is not.
    pub fn has_failures(&self) -> bool {
        let by_policy = self.waiting.as_ref().map(|waiting| waiting.why) == Some(WhyWaits::Policy);
        let mut problems = self.problems.iter();
        problems.any(|problem| !(by_policy && problem.key == "waiting"))
    }
}

/// What the controller is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Starting,
    /// Until the next round.
    Idle,
    /// A round reads, plans or applies.
    Working,
    /// Another run holds the state's lock.
    WaitingForLock,
    Stopping,
}

/// The files of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Files {
    /// How many are in force.
    pub count: usize,
    /// Of their names and texts.
    pub digest: Option<String>,
    pub unusable: Vec<Unusable>,
}

/// A file that is not in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unusable {
    pub file: String,
    /// Whether its last good text is.
    pub last_good_used: bool,
    pub problems: Vec<Diagnostic>,
}

impl From<&Broken> for Unusable {
    fn from(broken: &Broken) -> Self {
        Self {
            file: broken.file.to_string(),
            last_good_used: broken.has_last_good,
            problems: broken.problems.clone(),
        }
    }
}

/// The changes of the last plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pending {
    pub add: usize,
    pub replace: usize,
    pub delete: usize,
    pub finish: usize,
    pub heal: usize,
}

impl Pending {
    pub const fn of(plan: &Plan) -> Self {
        let summary = &plan.summary;
        Self {
            add: summary.add,
            replace: summary.replace,
            delete: summary.delete,
            finish: summary.finish,
            heal: summary.heal,
        }
    }
}

/// A plan that waits, and what `POST /approve` has to name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingPlan {
    pub digest: String,
    pub why: WhyWaits,
    /// How many deletes of undeclared callbacks an approval allows.
    pub deletes: Option<usize>,
    /// The first of its changes.
    pub changes: Vec<WaitingChange>,
    /// How many more it has.
    pub more: usize,
}

/// A change that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingChange {
    pub action: Action,
    /// As people may see it.
    pub address: String,
}

/// The most changes of a plan that waits that are given.
const MOST_CHANGES: usize = 100;

/// Why a plan waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyWaits {
    /// Every plan with changes does.
    Policy,
    /// It deletes more than the guards allow.
    Deletes,
    /// A guard refuses it that no approval overrides.
    Final,
}

impl WaitingPlan {
    /// This plan, which waits.
    pub fn of(waiting: &Waiting, plan: &Plan) -> Self {
        let (why, deletes) = match waiting.why {
            Why::Policy => (WhyWaits::Policy, None),
            Why::Deletes(deletes) => (WhyWaits::Deletes, Some(deletes)),
            Why::Final => (WhyWaits::Final, None),
        };
        let mut all = plan.changes();
        let changes = all.by_ref().take(MOST_CHANGES);
        let changes = changes.map(|change| WaitingChange {
            action: change.action,
            address: change.address.to_string(),
        });
        let changes = changes.collect();
        Self {
            digest: waiting.digest.clone(),
            why,
            deletes,
            changes,
            more: all.count(),
        }
    }
}

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The same as long as it is the same problem.
    pub key: String,
    pub since: Timestamp,
    /// What it is, in one sentence without a full stop.
    pub message: String,
    /// What exactly, a line each.
    pub details: Vec<String>,
    /// What to do, as sentences.
    pub advice: Option<String>,
    /// What must differ for people to be told of it again, if the words hold counts, times or request ids.
    #[serde(skip)]
    pub version: Option<String>,
}

/// An organization, declared or recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Organization {
    pub handle: Handle,
    pub condition: Condition,
    #[serde(flatten)]
    pub callbacks: Holdings,
    /// Changes of the last plan that are not done.
    pub pending: usize,
    /// Files that were never good. What it has to delete waits until they are correct.
    pub waits_for: Vec<String>,
}

/// How an organization is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// As declared, as far as is known.
    Ready,
    /// `suspend: true` is declared for it, or it has changes that are made after a suspension.
    Suspended,
    /// Changes are on their way.
    Reconciling,
    /// Changes wait for somebody, or failed.
    Stalled,
}

/// The organizations of a plan, by handle. `of_pending` is the condition of those with changes.
pub fn organizations(
    desired: &Desired,
    recorded: &Recorded,
    plan: &Plan,
    of_pending: Condition,
) -> Vec<Organization> {
    let mut found: BTreeMap<&Handle, (Holdings, usize, bool)> = BTreeMap::new();
    for organization in &desired.organizations {
        found.entry(&organization.handle).or_default().2 = organization.suspend;
    }
    for (_, _, entry) in recorded.iter() {
        let (holdings, ..) = found.entry(&entry.handle).or_default();
        holdings.count(entry);
    }
    for organization in &plan.organizations {
        let pending = organization.changes.iter();
        let pending = pending.filter(|change| change.calls().count() > 0).count();
        found.entry(&organization.handle).or_default().1 += pending;
    }
    let organization = |(handle, (callbacks, pending, is_suspended)): (&Handle, _)| Organization {
        handle: handle.clone(),
        condition: match (is_suspended, pending) {
            (true, _) => Condition::Suspended,
            (false, 0) => Condition::Ready,
            (false, _) => of_pending,
        },
        callbacks,
        pending,
        waits_for: Vec::new(),
    };
    found.into_iter().map(organization).collect()
}

/// A run that made calls, or was to make some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRecord {
    pub at: Timestamp,
    pub elapsed_ms: u64,
    pub end: RunEnd,
    pub calls: usize,
    pub throttled: usize,
    pub added: usize,
    pub changed: usize,
    pub destroyed: usize,
    pub failed: usize,
    pub unknown: usize,
    pub drifted: usize,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    Complete,
    Incomplete,
    /// It was not begun, or an error ended it.
    Failed,
}

impl RunRecord {
    /// A run with this report, which took so long.
    pub fn of(report: &Report, at: Timestamp, elapsed_ms: u64, is_complete: bool) -> Self {
        let tally = report.tally;
        Self {
            at,
            elapsed_ms,
            end: if is_complete {
                RunEnd::Complete
            } else {
                RunEnd::Incomplete
            },
            calls: report.calls,
            throttled: report.throttled,
            added: tally.added,
            changed: tally.changed,
            destroyed: tally.destroyed,
            failed: tally.failed,
            unknown: tally.unknown,
            drifted: report.drifted.len(),
        }
    }

    /// One that an error ended.
    pub const fn failed(at: Timestamp, elapsed_ms: u64) -> Self {
        Self {
            at,
            elapsed_ms,
            end: RunEnd::Failed,
            calls: 0,
            throttled: 0,
            added: 0,
            changed: 0,
            destroyed: 0,
            failed: 0,
            unknown: 0,
            drifted: 0,
        }
    }
}
