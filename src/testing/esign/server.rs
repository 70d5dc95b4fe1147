//! The fake's own side: what it holds, and what it does with a call that arrives.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Arrival, Exists, Fault, Held};
use crate::client::{CredentialCache, Random};
use crate::model::{
    AccountName, ApiError, Blast, Call, CallbackUrl, Operation, OrganizationId, Outcome, RequestId,
    Scope, Timestamp,
};
use crate::secret::Secret;
use crate::sign::Credential;

/// How far a signature's time may be from the server's clock, in seconds.
const CLOCK_WINDOW: i64 = 300;

#[derive(Debug)]
pub(super) struct Server {
    pub(super) begun: Instant,
    /// The server's clock at `begun`.
    pub(super) epoch: Timestamp,
    pub(super) latency: Duration,
    pub(super) spread: f64,
    pub(super) random: Random,
    pub(super) exists: Exists,
    pub(super) limit: Option<usize>,
    /// Every account's.
    pub(super) credentials: CredentialCache,
    /// By what they are to eSign: see [`Server::identity`].
    pub(super) callbacks: BTreeMap<(Scope, CallbackUrl), Held>,
    /// The account behind each other name of it.
    pub(super) aliases: BTreeMap<AccountName, AccountName>,
    /// Member organizations that eSign refuses every call for.
    pub(super) unknown_members: BTreeSet<OrganizationId>,
    pub(super) script: VecDeque<Fault>,
    pub(super) scripts: BTreeMap<CallbackUrl, VecDeque<Fault>>,
    /// Calls that are still on their way, and when they arrive.
    pub(super) late: Vec<(Instant, Call, Timestamp)>,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) answers: u64,
}

impl Server {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            begun: Instant::now(),
            epoch: now,
            latency: Duration::from_millis(50),
            spread: 0.0,
            random: Random::new(1),
            exists: Exists::Success,
            limit: None,
            credentials: CredentialCache::fixed(credential()).expect("it is printable"),
            callbacks: BTreeMap::new(),
            aliases: BTreeMap::new(),
            unknown_members: BTreeSet::new(),
            script: VecDeque::new(),
            scripts: BTreeMap::new(),
            late: Vec::new(),
            arrivals: Vec::new(),
            answers: 0,
        }
    }

    pub(super) fn clock(&self, at: Instant) -> Timestamp {
        let elapsed = at.saturating_duration_since(self.begun).as_secs();
        self.epoch.plus(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    pub(super) fn next_call(&mut self, call: &Call) -> (Fault, Duration) {
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
    pub(super) fn settle(&mut self, now: Instant) {
        self.late.sort_by_key(|(due, _, _)| *due);
        while let Some((due, call, signed_at)) =
            self.late.first().filter(|(due, _, _)| *due <= now).cloned()
        {
            self.late.remove(0);
            let _nobody_waits = self.admit(&call, signed_at, Fault::None, due);
        }
    }

    pub(super) fn arrive(&mut self, call: &Call, signed_at: Timestamp, fault: Fault) -> Outcome {
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

    /// eSign knows no names of accounts: a member organization is the same for every account that acts for it, and an
    /// account's own organization is the same whatever the account is called.
    pub(super) fn identity(&self, scope: &Scope, url: &CallbackUrl) -> (Scope, CallbackUrl) {
        let mut scope = scope.clone();
        if scope.organization.is_some() {
            scope.account = AccountName::new("");
        } else if let Some(account) = self.aliases.get(&scope.account) {
            scope.account = account.clone();
        }
        (scope, url.clone())
    }

    fn carry_out(&mut self, call: &Call) -> Outcome {
        self.answers += 1;
        let request_id = RequestId::new(format!("fake-{}", self.answers));
        let identity = self.identity(&call.scope, &call.url);
        let member = call.scope.organization.as_ref();
        if member.is_some_and(|member| self.unknown_members.contains(member)) {
            let error = error("OperationDenied.SubOrgNotJoin");
            return Outcome::Rejected(Blast::Call, error);
        }
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

fn credential() -> Credential {
    Credential {
        secret_id: "AKIDfake".to_owned(),
        secret_key: Secret::new("fake"),
        token: None,
    }
}

/// There is no answer.
pub(super) fn silence(why: &'static str) -> ApiError {
    ApiError {
        code: None,
        message: why.to_owned(),
        ..error("")
    }
}

pub(super) fn error(code: &'static str) -> ApiError {
    ApiError {
        code: Some(code.to_owned()),
        message: "scripted".to_owned(),
        request_id: None,
        meaning: Cow::Borrowed("a test asked for it"),
        advice: Cow::Borrowed("read the test"),
    }
}
