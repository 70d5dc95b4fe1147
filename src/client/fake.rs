//! A small eSign in memory, for tests of whatever makes calls.
//!
//! [`FakeApi`] holds callbacks with their secrets and behaves as eSign is documented to, on tokio's
//! clock, so that paused time works. [`Fault`]s are scripted, for the next calls or for the next calls
//! of one URL. A call may also arrive late, long after its caller gave up, unless its signature has
//! expired by then: that is what fences are for.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Api, Random, Reply};
use crate::model::{
    AccountName, ApiError, Blast, Call, CallbackUrl, Operation, Outcome, RequestId, Scope,
    Timestamp,
};
use crate::secret::Secret;

/// How far a signature's time may be from the server's clock, in seconds.
const CLOCK_WINDOW: i64 = 300;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing special.
    None,
    /// No connection; nothing arrives.
    NotSent,
    /// Lost on the way there: it never arrives, and its caller doesn't know.
    LostBefore,
    /// Its answer is lost.
    LostAfter,
    /// Its caller gives up, and then it arrives, this much later.
    Late(Duration),
    /// Answered this much later than usual.
    Slow(Duration),
    /// Refused: too many calls.
    Throttled,
    /// Refused: signature expired.
    ClockOff,
    /// Refused: session token expired.
    TokenExpired,
    /// Refused for good.
    Rejected(Blast),
}

/// How an add of a URL that is there already is answered. Either way it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exists {
    /// Like any other.
    Success,
    /// With an error that says so.
    Error,
}

/// One call that reached the server.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// For whom.
    pub scope: Arc<Scope>,
    /// Which URL.
    pub url: CallbackUrl,
    /// An add; else a delete.
    pub is_add: bool,
    /// The signature's time.
    pub signed_at: Timestamp,
    /// Whether it was admitted and carried out (also when there was nothing to change).
    pub carried_out: bool,
}

/// The secrets of a callback that is there.
#[derive(Clone, Debug)]
pub struct Held {
    /// `CallbackKey`.
    pub key: Option<Secret>,
    /// `CallbackToken`.
    pub token: Option<Secret>,
}

impl Held {
    /// Whether these are its secrets.
    pub fn is(&self, key: Option<&str>, token: Option<&str>) -> bool {
        self.key.as_ref().map(Secret::expose) == key
            && self.token.as_ref().map(Secret::expose) == token
    }
}

/// An eSign in memory. Clones share it.
#[derive(Clone, Debug)]
pub struct FakeApi(Arc<Mutex<Server>>);

#[derive(Debug)]
struct Server {
    begun: Instant,
    /// The server's clock at `begun`.
    epoch: Timestamp,
    latency: Duration,
    spread: f64,
    random: Random,
    exists: Exists,
    limit: Option<usize>,
    refreshable: bool,
    refreshed: usize,
    callbacks: BTreeMap<(Scope, CallbackUrl), Held>,
    script: VecDeque<Fault>,
    scripts: BTreeMap<CallbackUrl, VecDeque<Fault>>,
    /// Calls that are still on their way, and when they arrive.
    late: Vec<(Instant, Call, Timestamp)>,
    arrivals: Vec<Arrival>,
    answers: u64,
}

