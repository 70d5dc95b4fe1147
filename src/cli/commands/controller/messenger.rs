//! Hands notices over to be sent, each of them once however many replicas notice the same.
//!
//! The state records what was told. The lock of the state is held from looking there until it is recorded that a chat took
//! the message, so that no other replica tells it meanwhile. Neither bad news nor another run waits for long: without the
//! lock or the state, or when every chat fails, the message is sent without this, and recorded later. Then another replica
//! may send it too.
//!
//! The state also keeps which targets have not taken it, and the replica that told it says until when it sends it to them.
//! When that time has passed, because it is gone, another one or its successor takes this over. A process that is asked to end
//! also records what no target has taken.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::debt::{Debt, RENEWED_FIRST};
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::process::owner;
use crate::cli::terminal::log::Log;
use crate::model::{Recorded, Timestamp};
use crate::notify::{
    Key, LATER, News, Notice, Notifier, Outlet, Ticket, have_lapsed, lapses, take_over,
};
use crate::state::{Locked, Noted, Store};

/// How long the state is read before it is taken to be out of reach.
const READ_PATIENCE: Duration = Duration::from_secs(5);
/// How long a message waits for the run of another replica to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// The same, and what the state itself takes.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long the lock is held while messages are sent. Longer than the pause between two messages to a chat.
const SENDING: Duration = Duration::from_secs(7);
/// When the state is tried again, to record what was told.
const AGAIN: Duration = Duration::from_secs(30);
/// What other targets take meanwhile is recorded at once.
const TOGETHER: Duration = Duration::from_secs(2);
/// When it is recorded again that a message is still being sent.
const RENEWED_LATER: Duration = Duration::from_secs(600);
/// How long freeing the lock may take at the end.
const GRACE: Duration = Duration::from_secs(1);
/// How long what is being recorded may take at the end.
const TASK: Duration = Duration::from_secs(3);
/// How long messages may take at the end.
const LAST: Duration = Duration::from_secs(2);

/// What it needs to know.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) store: Store,
    pub(super) command: String,
    pub(super) log: Log,
}

/// The other end of the task.
#[derive(Debug)]
pub(super) struct Messenger {
    orders: mpsc::UnboundedSender<Order>,
    closing: watch::Sender<bool>,
    task: JoinHandle<Task>,
}

#[derive(Debug)]
enum Order {
    Tell(Vec<Notice>),
    /// What another process owes may be taken over then.
    Look(Timestamp),
}

impl Messenger {
    /// Starts the task.
    pub(super) fn start(place: Place, outlet: Outlet) -> Self {
        let (orders, given) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(false);
        let task = Task {
            place,
            outlet,
            closed,
            debts: BTreeMap::new(),
            settles: None,
            looks: None,
        };
        Self {
            orders,
            closing,
            task: tokio::spawn(task.run(given)),
        }
    }

    /// Hands notices over and returns at once.
    pub(super) fn tell(&self, notices: Vec<Notice>) {
        if !notices.is_empty() {
            // The task lives as long as this.
            drop(self.orders.send(Order::Tell(notices)));
        }
    }

    /// The state was read: what others owe in it may be for this process to send.
    pub(super) fn hear(&self, recorded: &Recorded) {
        if let Some(lapses) = lapses(&recorded.told, &BTreeSet::new()) {
            drop(self.orders.send(Order::Look(lapses)));
        }
    }

    /// Hands over what is left, whoever else tells it; sends it once more; and records who still has not taken it. Each
    /// of these gets a fair part of the time until then.
    pub(super) async fn finish(self, notifier: Notifier, until: Instant) {
        self.closing.send_replace(true);
        drop(self.orders);
        let left = || until.saturating_duration_since(Instant::now());
        let task = timeout(TASK.min(left() / 3), self.task).await;
        notifier.finish(LAST.min(left() / 2)).await;
        if let Ok(Ok(task)) = task {
            drop(timeout(LAST.min(left()), task.end()).await);
        }
    }
}

