//! One schedule: everything that happens, from one seed.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use ess_callbacks::apply::Settings;
use ess_callbacks::model::{HowUnfinished, NotAttempted, Recorded};
use ess_callbacks::plan::{Heal, Options, Pattern};
use ess_callbacks::state::StateError;
use ess_callbacks::testing::{MemoryFiles, MemoryLog};
use tokio::time::{Instant, sleep};

use crate::api::SimWall;
use crate::chance::{any_options, any_stop};
use crate::config::{Config, Credentials, ENVIRONMENT, Id, any_id, any_value};
use crate::dice::Dice;
use crate::endings::after;
use crate::facts::Facts;
use crate::others::{break_lock, bring_home};
use crate::place::Place;
use crate::process::{self, Death, Ended, Spec, Stop};
use crate::replicas;
use crate::rotation::any_rotation;
use crate::rules::RunFacts;
use crate::weather::Weather;
use crate::world::{Shared, World};

/// What a run says of a callback whose rotation the next one finishes.
pub(crate) const WAITS: HowUnfinished = HowUnfinished::NotAttempted(NotAttempted::WaitsForTwin);

/// A schedule that broke a rule.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) broken: Vec<String>,
    pub(crate) story: Option<String>,
}

/// Everything that happens in the schedule of a seed.
pub(crate) fn story(seed: u64) -> Option<String> {
    runtime().block_on(async {
        let mut schedule = Schedule::new(seed, true);
        schedule.play().await;
        schedule.world.now().story()
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without a driver for files and sockets can always be had")
}

/// Runs the schedule of a seed.
pub(crate) fn run(seed: u64, trace: bool) -> Result<Facts, Failure> {
    let runtime = runtime();
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut schedule = Schedule::new(seed, trace);
            schedule.play().await;
            let world = schedule.world.now();
            if world.broken.is_empty() {
                Ok(world.facts)
            } else {
                Err(Failure {
                    broken: world.broken.clone(),
                    story: world.story(),
                })
            }
        })
    }));
    outcome.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Failure {
            broken: vec![format!("panic: {}", text.unwrap_or_default())],
            story: None,
        })
    })
}

struct Schedule {
    dice: Dice,
    world: Shared,
    place: Place,
    config: Config,
    born: Instant,
    /// Whether keys are rotated in it, too.
    rotates: bool,
}

impl Schedule {
    fn new(seed: u64, trace: bool) -> Self {
        let mut dice = Dice::new(seed);
        let mut world = World::new(dice.fork(), trace);
        world.limit = dice.pick(&[20, 20, 20, 6, 3]);
        Self {
            world: Shared::new(world),
            place: if seed.is_multiple_of(3) {
                Place::Log(MemoryLog::new(dice.seed()))
            } else {
                Place::Files(MemoryFiles::new(dice.seed()))
            },
            config: Config::random(&mut dice),
            born: Instant::now(),
            rotates: seed.is_multiple_of(10),
            dice,
        }
    }

    async fn play(&mut self) {
        let more = if self.rotates { 3 } else { 0 };
        for round in 0..=self.dice.below(4) + more {
            if round > 0 {
                for _ in 0..self.dice.below(3) {
                    self.config.edit(&mut self.dice);
                }
            }
            let now_ms = self.world.now().elapsed_ms();
            let weather = Weather::random(&mut self.dice, now_ms);
            {
                let mut world = self.world.now();
                world.weather = weather;
                self.place.weather(&mut self.dice, false);
                if self.dice.percent(20) {
                    world.meddle(&self.config);
                }
            }
            if self.dice.percent(12) {
                self.two_runs().await;
            } else if self.rotates && round > 0 && self.dice.percent(75) {
                self.rotate().await;
            } else {
                let spec = self.any_spec();
                self.one_run(&spec).await;
            }
            if !self.world.now().broken.is_empty() {
                return;
            }
            let pause = match self.dice.below(4) {
                0 => Duration::ZERO,
                1 => self.dice.millis(0, 2_000),
                2 => self.dice.millis(0, 60_000),
                _ => self.dice.millis(0, 700_000),
            };
            sleep(pause).await;
            bring_home(&self.world, &self.place).await;
            self.check_state("after a pause").await;
        }
        if let Place::Log(log) = &self.place
            && self.dice.percent(40)
        {
            let log = log.clone();
            let born = self.born;
            let config = self.config.clone();
            let newest = replicas::keep(&self.world, &log, (born, config), &mut self.dice).await;
            let Some(newest) = newest else { return };
            self.config = newest;
            self.check_state("after the replicas").await;
        }
        self.settle().await;
    }

