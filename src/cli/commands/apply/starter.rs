//! Starts the run of `apply`: what it asks of the options, the terminal and the signals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::ended::conclude;
use super::metrics::Told;
use super::{Args, Wish, approved, receivers, saved, witness};
use crate::apply::{self, Sink};
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::cli::process::descriptors::Bound;
use crate::cli::random::random;
use crate::cli::remote::Remote;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::terminal::plan::print;
use crate::cli::workspace::lock;
use crate::client::HttpApi;
use crate::model::{
    AccountName, Address, Event, Holdings, Lineage, Recorded, Report, Salt, SecretIndex, Sought,
    Witnessed,
};
use crate::plan::{Plan, calls_digest};
use crate::render::{self, Style};
use crate::run::{Caller, Connection, Ended, Owners, Start, Testimonies};
use crate::secret::Secret;
use crate::state::LockOwner;

pub(super) struct Starter<'a> {
    settings: &'a Settings,
    locations: &'a Locations,
    /// That of the state's store.
    lease: Option<Duration>,
    args: &'a Args,
    wish: &'a Wish,
    told: &'a mut Told,
    ui: &'a mut Ui,
    /// The values that the plan's adds send.
    secrets: BTreeMap<SecretIndex, Secret>,
    remote: Option<Remote>,
}

impl<'a> Starter<'a> {
    pub(super) const fn new(
        settings: &'a Settings,
        (locations, lease): (&'a Locations, Option<Duration>),
        args: &'a Args,
        (wish, told, ui): (&'a Wish, &'a mut Told, &'a mut Ui),
    ) -> Self {
        Self {
            settings,
            locations,
            lease,
            args,
            wish,
            told,
            ui,
            secrets: BTreeMap::new(),
            remote: None,
        }
    }

    /// Ends the embedded sandbox, if the calls went there.
    pub(super) async fn disconnect(self) {
        if let Some(remote) = self.remote {
            remote.shutdown().await;
        }
    }
}

impl Sink for Starter<'_> {
    fn event(&mut self, event: Event) {
        self.ui.event(event);
    }
}

impl Caller for Starter<'_> {
    type Api = Arc<HttpApi>;
    type Wall = SystemClock;
    type Error = Failure;

    fn waiting(&mut self, holder: Option<&LockOwner>) {
        lock::report_waiting(self.lease, holder, self.ui);
    }

    fn locked(&mut self, taken_over: Option<&LockOwner>) {
        lock::report_taken(self.locations, taken_over, self.ui);
    }

    async fn witness(&mut self, sought: Vec<Sought>) -> Option<Testimonies> {
        let Wish::Configuration(loaded) = self.wish else {
            // A saved plan is of what was recorded then.
            return None;
        };
        if !self.args.experimental_cloudaudit {
            return None;
        }
        witness::ask(self.settings, &loaded.desired, &sought, self.ui).await
    }

    fn witnessed(&mut self, settled: &[(Address, Witnessed)]) {
        witness::report(settled, self.ui);
    }

    fn plan(&mut self, recorded: &Recorded) -> Result<Plan, Failure> {
        lock::report_new(&self.locations.state, recorded.lineage, self.ui);
        match self.wish {
            Wish::Configuration(loaded) => {
                let salt = Salt(random()?);
                let plan = loaded.plan(recorded, salt, &self.args.planning)?;
                let expected = self.args.expect_digest.as_ref();
                let other =
                    |expected: &String| !plan.is_empty() && calls_digest(&plan) != *expected;
                if !plan.tripped.is_empty() || expected.is_some_and(other) {
                    self.ui.speak();
                }
                let brief = self.args.brief.into();
                print(
                    &plan,
                    &loaded.warnings,
                    &brief,
                    self.args.calling.rate,
                    self.ui,
                );
                if let Some(values) = &loaded.values {
                    self.secrets = values.known.clone();
                }
                Ok(plan)
            }
            Wish::Saved(plan) => Ok(Plan::clone(plan)),
        }
    }

    async fn resolve(&mut self, mut plan: Plan) -> Result<Plan, Failure> {
        if let Wish::Saved(_) = self.wish {
            let values = saved::resolve(self.settings, self.args, &mut plan, self.ui).await?;
            self.secrets = values.known;
        }
        Ok(plan)
    }