#[derive(Debug)]
struct Task {
    place: Place,
    outlet: Outlet,
    closed: watch::Receiver<bool>,
    /// What was told, as long as the state does not say all of it.
    debts: BTreeMap<Key, Debt>,
    /// When the state is changed, if there is something to be changed.
    settles: Option<Instant>,
    /// When it is looked at, for what others owe.
    looks: Option<Instant>,
}

impl Task {
    async fn run(mut self, mut given: mpsc::UnboundedReceiver<Order>) -> Self {
        let mut changes = self.outlet.changes();
        let mut is_listening = true;
        loop {
            let renews = self.debts.values().filter(|debt| debt.holds());
            let renews = renews.map(|debt| debt.renewed);
            let settles = self.settles.into_iter().chain(renews).min();
            let due = settles.into_iter().chain(self.looks).min();
            tokio::select! {
                order = given.recv() => match order {
                    None => return self,
                    Some(Order::Look(at)) => self.look_at(at),
                    Some(Order::Tell(mut notices)) => {
                        while let Ok(more) = given.try_recv() {
                            match more {
                                Order::Tell(more) => notices.extend(more),
                                Order::Look(at) => self.look_at(at),
                            }
                        }
                        self.tell(notices).await;
                        self.note_changes();
                    }
                },
                changed = changes.changed(), if is_listening => {
                    is_listening = changed.is_ok();
                    self.note_changes();
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let now = Instant::now();
                    if settles.is_some_and(|at| at <= now) {
                        self.settle().await;
                    }
                    if self.looks.is_some_and(|at| at <= now) {
                        self.look().await;
                    }
                }
            }
        }
    }

    fn note_changes(&mut self) {
        self.debts.retain(|_, debt| !debt.is_lost());
        if self.debts.values().any(Debt::has_changed) {
            self.settles.get_or_insert(Instant::now() + TOGETHER);
        }
    }

    fn look_at(&mut self, at: Timestamp) {
        let left = at.seconds_since(SystemClock.now()).clamp(0, LATER);
        let at = Instant::now() + Duration::from_secs(left.unsigned_abs());
        self.looks = Some(self.looks.map_or(at, |before| before.min(at)));
    }

    async fn tell(&mut self, notices: Vec<Notice>) {
        let Some(state) = self.lock_in_time().await else {
            let tickets = self.outlet.tell(&notices, None);
            self.owe(notices, tickets);
            return;
        };
        let now = SystemClock.now();
        let (new, known): (Vec<_>, Vec<_>) = notices.into_iter().partition(|one| {
            let key = &one.condition.key;
            let is_unrecorded = self
                .debts
                .get(key)
                .is_some_and(|debt| debt.recorded.is_none());
            let is_told = !is_unrecorded && state.read(|recorded| one.is_told(&recorded.told, now));
            if is_told {
                tracing::info!("`{key}` was told already, by another replica or before a restart");
            }
            !is_told
        });
        self.end_own(known);
        if !new.is_empty() {
            let (new, tickets) = self.hand_over(new, &state);
            let mut closed = self.closed.clone();
            tokio::select! {
                // What takes longer is recorded later.
                _ = timeout(SENDING, self.outlet.taken(&tickets)) => {}
                _ = closed.wait_for(|closed| *closed) => {}
            }
            let keys = self.owe(new, tickets);
            self.record(&keys, &state, false).await;
        }
        release(state).await;
    }

    /// Hands notices over to the targets that need them.
    fn hand_over(&self, new: Vec<Notice>, state: &Locked) -> (Vec<Notice>, Vec<Ticket>) {
        let unaware = |one: &Notice| match self.debts.get(&one.condition.key) {
            // What waits here is compared with it there.
            Some(_) => BTreeSet::new(),
            None => state.read(|recorded| one.unknown_to(&recorded.told)),
        };
        let (some, mut all): (Vec<_>, Vec<_>) = new
            .into_iter()
            .map(|one| (unaware(&one), one))
            .partition(|(unaware, _)| !unaware.is_empty());
        let whole: Vec<_> = all.iter().map(|(_, one)| one.clone()).collect();
        let mut tickets = self.outlet.tell(&whole, None);
        for (unaware, one) in &some {
            let to = self.outlet.names().difference(unaware).cloned().collect();
            tickets.extend(self.outlet.tell(std::slice::from_ref(one), Some(&to)));
        }
        all.extend(some);
        (all.into_iter().map(|(_, one)| one).collect(), tickets)
    }