    /// New keys, and the two runs of a rotation, which may end at any time like any other. Others come in between.
    async fn rotate(&mut self) {
        if self.dice.percent(70) {
            self.config.rekey(&mut self.dice);
        }
        let mut rotating = any_rotation(&mut self.dice);
        for begin in [true, false] {
            rotating.begin = begin;
            let spec = self.any_spec();
            let spec = spec.rotating(rotating.clone(), &mut self.world.now());
            self.one_run(&spec).await;
            if self.dice.percent(15) {
                self.config.rekey(&mut self.dice);
            }
            if self.dice.percent(25) {
                let spec = self.any_spec();
                let spec = spec.perhaps_for_a_twin(&mut self.dice, &mut self.world.now());
                self.one_run(&spec).await;
            }
        }
    }

    async fn one_run(&mut self, spec: &Spec) {
        let ended = process::run(&self.world, &self.place, spec).await;
        let full = spec.full.is_some() || self.place.is_rough();
        self.after(spec, &ended, full);
        self.next_disk(matches!(ended, Ended::Died));
        self.check_state("after a run").await;
    }

    /// Two people apply at the same time.
    async fn two_runs(&mut self) {
        let one = self.any_spec();
        if self.dice.percent(50) {
            self.config.edit(&mut self.dice);
        }
        let two = self.any_spec();
        let delay = self.dice.millis(0, 3_000);
        let breaking = self.dice.percent(20).then(|| self.dice.millis(0, 20_000));
        let (first, second, broken) = tokio::join!(
            process::run(&self.world, &self.place, &one),
            async {
                sleep(delay).await;
                process::run(&self.world, &self.place, &two).await
            },
            break_lock(&self.world, &self.place, &one, breaking),
        );
        let full = one.full.is_some() || two.full.is_some() || broken || self.place.is_rough();
        self.after(&one, &first, full);
        self.after(&two, &second, full);
        let died = matches!(first, Ended::Died) || matches!(second, Ended::Died);
        self.next_disk(died);
        self.check_state("after two runs").await;
    }

    fn any_spec(&mut self) -> Spec {
        let dice = &mut self.dice;
        let death = match dice.below(10) {
            0..=2 => Death::AtPoll(dice.any_size(1000)),
            3 | 4 => Death::AtOperation(dice.any_size(100)),
            5 => Death::After(dice.millis(0, 2_000)),
            6 => Death::After(dice.millis(0, 700_000)),
            _ => Death::None,
        };
        let settings = Settings {
            parallelism: dice.pick(&[1, 2, 900]),
            max_retries: dice.pick(&[0, 1, 2, 5]),
            wait: dice.percent(80),
            seed: dice.seed(),
        };
        let off = match dice.below(10) {
            0..=2 => 0,
            3 | 4 => dice.between(-3, 3),
            5 | 6 => dice.between(-290, 290),
            7 | 8 => dice.between(-5_000, 5_000),
            _ => dice.between(-3_000_000, 3_000_000),
        };
        let jump = dice.percent(15).then(|| {
            let at = Instant::now() + dice.millis(0, 400_000);
            (at, dice.between(-100_000, 100_000))
        });
        let wall = self.wall(off, jump);
        let dice = &mut self.dice;
        let mut facts = RunFacts::new(self.config.clone(), self.place.clone());
        let rate = dice.pick(&[20, 20, 20, 10, 5, 2, 1]);
        facts.rate = usize::try_from(rate).unwrap_or(1);
        facts.max_retries = settings.max_retries;
        facts.clock = jump.is_none().then_some(off);
        let options = any_options(dice, &mut facts);
        if dice.percent(10) {
            facts.unverified = (0..=dice.below(2)).map(|_| any_id(dice)).collect();
        }
        let spec = Spec {
            number: self.world.now().runs.len(),
            unverified: facts.unverified.clone(),
            options,
            rotation: None,
            credentials: Credentials::mixed_up_if(dice.percent(8)),
            owners_known: dice.percent(90),
            allow_deletes: dice.percent(85),
            settings,
            rate,
            checkpoint: dice.pick(&[0, 300, 2_000, 1 << 20]),
            lock_timeout: dice.pick(&[
                Duration::ZERO,
                Duration::from_secs(1),
                Duration::from_secs(900),
            ]),
            wall,
            death,
            stop: any_stop(dice),
            full: dice.percent(5).then(|| dice.any_size(60)),
            stall: self.place.stall(dice),
            files: None,
        };
        facts.overtaken = spec.stall.is_some();
        let mut world = self.world.now();
        world.facts.runs += 1;
        world.runs.push(facts);
        world.tell(|| format!("run {}: {spec:?} {:?}", spec.number, self.config));
        spec
    }

    fn wall(&self, off: i64, jump: Option<(Instant, i64)>) -> SimWall {
        SimWall {
            base: 1_800_000_000,
            born: self.born,
            off,
            jump,
        }
    }

    fn after(&self, spec: &Spec, ended: &Ended, full: bool) {
        after(&self.world, &self.place, spec, ended, full);
    }

    /// The disk that the next program finds.
    fn next_disk(&mut self, died: bool) {
        let cut = self.dice.percent(if died { 60 } else { 10 });
        let seed = if cut { self.dice.seed() } else { 0 };
        self.place = self.place.after(cut, seed);
        self.world.now().tell(|| format!("power cut: {cut}"));
    }

