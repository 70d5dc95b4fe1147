//! The runs of a rotation: what they ask of the options, the terminal and the signals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Args, twins};
use crate::apply::{self, Sink, WallClock as _};
use crate::cli::clock::SystemClock;
use crate::cli::commands::apply::metrics::Told;
use crate::cli::commands::apply::receivers;
use crate::cli::commands::apply::starter::{approve, parallelism, unlike};
use crate::cli::commands::apply::witness;
use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::cli::random::random;
use crate::cli::remote::Remote;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::terminal::plan::print_events;
use crate::cli::verification::Subject;
use crate::cli::workspace::{Loaded, lock};
use crate::client::HttpApi;
use crate::model::{
    AccountName, Action, Address, CallbackUrl, Event, Holdings, HowUnfinished, Identity, Lineage,
    NotAttempted, Recorded, Report, Salt, SecretIndex, Sought, Unfinished, Witnessed,
};
use crate::plan::{Plan, Rotation, Rotations, Stage, begun};
use crate::render;
use crate::run::{Caller, Connection, Ended, Owners, Start, Testimonies};
use crate::secret::Secret;
use crate::state::LockOwner;

/// Starts the two runs of some rotations: the first adds the twins, the second replaces the callbacks and deletes
/// the twins. What has its twin already is finished by the first.
pub(super) struct Rotator<'a> {
    settings: &'a Settings,
    locations: &'a Locations,
    /// That of the state's store.
    lease: Option<Duration>,
    args: &'a Args,
    loaded: &'a Loaded,
    pub(super) told: &'a mut Told,
    pub(super) ui: &'a mut Ui,
    /// What is rotated in the next run.
    twins: BTreeMap<Address, CallbackUrl>,
    /// What is left of each, as the first run found it.
    rotations: Vec<Rotation>,
    /// What the second run left as it was, because something else had deleted its twin.
    without_twin: BTreeSet<Address>,
    /// Whether the next run is the first.
    first: bool,
    approved: bool,
    remote: Option<Remote>,
}

impl<'a> Rotator<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        (locations, lease): (&'a Locations, Option<Duration>),
        args: &'a Args,
        (loaded, twins): (&'a Loaded, BTreeMap<Address, CallbackUrl>),
        (told, ui): (&'a mut Told, &'a mut Ui),
    ) -> Self {
        Self {
            settings,
            locations,
            lease,
            args,
            loaded,
            told,
            ui,
            twins,
            rotations: Vec::new(),
            without_twin: BTreeSet::new(),
            first: true,
            approved: args.auto_approve,
            remote: None,
        }
    }

    /// Prepares the second run: what has its twin now, by the report of the first. Whether that is anything.
    pub(super) fn go_on(&mut self, report: &Report) -> bool {
        self.first = false;
        let ready = self.rotations.iter().filter(|one| {
            one.stage == Stage::Begin && !is_unfinished(report, &one.address, &one.twin)
        });
        let ready: BTreeSet<&Address> = ready.map(|one| &one.address).collect();
        self.twins.retain(|address, _| ready.contains(address));
        !self.twins.is_empty()
    }

    /// Adds to the report of a rotation that ended after its first run what the second one would have done.
    pub(super) fn leave_out(&self, report: &mut Report, why: &NotAttempted) {
        for one in &self.rotations {
            let is_left = one.stage == Stage::Begin
                && !is_unfinished(report, &one.address, &one.twin)
                && !is_unfinished(report, &one.address, &one.address.url);
            if is_left {
                report.tally.not_attempted += 1;
                report.unfinished.push(Unfinished {
                    address: one.address.clone(),
                    action: Action::Replace,
                    how: HowUnfinished::NotAttempted(why.clone()),
                });
            }
        }
    }

    /// How many rotations are complete by the report of all runs, `all` of them or only the first; and of how many.
    pub(super) fn complete(&self, report: &Report, all: bool) -> (usize, usize) {
        let begun = self.rotations.iter().filter(|one| one.count() > 0);
        let is_complete = |one: &&Rotation| {
            let mut urls = one.deletes.iter().chain([&one.twin, &one.address.url]);
            let done = urls.all(|url| !is_unfinished(report, &one.address, url));
            let has_twin = !self.without_twin.contains(&one.address);
            done && has_twin && (all || one.stage == Stage::Finish)
        };
        (begun.clone().filter(is_complete).count(), begun.count())
    }

    /// Ends the embedded sandbox, if the calls went there.
    pub(super) async fn disconnect(self) {
        if let Some(remote) = self.remote {
            remote.shutdown().await;
        }
    }

    fn values(&self) -> BTreeMap<SecretIndex, Secret> {
        let values = self.loaded.values.as_ref();
        values
            .map(|values| values.known.clone())
            .unwrap_or_default()
    }

    fn show(&mut self, rotations: &Rotations) {
        for line in rotations_lines(rotations, self.ui.takes_json()) {
            self.ui
                .json_line(&render::log_json(&line, SystemClock.now()));
        }
        if !self.ui.json() {
            let verifies = !self.args.no_verify;
            let style = self.ui.style(self.args.calling.rate);
            self.ui
                .stream(|out| render::rotations_text(rotations, verifies, &style, out));
        }
        self.complain(&rotations.plan);
        self.ui.flush();
    }

    /// Says what refuses the plan, if anything does.
    fn complain(&mut self, plan: &Plan) {
        if !plan.tripped.is_empty() {
            self.ui.speak();
        }
        if !self.ui.json() {
            self.ui
                .complain(|style, out| render::guards_text(plan, style, out));
        }
    }
}

