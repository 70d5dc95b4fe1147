//! One run of the program: lock, plan, apply, save, release, as `apply` does it; and how it may die.

use std::collections::BTreeSet;
use std::time::Duration;

use ess_callbacks::apply::{Lanes, Settings, Sink};
use ess_callbacks::client::Rate;
use ess_callbacks::model::{
    AccountId, AccountName, Address, Calls, Checkout, Destination, Event, Lineage, NotAttempted,
    Recorded, Report, Timestamp,
};
use ess_callbacks::plan::{self, Options, Plan, Secrets};
use ess_callbacks::run::{self, Caller, Connection, Owners, Request, Start, Unsaved};
use ess_callbacks::state::{LockOwner, StateError};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::api::{SimApi, SimWall};
use crate::config::{Credentials, ENVIRONMENT, Id, SALT, universe};
use crate::endings::may_refuse;
use crate::lifetime::{interrupted, mortal, stalling};
use crate::place::Place;
use crate::rotation::{self, Rotating};
use crate::schedule::WAITS;
use crate::weather::silence;
use crate::world::Shared;

/// A run that takes this long is stuck. The longest fence takes less than twelve minutes.
const STUCK: Duration = Duration::from_secs(2 * 3600);

/// No fence takes longer, in seconds.
const LONGEST_FENCE: u64 = 690;

/// How a run dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    /// Not at all.
    None,
    /// When it has been polled so often.
    AtPoll(u64),
    /// At that operation of the disk, counted from its beginning.
    AtOperation(u64),
    /// After that time.
    After(Duration),
}

/// When a signal asks the run to stop: Ctrl-C, or the terminal is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    Never,
    After(Duration),
    /// When its calls have been polled so often.
    AtPoll(u64),
}

/// How to run the program.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) number: usize,
    pub(crate) options: Options,
    /// A rotation instead of an apply.
    pub(crate) rotation: Option<Rotating>,
    pub(crate) credentials: Credentials,
    /// Receivers that fail their verification.
    pub(crate) unverified: BTreeSet<Id>,
    /// Whether the service that knows the owners of credentials answers.
    pub(crate) owners_known: bool,
    /// Whether to lift the guards.
    pub(crate) allow_deletes: bool,
    pub(crate) settings: Settings,
    pub(crate) rate: u32,
    pub(crate) checkpoint: u64,
    pub(crate) lock_timeout: Duration,
    pub(crate) wall: SimWall,
    pub(crate) death: Death,
    pub(crate) stop: Stop,
    /// The disk is full at that operation.
    pub(crate) full: Option<u64>,
    /// It stands still when it has been polled so often, for that long: a process that is stopped.
    pub(crate) stall: Option<(u64, Duration)>,
    /// The files of a replica of the controller. `None` for who runs `apply`.
    pub(crate) files: Option<Files>,
}

/// What a round of a controller knows of its files.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// What the state has to record of them.
    pub(crate) in_force: Option<Checkout>,
    /// What it recorded when the round read it.
    pub(crate) others: Option<Checkout>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Died,
    Stuck,
    /// Before the first call.
    Interrupted,
    State(StateError),
    /// Protected callbacks would be deleted, or the guards were not lifted.
    Guarded(BTreeSet<Id>),
    Done(Report),
}

/// Who starts the run.
struct Starter<'s> {
    world: &'s Shared,
    spec: &'s Spec,
    /// The accounts whose owner is recorded.
    owned: BTreeSet<AccountName>,
    /// Whether another replica has applied other files since its own were read.
    is_outdated: bool,
}

impl Starter<'_> {
    fn credentials(&self) -> Credentials {
        self.world.now().runs[self.spec.number].credentials
    }
}

impl Sink for Starter<'_> {
    fn event(&mut self, event: Event) {
        let mut world = self.world.now();
        if let Event::FenceWait { seconds, .. } = &event {
            world.facts.fences += 1;
            if *seconds > LONGEST_FENCE {
                world.breaks("g", &format!("a fence of {seconds} s"));
            }
        }
        world.tell(|| format!("event: {event:?}"));
    }
}

