//! Two or three replicas of the controller on one state, each with its own checkout, which is late:
//! round after round, with the decisions of `controller`. They are cut off, stand still, die and start again.

use std::collections::BTreeSet;
use std::time::Duration;

use ess_callbacks::apply::{Settings, WallClock as _};
use ess_callbacks::controller::{Decision, Policy, Schedule, Seen, decide, in_force, portion};
use ess_callbacks::model::{Checkout, Holdings, HowUnfinished, NotAttempted, Recorded};
use ess_callbacks::plan::{Heal, Options, Plan};
use ess_callbacks::testing::MemoryLog;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::api::SimWall;
use crate::config::{Config, Credentials, ENVIRONMENT};
use crate::dice::Dice;
use crate::endings::after;
use crate::place::Place;
use crate::process::{self, Death, Ended, Files, Spec, Stop};
use crate::rules::RunFacts;
use crate::weather::Weather;
use crate::world::{Shared, World};

const INTERVAL: Duration = Duration::from_secs(300);
const HEAL_WITHIN: Duration = Duration::from_secs(7_200);

/// One commit follows another after at least so long. Their order can be told by times that differ by less.
const APART: i64 = 240_000;

/// How long a checkout may be late, in milliseconds.
const LATE: i64 = 100_000;

/// How far the clock of a replica may be off, in seconds.
const SKEW: i64 = 50;

/// When everything that went wrong is over: the longest fence, the longest pause, and two rounds.
const CALM: Duration = Duration::from_secs(700 + 3 * 330);

/// The commits: when they were made, and what they declare.
struct Repository(Vec<(Instant, Config)>);

impl Repository {
    fn random(begun: Instant, config: Config, dice: &mut Dice) -> Self {
        let mut commits = vec![(begun, config)];
        for _ in 0..=dice.below(3) {
            let (at, last) = commits.last().expect("it begins with one").clone();
            // Sometimes back to what was before.
            let mut next = match commits.len() {
                2.. if dice.percent(25) => commits[commits.len() - 2].1.clone(),
                _ => last,
            };
            for _ in 0..dice.below(3) {
                next.edit(dice);
            }
            next.name_all();
            commits.push((at + dice.millis(APART, 4 * APART), next));
        }
        Self(commits)
    }

    fn last(&self) -> &(Instant, Config) {
        self.0.last().expect("it begins with one")
    }
}

/// One replica.
struct Replica<'a> {
    world: &'a Shared,
    log: MemoryLog,
    repository: &'a Repository,
    /// When its checkout has each commit.
    arrivals: Vec<Instant>,
    wall: SimWall,
    seen: Seen,
    /// Whether the next run waits for lost calls: eSign does not tell its clock, so only waiting shows that they can't
    /// arrive any more.
    waits: bool,
    dice: Dice,
    /// After that nothing goes wrong any more.
    calm_from: Instant,
    end: Instant,
}

/// Lets replicas keep the state until the last commit is applied. The newest files, or `None` when a rule was broken.
pub(crate) async fn keep(
    world: &Shared,
    log: &MemoryLog,
    (born, config): (Instant, Config),
    dice: &mut Dice,
) -> Option<Config> {
    let mut config = config;
    config.name_all();
    let begun = Instant::now();
    let repository = Repository::random(begun, config, dice);
    let calm_from = repository.last().0 + Duration::from_millis(u64::try_from(LATE).unwrap_or(0));
    let count = 2 + dice.below(2);
    let replicas: Vec<_> = (0..count)
        .map(|_| {
            let late = |(at, _): &(Instant, Config)| *at + dice.millis(0, LATE);
            let mut arrivals: Vec<_> = repository.0.iter().map(late).collect();
            arrivals[0] = begun;
            Replica {
                world,
                log: log.from_another_machine(),
                repository: &repository,
                arrivals,
                wall: SimWall {
                    base: 1_800_000_000,
                    born,
                    off: dice.between(-SKEW, SKEW),
                    jump: None,
                },
                seen: Seen::default(),
                waits: false,
                dice: dice.fork(),
                calm_from,
                end: calm_from + CALM,
            }
        })
        .collect();
    let weather = async {
        let calm = Place::Log(log.clone());
        let mut dice = dice.fork();
        while Instant::now() < calm_from {
            let now_ms = world.now().elapsed_ms();
            world.now().weather = Weather::random(&mut dice, now_ms);
            calm.weather(&mut dice, false);
            sleep(dice.millis(30_000, 300_000)).await;
        }
        world.now().weather = Weather::calm();
        world.now().limit = 20;
        calm.weather(&mut dice, true);
    };
    let (verdicts, ()) = tokio::join!(join_all(replicas.into_iter().map(Replica::keep)), weather);
    let newest = repository.last().1.clone();
    let recorded = Place::Log(log.clone())
        .in_fair_weather()
        .read(ENVIRONMENT)
        .await;
    let mut world = world.now();
    match recorded {
        Ok(recorded) if verdicts.iter().all(|verdict| *verdict == Verdict::Rests) => {
            world.facts.kept += 1;
            world.check_reached(&newest, &recorded, false);
        }
        Ok(_) => {}
        Err(error) => world.breaks("h", &format!("after the replicas: {error}")),
    }
    world.broken.is_empty().then_some(newest)
}