    async fn verify(&mut self, plan: &Plan) -> Result<BTreeSet<Address>, Failure> {
        if !self.args.verifying.verify {
            return Ok(BTreeSet::new());
        }
        let allow_private = self.args.verifying.receivers.allow_private;
        let subjects = receivers::of_plan(plan);
        let how = (self.settings, allow_private);
        receivers::verify(&subjects, &self.secrets, how, self.ui).await
    }

    async fn connect(&mut self, plan: &Plan) -> Result<Connection<Self::Api>, Failure> {
        let remote = Remote::connect(self.settings, plan, self.args.calling.rate).await?;
        if self.args.experimental_cloudaudit {
            witness::mark(&remote)?;
        }
        let connection = remote.connection(std::mem::take(&mut self.secrets));
        self.remote = Some(remote);
        Ok(connection)
    }

    async fn owners(&mut self, plan: &Plan) -> Owners {
        match &self.remote {
            Some(remote) => remote.owners(plan).await,
            None => Owners::new(),
        }
    }

    async fn approve(&mut self, plan: &Plan, unproven: &[AccountName]) -> Result<bool, Failure> {
        for account in unproven {
            self.ui.warn(format_args!("{}", unlike(account)));
        }
        Ok(approved(self.args) || approve(plan, self.ui).await?)
    }

    fn start(&mut self, plan: &Plan) -> Result<Start, Failure> {
        let connections = self.remote.as_ref().and_then(|remote| remote.connections);
        let start = Start {
            settings: apply::Settings {
                parallelism: parallelism(
                    (self.args.calling.parallelism, self.args.calling.rate),
                    plan,
                    connections,
                    self.ui,
                ),
                max_retries: self.args.calling.max_retries,
                wait: !self.args.calling.no_wait,
                seed: u64::from_be_bytes(random()?),
            },
            lineage: Lineage(uuid::Builder::from_random_bytes(random()?).into_uuid()),
        };
        self.ui.start_progress(plan.changes().count());
        Ok(start)
    }

    fn ended(&mut self, ended: Option<&Ended>, recorded: &Recorded) {
        self.ui.finish_progress();
        self.ui.leave_question();
        self.told.recorded = Some(Holdings::of(recorded));
        match ended {
            Some(Ended::NothingToCall(plan)) => {
                conclude(&Report::default(), render::Again::Apply, self.ui);
                self.told.report(plan, Report::default());
            }
            Some(Ended::Called { plan, report, .. }) => {
                conclude(report, render::Again::Apply, self.ui);
                self.told.report(plan, report.clone());
            }
            Some(Ended::Interrupted | Ended::Elsewhere(_) | Ended::Refused(..)) | None => {}
        }
    }
}

/// The warning about another `SecretId` than that of the recorded callbacks, which may be another enterprise's.
pub(in crate::cli::commands) fn unlike(account: &AccountName) -> String {
    format!(
        "Warning: the account `{account}` has another SecretId than its recorded callbacks. If it belongs to another \
         enterprise, stop: that enterprise does not have these callbacks, and they would be taken for deleted. Declare \
         it as another account."
    )
}

/// How many calls may be in flight for each account: `--parallelism`, or fewer if the system does not allow as many
/// connections. A note says so if that may be too few for the rate: a call takes at most 40 s.
pub(in crate::cli::commands) fn parallelism(
    (parallelism, rate): (u32, u32),
    plan: &Plan,
    connections: Option<Bound>,
    ui: &mut Ui,
) -> usize {
    const LONGEST_CALL: usize = 40;
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let asked = size(parallelism);
    let Some(bound) = connections else {
        return asked;
    };
    let most = bound.for_each(plan.accounts.len());
    let rate = if rate == 0 { usize::MAX } else { size(rate) };
    let needed = rate
        .saturating_mul(LONGEST_CALL)
        .min(asked)
        .min(plan.changes().count());
    if most < needed {
        ui.note(format_args!(
            "Note: at most {} in flight at once for each account, because this process may open only {} files and \
             connections (`ulimit -n`).",
            render::counted(most, "call is", "calls are"),
            bound.files
        ));
    }
    asked.min(most)
}

/// Asks whether the plan is to be applied.
pub(in crate::cli::commands) async fn approve(plan: &Plan, ui: &mut Ui) -> Result<bool, Failure> {
    let question =
        |style: &Style, out: &mut dyn fmt::Write| render::question_text(plan, style, out);
    let answer = ui.ask(question).await.map_err(|error| {
        Failure::error(format!(
            "the answer can't be read: {error}; nothing was called"
        ))
    })?;
    ui.print(format_args!("\n"));
    Ok(answer == "yes")
}
