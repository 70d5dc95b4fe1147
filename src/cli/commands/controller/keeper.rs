//! Starts the run of a round: what it is allowed to call, and where its events go.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::directory::Signature;
use super::planned::Planner;
use super::waiting::show_wait;
use crate::apply::{self, Sink, WallClock as _};
use crate::cli::clock::SystemClock;
use crate::cli::commands::apply::starter::{parallelism, unlike};
use crate::cli::commands::apply::witness;
use crate::cli::exit::Failure;
use crate::cli::options::form::{Brevity, Form};
use crate::cli::random::random;
use crate::cli::remote::Remote;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::terminal::plan::print;
use crate::cli::workspace::lock::report_new;
use crate::client::HttpApi;
use crate::controller::{Board, Decision, Phase, Problem, decide, digest, in_force};
use crate::model::{
    AccountName, Address, Calls, Checkout, Event, HowUnfinished, Lineage, NotAttempted, Recorded,
    Report, SecretIndex, Sought, Timestamp, Witnessed,
};
use crate::plan::Plan;
use crate::render::counted;
use crate::run::{Caller, Connection, Ended, Owners, Start, Testimonies};
use crate::secret::Secret;
use crate::state::LockOwner;

/// How many calls may be in flight for each account.
const PARALLELISM: u32 = 900;
/// How often a call without an answer is sent again.
const RETRIES: u32 = 2;

/// What becomes of changes that a lost call may undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fenced {
    /// A later round makes them.
    Leave,
    /// This run waits, which holds up the other organizations and replicas.
    Wait,
}

/// The files of a round.
pub(super) struct Files {
    pub(super) own: Checkout,
    /// As they were when they were read.
    pub(super) signature: Signature,
    /// What the state has to record of them before they are applied.
    pub(super) in_force: Option<Checkout>,
    /// What it recorded before.
    pub(super) others: Option<Checkout>,
}

impl Files {
    /// What can't be read is no version that others could have.
    pub(super) fn of(
        signature: Signature,
        own: Checkout,
        is_readable: bool,
        recorded: &Recorded,
    ) -> Self {
        let others = recorded.checkout.clone();
        Self {
            signature,
            in_force: in_force(&own, others.as_ref()).filter(|_| is_readable),
            own,
            others,
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact")]
pub(super) struct Keeper<'a> {
    pub(super) settings: &'a Settings,
    pub(super) planner: Planner<'a>,
    /// The digest of the plan that was approved.
    pub(super) approved: Option<&'a str>,
    pub(super) board: &'a Board,
    pub(super) ui: &'a mut Ui,
    pub(super) remote: Option<Remote>,
    pub(super) fenced: Fenced,
    /// Whether CloudAudit settles lost calls.
    pub(super) asks_cloudaudit: bool,
    /// The files that the plan is made of.
    pub(super) files: &'a Files,
    /// What is wrong, as far as it is known.
    pub(super) found: Vec<Problem>,
    /// Who has the lock, while it is waited for.
    pub(super) holder: Option<LockOwner>,
    /// Whether they have changed since, perhaps while another run was waited for.
    pub(super) is_outdated: bool,
    /// Whether the state says that no calls are to be made.
    pub(super) is_suspended: bool,
    /// Whether calls have begun.
    pub(super) has_begun: bool,
    /// What is recorded at the end.
    pub(super) recorded: Option<Recorded>,
}

impl Keeper<'_> {
    fn secrets(&self) -> BTreeMap<SecretIndex, Secret> {
        let values = self.planner.loaded.values.as_ref();
        values
            .map(|values| values.known.clone())
            .unwrap_or_default()
    }
}

impl Sink for Keeper<'_> {
    fn event(&mut self, event: Event) {
        // It ends for a suspension, too, and nobody is to press Ctrl-C again.
        if let (Event::Interrupted { in_flight }, false) = (&event, self.ui.json()) {
            let calls = counted(*in_flight, "call", "calls");
            self.ui.note(format_args!(
                "The run ends: no new calls, {calls} in flight"
            ));
            return;
        }
        self.ui.event(event);
    }
}

