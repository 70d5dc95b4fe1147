//! One run of the program: lock, plan, apply, save, release, as `apply` does it; and how it may die.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use ess_callbacks::apply::{self, Settings, Sink, Tools, WallClock as _};
use ess_callbacks::client::Rate;
use ess_callbacks::model::{Calls, Event, Lineage, NotAttempted, Report, Timestamp, Unfinished};
use ess_callbacks::plan::{self, Options, Plan, Secrets};
use ess_callbacks::secret::Fingerprinter;
use ess_callbacks::state::{LockOwner, Locked, StateError, Store};
use ess_callbacks::testing::MemoryFiles;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::api::{SimApi, SimWall};
use crate::config::{ENVIRONMENT, Id, SALT, enterprise_of, universe};
use crate::world::Shared;

/// Where the state is.
pub(crate) const STATE: &str = "folder/callbacks.state.json";

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
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Died,
    Stuck,
    State(StateError),
    /// Protected callbacks would be deleted, or the guards were not lifted.
    Guarded(BTreeSet<Id>),
    Done(Report),
}

struct Silence(Shared);

impl Sink for Silence {
    fn event(&mut self, event: Event) {
        let mut world = self.0.now();
        if let Event::FenceWait { seconds, .. } = &event {
            world.facts.fences += 1;
            if *seconds > LONGEST_FENCE {
                world.breaks("g", &format!("a fence of {seconds} s"));
            }
        }
        world.tell(|| format!("event: {event:?}"));
    }
}

/// Runs the program until it ends or dies.
pub(crate) async fn run(world: &Shared, files: &MemoryFiles, spec: &Spec) -> Ended {
    let before = files.operations();
    if let Some(operation) = spec.full {
        files.fail_at(before + operation);
    }
    if let Death::AtOperation(operation) = spec.death {
        files.crash_at(before + operation);
    }
    let polls = match spec.death {
        Death::AtPoll(polls) => polls,
        Death::None | Death::AtOperation(_) | Death::After(_) => 1 << 22,
    };
    let life = match spec.death {
        Death::After(life) => life,
        Death::None | Death::AtOperation(_) | Death::AtPoll(_) => STUCK,
    };
    let work = mortal(program(world, files, spec), files, polls);
    let ended = timeout(life, work).await;
    world.now().runs[spec.number].alive = false;
    match (ended, spec.death) {
        (Ok(Some(ended)), _) => ended,
        (Ok(None), Death::AtPoll(_) | Death::AtOperation(_)) | (Err(_), Death::After(_)) => {
            Ended::Died
        }
        // The other of two runs has taken the machine with it.
        (Ok(None), _) if files.has_crashed() => Ended::Died,
        (Ok(None) | Err(_), _) => Ended::Stuck,
    }
}

