//! What all parts of a run share: the tools, what each account has learnt, and what stops whom.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::awaited::Awaited;
use super::bookkeeping::keep_books;
use super::clock::{ServerClock, WallClock, is_credible};
use super::lanes::{Lane, remember};
use super::ledger::{End, Ledger};
use super::reach::Reach;
use super::{Sink, Tools};
use crate::client::{Api, Pace, Random, Reply};
use crate::model::{
    AccountName, Action, Address, ApiError, Call, CallId, Event, Intent, NotAttempted, Outcome,
    Report, SecretIndex, Settled, SignedWrite, Timestamp,
};
use crate::plan::{Change, OrganizationPlan, Plan, Reason};
use crate::secret::Secret;
use crate::state::StateError;

#[derive(Clone, Debug)]
pub struct Settings {
    /// At most so many calls in flight for one account.
    pub parallelism: usize,
    /// How often one call is sent again when its outcome is unknown.
    pub max_retries: u32,
    /// Whether to wait for fences; else what they hold back is left for the next run.
    pub wait: bool,
    /// Seeds the jitter of back-offs.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parallelism: 900,
            max_retries: 5,
            wait: true,
            seed: 0,
        }
    }
}

/// One account's share of a run.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: AccountName,
    pub(super) pace: Pace,
    pub(super) clock: Arc<ServerClock>,
    pub(super) in_flight: Semaphore,
    /// How often its server's clock was asked for before the first delete.
    pub(super) asked_time: tokio::sync::Mutex<u32>,
    pub(super) reach: Reach,
    stopped: Mutex<Option<NotAttempted>>,
    reported_offset: Mutex<bool>,
}

/// A server's clock this far from ours is worth a line, in seconds.
const WORTH_REPORTING: i64 = 5;

pub(super) struct Context<'a, A, W> {
    pub(super) settings: &'a Settings,
    pub(super) ledger: Ledger,
    tools: Tools<'a, A, W>,
    accounts: BTreeMap<AccountName, Account>,
    sink: Mutex<&'a mut dyn Sink>,
    random: Random,
    in_flight: AtomicUsize,
    journal_error: Mutex<Option<String>>,
    /// Ends every wait when the journal fails, as the user's wish does.
    halt: Notify,
}

impl<'a, A: Api, W: WallClock> Context<'a, A, W> {
    pub(super) fn new(
        plan: &Plan,
        tools: Tools<'a, A, W>,
        settings: &'a Settings,
        sink: &'a mut dyn Sink,
    ) -> Self {
        let accounts = tools.lanes.of(plan).map(|(name, lane)| {
            let Lane { pace, clock } = lane.clone();
            let account = Account {
                name: name.clone(),
                pace,
                clock,
                in_flight: Semaphore::new(settings.parallelism.max(1)),
                asked_time: tokio::sync::Mutex::new(0),
                reach: Reach::default(),
                stopped: Mutex::new(None),
                reported_offset: Mutex::new(false),
            };
            (name.clone(), account)
        });
        Self {
            accounts: accounts.collect(),
            ledger: Ledger::default(),
            random: Random::new(settings.seed),
            in_flight: AtomicUsize::new(0),
            settings,
            tools,
            sink: Mutex::new(sink),
            journal_error: Mutex::new(None),
            halt: Notify::new(),
        }
    }

    /// Whether the receiver of this callback failed its verification.
    pub(super) fn is_unverified(&self, address: &Address) -> bool {
        self.tools.unverified.contains(address)
    }

    pub(super) fn account(&self, name: &AccountName) -> Option<&Account> {
        self.accounts.get(name)
    }

    pub(super) fn tell(&self, event: Event) {
        self.sink.lock().expect("no panic while held").event(event);
    }

    /// Why nothing more may be sent for this account, if so.
    /// `committed` calls are not stopped by the user's wish.
    pub(super) fn barred(&self, account: &Account, committed: bool) -> Option<NotAttempted> {
        if self
            .journal_error
            .lock()
            .expect("no panic while held")
            .is_some()
        {
            return Some(NotAttempted::JournalFailed);
        }
        if !committed && *self.tools.stop.borrow() {
            return Some(NotAttempted::Interrupted);
        }
        let stopped = account.stopped.lock().expect("no panic while held");
        // The callback is gone, so its add is tried as often as any call.
        stopped.clone().filter(|why| {
            !committed
                || !matches!(
                    why,
                    NotAttempted::AccountUnreachable(..) | NotAttempted::AccountUnsigned(..)
                )
        })
    }

    /// Nothing more for this account: its credentials were refused.
    pub(super) fn stop_account(&self, account: &Account, error: &ApiError) {
        let why = NotAttempted::AccountStopped(account.name.clone());
        self.stop(account, error, why);
    }

