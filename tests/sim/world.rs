//! Their side, and the truth: what eSign holds, every call that was ever made, what may still arrive.
//!
//! This is the oracle. It shares nothing with the code under test but the types of a call and of an
//! answer; `rules` compares what that code does with what is kept here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ess_callbacks::model::{Call, Operation, Outcome, RequestId, Timestamp};
use ess_callbacks::state::Rescue;
use tokio::time::Instant;

use crate::bounds::Rates;
use crate::config::{
    self, Config, FOREIGN, Id, SCOPES, URLS, Value, any_id, any_value, enterprise, value_of,
};
use crate::dice::Dice;
use crate::facts::Facts;
use crate::rules::RunFacts;
use crate::weather::{Fate, Kind, Refusal, Weather, error, word};

/// How far a signature's time may be from the clock of the machine it arrives at, in seconds.
pub(crate) const SIGNATURE_LIFE: i64 = 300;

/// How long an admitted call whose caller has no answer may take to have its effect, in seconds.
const GATEWAY: i64 = 30;

/// No call is on its way to eSign for longer, in seconds.
const LONGEST_WAY: i64 = 600;

/// What a call would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Add(Value),
    Delete,
}

/// What its caller knows of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is on its way.
    Flying,
    /// Its caller has an answer that says what happened.
    Answered,
    /// Its caller will never know.
    Open,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) run: usize,
    pub(crate) id: Id,
    /// Whose credentials signed it.
    pub(crate) enterprise: &'static str,
    pub(crate) write: Write,
    pub(crate) signed_at: i64,
    /// When it left, in milliseconds.
    pub(crate) left_ms: i64,
    pub(crate) known: Known,
    pub(crate) arrived: bool,
    pub(crate) executed: bool,
}

/// How another party changed a callback, so that the recorded belief may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taint {
    /// Deleted: whatever call comes next makes our knowledge right.
    Deleted,
    /// Added or changed: only a delete does.
    Added,
}

/// What will happen at eSign without us.
#[derive(Clone, Copy, Debug)]
enum Coming {
    /// A lost call arrives.
    Late(usize),
    /// A call that was admitted takes effect.
    Effect(usize),
    /// Somebody else adds or deletes.
    Elsewhere(Id, Write),
}

/// Their side.
pub(crate) struct World {
    pub(crate) dice: Dice,
    born: Instant,
    /// The moment that happens: now, or earlier while what was due is made up for.
    at: Instant,
    base: i64,
    skew_ms: i64,
    pub(crate) cloud: BTreeMap<Id, Value>,
    pub(crate) foreign: BTreeMap<Id, Value>,
    pub(crate) taints: BTreeMap<Id, Taint>,
    pub(crate) calls: Vec<Sent>,
    pub(crate) by_id: BTreeMap<Id, Vec<usize>>,
    coming: BTreeMap<(Instant, usize), Coming>,
    sequence: usize,
    pub(crate) weather: Weather,
    exists_is_an_error: bool,
    /// Its answers have no `Date`, or one that no clock shows, for ever.
    clockless: bool,
    /// How many calls an account may make in a second.
    pub(crate) limit: usize,
    admitted: BTreeMap<String, VecDeque<Instant>>,
    pub(crate) rates: Rates,
    pub(crate) runs: Vec<RunFacts>,
    /// Callbacks that were in order when a run ended and have not been given up since.
    pub(crate) steady: BTreeMap<Id, Value>,
    /// What we ever called for and have not forgotten.
    pub(crate) managed: BTreeSet<Id>,
    /// What must not be deleted by leaving it out.
    pub(crate) protected: BTreeSet<Id>,
    /// Present because of our call alone.
    pub(crate) ours: BTreeSet<Id>,
    /// Emergency copies of runs that could not record everything.
    pub(crate) rescues: Vec<Rescue>,
    pub(crate) broken: Vec<String>,
    trace: Option<Vec<String>>,
    pub(crate) facts: Facts,
}

/// A world that several things share.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// The world as it is now: everything that was due has happened.
    pub(crate) fn now(&self) -> MutexGuard<'_, World> {
        let mut world = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        world.settle();
        world
    }
}