    async fn recorded(&self) -> Result<Recorded, StateError> {
        self.place.in_fair_weather().read(ENVIRONMENT).await
    }

    async fn check_state(&self, when: &str) -> Option<Recorded> {
        match self.recorded().await {
            Ok(recorded) => {
                self.world.now().check_truth(&recorded, when);
                Some(recorded)
            }
            Err(error) => {
                self.world
                    .now()
                    .breaks("h", &format!("{when}: the state is lost: {error}"));
                None
            }
        }
    }

    /// Faults stop. One more apply reaches what is declared, and nothing is planned after it.
    async fn settle(&mut self) {
        self.config.name_all();
        {
            let mut world = self.world.now();
            world.weather = Weather::calm();
            self.place.weather(&mut self.dice, true);
            world.limit = 20;
        }
        // After this, no other party changes eSign. Lost calls may still arrive.
        sleep(Duration::from_secs(21)).await;
        if !self.reach(Options::default(), false).await {
            return;
        }
        sleep(Duration::from_secs(700)).await;
        if !self.world.now().is_quiet() {
            self.world
                .now()
                .breaks("g", "a call is on its way for ever");
        }
        let Some(recorded) = self.check_state("when all is quiet").await else {
            return;
        };
        self.world
            .now()
            .check_reached(&self.config, &recorded, false);
        if self.dice.percent(50) {
            return;
        }
        let all = || Pattern::parse("*/*").expect("a pattern");
        let (options, exact) = if self.dice.percent(50) {
            let heal = Heal::default();
            let options = Options {
                heal: Some(heal),
                ..Options::default()
            };
            (options, false)
        } else {
            let options = Options {
                replace: vec![all()],
                ..Options::default()
            };
            (options, true)
        };
        if self.reach(options, exact).await
            && let Some(recorded) = self.check_state("in the end").await
        {
            self.world.now().check_all_there(&self.config);
            self.world
                .now()
                .check_reached(&self.config, &recorded, exact);
        }
    }

    /// One apply without faults, which must do everything. Whether it did.
    async fn reach(&mut self, options: Options, forced: bool) -> bool {
        for _ in 0..4 {
            let mut facts = RunFacts::new(self.config.clone(), self.place.clone());
            if forced {
                facts.forced = self.config.declared().map(|(id, _, _)| id).collect();
            }
            let off = self.dice.between(-200, 200);
            let spec = Spec {
                number: self.world.now().runs.len(),
                options: options.clone(),
                rotation: None,
                unverified: BTreeSet::new(),
                credentials: Credentials::Right,
                owners_known: true,
                allow_deletes: true,
                settings: Settings {
                    seed: self.dice.seed(),
                    ..Settings::default()
                },
                rate: 20,
                checkpoint: 1 << 20,
                lock_timeout: Duration::ZERO,
                wall: self.wall(off, None),
                death: Death::None,
                stop: Stop::Never,
                full: None,
                stall: None,
                files: None,
            };
            self.world.now().runs.push(facts);
            self.world
                .now()
                .tell(|| format!("final run {}: {:?}", spec.number, self.config));
            let Some(recorded) = self.check_state("before the last run").await else {
                return false;
            };
            let plan = process::planned(&self.world, &recorded, &spec);
            let ended = process::run(&self.world, &self.place, &spec).await;
            self.after(&spec, &ended, false);
            match ended {
                // The rest of a rotation takes one more.
                Ended::Done(report)
                    if plan.waiting().next().is_some()
                        && report.unfinished.iter().all(|one| one.how == WAITS) => {}
                Ended::Guarded(protected) if !protected.is_empty() => {
                    // As it should be. People declare them again.
                    self.redeclare(&protected);
                }
                Ended::Done(report) if report.unfinished.is_empty() => {
                    return self.check_nothing_planned(&spec).await;
                }
                other @ (Ended::Died
                | Ended::Stuck
                | Ended::Interrupted
                | Ended::State(_)
                | Ended::Guarded(_)
                | Ended::Done(_)) => {
                    self.world
                        .now()
                        .breaks("a", &format!("the last run did not finish: {other:?}"));
                    return false;
                }
            }
        }
        self.world
            .now()
            .breaks("a", "apply does not come to an end");
        false
    }

    fn redeclare(&mut self, protected: &BTreeSet<Id>) {
        for &id in protected {
            let value = any_value(&mut self.dice);
            self.config.redeclare(id, value);
        }
    }

    async fn check_nothing_planned(&self, spec: &Spec) -> bool {
        let Some(recorded) = self.check_state("after the last run").await else {
            return false;
        };
        let spec = Spec {
            options: Options::default(),
            ..spec.clone()
        };
        let plan = process::planned(&self.world, &recorded, &spec);
        if plan.is_empty() {
            return true;
        }
        self.world
            .now()
            .breaks("a", &format!("a plan is left: {:?}", plan.summary));
        false
    }
}