    /// Nothing more for this account: eSign does not answer.
    pub(super) fn give_up(&self, account: &Account, error: &ApiError) {
        let why = NotAttempted::AccountUnreachable(account.name.clone(), error.message.clone());
        self.stop(account, error, why);
    }

    /// Nothing more for this account: no credential can be had to sign its calls with.
    pub(super) fn give_up_signing(&self, account: &Account, error: &ApiError) {
        let why = NotAttempted::AccountUnsigned(account.name.clone(), error.message.clone());
        self.stop(account, error, why);
    }

    /// The first reason is reported.
    fn stop(&self, account: &Account, error: &ApiError, why: NotAttempted) {
        let mut stopped = account.stopped.lock().expect("no panic while held");
        if stopped.is_none() {
            *stopped = Some(why);
            drop(stopped);
            self.tell(Event::AccountStopped {
                account: account.name.clone(),
                error: error.clone(),
            });
            self.halt.notify_waiters();
        }
    }

    /// Waits until the user asks to stop, reports what is still awaited, and never ends.
    pub(super) async fn watch_for_stop(&self) {
        let mut stop = self.tools.stop.clone();
        // An error means that no one is left to ask.
        if stop.wait_for(|asked| *asked).await.is_ok() {
            let in_flight = self.in_flight.load(Ordering::Relaxed);
            self.tell(Event::Interrupted { in_flight });
            self.halt.notify_waiters();
        }
        std::future::pending::<()>().await;
    }