impl Caller for Starter<'_> {
    type Api = SimApi;
    type Wall = SimWall;
    type Error = StateError;

    fn plan(&mut self, recorded: &Recorded) -> Result<Plan, StateError> {
        self.world.now().unsettle(self.spec.number, recorded);
        let owned = recorded.accounts.iter();
        let owned = owned.filter(|(_, account)| account.account_id.is_some());
        self.owned = owned.map(|(name, _)| name.clone()).collect();
        let plan = planned(self.world, recorded, self.spec);
        let files = self.spec.files.as_ref();
        self.is_outdated = files.is_some_and(|files| files.others != recorded.checkout);
        let mut world = self.world.now();
        world.tell(|| format!("run {}: {}", self.spec.number, outline(&plan)));
        let replaced = plan
            .changes()
            .filter(|change| change.calls() == Calls::Replace);
        let replaced = replaced.filter_map(|change| id_of(&plan, &change.address));
        world.runs[self.spec.number].replaced = replaced.collect();
        // Nothing tells whose credentials an account has that is neither recorded nor described.
        let in_use = plan.accounts_in_use(recorded);
        let mut accounts = plan.accounts.iter();
        let told = accounts.all(|(name, account)| {
            account.expect_account_id.is_some()
                || (in_use.contains(name) && recorded.accounts.contains_key(name))
        });
        if told {
            world.runs[self.spec.number].credentials = self.spec.credentials;
        }
        drop(world);
        Ok(plan)
    }

    async fn verify(&mut self, plan: &Plan) -> Result<BTreeSet<Address>, StateError> {
        let changes = plan.changes_by_organization();
        let failed = changes.filter(|(organization, change)| {
            let id = Id::of(&organization.scope, &change.address.url);
            id.is_some_and(|id| self.spec.unverified.contains(&id.declared()))
        });
        Ok(failed.map(|(_, change)| change.address.clone()).collect())
    }

    /// Each enterprise has one `SecretId`, whatever its account is called.
    async fn connect(&mut self, plan: &Plan) -> Result<Connection<SimApi>, StateError> {
        let credentials = self.credentials();
        let names = plan.accounts.keys();
        let ids = names.map(|name| (name, credentials.signer_of(name)));
        Ok(Connection {
            api: SimApi {
                world: self.world.clone(),
                run: self.spec.number,
            },
            signers: run::signers(plan, ids),
            unidentified: BTreeSet::new(),
            secrets: universe().secrets.clone(),
        })
    }

    async fn owners(&mut self, plan: &Plan) -> Owners {
        let credentials = self.credentials();
        let owner = |name| {
            let known = self.spec.owners_known;
            let owner = || AccountId::new(credentials.signer_of(name));
            known.then(owner).ok_or_else(|| silence("no answer"))
        };
        let names = plan.accounts.keys();
        names.map(|name| (name.clone(), owner(name))).collect()
    }

    /// Nobody renews credentials here, so that others than before are a mistake.
    async fn approve(&mut self, plan: &Plan, unproven: &[AccountName]) -> Result<bool, StateError> {
        if self.is_outdated {
            return Ok(false);
        }
        let mixed_up = self.credentials() == Credentials::MixedUp && !self.spec.owners_known;
        if mixed_up && plan.accounts.keys().any(|name| self.owned.contains(name)) {
            let what = "other credentials than the recorded owner's, whose owner is not known";
            self.world.now().breaks("c", what);
        }
        if unproven.is_empty() {
            self.world.now().note_plan(self.spec.number, plan);
        } else if self.credentials() == Credentials::Right {
            let what = format!("a warning of credentials that have not changed: {unproven:?}");
            self.world.now().breaks("b", &what);
        }
        Ok(unproven.is_empty())
    }

    fn checkout(&self) -> Option<Checkout> {
        let files = self.spec.files.as_ref().filter(|_| !self.is_outdated);
        files?.in_force.clone()
    }

    fn start(&mut self, _plan: &Plan) -> Result<Start, StateError> {
        Ok(Start {
            settings: self.spec.settings.clone(),
            lineage: Lineage(uuid::Uuid::from_u128(1)),
        })
    }

    fn ended(&mut self, ended: Option<&run::Ended>, recorded: &Recorded) {
        match ended {
            Some(run::Ended::NothingToCall(_)) => {
                let mut world = self.world.now();
                world.note_end(self.spec.number, &BTreeSet::new(), recorded);
            }
            Some(run::Ended::Called {
                plan,
                report,
                saved: Ok(()),
            }) => {
                self.world.now().rates.saved.insert(self.spec.number);
                conclude(self.world, recorded, plan, self.spec, report);
            }
            Some(
                run::Ended::Called { saved: Err(_), .. }
                | run::Ended::Interrupted
                | run::Ended::Refused(..)
                | run::Ended::Elsewhere(_),
            )
            | None => {}
        }
    }
}

/// Runs the program until it ends or dies.
pub(crate) async fn run(world: &Shared, place: &Place, spec: &Spec) -> Ended {
    place.prepare(spec);
    let polls = place.polls(spec.death).unwrap_or(1 << 22);
    let life = match spec.death {
        Death::After(life) => life,
        Death::None | Death::AtOperation(_) | Death::AtPoll(_) => STUCK,
    };
    let work = mortal(
        stalling(program(world, place, spec), spec.stall),
        place,
        polls,
    );
    let ended = timeout(life, work).await;
    world.now().runs[spec.number].alive = false;
    match (ended, spec.death) {
        (Ok(Some(ended)), _) => ended,
        (Ok(None), Death::AtPoll(_) | Death::AtOperation(_)) | (Err(_), Death::After(_)) => {
            Ended::Died
        }
        // The other of two runs has taken the machine with it.
        (Ok(None), _) if place.has_crashed() => Ended::Died,
        (Ok(None) | Err(_), _) => Ended::Stuck,
    }
}

pub(crate) fn lock_id(spec: &Spec) -> String {
    format!("lock-{}", spec.number)
}