/// What the last round of a replica found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing is to be done.
    Rests,
    /// A person has to decide.
    Waits,
    Behind,
    Busy,
}

impl Replica<'_> {
    async fn keep(mut self) -> Verdict {
        let mut schedule = Schedule::new(INTERVAL);
        loop {
            self.world.now().facts.rounds += 1;
            let verdict = self.round().await;
            if !self.world.now().broken.is_empty() {
                return verdict;
            }
            if Instant::now() >= self.end {
                self.check_end(verdict);
                return verdict;
            }
            let pause = schedule.pause(verdict == Verdict::Busy, self.dice.seed());
            if !self.is_calm() && self.dice.percent(15) {
                // It was killed, and another one takes its place. What it knew is lost.
                self.seen = Seen::default();
                self.waits = false;
                schedule = Schedule::new(INTERVAL);
                sleep(self.dice.millis(0, 60_000)).await;
                continue;
            }
            // New files are noticed within two looks.
            let now = Instant::now();
            let next = self.arrivals.iter().filter(|arrival| **arrival > now).min();
            let next = next.map_or(pause, |at| *at - now + Duration::from_secs(2));
            sleep(pause.min(next)).await;
        }
    }

    fn is_calm(&self) -> bool {
        Instant::now() >= self.calm_from
    }

    /// When everything is calm, everybody is done.
    fn check_end(&self, verdict: Verdict) {
        let mut world = self.world.now();
        match verdict {
            Verdict::Rests | Verdict::Waits => {}
            Verdict::Behind => {
                world.breaks("j", "a replica with the newest files takes them for old");
            }
            Verdict::Busy => world.breaks("a", "a replica goes on and on"),
        }
    }

    /// The number of the commit that the checkout has, and since when by this machine's clock.
    fn checkout(&self) -> (usize, Checkout) {
        let now = Instant::now();
        let arrived = self.arrivals.iter().enumerate().rev();
        let (number, at) = arrived
            .into_iter()
            .find(|(_, arrival)| **arrival <= now)
            .expect("the first is there from the beginning");
        let ago = i64::try_from((now - *at).as_secs()).unwrap_or(0);
        let checkout = Checkout {
            digest: format!("{:?}", self.repository.0[number].1),
            since: self.wall.now().plus(-ago),
        };
        (number, checkout)
    }

    async fn round(&mut self) -> Verdict {
        let (number, own) = self.checkout();
        let place = Place::Log(self.log.clone());
        let Ok(recorded) = place.store().read(ENVIRONMENT).await else {
            return Verdict::Busy;
        };
        let applied = recorded.checkout.as_ref();
        let now = self.wall.now();
        self.seen.note(&own, applied, now);
        if self.seen.behind(&own, applied, now).is_some() {
            self.world.now().facts.behind += 1;
            return Verdict::Behind;
        }
        self.seen.admit();
        let files = Files {
            in_force: in_force(&own, applied),
            others: recorded.checkout.clone(),
        };
        let follows = files.in_force.is_some() && recorded.lineage.is_some();
        let mut spec = self.spec(number, files, &place);
        let plan = self.plan(&recorded, &mut spec);
        match decide(&plan, Policy::Auto, None) {
            Decision::Nothing if !follows => return Verdict::Rests,
            Decision::Wait(_) => return Verdict::Waits,
            Decision::Nothing | Decision::Apply { .. } => {}
        }
        if !self.is_calm() && self.dice.percent(15) {
            self.log.cut_off(self.dice.millis(0, 400_000));
            self.world.now().runs[spec.number].overtaken = true;
        }
        let ended = process::run(self.world, &place, &spec).await;
        after(self.world, &place, &spec, &ended, true);
        if let Ended::Done(_) = &ended
            && let Ok(recorded) = place.in_fair_weather().read(ENVIRONMENT).await
        {
            let applied = recorded.checkout.as_ref();
            self.seen.note(&own, applied, self.wall.now());
        }
        let clockless = HowUnfinished::NotAttempted(NotAttempted::FencedWithoutClock);
        self.waits = matches!(&ended, Ended::Done(report)
            if report.unfinished.iter().any(|one| one.how == clockless));
        match ended {
            Ended::Done(report) if report.unfinished.is_empty() => Verdict::Rests,
            Ended::Done(_)
            | Ended::Died
            | Ended::Stuck
            | Ended::Interrupted
            | Ended::State(_)
            | Ended::Guarded(_) => Verdict::Busy,
        }
    }

    /// First what is to change, and only when there is nothing, a portion to heal.
    fn plan(&self, recorded: &Recorded, spec: &mut Spec) -> Plan {
        let plan = process::planned(self.world, recorded, spec);
        let all = Holdings::of(recorded).all();
        if !plan.is_empty() || !plan.tripped.is_empty() {
            return plan;
        }
        let Some(portion) = portion(all, INTERVAL, HEAL_WITHIN) else {
            return plan;
        };
        let now = self.wall.now();
        let age = i64::try_from(portion.older_than.as_secs()).unwrap_or(i64::MAX);
        spec.options.heal = Some(Heal {
            proved_before: Some(now.plus(-age)),
            proved_by: Some(now.plus(Heal::CLOCKS)),
            max_calls: Some(portion.calls),
            only: false,
        });
        let heal = process::planned(self.world, recorded, spec);
        if !heal.is_empty() {
            self.world.now().facts.healed += 1;
        }
        heal
    }

    fn spec(&mut self, number: usize, files: Files, place: &Place) -> Spec {
        let calm = self.is_calm();
        let config = self.repository.0[number].1.clone();
        let dice = &mut self.dice;
        let death = match dice.below(10) {
            _ if calm => Death::None,
            0 => Death::AtPoll(dice.any_size(1000)),
            1 => Death::After(dice.millis(0, 30_000)),
            _ => Death::None,
        };
        let stall = if calm { None } else { place.stall(dice) };
        let mut facts = RunFacts::new(config, place.clone());
        facts.clock = Some(self.wall.off);
        facts.overtaken = stall.is_some();
        facts.version = Some(number);
        facts.max_retries = 2;
        let mut world = self.world.now();
        let spec = Spec {
            number: world.runs.len(),
            options: Options::default(),
            rotation: None,
            credentials: Credentials::Right,
            unverified: BTreeSet::new(),
            owners_known: true,
            allow_deletes: true,
            settings: Settings {
                parallelism: 900,
                max_retries: 2,
                // A later round makes what has to wait.
                wait: self.waits,
                seed: dice.seed(),
            },
            rate: 20,
            checkpoint: dice.pick(&[0, 2_000, 1 << 20]),
            lock_timeout: Duration::from_secs(3_600),
            wall: self.wall.clone(),
            death,
            stop: Stop::Never,
            full: None,
            stall,
            files: Some(files),
        };
        world.facts.runs += 1;
        world.runs.push(facts);
        world.tell(|| format!("run {}: a replica's, of version {number}", spec.number));
        spec
    }
}

impl World {
    /// (j) No replica applies files that are older than those that another has applied.
    pub(crate) fn check_version(&mut self, run: usize) {
        let facts = &self.runs[run];
        let Some(version) = facts.version else { return };
        // What is the same again after a revert is not older.
        let is_undone = |other: &&RunFacts| {
            let later = other.version.is_some_and(|other| version < other);
            later && other.has_called && other.config != facts.config
        };
        let newer = self
            .runs
            .iter()
            .find(is_undone)
            .and_then(|other| other.version);
        let is_overtaken = facts.overtaken;
        self.runs[run].has_called = true;
        if let Some(newer) = newer.filter(|_| !is_overtaken) {
            let what = format!("run {run} applies version {version}, and {newer} was applied");
            self.breaks("j", &what);
        }
    }
}