    /// Ctrl-C waits for a call from when nothing keeps it from leaving. A replace counts as one.
    pub(super) fn await_call(&self) -> Awaited<'_> {
        Awaited::new(&self.in_flight)
    }

    /// One call leaves and is answered, or not.
    pub(super) async fn send_once(&self, call: &Call, signed_at: Timestamp) -> Reply {
        self.tools.api.attempt(call, signed_at).await
    }

    /// Waits for `wait`, but no longer than until this account is barred. `None` when it was.
    pub(super) async fn unless_barred<T>(
        &self,
        account: &Account,
        committed: bool,
        wait: impl Future<Output = T> + Send,
    ) -> Result<T, NotAttempted> {
        tokio::pin!(wait);
        loop {
            // Waiters are woken in the order of waiting, so that a run can be replayed.
            let mut halted = std::pin::pin!(self.halt.notified());
            halted.as_mut().enable();
            if let Some(why) = self.barred(account, committed) {
                return Err(why);
            }
            tokio::select! {
                biased;
                done = &mut wait => return Ok(done),
                () = halted => {}
            }
        }
    }

    /// A number in `0.0..1.0`.
    pub(super) fn jitter(&self) -> f64 {
        self.random.fraction()
    }

    pub(super) const fn api(&self) -> &A {
        self.tools.api
    }

    /// What time to sign a call with.
    pub(super) fn signing_time(&self, account: &Account) -> Timestamp {
        account.clock.now().unwrap_or_else(|| self.tools.wall.now())
    }

    /// Notes the server's clock, from an answer to what left at `left`, and reports once that ours is
    /// off.
    pub(super) fn learn_time(&self, account: &Account, server: Option<Timestamp>, left: Instant) {
        let ours = self.tools.wall.now();
        let Some(server) = server.filter(|server| is_credible(*server, ours)) else {
            return;
        };
        account.clock.learn(server, left.elapsed());
        let seconds = offset(server, ours, left.elapsed());
        let mut reported = account.reported_offset.lock().expect("no panic while held");
        if seconds.abs() > WORTH_REPORTING && !*reported {
            *reported = true;
            drop(reported);
            self.tell(Event::ClockOffset {
                account: account.name.clone(),
                seconds,
            });
        }
    }

    /// Makes an intent durable. On failure no call may leave any more.
    pub(super) async fn record_intent(&self, intent: Intent) -> Result<CallId, NotAttempted> {
        match self.tools.state.record_intents(vec![intent]).await {
            Ok(ids) => ids.first().copied().ok_or(NotAttempted::JournalFailed),
            Err(error) => {
                self.journal_failed(&error);
                Err(NotAttempted::JournalFailed)
            }
        }
    }

    /// Records an outcome. It is durable with the next intent or flush; a crash before that leaves
    /// the call open, which is safe.
    pub(super) fn record_outcome(&self, id: CallId, outcome: &Outcome) -> Option<Settled> {
        self.tools
            .state
            .record_outcome(id, outcome, self.tools.wall.now())
    }

    pub(super) async fn flush(&self) {
        if let Err(error) = self.tools.state.flush().await {
            self.journal_failed(&error);
        }
    }

    fn journal_failed(&self, error: &StateError) {
        let with_cause = || match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        self.journal_error
            .lock()
            .expect("no panic while held")
            .get_or_insert_with(with_cause);
        self.halt.notify_waiters();
    }

    /// Whether the outcome of some call on this URL is open.
    pub(super) fn is_open(&self, organization: &OrganizationPlan, change: &Change) -> bool {
        self.tools.state.read(|recorded| {
            recorded
                .get(&organization.scope, &change.address.url)
                .is_some_and(crate::model::Entry::is_open)
        })
    }

    /// The lost call on this URL, as recorded now.
    pub(super) fn lost(
        &self,
        organization: &OrganizationPlan,
        change: &Change,
    ) -> Option<SignedWrite> {
        self.tools.state.read(|recorded| {
            recorded
                .get(&organization.scope, &change.address.url)
                .and_then(|entry| entry.lost)
        })
    }

    /// The same, once a signature from a clock that was far off no longer makes a fence: a lost call that
    /// eSign would admit only in an hour or a year is not on its way any more then.
    pub(super) fn bounded_lost(
        &self,
        account: &Account,
        organization: &OrganizationPlan,
        change: &Change,
    ) -> Option<SignedWrite> {
        let lost = self.lost(organization, change)?;
        let Some(now) = account
            .clock
            .reached()
            .filter(|now| lost.is_far_ahead(*now))
        else {
            return Some(lost);
        };
        self.tools.state.edit(|recorded| {
            recorded
                .get_mut(&organization.scope, &change.address.url)
                .is_some_and(|entry| entry.bound_fence(now))
        });
        self.lost(organization, change)
    }

    /// What our clock will show in so many milliseconds.
    pub(super) fn moment(&self, milliseconds: u64) -> Timestamp {
        let seconds = i64::try_from(milliseconds.div_ceil(1000)).unwrap_or(i64::MAX);
        self.tools.wall.now().plus(seconds)
    }

    /// The values of the secrets that adds send.
    pub(super) const fn secrets(&self) -> &BTreeMap<SecretIndex, Secret> {
        self.tools.secrets
    }

    /// Reports the callbacks that a later plan replaces, when their twins are there.
    pub(super) fn wait_for_twins(&self, plan: &Plan) {
        for (number, organization) in plan.organizations.iter().enumerate() {
            for (at, change) in organization.changes.iter().enumerate() {
                if change.reason != Reason::RotationWaits {
                    continue;
                }
                let change = Change {
                    action: Action::Replace,
                    ..change.clone()
                };
                let why = NotAttempted::WaitsForTwin;
                self.tell(Event::NotAttempted {
                    address: change.address.clone(),
                    action: change.action,
                    why: why.clone(),
                });
                self.ledger
                    .end((number, at), &change, End::NotAttempted(why));
            }
        }
    }

    /// The end of the run: the record's bookkeeping, and the report.
    pub(super) fn close(self, plan: &Plan) -> Report {
        // Only the server's own word counts: our clock may be days ahead.
        let reached = |account: &AccountName| self.accounts.get(account)?.clock.reached();
        self.tools.state.edit(|recorded| {
            let mut changed = false;
            for (scope, urls) in &mut recorded.scopes {
                let Some(now) = reached(&scope.account) else {
                    continue;
                };
                for entry in urls.values_mut().filter(|entry| entry.lost.is_some()) {
                    let before = entry.lost;
                    entry.bound_fence(now);
                    entry.forget_dead(now);
                    changed |= entry.lost != before;
                }
            }
            let earlier = |name: &AccountName| Some(self.accounts.get(name)?.pace.earlier());
            changed |= remember(recorded, earlier, self.tools.wall.now());
            changed | keep_books(plan, recorded)
        });
        let interrupted = *self.tools.stop.borrow();
        let journal_error = self
            .journal_error
            .into_inner()
            .expect("no panic while held");
        Report {
            interrupted,
            journal_error,
            ..self.ledger.report()
        }
    }
}

/// How far the server's clock is ahead of ours, at least: it was read at some time during the round trip.
fn offset(server: Timestamp, ours: Timestamp, round_trip: Duration) -> i64 {
    let ahead = server.seconds_since(ours);
    let round_trip = i64::try_from(round_trip.as_secs()).unwrap_or(i64::MAX);
    if ahead >= 0 {
        ahead
    } else {
        ahead.saturating_add(round_trip).min(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        let of = |server: i64, ours, seconds| {
            offset(
                Timestamp(server),
                Timestamp(ours),
                Duration::from_secs(seconds),
            )
        };
        assert_eq!(of(100, 108, 8), 0);
        assert_eq!(of(100, 108, 20), 0);
        assert_eq!(of(100, 170, 8), -62);
        assert_eq!(of(170, 100, 8), 70);
        assert_eq!(of(100, 100, 0), 0);
    }
}
