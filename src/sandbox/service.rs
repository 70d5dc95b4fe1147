//! The service behind the listener: what eSign does with one request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::actions::{Action, describe, identity, modify};
use super::arrivals::{Arrival, Arrivals, Effect};
use super::audit::{Answered, AuditLog};
use super::auth::{RawRequest, authenticate, identify};
use super::clock::{Clock, SkewedClock};
use super::cloud::{Cloud, Verdict};
use super::enterprise::Enterprise;
use super::failure::Failure;
use super::fault::Fault;
use super::faults::Faults;
use super::limit::Limiter;
use super::options::{Customer, Limits, OnExists, Options};
use super::random::Random;
use super::store::{CloudError, Store};
use crate::serving::Host;
use crate::wire::{Answer, ErrorBody, MODIFY, Response};

/// How many `emit` requests may be under way. A callback can lead back to the sandbox itself.
const EMISSIONS: usize = 4;

/// The service. All of it is behind one lock, which is never held across an await: calls are processed
/// one at a time.
#[derive(Debug)]
pub(super) struct Service {
    customers: Vec<Customer>,
    enterprise: Enterprise,
    pub(super) limits: Limits,
    /// One for each large request body that is in memory.
    large_bodies: Arc<Semaphore>,
    /// One for each emission that is under way.
    pub(super) emissions: Semaphore,
    pub(super) clock: SkewedClock,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) cloud: Cloud,
    pub(super) exists: OnExists,
    store: Option<Store>,
    limiter: Limiter,
    pub(super) faults: Faults,
    pub(super) arrivals: Arrivals,
    pub(super) audit: AuditLog,
    received: u64,
    pub(super) ids: Random,
}

/// What was decided about a request when it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    sequence: u64,
    at_micros: i64,
    pub(super) fault: Fault,
    /// How long to wait before the answer goes out.
    pub(super) delay: Duration,
}

/// A request that its customer signed.
struct Call<'a> {
    request: &'a RawRequest,
    customer: &'a Customer,
    action: Action,
    fault: Fault,
    now: i64,
}

impl Host for Service {
    fn connections(&self) -> usize {
        self.limits.connections
    }

    fn patience(&self) -> Duration {
        self.limits.patience
    }

    fn large_bodies(&self) -> &Arc<Semaphore> {
        &self.large_bodies
    }

    fn date(&self) -> String {
        self.clock.date()
    }
}

impl Service {
    pub(super) fn new(options: Options, clock: Clock) -> Result<Self, CloudError> {
        let Options {
            customers,
            enterprise,
            cloud,
            limit,
            exists,
            faults,
            script,
            seed,
            limits,
        } = options;
        let (store, cloud) = match cloud {
            Some(file) => Store::open(&file).map(|(store, cloud)| (Some(store), cloud))?,
            None => (None, Cloud::default()),
        };
        Ok(Self {
            customers,
            enterprise,
            limits,
            large_bodies: Arc::new(Semaphore::new(limits.large_bodies)),
            emissions: Semaphore::new(EMISSIONS),
            clock: SkewedClock::new(clock, faults.skew),
            inner: Mutex::new(Inner {
                cloud,
                exists,
                store,
                limiter: Limiter::new(limit),
                faults: Faults::new(faults, script, seed),
                arrivals: Arrivals::default(),
                audit: AuditLog::default(),
                received: 0,
                ids: Random::keyed(seed, b"ids", 0),
            }),
        })
    }

    /// Everything that changes. A panic elsewhere leaves it whole: each change is one assignment.
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a request. Faults affect only those that would change something; delays affect all.
    pub(super) fn receive(&self, request: &RawRequest) -> Receipt {
        let mut inner = self.inner();
        inner.received += 1;
        let sequence = inner.received;
        let fault = match request.header("x-tc-action") {
            Some(MODIFY) => inner.faults.choose(&request.body),
            _ => Fault::None,
        };
        let usual = inner.faults.delay(sequence);
        let spike = if let Fault::Slow(more) = fault {
            more
        } else {
            Duration::ZERO
        };
        Receipt {
            sequence,
            at_micros: self.clock.micros(),
            fault,
            delay: usual.saturating_add(spike),
        }
    }

    /// Logs a request that never reached the service.
    pub(super) fn lose(&self, request: &RawRequest, receipt: Receipt) {
        let Receipt {
            sequence,
            at_micros,
            fault,
            ..
        } = receipt;
        let arrival = Arrival::of(request, sequence, at_micros, fault);
        self.inner().arrivals.push(arrival);
    }