impl Caller for Keeper<'_> {
    type Api = Arc<HttpApi>;
    type Wall = SystemClock;
    type Error = Failure;

    fn waiting(&mut self, holder: Option<&LockOwner>) {
        show_wait(self.board, holder);
        self.holder = holder.cloned();
        self.board.found(SystemClock.now(), &self.found);
    }

    fn locked(&mut self, taken_over: Option<&LockOwner>) {
        self.board.locked(true);
        self.board.update(|status| {
            status.phase = Phase::Working;
            status.lock_holder = None;
        });
        if let Some(gone) = taken_over {
            self.ui.note(format_args!(
                "Note: the last owner of the lock ended without releasing it: {gone}"
            ));
        }
    }

    async fn witness(&mut self, sought: Vec<Sought>) -> Option<Testimonies> {
        if !self.asks_cloudaudit {
            return None;
        }
        witness::ask(
            self.settings,
            &self.planner.loaded.desired,
            &sought,
            self.ui,
        )
        .await
    }

    fn witnessed(&mut self, settled: &[(Address, Witnessed)]) {
        // Round after round, that it settles nothing says nothing.
        if !settled.is_empty() {
            witness::report(settled, self.ui);
        }
    }

    fn plan(&mut self, recorded: &Recorded) -> Result<Plan, Failure> {
        let locations = self.settings.locations()?;
        // Whoever had the lock may have applied newer files.
        let are_same = Signature::of(&locations.config) == self.files.signature;
        if !are_same || recorded.checkout != self.files.others {
            self.is_outdated = true;
            return Err(Failure::error("the files have changed meanwhile"));
        }
        report_new(&locations.state, recorded.lineage, self.ui);
        self.is_suspended = recorded.suspended(SystemClock.now()).is_some();
        self.planner.plan(recorded)
    }

    async fn connect(&mut self, plan: &Plan) -> Result<Connection<Self::Api>, Failure> {
        let remote = Remote::connect(self.settings, plan, self.planner.rate).await?;
        if self.asks_cloudaudit {
            witness::mark(&remote)?;
        }
        let connection = remote.connection(self.secrets());
        self.remote = Some(remote);
        Ok(connection)
    }

    async fn owners(&mut self, plan: &Plan) -> Owners {
        match &self.remote {
            Some(remote) => remote.owners(plan).await,
            None => Owners::new(),
        }
    }

    /// The state may be another one than that of the plan that was decided on.
    async fn approve(&mut self, plan: &Plan, unproven: &[AccountName]) -> Result<bool, Failure> {
        if self.is_suspended || self.board.is_halted() {
            return Ok(false);
        }
        let deletes = plan.changes().any(|change| change.calls() == Calls::Delete);
        if deletes && !self.planner.may_delete() {
            return Ok(false);
        }
        let allowed = match self.planner.allow_deletes {
            Some(_) => self.approved == Some(&*digest(plan)),
            None => match decide(plan, self.planner.policy, self.approved) {
                Decision::Apply { .. } | Decision::Nothing => true,
                Decision::Wait(_) => false,
            },
        };
        if !allowed {
            return Ok(false);
        }
        for account in unproven {
            self.ui.warn(format_args!("{}", unlike(account)));
        }
        let form = Form::Text(Brevity::Addresses);
        print(plan, &[], &form, self.planner.rate, self.ui);
        Ok(true)
    }

    fn checkout(&self) -> Option<Checkout> {
        self.files.in_force.clone()
    }

    fn start(&mut self, plan: &Plan) -> Result<Start, Failure> {
        self.has_begun = true;
        let connections = self.remote.as_ref().and_then(|remote| remote.connections);
        let rate = self.planner.rate;
        Ok(Start {
            settings: apply::Settings {
                parallelism: parallelism((PARALLELISM, rate), plan, connections, self.ui),
                max_retries: RETRIES,
                wait: self.fenced == Fenced::Wait,
                seed: u64::from_be_bytes(random()?),
            },
            lineage: Lineage(uuid::Builder::from_random_bytes(random()?).into_uuid()),
        })
    }

    fn ended(&mut self, _ended: Option<&Ended>, recorded: &Recorded) {
        self.recorded = Some(recorded.clone());
    }
}

/// Until when what is left has to wait, if all of it waits for lost calls, or for what does.
pub(super) fn fenced_until(report: &Report) -> Option<Timestamp> {
    let mut first = None;
    for one in &report.unfinished {
        match &one.how {
            HowUnfinished::NotAttempted(NotAttempted::Fenced(until)) => {
                first = Some(first.map_or(*until, |first: Timestamp| first.min(*until)));
            }
            // A delete waits for the adds of its organization, and the end of a rotation for its twin.
            HowUnfinished::NotAttempted(NotAttempted::AddsFailed | NotAttempted::WaitsForTwin) => {}
            HowUnfinished::Failed(_)
            | HowUnfinished::Unknown(_)
            | HowUnfinished::NotAttempted(
                NotAttempted::AccountStopped(_)
                | NotAttempted::AccountUnreachable(..)
                | NotAttempted::AccountUnsigned(..)
                | NotAttempted::OrganizationStopped
                | NotAttempted::Unverified
                | NotAttempted::Refused
                | NotAttempted::Interrupted
                | NotAttempted::FencedWithoutClock
                | NotAttempted::JournalFailed,
            ) => return None,
        }
    }
    first
}