impl FakeApi {
    /// Empty, with this time on its clock, an answer after 50 ms and no rate limit.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Server {
            begun: Instant::now(),
            epoch: now,
            latency: Duration::from_millis(50),
            spread: 0.0,
            random: Random::new(1),
            exists: Exists::Success,
            limit: None,
            refreshable: false,
            refreshed: 0,
            callbacks: BTreeMap::new(),
            script: VecDeque::new(),
            scripts: BTreeMap::new(),
            late: Vec::new(),
            arrivals: Vec::new(),
            answers: 0,
        })))
    }

    /// A round trip takes this long, more or less by the fraction `spread`.
    #[must_use]
    pub fn with_latency(self, mean: Duration, spread: f64, seed: u64) -> Self {
        let mut server = self.server();
        server.latency = mean;
        server.spread = spread;
        server.random = Random::new(seed);
        drop(server);
        self
    }

    /// An account's calls over this number in any second are refused.
    #[must_use]
    pub fn with_limit(self, calls_per_second: usize) -> Self {
        self.server().limit = Some(calls_per_second);
        self
    }

    /// How an add of a URL that is there is answered.
    #[must_use]
    pub fn with_exists(self, exists: Exists) -> Self {
        self.server().exists = exists;
        self
    }

    /// Credentials can be renewed.
    #[must_use]
    pub fn with_refresh(self) -> Self {
        self.server().refreshable = true;
        self
    }

    /// The server's clock.
    pub fn now(&self) -> Timestamp {
        self.server().clock(Instant::now())
    }

    /// Sets the server's clock, so that it differs from the caller's.
    pub fn set_clock(&self, now: Timestamp) {
        let mut server = self.server();
        let off = now.seconds_since(server.clock(Instant::now()));
        server.epoch = server.epoch.plus(off);
    }

    /// Puts a callback there, behind everybody's back.
    pub fn put(&self, scope: &Scope, url: &str, key: Option<&str>, token: Option<&str>) {
        let held = Held {
            key: key.map(Secret::new),
            token: token.map(Secret::new),
        };
        let _replaced = self
            .server()
            .callbacks
            .insert((scope.clone(), CallbackUrl::new(url)), held);
    }

    /// Takes a callback away, behind everybody's back.
    pub fn remove(&self, scope: &Scope, url: &str) {
        let _removed = self
            .server()
            .callbacks
            .remove(&(scope.clone(), CallbackUrl::new(url)));
    }

    /// The secrets of a callback, when it is there.
    pub fn held(&self, scope: &Scope, url: &str) -> Option<Held> {
        let mut server = self.server();
        server.settle(Instant::now());
        server
            .callbacks
            .get(&(scope.clone(), CallbackUrl::new(url)))
            .cloned()
    }

    /// Every callback that is there, in order.
    pub fn identities(&self) -> Vec<(Scope, CallbackUrl)> {
        let mut server = self.server();
        server.settle(Instant::now());
        server.callbacks.keys().cloned().collect()
    }

    /// What happens to the next calls, whatever they are.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.server().script.extend(faults);
    }

    /// What happens to the next calls of this URL. Goes before [`Self::script`].
    pub fn script_for(&self, url: &str, faults: impl IntoIterator<Item = Fault>) {
        self.server()
            .scripts
            .entry(CallbackUrl::new(url))
            .or_default()
            .extend(faults);
    }

    /// The calls that arrived, in order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        let mut server = self.server();
        server.settle(Instant::now());
        server.arrivals.clone()
    }

    /// How often credentials were renewed.
    pub fn refreshed(&self) -> usize {
        self.server().refreshed
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Api for FakeApi {
    async fn attempt(&self, call: &Call, signed_at: Timestamp) -> Reply {
        let (fault, round_trip) = self.server().next_call(call);
        if fault == Fault::NotSent {
            return Reply {
                outcome: Outcome::NotSent(error("no connection")),
                server_time: None,
            };
        }
        let lost = Reply {
            outcome: Outcome::Unknown(error("no answer")),
            server_time: None,
        };
        sleep(round_trip / 2).await;
        let outcome = match fault {
            Fault::LostBefore => None,
            Fault::Late(delay) => {
                let due = Instant::now() + delay;
                self.server().late.push((due, call.clone(), signed_at));
                None
            }
            Fault::LostAfter => {
                let _lost = self.server().arrive(call, signed_at, fault);
                None
            }
            Fault::None
            | Fault::NotSent
            | Fault::Slow(_)
            | Fault::Throttled
            | Fault::ClockOff
            | Fault::TokenExpired
            | Fault::Rejected(_) => Some(self.server().arrive(call, signed_at, fault)),
        };
        let server_time = self.now();
        sleep(round_trip / 2).await;
        outcome.map_or(lost, |outcome| Reply {
            outcome,
            server_time: Some(server_time),
        })
    }

    async fn server_time(&self, _account: &AccountName) -> Option<Timestamp> {
        Some(self.now())
    }

    async fn refresh(&self, _account: &AccountName) -> bool {
        let mut server = self.server();
        server.refreshed += 1;
        server.refreshable
    }
}

impl Server {
    fn clock(&self, at: Instant) -> Timestamp {
        let elapsed = at.saturating_duration_since(self.begun).as_secs();
        self.epoch.plus(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    fn next_call(&mut self, call: &Call) -> (Fault, Duration) {
        let fault = self
            .scripts
            .get_mut(&call.url)
            .and_then(VecDeque::pop_front)
            .or_else(|| self.script.pop_front())
            .unwrap_or(Fault::None);
        let factor = 1.0 + self.spread * (2.0 * self.random.fraction() - 1.0);
        let mut round_trip = self.latency.mul_f64(factor.max(0.0));
        if let Fault::Slow(more) = fault {
            round_trip += more;
        }
        (fault, round_trip)
    }

    /// Lets the calls arrive that are due by now.
    fn settle(&mut self, now: Instant) {
        self.late.sort_by_key(|(due, _, _)| *due);
        while let Some((due, call, signed_at)) =
            self.late.first().filter(|(due, _, _)| *due <= now).cloned()
        {
            self.late.remove(0);
            let _nobody_waits = self.admit(&call, signed_at, Fault::None, due);
        }
    }

    fn arrive(&mut self, call: &Call, signed_at: Timestamp, fault: Fault) -> Outcome {
        let now = Instant::now();
        self.settle(now);
        self.admit(call, signed_at, fault, now)
    }

    fn admit(&mut self, call: &Call, signed_at: Timestamp, fault: Fault, at: Instant) -> Outcome {
        let off = self.clock(at).seconds_since(signed_at).abs();
        let refusal = match fault {
            Fault::Throttled => Some(Outcome::Throttled(error("RequestLimitExceeded"))),
            Fault::TokenExpired => Some(Outcome::TokenExpired(error("AuthFailure.TokenFailure"))),
            Fault::Rejected(blast) => Some(Outcome::Rejected(blast, error("FailedOperation"))),
            Fault::ClockOff => Some(Outcome::ClockOff(error("AuthFailure.SignatureExpire"))),
            _ if off > CLOCK_WINDOW => {
                Some(Outcome::ClockOff(error("AuthFailure.SignatureExpire")))
            }
            _ if self.is_over_limit(&call.scope.account, at) => {
                Some(Outcome::Throttled(error("RequestLimitExceeded")))
            }
            Fault::None
            | Fault::NotSent
            | Fault::LostBefore
            | Fault::LostAfter
            | Fault::Late(_)
            | Fault::Slow(_) => None,
        };
        self.arrivals.push(Arrival {
            at,
            scope: Arc::clone(&call.scope),
            url: call.url.clone(),
            is_add: matches!(call.operation, Operation::Add { key: _, token: _ }),
            signed_at,
            carried_out: refusal.is_none(),
        });
        refusal.unwrap_or_else(|| self.carry_out(call))
    }

    fn is_over_limit(&self, account: &AccountName, at: Instant) -> bool {
        let Some(limit) = self.limit else {
            return false;
        };
        let second = Duration::from_secs(1);
        let recent = self.arrivals.iter().rev().filter(|arrival| {
            arrival.scope.account == *account && at.saturating_duration_since(arrival.at) < second
        });
        recent.take(limit).count() == limit
    }

    fn carry_out(&mut self, call: &Call) -> Outcome {
        self.answers += 1;
        let request_id = RequestId::new(format!("fake-{}", self.answers));
        let identity = ((*call.scope).clone(), call.url.clone());
        match &call.operation {
            Operation::Delete => match self.callbacks.remove(&identity) {
                Some(_) => Outcome::Applied(request_id),
                None => Outcome::NotThere(request_id),
            },
            Operation::Add { key, token } => {
                if self.callbacks.contains_key(&identity) {
                    return match self.exists {
                        Exists::Success => Outcome::Applied(request_id),
                        Exists::Error => Outcome::AlreadyThere(request_id),
                    };
                }
                let held = Held {
                    key: key.clone(),
                    token: token.clone(),
                };
                self.callbacks.insert(identity, held);
                Outcome::Applied(request_id)
            }
        }
    }
}

fn error(code: &'static str) -> ApiError {
    ApiError {
        code: Some(code.to_owned()),
        message: "scripted".to_owned(),
        request_id: None,
        meaning: Cow::Borrowed("a test asked for it"),
        advice: Cow::Borrowed("read the test"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Environment, OperatorId};

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const URL: &str = "https://a.example/";

    fn scope() -> Scope {
        Scope {
            environment: Environment::Test,
            account: AccountName::default_account(),
            organization: None,
            app_id: None,
        }
    }

    fn call(operation: Operation) -> Call {
        Call {
            scope: Arc::new(scope()),
            operator: OperatorId::new("operator"),
            url: CallbackUrl::new(URL),
            operation,
        }
    }

    fn add(key: &str) -> Call {
        call(Operation::Add {
            key: Some(Secret::new(key)),
            token: None,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn an_add_of_what_is_there_changes_nothing() {
        for exists in [Exists::Success, Exists::Error] {
            let api = FakeApi::new(NOW).with_exists(exists);
            let first = api.attempt(&add("one"), NOW).await.outcome;
            assert!(matches!(first, Outcome::Applied(_)));
            let second = api.attempt(&add("two"), NOW).await.outcome;
            assert_eq!(
                matches!(second, Outcome::AlreadyThere(_)),
                exists == Exists::Error
            );
            assert!(api.held(&scope(), URL).unwrap().is(Some("one"), None));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_call_may_have_happened_or_not() {
        let api = FakeApi::new(NOW);
        api.script([Fault::LostBefore, Fault::LostAfter]);
        let before = api.attempt(&add("one"), NOW).await;
        assert!(matches!(before.outcome, Outcome::Unknown(_)));
        assert!(api.held(&scope(), URL).is_none());
        let after = api.attempt(&add("one"), NOW).await;
        assert!(matches!(after.outcome, Outcome::Unknown(_)));
        assert!(api.held(&scope(), URL).is_some());
        let gone = api.attempt(&call(Operation::Delete), NOW).await;
        assert!(matches!(gone.outcome, Outcome::Applied(_)));
        let again = api.attempt(&call(Operation::Delete), NOW).await;
        assert!(matches!(again.outcome, Outcome::NotThere(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_call_takes_effect_until_its_signature_expires() {
        for (delay, arrives) in [(290, true), (310, false)] {
            let api = FakeApi::new(NOW);
            api.script([Fault::Late(Duration::from_secs(delay))]);
            let reply = api.attempt(&add("one"), NOW).await;
            assert!(matches!(reply.outcome, Outcome::Unknown(_)));
            assert!(api.held(&scope(), URL).is_none());
            sleep(Duration::from_secs(400)).await;
            assert_eq!(api.held(&scope(), URL).is_some(), arrives, "{delay}");
            assert_eq!(api.arrivals()[0].carried_out, arrives);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clock_and_limit_are_checked_on_arrival() {
        let api = FakeApi::new(NOW).with_limit(2);
        api.set_clock(NOW.plus(301));
        let reply = api.attempt(&add("one"), NOW).await;
        assert!(matches!(reply.outcome, Outcome::ClockOff(_)));
        let server = reply.server_time.unwrap();
        assert_eq!(server, NOW.plus(301));
        let second = api.attempt(&add("one"), server).await;
        assert!(matches!(second.outcome, Outcome::Applied(_)));
        let third = api.attempt(&add("one"), server).await;
        assert!(matches!(third.outcome, Outcome::Throttled(_)));
        assert_eq!(api.identities().len(), 1);
    }
}