    /// Processes a request now and returns the answer's body.
    pub(super) fn process(&self, request: &RawRequest, receipt: Receipt) -> Vec<u8> {
        let now = self.clock.micros();
        let mut arrival = Arrival::of(request, receipt.sequence, now, receipt.fault);
        arrival.effect = Effect::Nothing;
        let checked = self.check(request);
        let writer = match &checked {
            Ok((customer, Action::Modify)) => Some(*customer),
            Ok(_) | Err(_) => None,
        };
        let mut inner = self.inner();
        let outcome = checked.and_then(|(customer, action)| {
            let call = Call {
                request,
                customer,
                action,
                fault: receipt.fault,
                now,
            };
            self.perform(&mut inner, &call, &mut arrival.effect)
        });
        let id = inner.ids.uuid();
        arrival.request_id = Some(id.clone());
        if let Some(customer) = writer {
            let answered = Answered {
                account: &customer.account,
                secret_id: &customer.credential.secret_id,
                at: self.clock.shown().0,
                request_id: &id,
                failure: outcome.as_ref().err(),
            };
            inner.audit.push(request, &answered);
        }
        let body = match outcome {
            Ok(members) => success(members, id),
            Err(failure) => {
                arrival.code = Some(failure.code);
                refusal(&failure, request, id)
            }
        };
        inner.arrivals.push(arrival);
        body
    }

    /// The answer to a request that is too large to be processed.
    pub(super) fn refuse(&self, request: &RawRequest, failure: &Failure) -> Vec<u8> {
        refusal(failure, request, self.inner().ids.uuid())
    }

    /// Accepts a request that its head alone makes invalid. No fault applies to it.
    pub(super) fn receive_refused(&self) -> Receipt {
        let mut inner = self.inner();
        inner.received += 1;
        Receipt {
            sequence: inner.received,
            at_micros: self.clock.micros(),
            fault: Fault::None,
            delay: inner.faults.delay(inner.received),
        }
    }

    /// Whether the head is valid, so that the body decides.
    pub(super) fn may_be_good(&self, request: &RawRequest) -> bool {
        check_head(request).is_ok()
            && identify(request, &self.customers, self.clock.shown()).is_ok()
    }

    /// All that can be checked without the lock: protocol, action, version and signature.
    fn check(&self, request: &RawRequest) -> Result<(&Customer, Action), Failure> {
        let (name, version) = check_head(request)?;
        let (customer, service) = authenticate(request, &self.customers, self.clock.shown())?;
        if version != service.version {
            return Err(Failure::no_such_version(version));
        }
        let action = Action::named(service, name).ok_or_else(|| Failure::invalid_action(name))?;
        Ok((customer, action))
    }

    fn perform(
        &self,
        inner: &mut Inner,
        call: &Call<'_>,
        effect: &mut Effect,
    ) -> Result<Map<String, Value>, Failure> {
        let Call {
            request,
            customer,
            action,
            fault,
            now,
        } = *call;
        let name = request.header("x-tc-action").unwrap_or_default();
        let admitted = inner
            .limiter
            .admit(&customer.credential.secret_id, name, now);
        if !admitted || fault == Fault::Throttle {
            return Err(Failure::throttled(inner.limiter.shown()));
        }
        if fault == (Fault::InternalError { applied: false }) {
            return Err(Failure::internal());
        }
        let account = &customer.account;
        if action == Action::CallerIdentity {
            let position = self
                .customers
                .iter()
                .position(|one| one.account == *account);
            return Ok(identity(position.unwrap_or_default()));
        }
        if self.enterprise.denied_actions.iter().any(|one| one == name) {
            return Err(Failure::not_allowed_by_cam(name));
        }
        if action == Action::AuditEvents {
            let now = self.clock.shown().0;
            return inner.audit.page(&request.body, account, now);
        }
        if action != Action::Modify {
            let cloud = &inner.cloud;
            return describe(action, &request.body, account, &self.enterprise, cloud);
        }
        let change = modify(&request.body, account, &self.enterprise)?;
        let verdict = inner.cloud.consider(&change, inner.exists)?;
        if verdict == Verdict::Change {
            if let Some(store) = &mut inner.store {
                store.append(&change).map_err(|error| {
                    tracing::error!(%error, "the sandbox's cloud can't be written");
                    Failure::internal()
                })?;
            }
            inner.cloud.apply(change);
            *effect = Effect::Changed;
        }
        if fault == (Fault::InternalError { applied: true }) {
            return Err(Failure::internal());
        }
        Ok(Map::new())
    }
}

/// The action's and the version's name, of a request in the API's protocol.
fn check_head(request: &RawRequest) -> Result<(&str, &str), Failure> {
    let content_type = request.header("content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if request.method != "POST" || !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Failure::unsupported_protocol());
    }
    let header = |header, parameter| {
        request
            .header(header)
            .ok_or_else(|| Failure::missing(parameter))
    };
    Ok((
        header("x-tc-action", "Action")?,
        header("x-tc-version", "Version")?,
    ))
}

fn success(mut members: Map<String, Value>, id: String) -> Vec<u8> {
    members.insert("RequestId".to_owned(), Value::String(id));
    json!({ "Response": members }).to_string().into_bytes()
}

fn refusal(failure: &Failure, request: &RawRequest, request_id: String) -> Vec<u8> {
    let answer = Answer {
        response: Response {
            error: Some(ErrorBody {
                code: failure.code.to_owned(),
                message: failure.message(request.language()).to_owned(),
            }),
            request_id,
        },
    };
    serde_json::to_vec(&answer).expect("strings are JSON")
}