    /// Another replica has told that something is over: those that wait here for its beginning hear it from here, or neither.
    fn end_own(&mut self, known: Vec<Notice>) {
        for one in known.into_iter().filter(|one| one.news == News::Resolved) {
            let waits = self.debts.get(&one.condition.key);
            let open = waits.map(|debt| debt.ticket.open()).unwrap_or_default();
            if !open.is_empty() {
                let tickets = self.outlet.tell(std::slice::from_ref(&one), Some(&open));
                self.owe(vec![one], tickets);
            }
        }
    }

    /// Remembers what was handed over.
    fn owe(&mut self, notices: Vec<Notice>, tickets: Vec<Ticket>) -> BTreeSet<Key> {
        let told = notices.into_iter().zip(tickets);
        let told = told.map(|(notice, ticket)| {
            let key = notice.condition.key.clone();
            // The newest says what is true.
            let debt = Debt::new(notice, ticket, None);
            self.debts.insert(key.clone(), debt);
            key
        });
        told.collect()
    }

    /// Records what has become of the messages since, and that those that are left are still being sent.
    async fn settle(&mut self) {
        self.settles = None;
        let now = Instant::now();
        let keys = self.debts.iter();
        let keys: BTreeSet<_> = keys
            .filter(|(_, debt)| debt.has_changed() || (debt.holds() && debt.renewed <= now))
            .map(|(key, _)| key.clone())
            .collect();
        if keys.is_empty() {
            return;
        }
        let Some(state) = self.lock_in_time().await else {
            self.tries_again();
            return;
        };
        // The same write tells of all.
        let all = self.debts.keys().cloned().collect();
        self.record(&all, &state, false).await;
        release(state).await;
    }

    fn tries_again(&mut self) {
        let again = Instant::now() + AGAIN;
        self.settles = Some(again);
        for debt in self.debts.values_mut() {
            debt.renewed = debt.renewed.max(again);
        }
    }

    /// What is left when the process ends is for others from now on, also what no target has taken.
    async fn end(mut self) {
        self.debts.retain(|_, debt| !debt.is_lost());
        let is_left = |debt: &Debt| debt.has_changed() || !debt.ticket.open().is_empty();
        if !self.debts.values().any(is_left) {
            return;
        }
        let lock = timeout(GRACE, self.lock(GRACE)).await;
        if let Some(state) = lock.ok().flatten() {
            let all = self.debts.keys().cloned().collect();
            self.record(&all, &state, true).await;
            release(state).await;
        }
    }