fn rotations_lines(rotations: &Rotations, wanted: bool) -> Vec<String> {
    let lines = wanted.then(|| render::rotations_lines(rotations));
    lines.into_iter().flatten().collect()
}

/// Whether a URL of the organization of this callback was left by a run.
fn is_unfinished(report: &Report, beside: &Address, url: &CallbackUrl) -> bool {
    let mut unfinished = report.unfinished.iter();
    unfinished.any(|one| one.address.handle == beside.handle && one.address.url == *url)
}

impl Sink for Rotator<'_> {
    fn event(&mut self, event: Event) {
        self.ui.event(event);
    }
}

impl Caller for Rotator<'_> {
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
        if !self.args.experimental_cloudaudit {
            return None;
        }
        witness::ask(self.settings, &self.loaded.desired, &sought, self.ui).await
    }

    fn witnessed(&mut self, settled: &[(Address, Witnessed)]) {
        witness::report(settled, self.ui);
    }

    fn plan(&mut self, recorded: &Recorded) -> Result<Plan, Failure> {
        let salt = Salt(random()?);
        if self.args.twin.is_none() {
            let twins = std::mem::take(&mut self.twins);
            self.twins = begun(&self.loaded.desired, recorded, twins);
        }
        let rotations = self
            .loaded
            .rotate(recorded, salt, &self.twins, self.first)?;
        for one in &rotations.rotations {
            if let Some(failure) = twins::refusal(one, &self.loaded.desired) {
                return Err(failure);
            }
        }
        if self.first {
            lock::report_new(&self.locations.state, recorded.lineage, self.ui);
            self.show(&rotations);
            self.rotations.clone_from(&rotations.rotations);
        } else {
            let left = rotations.rotations.iter();
            let left = left.filter(|one| one.stage == Stage::Begin);
            self.without_twin = left.map(|one| one.address.clone()).collect();
            self.complain(&rotations.plan);
        }
        print_events(&rotations.plan, self.ui);
        Ok(rotations.plan)
    }

    /// Before the first call, so that what fails has changed nothing. Both URLs must take the new key and token; the
    /// old ones are not known any more.
    async fn verify(&mut self, _plan: &Plan) -> Result<BTreeSet<Address>, Failure> {
        if self.args.no_verify || !self.first {
            return Ok(BTreeSet::new());
        }
        let mut subjects = Vec::new();
        for (_, callback, address) in self.loaded.chosen(&[])? {
            let of = |one: &&Rotation| one.address == address && one.calls.deletes();
            let Some(one) = self.rotations.iter().find(of) else {
                continue;
            };
            let subject = |url: &CallbackUrl| Subject {
                address: Address {
                    handle: address.handle.clone(),
                    url: url.clone(),
                },
                key: callback.key,
                token: callback.token,
            };
            if one.stage != Stage::Nothing {
                subjects.push(subject(&address.url));
            }
            if one.stage == Stage::Begin {
                subjects.push(subject(&one.twin));
            }
        }
        let how = (self.settings, self.args.receivers.allow_private);
        let values = self.values();
        let failed = receivers::verify(&subjects, &values, how, self.ui).await?;
        // Without its twin, a callback is not replaced.
        let mut left_out = BTreeSet::new();
        for one in &self.rotations {
            let twin = Address {
                handle: one.address.handle.clone(),
                url: one.twin.clone(),
            };
            if failed.contains(&one.address) || failed.contains(&twin) {
                left_out.extend([one.address.clone(), twin]);
            }
        }
        Ok(left_out)
    }

    async fn connect(&mut self, plan: &Plan) -> Result<Connection<Self::Api>, Failure> {
        let remote = if let Some(remote) = self.remote.take() {
            remote
        } else {
            let remote = Remote::connect(self.settings, plan, self.args.calling.rate).await?;
            if self.args.experimental_cloudaudit {
                witness::mark(&remote)?;
            }
            remote
        };
        let connection = remote.connection(self.values());
        self.remote = Some(remote);
        Ok(connection)
    }

    async fn owners(&mut self, plan: &Plan) -> Owners {
        match &self.remote {
            Some(remote) => remote.owners(plan).await,
            None => Owners::new(),
        }
    }

    /// Both runs are one question.
    async fn approve(&mut self, plan: &Plan, unproven: &[AccountName]) -> Result<bool, Failure> {
        for account in unproven {
            self.ui.warn(format_args!("{}", unlike(account)));
        }
        self.approved = self.approved || approve(plan, self.ui).await?;
        Ok(self.approved)
    }

    fn twins(&self) -> BTreeMap<Identity, CallbackUrl> {
        let begun = self
            .rotations
            .iter()
            .filter(|one| one.stage == Stage::Begin);
        begun
            .filter(|_| self.first)
            .filter_map(Rotation::given)
            .collect()
    }

    fn start(&mut self, plan: &Plan) -> Result<Start, Failure> {
        let calling = &self.args.calling;
        let connections = self.remote.as_ref().and_then(|remote| remote.connections);
        let asked = (calling.parallelism, calling.rate);
        let start = Start {
            settings: apply::Settings {
                parallelism: parallelism(asked, plan, connections, self.ui),
                max_retries: calling.max_retries,
                wait: !calling.no_wait,
                seed: u64::from_be_bytes(random()?),
            },
            lineage: Lineage(uuid::Builder::from_random_bytes(random()?).into_uuid()),
        };
        self.ui.start_progress(plan.changes().count());
        Ok(start)
    }

    fn ended(&mut self, _ended: Option<&Ended>, recorded: &Recorded) {
        self.told.recorded = Some(Holdings::of(recorded));
        self.ui.finish_progress();
        self.ui.leave_question();
    }
}
