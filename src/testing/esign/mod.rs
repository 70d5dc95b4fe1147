//! A small eSign in memory, for tests of whatever makes calls.
//!
//! [`FakeApi`] holds callbacks with their secrets and behaves as eSign is documented to, on tokio's
//! clock, so that paused time works. [`Fault`]s are scripted, for the next calls or for the next calls
//! of one URL. A call may also arrive late, long after its caller gave up, unless its signature has
//! expired by then: that is what fences are for.

mod server;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::server::{Server, silence};
use crate::client::{Api, CredentialCache, Random, Renewal, Reply, ServerTime};
use crate::model::{
    AccountName, Blast, Call, CallbackUrl, OrganizationId, Outcome, Scope, Timestamp,
};
use crate::secret::Secret;

/// How long a call is on its way at most.
const WAY_THERE: Duration = Duration::from_millis(25);

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
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
    Success,
    /// With an error that says so.
    Error,
}

/// One call that reached the server.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub at: Instant,
    pub scope: Arc<Scope>,
    pub url: CallbackUrl,
    /// An add; else a delete.
    pub is_add: bool,
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

impl FakeApi {
    /// Empty, with this time on its clock, an answer after 50 ms and no rate limit.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Server::new(now))))
    }

    /// A round trip takes this long, more or less by the fraction `spread`. At most 25 ms of it are
    /// the way there; the rest, and all that varies, is the gateway's work and the way back. eSign
    /// counts calls as they arrive.
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

    /// `alias` is another name of `account`.
    #[must_use]
    pub fn with_alias(self, alias: &str, account: &str) -> Self {
        let (alias, account) = (AccountName::new(alias), AccountName::new(account));
        let _earlier = self.server().aliases.insert(alias, account);
        self
    }

    /// Every call for this member organization is refused.
    #[must_use]
    pub fn without_member(self, member: &str) -> Self {
        self.server()
            .unknown_members
            .insert(OrganizationId::new(member));
        self
    }

    /// Calls of every account are signed with these. Without it, with one that can't be renewed.
    #[must_use]
    pub fn with_credentials(self, credentials: CredentialCache) -> Self {
        self.server().credentials = credentials;
        self
    }

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
        let mut server = self.server();
        let identity = server.identity(scope, &CallbackUrl::new(url));
        let _replaced = server.callbacks.insert(identity, held);
    }

    /// Takes a callback away, behind everybody's back.
    pub fn remove(&self, scope: &Scope, url: &str) {
        let mut server = self.server();
        let identity = server.identity(scope, &CallbackUrl::new(url));
        let _removed = server.callbacks.remove(&identity);
    }

    /// The secrets of a callback, when it is there.
    pub fn held(&self, scope: &Scope, url: &str) -> Option<Held> {
        let mut server = self.server();
        server.settle(Instant::now());
        let identity = server.identity(scope, &CallbackUrl::new(url));
        server.callbacks.get(&identity).cloned()
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

    fn credentials(&self) -> CredentialCache {
        self.server().credentials.clone()
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Api for FakeApi {
    async fn attempt(&self, call: &Call, signed_at: Timestamp) -> Reply {
        let credentials = self.credentials();
        let credential = match credentials.current() {
            Ok(credential) => credential,
            Err(error) => {
                return Reply {
                    outcome: Outcome::NotSigned(error.of_call(&call.scope.account)),
                    server_time: None,
                };
            }
        };
        let (fault, round_trip) = self.server().next_call(call);
        if fault == Fault::NotSent {
            return Reply {
                outcome: Outcome::NotSent(silence("no connection")),
                server_time: None,
            };
        }
        let lost = Reply {
            outcome: Outcome::Unknown(silence("no answer")),
            server_time: None,
        };
        let there = WAY_THERE.min(round_trip / 2);
        sleep(there).await;
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
        sleep(round_trip.saturating_sub(there)).await;
        if fault == Fault::TokenExpired {
            credentials.refuse(&credential);
        }
        outcome.map_or(lost, |outcome| Reply {
            outcome,
            server_time: Some(server_time),
        })
    }

    async fn server_time(&self, _account: &AccountName) -> ServerTime {
        ServerTime::Known(self.now())
    }

    async fn renew(&self, account: &AccountName) -> Renewal {
        self.credentials().renew(account).await
    }
}

#[cfg(test)]
mod tests;