    /// Records what targets took of these, and which of them have not yet, unless another replica has told it since.
    async fn record(&mut self, keys: &BTreeSet<Key>, state: &Locked, ends: bool) {
        let now = SystemClock.now();
        let until = now.plus(if ends { 0 } else { LATER });
        let debts = self.debts.iter().filter(|(key, _)| keys.contains(*key));
        let open: BTreeMap<_, _> = debts
            .filter(|(_, debt)| ends || debt.recorded.is_some() || debt.has_changed())
            .map(|(key, debt)| (key.clone(), debt.ticket.open()))
            .collect();
        if open.is_empty() {
            return;
        }
        let mut over = BTreeSet::new();
        state.note(|Noted { told, .. }| {
            let mut changes = false;
            for (key, open) in &open {
                let Some(debt) = self.debts.get(key) else {
                    continue;
                };
                let Debt {
                    notice, recorded, ..
                } = debt;
                let was_never_told = debt.is_over()
                    && !debt.ticket.is_taken()
                    && !told.contains_key(&key.to_string());
                let is_own = match recorded {
                    Some(_) => notice.owes(told, open, until),
                    None if was_never_told || notice.is_told(told, now) => false,
                    None => {
                        notice.record(told, open.clone(), now);
                        if ends {
                            notice.owes(told, open, until);
                        }
                        true
                    }
                };
                changes |= is_own;
                if !is_own || open.is_empty() {
                    over.insert(key.clone());
                }
            }
            changes
        });
        if let Err(error) = state.save().await {
            tracing::info!("a notification was not recorded: {error}");
            self.tries_again();
            return;
        }
        let renewed = Instant::now();
        for (key, open) in open {
            if let Some(debt) = self.debts.get_mut(&key) {
                let pause = match debt.recorded.replace(open) {
                    Some(_) => RENEWED_LATER,
                    None => RENEWED_FIRST,
                };
                debt.renewed = renewed + pause;
            }
        }
        self.debts.retain(|key, _| !over.contains(key));
    }

    /// Takes over what is owed by a process that is gone.
    async fn look(&mut self) {
        self.looks = None;
        let again = Some(Instant::now() + AGAIN);
        let peeked = timeout(READ_PATIENCE, self.place.store.peek()).await;
        let Some(recorded) = peeked.ok().and_then(Result::ok).flatten() else {
            self.looks = again;
            return;
        };
        let own = self.debts.keys().map(Key::to_string).collect();
        if have_lapsed(&recorded.told, &own, SystemClock.now()) {
            let Some(state) = self.lock_in_time().await else {
                self.looks = again;
                return;
            };
            let known = self.outlet.names();
            let mut taken = Vec::new();
            state.note(|Noted { told, .. }| {
                let now = SystemClock.now();
                let changes = have_lapsed(told, &own, now);
                taken = take_over(told, (&own, &known), now);
                changes
            });
            match state.save().await {
                Ok(_) => self.send(taken),
                Err(error) => {
                    tracing::info!("a notification was not taken over: {error}");
                    self.looks = again;
                }
            }
            let next = state.read(|recorded| lapses(&recorded.told, &own));
            if let Some(at) = next {
                self.look_at(at);
            }
            release(state).await;
        } else if let Some(at) = lapses(&recorded.told, &own) {
            self.look_at(at);
        }
    }

    fn send(&mut self, taken: Vec<(Notice, BTreeSet<String>)>) {
        for (notice, to) in taken {
            let key = notice.condition.key.clone();
            tracing::info!("`{key}` was not taken by all before its process ended");
            for ticket in self.outlet.tell(std::slice::from_ref(&notice), Some(&to)) {
                let debt = Debt::new(notice.clone(), ticket, Some(to.clone()));
                self.debts.insert(key.clone(), debt);
            }
        }
    }

    /// The lock of the state, if it can be had before this ends.
    async fn lock_in_time(&self) -> Option<Locked> {
        let mut closed = self.closed.clone();
        tokio::select! {
            locked = timeout(PATIENCE, self.lock(LOCK_PATIENCE)) => locked.ok().flatten(),
            _ = closed.wait_for(|closed| *closed) => None,
        }
    }

    /// Takes the lock of a state that there is.
    async fn lock(&self, patience: Duration) -> Option<Locked> {
        let Place {
            store,
            command,
            log,
        } = &self.place;
        let known = timeout(READ_PATIENCE, store.peek()).await.ok()?.ok()??;
        known.lineage?;
        let owner = owner::this_process(command).ok()?;
        let locked = store
            .lock(known.environment, &owner, patience, |_| {})
            .await;
        let locked = locked.ok()?;
        if let Some(gone) = locked.taken_over() {
            log.say(format_args!(
                "Note: the last owner of the lock ended without releasing it: {gone}"
            ));
        }
        Some(locked)
    }
}

async fn release(state: Locked) {
    if let Err(error) = state.release().await {
        tracing::info!("the lock was not freed after a notification: {error}");
    }
}