impl World {
    pub(crate) fn new(mut dice: Dice, trace: bool) -> Self {
        let mut foreign = BTreeMap::new();
        let mut cloud = BTreeMap::new();
        for scope in 0..SCOPES {
            for url in FOREIGN {
                if dice.percent(50) {
                    foreign.insert(Id { scope, url }, any_value(&mut dice));
                }
            }
            for url in 0..URLS {
                if dice.percent(10) {
                    cloud.insert(Id { scope, url }, any_value(&mut dice));
                }
            }
        }
        cloud.extend(foreign.clone());
        Self {
            born: Instant::now(),
            at: Instant::now(),
            base: 1_800_000_000,
            skew_ms: dice.pick(&[0, 0, 500, 1900]),
            cloud,
            foreign,
            taints: BTreeMap::new(),
            calls: Vec::new(),
            by_id: BTreeMap::new(),
            coming: BTreeMap::new(),
            sequence: 0,
            weather: Weather::calm(),
            exists_is_an_error: dice.percent(50),
            clockless: dice.percent(8),
            limit: 20,
            admitted: BTreeMap::new(),
            rates: Rates::random(&mut dice),
            runs: Vec::new(),
            steady: BTreeMap::new(),
            managed: BTreeSet::new(),
            protected: BTreeSet::new(),
            ours: BTreeSet::new(),
            rescues: Vec::new(),
            broken: Vec::new(),
            trace: trace.then(Vec::new),
            facts: Facts::default(),
            dice,
        }
    }

    /// Time since the schedule began, in milliseconds.
    pub(crate) fn elapsed_ms(&self) -> i64 {
        i64::try_from((self.at - self.born).as_millis()).unwrap_or(i64::MAX)
    }

    /// The true time of day, in seconds.
    pub(crate) fn clock(&self) -> i64 {
        self.base + self.elapsed_ms().div_euclid(1000)
    }

    /// What the clock of one of eSign's machines shows.
    fn machine_clock(&mut self) -> i64 {
        let skew = self.dice.between(-self.skew_ms, self.skew_ms);
        self.base + (self.elapsed_ms() + skew).div_euclid(1000)
    }

    /// The `Date` of an answer.
    pub(crate) fn date(&mut self) -> Option<Timestamp> {
        if self.clockless {
            // 1970, and years that are far off.
            let odd = self.dice.between(-1, 3) * 2_000_000_000_000;
            return self.dice.percent(30).then_some(Timestamp(odd));
        }
        Some(Timestamp(self.machine_clock()))
    }

    /// Whether an unanswered call may take effect now or later: some machine admits it while its signature
    /// is valid there and it can still be on its way, and the gateway takes its time.
    pub(crate) fn may_arrive(&self, sent: &Sent) -> bool {
        let signed_ms = (sent.signed_at - self.base) * 1000;
        let valid_ms = SIGNATURE_LIFE * 1000 + self.skew_ms;
        let first = sent.left_ms.max(signed_ms - valid_ms);
        // The last second of a signature is a whole one.
        let last = (sent.left_ms + LONGEST_WAY * 1000).min(signed_ms + valid_ms + 999);
        first <= last && self.elapsed_ms() <= last + GATEWAY * 1000
    }