async fn program(world: &Shared, place: &Place, spec: &Spec) -> Ended {
    let owner = LockOwner {
        id: lock_id(spec),
        who: "sim".to_owned(),
        host: "here".to_owned(),
        pid: 1,
        command: "apply".to_owned(),
        since: Timestamp(0),
        job_url: None,
    };
    let store = place.store().checkpoint_above(spec.checkpoint);
    let stop = watch::Sender::new(false);
    let request = Request {
        environment: ENVIRONMENT,
        destination: &Destination::Esign,
        owner: &owner,
        lock_timeout: spec.lock_timeout,
        expected_digest: None,
        rate: Rate::per_second(f64::from(spec.rate)).expect("a rate from the schedule"),
        wall: &spec.wall,
        stop: &stop.subscribe(),
    };
    let mut starter = Starter {
        world,
        spec,
        owned: BTreeSet::new(),
        is_outdated: false,
    };
    let mut lanes = Lanes::default();
    let running = run::run(&store, &request, &mut lanes, &mut starter);
    match interrupted(running, spec.stop, &stop).await {
        Ok(run::Ended::Refused(plan, why)) => {
            if !may_refuse(world, spec, &why) {
                world.now().breaks("a", &format!("refused: {why:?}"));
            }
            Ended::Guarded(protected_deletes(&plan))
        }
        Ok(run::Ended::Elsewhere(there)) => {
            world.now().breaks("a", &format!("the state is of {there}"));
            Ended::Guarded(BTreeSet::new())
        }
        Ok(run::Ended::Interrupted) => {
            if !*stop.borrow() {
                world.now().breaks("a", "interrupted without a signal");
            }
            Ended::Interrupted
        }
        Ok(run::Ended::NothingToCall(_)) => Ended::Done(Report::default()),
        Ok(run::Ended::Called {
            saved: Ok(()),
            report,
            ..
        }) => Ended::Done(report),
        Ok(run::Ended::Called {
            saved: Err(unsaved),
            ..
        }) => {
            let Unsaved { error, rescue } = *unsaved;
            world.now().rescues.extend(rescue);
            Ended::State(error)
        }
        Err(error) => Ended::State(error),
    }
}

/// What is planned now.
pub(crate) fn planned(world: &Shared, recorded: &Recorded, spec: &Spec) -> Plan {
    if let Some(rotating) = &spec.rotation {
        return rotation::planned(world, recorded, spec, rotating);
    }
    let desired = world.now().runs[spec.number].config.desired();
    let secrets = Secrets {
        salt: recorded.salt.unwrap_or(SALT),
        fingerprints: Some(&universe().table),
    };
    let plan = plan::plan(&desired, recorded, secrets, &spec.options);
    if plan.tripped.is_empty() || !spec.allow_deletes {
        return plan;
    }
    let options = Options {
        allow_deletes: Some(plan.summary.deletes_by_omission),
        ..spec.options.clone()
    };
    plan::plan(&desired, recorded, secrets, &options)
}

/// Compares the report with the truth.
fn conclude(world: &Shared, recorded: &Recorded, plan: &Plan, spec: &Spec, report: &Report) {
    let unfinished: BTreeSet<Id> = report
        .unfinished
        .iter()
        .filter_map(|unfinished| id_of(plan, &unfinished.address))
        .collect();
    let mut world = world.now();
    let account_stopped = report.unfinished.iter().any(|unfinished| {
        matches!(
            &unfinished.how,
            ess_callbacks::model::HowUnfinished::NotAttempted(NotAttempted::AccountStopped(_))
        )
    });
    // What waits for its twin was not called.
    let mut left = report.unfinished.iter();
    let is_done = left.all(|one| one.how == WAITS);
    if report.journal_error.is_none() && !account_stopped && is_done {
        world.check_no_gap_left(spec.number);
    }
    world.note_end(spec.number, &unfinished, recorded);
    world.tell(|| format!("run {}: {report:?}", spec.number));
}

fn id_of(plan: &Plan, address: &Address) -> Option<Id> {
    let organization = plan
        .organizations
        .iter()
        .find(|organization| organization.handle == address.handle)?;
    Id::of(&organization.scope, &address.url)
}

fn protected_deletes(plan: &Plan) -> BTreeSet<Id> {
    plan.organizations
        .iter()
        .flat_map(|organization| {
            organization
                .changes
                .iter()
                .filter(|change| {
                    change.calls() == Calls::Delete
                        && change.before.as_ref().is_some_and(|before| before.protect)
                })
                .filter_map(|change| Id::of(&organization.scope, &change.address.url))
        })
        .collect()
}

fn outline(plan: &Plan) -> String {
    let changes: Vec<_> = plan
        .changes()
        .map(|change| {
            format!(
                "{:?} {} because {:?}, fence {:?}, before {:?}",
                change.calls(),
                change.address,
                change.reason,
                change.fence,
                change.before.as_ref().map(|before| before.belief),
            )
        })
        .collect();
    format!(
        "plan: {}; tripped {:?}; books {:?}",
        changes.join("; "),
        plan.tripped,
        plan.bookkeeping
    )
}