/// A future that is dropped when it has been polled so often, or when its machine has crashed.
fn mortal<'a, T: 'a>(
    work: impl Future<Output = T> + 'a,
    files: &'a MemoryFiles,
    mut polls: u64,
) -> impl Future<Output = Option<T>> + 'a {
    let mut work: Pin<Box<dyn Future<Output = T> + 'a>> = Box::pin(work);
    std::future::poll_fn(move |context| {
        let polled = work.as_mut().poll(context);
        polls -= 1;
        if files.has_crashed() {
            return Poll::Ready(None);
        }
        match polled {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
}

/// Somebody on another machine takes this run for dead and frees its lock. Whether that was so.
pub(crate) async fn break_lock(
    world: &Shared,
    files: &MemoryFiles,
    spec: &Spec,
    after: Option<Duration>,
) -> bool {
    let Some(after) = after else { return false };
    sleep(after).await;
    let broken = store(files).unlock(&lock_id(spec), "elsewhere").await;
    let mut world = world.now();
    world.tell(|| format!("unlock {}: {broken:?}", spec.number));
    world.runs[spec.number].robbed |= broken.is_ok();
    broken.is_ok()
}

fn lock_id(spec: &Spec) -> String {
    format!("lock-{}", spec.number)
}

pub(crate) fn store(files: &MemoryFiles) -> Store {
    Store::in_files(files.clone(), STATE)
}

async fn program(world: &Shared, files: &MemoryFiles, spec: &Spec) -> Ended {
    let owner = LockOwner {
        id: lock_id(spec),
        who: "sim".to_owned(),
        host: "here".to_owned(),
        pid: 1,
        command: "apply".to_owned(),
        since: Timestamp(0),
        job_url: None,
    };
    let store = store(files).checkpoint_above(spec.checkpoint);
    let locked = store.lock(ENVIRONMENT, &owner, spec.lock_timeout, |_| {});
    let locked = match locked.await {
        Ok(locked) => locked,
        Err(error) => return Ended::State(error),
    };
    let ended = with_state(world, &locked, spec).await;
    let released = locked.release().await;
    match (ended, released) {
        (Err(error), _) | (Ok(Ended::Done(_)), Err(error)) => Ended::State(error),
        (Ok(ended), _) => ended,
    }
}

/// What is planned now.
pub(crate) fn planned(
    world: &Shared,
    recorded: &ess_callbacks::model::Recorded,
    spec: &Spec,
) -> Plan {
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

async fn with_state(world: &Shared, locked: &Locked, spec: &Spec) -> Result<Ended, StateError> {
    locked.read(|recorded| world.now().unsettle(spec.number, recorded));
    let plan = locked.read(|recorded| planned(world, recorded, spec));
    world
        .now()
        .tell(|| format!("run {}: {}", spec.number, outline(&plan)));
    // As the program does: an account that is not in the file can't be called for.
    let missing = plan.missing_accounts().next().is_some();
    if missing || !plan.tripped.is_empty() {
        return Ok(Ended::Guarded(protected_deletes(&plan)));
    }
    if plan.is_empty() {
        locked.edit(|recorded| apply::keep_books(&plan, recorded));
        locked.save().await?;
        let mut world = world.now();
        locked.read(|recorded| world.note_end(spec.number, &BTreeSet::new(), recorded));
        return Ok(Ended::Done(Report::default()));
    }
    world.now().note_plan(spec.number, &plan);
    let lineage = Lineage(uuid::Uuid::from_u128(1));
    sign(locked, &plan);
    locked.initialize(lineage, plan.salt).await?;
    let report = calls(world, locked, &plan, spec).await;
    locked.save().await?;
    world.now().rates.saved.insert(spec.number);
    conclude(world, locked, &plan, spec, &report);
    Ok(Ended::Done(report))
}

/// Each enterprise has one `SecretId`, whatever its account is called.
fn sign(locked: &Locked, plan: &Plan) {
    let fingerprinter = Fingerprinter::new(plan.salt);
    let signers = plan.accounts.keys().map(|name| {
        let id = fingerprinter.secret_id(enterprise_of(name));
        (name.clone(), id)
    });
    let signers = signers.collect();
    locked.sign_with(locked.read(|recorded| {
        apply::accounts(plan, &signers, &std::collections::BTreeMap::new(), recorded)
    }));
}

async fn calls(world: &Shared, locked: &Locked, plan: &Plan, spec: &Spec) -> Report {
    let rate = Rate::per_second(f64::from(spec.rate)).expect("a rate from the schedule");
    let now = spec.wall.now();
    let paces = locked.read(|recorded| apply::paces(plan, recorded, rate, now));
    let (stop, stopped) = watch::channel(false);
    let api = SimApi {
        world: world.clone(),
        run: spec.number,
    };
    let tools = Tools {
        api: &api,
        state: locked,
        wall: &spec.wall,
        secrets: &universe().secrets,
        paces: &paces,
        stop: stopped,
    };
    let mut sink = Silence(world.clone());
    let applying = apply::apply(plan, tools, &spec.settings, &mut sink);
    let interrupting = async {
        if let Stop::After(after) = spec.stop {
            sleep(after).await;
            stop.send_replace(true);
        }
        std::future::pending::<()>().await;
    };
    let mut polls = match spec.stop {
        Stop::AtPoll(polls) => polls,
        Stop::Never | Stop::After(_) => 0,
    };
    let mut applying = std::pin::pin!(applying);
    let watched = std::future::poll_fn(|context| {
        if polls == 1 {
            stop.send_replace(true);
        }
        polls = polls.saturating_sub(1);
        applying.as_mut().poll(context)
    });
    tokio::select! {
        biased;
        report = watched => report,
        () = interrupting => unreachable!("it never ends"),
    }
}

/// Compares the report with the truth.
fn conclude(world: &Shared, locked: &Locked, plan: &Plan, spec: &Spec, report: &Report) {
    let unfinished: BTreeSet<Id> = report
        .unfinished
        .iter()
        .filter_map(|unfinished| id_of(plan, unfinished))
        .collect();
    let mut world = world.now();
    let account_stopped = report.unfinished.iter().any(|unfinished| {
        matches!(
            &unfinished.how,
            ess_callbacks::model::HowUnfinished::NotAttempted(NotAttempted::AccountStopped(_))
        )
    });
    if report.journal_error.is_none() && !account_stopped && unfinished.is_empty() {
        world.check_no_gap_left(spec.number);
    }
    locked.read(|recorded| world.note_end(spec.number, &unfinished, recorded));
    world.tell(|| format!("run {}: {report:?}", spec.number));
}

fn id_of(plan: &Plan, unfinished: &Unfinished) -> Option<Id> {
    let organization = plan
        .organizations
        .iter()
        .find(|organization| organization.handle == unfinished.address.handle)?;
    Id::of(&organization.scope, &unfinished.address.url)
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
