//! The way to the simulated eSign, as the applier sees it.

use std::fmt;

use ess_callbacks::apply::WallClock;
use ess_callbacks::client::{Api, Renewal, Reply, ServerTime};
use ess_callbacks::model::{AccountName, Call, Outcome, Timestamp};
use tokio::time::{Instant, sleep};

use crate::config::enterprise_of;
use crate::weather::{Kind, silence};
use crate::world::Shared;

/// One run's way to eSign.
pub(crate) struct SimApi {
    pub(crate) world: Shared,
    pub(crate) run: usize,
}

/// A call on its way. Dropped before its end, its answer is lost.
struct Trip<'a> {
    world: &'a Shared,
    number: usize,
    over: bool,
}

impl Trip<'_> {
    fn end(mut self, outcome: &Outcome) {
        self.over = true;
        self.world.now().answered(self.number, outcome);
    }

    /// The caller never gets an answer.
    fn lose(mut self) {
        self.over = true;
        self.world.now().abandoned(self.number);
    }
}

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.world.now().abandoned(self.number);
        }
    }
}

impl SimApi {
    fn arrive(&self, number: usize, kind: Kind) -> Outcome {
        let mut world = self.world.now();
        world.check_arrival_rate(number);
        world.arrive(number, kind)
    }
}

impl Api for SimApi {
    async fn attempt(&self, call: &Call, signed_at: Timestamp) -> Reply {
        let (number, fate) = self.world.now().depart(self.run, call, signed_at.0);
        let way = self.world.now().rates.way;
        let trip = Trip {
            world: &self.world,
            number,
            over: false,
        };
        sleep(way.unwrap_or(fate.out)).await;
        let outcome = match fate.kind {
            Kind::NotSent => {
                let outcome = Outcome::NotSent(silence("no connection"));
                trip.end(&outcome);
                return Reply {
                    outcome,
                    server_time: None,
                };
            }
            Kind::LostBefore => None,
            Kind::LostAfter | Kind::Garbage => {
                let _lost = self.arrive(number, fate.kind);
                None
            }
            Kind::Plain | Kind::InternalError { .. } | Kind::Refused(_) => {
                Some(self.arrive(number, fate.kind))
            }
        };
        let server_time = {
            let mut world = self.world.now();
            let percent = world.weather.no_date;
            let none = world.dice.percent(percent);
            if none { None } else { world.date() }
        };
        sleep(fate.back).await;
        let Some(outcome) = outcome else {
            trip.lose();
            return Reply {
                outcome: Outcome::Unknown(silence("no answer")),
                server_time: None,
            };
        };
        trip.end(&outcome);
        Reply {
            outcome,
            server_time,
        }
    }

    async fn server_time(&self, account: &AccountName) -> ServerTime {
        let (fate, lost) = {
            let mut world = self.world.now();
            world.check_departure_rate(self.run, enterprise_of(account));
            let weather = world.weather;
            let now_ms = world.elapsed_ms();
            let fate = weather.fate(&mut world.dice, now_ms);
            let lost = world.dice.percent(weather.no_date / 2);
            (fate, lost)
        };
        sleep(fate.out).await;
        let date = self.world.now().date();
        sleep(fate.back).await;
        let answered = !matches!(
            fate.kind,
            Kind::NotSent | Kind::LostBefore | Kind::LostAfter
        );
        match date.filter(|_| !lost) {
            _ if !answered => ServerTime::NoAnswer(silence("no answer")),
            Some(date) => ServerTime::Known(date),
            None => ServerTime::NotTold,
        }
    }

    async fn renew(&self, _account: &AccountName) -> Renewal {
        if self.world.now().weather.renewable {
            Renewal::Renewed
        } else {
            Renewal::Unchanged
        }
    }
}

/// This machine's clock: the true time, and how far off it is from when on.
#[derive(Clone)]
pub(crate) struct SimWall {
    pub(crate) base: i64,
    pub(crate) born: Instant,
    pub(crate) off: i64,
    pub(crate) jump: Option<(Instant, i64)>,
}

impl fmt::Debug for SimWall {
    /// Without moments, which are others in each process: a story can be compared with another.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let jump = self.jump.map(|(at, by)| (at - self.born, by));
        write!(f, "{} s off, jump {jump:?}", self.off)
    }
}

impl WallClock for SimWall {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.born.elapsed().as_secs()).unwrap_or(0);
        let jumped = match self.jump {
            Some((at, by)) if Instant::now() >= at => by,
            Some(_) | None => 0,
        };
        Timestamp(self.base + elapsed + self.off + jumped)
    }
}