    pub(crate) fn breaks(&mut self, rule: &str, what: &str) {
        let text = format!("({rule}) {what}");
        self.tell(|| text.clone());
        self.broken.push(text);
    }

    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        let at = self.elapsed_ms();
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>6}.{:03} {}", at / 1000, at % 1000, what()));
        }
    }

    pub(crate) fn story(&self) -> Option<String> {
        self.trace.as_ref().map(|trace| trace.join("\n"))
    }

    /// A call leaves. Returns its number and what will become of it.
    pub(crate) fn depart(&mut self, run: usize, call: &Call, signed_at: i64) -> (usize, Fate) {
        let number = self.calls.len();
        let id = Id::of(&call.scope, &call.url).expect("only known URLs are called");
        let write = match &call.operation {
            Operation::Delete => Write::Delete,
            Operation::Add { key, token } => Write::Add(
                value_of(key.as_ref(), token.as_ref()).expect("only known secrets are sent"),
            ),
        };
        let sent = Sent {
            run,
            id,
            enterprise: enterprise(&call.scope),
            write,
            signed_at,
            left_ms: self.elapsed_ms(),
            known: Known::Flying,
            arrived: false,
            executed: false,
        };
        let now_ms = self.elapsed_ms();
        let mut fate = self.weather.fate(&mut self.dice, now_ms);
        if self.weather.refuses(id.scope) && !self.weather.is_out(now_ms) {
            fate.kind = Kind::Refused(Refusal::Organization);
        }
        let age = self.clock() - signed_at;
        self.tell(|| {
            format!(
                "run {run}: call {number} leaves: {write:?} {id:?}, signed {age} s ago; {:?}",
                fate.kind
            )
        });
        self.check_departure(&sent);
        self.calls.push(sent);
        self.by_id.entry(id).or_default().push(number);
        self.facts.calls += 1;
        (number, fate)
    }

    /// A call reaches eSign in time for an answer.
    pub(crate) fn arrive(&mut self, number: usize, kind: Kind) -> Outcome {
        let outcome = self.admit(number, kind, false);
        self.tell(|| format!("call {number} arrives: {}", word(&outcome)));
        outcome
    }

    fn admit(&mut self, number: usize, kind: Kind, late: bool) -> Outcome {
        let Sent {
            enterprise,
            signed_at,
            ..
        } = self.calls[number];
        self.calls[number].arrived = true;
        let over = self.is_over_limit(enterprise);
        let off = (self.machine_clock() - signed_at).abs();
        match kind {
            _ if off > SIGNATURE_LIFE => {
                return Outcome::ClockOff(error("AuthFailure.SignatureExpire"));
            }
            _ if over => {
                self.facts.throttled += 1;
                return Outcome::Throttled(error("RequestLimitExceeded"));
            }
            Kind::Refused(refusal) => return refusal.outcome(),
            Kind::InternalError { carried_out: false } => {
                return Outcome::Unknown(error("InternalError"));
            }
            Kind::InternalError { carried_out: true }
            | Kind::Plain
            | Kind::NotSent
            | Kind::LostBefore
            | Kind::LostAfter
            | Kind::Garbage => {}
        }
        // Who waits for an answer gets it when the call has had its effect. For all others the gateway
        // takes its time.
        let awaited = kind == Kind::Plain && !late;
        if !awaited && self.dice.percent(50) {
            let delay = self.dice.between(0, GATEWAY * 1000);
            self.tell(|| format!("call {number} is admitted, and takes effect {delay} ms later"));
            self.facts.slow_effects += 1;
            self.later(delay, Coming::Effect(number));
            return Outcome::Unknown(error("InternalError"));
        }
        let outcome = self.carry_out(number);
        if matches!(kind, Kind::InternalError { .. }) {
            return Outcome::Unknown(error("InternalError"));
        }
        outcome
    }

    fn is_over_limit(&mut self, enterprise: &str) -> bool {
        let now = self.at;
        let others = self.weather.others(&mut self.dice);
        let admitted = self.admitted.entry(enterprise.to_owned()).or_default();
        while let Some(&first) = admitted.front()
            && now.duration_since(first) >= Duration::from_secs(1)
        {
            admitted.pop_front();
        }
        admitted.push_back(now);
        admitted.len() + others > self.limit
    }

    /// eSign does what the call says.
    fn carry_out(&mut self, number: usize) -> Outcome {
        let Sent { id, write, run, .. } = self.calls[number];
        self.calls[number].executed = true;
        let request_id = RequestId::new(format!("r{number}"));
        match write {
            Write::Delete => {
                self.check_execution(id, run);
                self.check_covered(number);
                self.taints.remove(&id);
                self.ours.remove(&id);
                match self.cloud.remove(&id) {
                    Some(_) => Outcome::Applied(request_id),
                    None => Outcome::NotThere(request_id),
                }
            }
            Write::Add(value) => {
                if self.taints.get(&id) == Some(&Taint::Deleted) {
                    self.taints.remove(&id);
                }
                if self.cloud.contains_key(&id) {
                    return if self.exists_is_an_error {
                        Outcome::AlreadyThere(request_id)
                    } else {
                        Outcome::Applied(request_id)
                    };
                }
                self.cloud.insert(id, value);
                self.ours.insert(id);
                Outcome::Applied(request_id)
            }
        }
    }

    /// Its caller got this answer.
    pub(crate) fn answered(&mut self, number: usize, outcome: &Outcome) {
        let open = matches!(outcome, Outcome::Unknown(_));
        self.calls[number].known = if open { Known::Open } else { Known::Answered };
        if open {
            self.facts.lost += 1;
        }
        self.note_answer(number, outcome);
        self.tell(|| format!("call {number} is answered: {}", word(outcome)));
    }

    /// Its caller gave up or died. What has not arrived may still do so.
    pub(crate) fn abandoned(&mut self, number: usize) {
        let Sent {
            signed_at,
            left_ms,
            arrived,
            ..
        } = self.calls[number];
        self.calls[number].known = Known::Open;
        self.facts.lost += 1;
        if arrived {
            self.tell(|| format!("call {number}: its answer is lost"));
            return;
        }
        let way_ms = left_ms + LONGEST_WAY * 1000 - self.elapsed_ms();
        let life_ms = (signed_at + SIGNATURE_LIFE - self.base) * 1000 - self.elapsed_ms();
        // Admitted at the last second of its life, or refused just after it.
        let life_ms = life_ms.min(way_ms);
        let delay = match self.dice.below(10) {
            0..=2 => None,
            3 | 4 => Some(self.dice.between(0, 2_000)),
            5..=7 => Some(self.dice.between(0, life_ms.max(0) + 5_000)),
            _ => Some(life_ms.max(0) + self.dice.between(-3_000, 3_000)),
        };
        self.tell(|| format!("call {number} is lost; it arrives {delay:?} ms later"));
        if let Some(delay) = delay.map(|delay| delay.min(way_ms)) {
            self.later(delay.max(0), Coming::Late(number));
        }
    }

    /// Somebody else changes eSign, that much later.
    pub(crate) fn elsewhere(&mut self, delay_ms: i64, id: Id, write: Write) {
        self.later(delay_ms, Coming::Elsewhere(id, write));
    }

    fn later(&mut self, delay_ms: i64, what: Coming) {
        self.sequence += 1;
        let at = self.at + Duration::from_millis(delay_ms.unsigned_abs());
        self.coming.insert((at, self.sequence), what);
    }

    /// Lets everything happen that is due.
    fn settle(&mut self) {
        while let Some(first) = self.coming.first_entry()
            && first.key().0 <= Instant::now()
        {
            self.at = first.key().0;
            match first.remove() {
                Coming::Late(number) => self.arrive_late(number),
                Coming::Effect(number) => {
                    let outcome = self.carry_out(number);
                    self.tell(|| format!("call {number} takes effect: {}", word(&outcome)));
                }
                Coming::Elsewhere(id, write) => self.change_elsewhere(id, write),
            }
        }
        self.at = Instant::now();
    }

    fn arrive_late(&mut self, number: usize) {
        self.facts.late += 1;
        let outcome = self.admit(number, Kind::Plain, true);
        self.facts.late_executed += u64::from(self.calls[number].executed);
        self.tell(|| format!("call {number} arrives late: {}", word(&outcome)));
    }

    fn change_elsewhere(&mut self, id: Id, write: Write) {
        self.tell(|| format!("somebody else: {write:?} {id:?}"));
        match write {
            Write::Delete => {
                if self.cloud.remove(&id).is_some() {
                    self.taints.insert(id, Taint::Deleted);
                }
            }
            Write::Add(value) => {
                if self.cloud.insert(id, value) != Some(value) {
                    self.taints.insert(id, Taint::Added);
                }
            }
        }
        self.steady.remove(&id);
        self.ours.remove(&id);
    }

    /// Whether nothing will happen any more without a call.
    pub(crate) fn is_quiet(&self) -> bool {
        self.coming.is_empty()
    }

    /// Somebody else may do something to the callbacks of this configuration, or to others.
    pub(crate) fn meddle(&mut self, config: &Config) {
        let declared: Vec<_> = config.declared().map(|(id, _, _)| id).collect();
        let id = if declared.is_empty() || self.dice.percent(25) {
            any_id(&mut self.dice)
        } else {
            self.dice.pick(&declared)
        };
        let write = match self.dice.below(3) {
            0 => Write::Add(any_value(&mut self.dice)),
            _ => Write::Delete,
        };
        let delay = self.dice.between(0, 20_000);
        self.elsewhere(delay, id, write);
    }
}

/// The fingerprints of a value.
pub(crate) fn fingerprints_of(value: Value) -> ess_callbacks::model::Fingerprints {
    config::universe().fingerprints[usize::from(value)]
}
