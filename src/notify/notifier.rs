//! Delivers notices in the background: a queue and a task for each target.
//!
//! [`Notifier::tell`] never waits. What waits ([`Queue`]) is sent as one message. A failure that may pass is repeated with a
//! growing delay, at most for [`GIVES_UP`], when it is tried a last time; any other ends the message. Both are logged and
//! counted, and end nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::lane::{Queue, Waiting};
use super::memory::Notice;
use super::names::names;
use super::send::{Http, Message, Post, request};
use super::service::Service;
use super::target::Target;
use super::ticket::{End, Ticket};
use super::words::Wording;
use crate::client::retry::delay;
use crate::client::{ExtraRoots, HttpError, Random};
use crate::model::Timestamp;

/// How long a message is repeated.
const GIVES_UP: Duration = Duration::from_secs(3_600);
/// How long the other targets are waited for, once one has taken a message.
const OTHERS: Duration = Duration::from_secs(1);
/// The delays of [`delay`], times this: 5 s, 10 s … 5 min.
const SLOWER: u32 = 10;

/// The time of day, for signatures.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a [`Notifier`] needs besides its targets.
pub struct Options {
    pub wording: Wording,
    pub clock: Clock,
    /// For delays.
    pub seed: u64,
    /// Certificates to trust beside those of the system.
    pub extra_roots: Option<ExtraRoots>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("wording", &self.wording)
            .finish_non_exhaustive()
    }
}

/// What became of the messages to one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deliveries {
    /// The service, with a number if it is not the first target of it, like `wecom 2`.
    pub name: String,
    pub service: Service,
    pub host: String,
    /// Messages that were taken.
    pub sent: u64,
    /// Messages that were given up.
    pub failed: u64,
    /// Notices that were dropped because too many waited.
    pub dropped: u64,
    /// Notices that wait.
    pub waiting: usize,
    /// When the last message was taken.
    pub last_sent: Option<Timestamp>,
    /// Why the last attempt failed, if it did: what happened and what to do.
    pub problem: Option<String>,
    /// Until when the message is repeated whose last attempt failed.
    pub repeated_until: Option<Timestamp>,
    /// Why the last message that was given up was.
    #[serde(skip)]
    pub given_up: Option<String>,
}

impl Deliveries {
    fn none(name: &str, target: &Target) -> Self {
        Self {
            name: name.to_owned(),
            service: target.service(),
            host: target.host().to_owned(),
            sent: 0,
            failed: 0,
            dropped: 0,
            waiting: 0,
            last_sent: None,
            problem: None,
            repeated_until: None,
            given_up: None,
        }
    }

    /// `wecom 2 at qyapi.weixin.qq.com`.
    pub fn place(&self) -> String {
        let Self { name, host, .. } = self;
        format!("{name} at {host}")
    }
}

/// The queues of all targets. Dropping it drops what waits.
#[derive(Debug)]
pub struct Notifier {
    lanes: Vec<Arc<Lane>>,
    tasks: JoinSet<()>,
    closing: watch::Sender<bool>,
    /// Counts what becomes of messages.
    changes: Arc<watch::Sender<u64>>,
}

struct Lane {
    /// See [`names`].
    name: String,
    target: Target,
    queue: Mutex<Queue>,
    deliveries: Mutex<Deliveries>,
    /// Something was put into the queue.
    filled: Notify,
    /// Whether the last attempt failed, and the message is repeated.
    repeats: AtomicBool,
    changes: Arc<watch::Sender<u64>>,
}

/// Where notices are handed over.
#[derive(Clone, Debug)]
pub struct Outlet {
    lanes: Vec<Arc<Lane>>,
    changes: Arc<watch::Sender<u64>>,
}

impl Notifier {
    /// Starts the tasks, on the runtime that this is called on. Opens no connection.
    pub fn start(targets: Vec<Target>, options: &Options) -> Result<Self, HttpError> {
        let extra = options.extra_roots.as_ref();
        let posts: Vec<Http> = targets
            .iter()
            .map(|target| Http::new(target, extra))
            .collect::<Result<_, _>>()?;
        Ok(Self::over(targets.into_iter().zip(posts), options))
    }

    pub(super) fn over<P: Post>(
        targets: impl IntoIterator<Item = (Target, P)>,
        options: &Options,
    ) -> Self {
        let (closing, closed) = watch::channel(false);
        let random = Arc::new(Random::new(options.seed));
        let mut notifier = Self {
            lanes: Vec::new(),
            tasks: JoinSet::new(),
            closing,
            changes: Arc::new(watch::Sender::new(0)),
        };
        let (targets, posts): (Vec<_>, Vec<_>) = targets.into_iter().unzip();
        let names = names(&targets);
        for ((target, post), name) in targets.into_iter().zip(posts).zip(names) {
            let deliveries = Deliveries::none(&name, &target);
            let queue = Queue::new(name.clone());
            let lane = Arc::new(Lane {
                name,
                target,
                queue: Mutex::new(queue),
                deliveries: Mutex::new(deliveries),
                filled: Notify::new(),
                repeats: AtomicBool::new(false),
                changes: Arc::clone(&notifier.changes),
            });
            let worker = Worker {
                lane: Arc::clone(&lane),
                post,
                wording: options.wording.clone(),
                clock: Arc::clone(&options.clock),
                random: Arc::clone(&random),
                closed: closed.clone(),
            };
            notifier.lanes.push(lane);
            notifier.tasks.spawn(worker.run());
        }
        notifier
    }

    /// Hands notices over and returns at once.
    pub fn tell(&self, notices: &[Notice]) {
        self.outlet().tell(notices, None);
    }

    /// For who tells from another task.
    pub fn outlet(&self) -> Outlet {
        Outlet {
            lanes: self.lanes.clone(),
            changes: Arc::clone(&self.changes),
        }
    }

    /// What became of the messages, by target.
    pub fn deliveries(&self) -> Vec<Deliveries> {
        let of = |lane: &Arc<Lane>| Deliveries {
            waiting: lock(&lane.queue).len(),
            ..lock(&lane.deliveries).clone()
        };
        self.lanes.iter().map(of).collect()
    }

    /// Sends what waits, each message once more, and ends; at the latest after this time.
    pub async fn finish(mut self, within: Duration) {
        self.closing.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(within, ended).await.is_err() {
            tracing::warn!("some notifications were not sent before the end");
        }
    }
}

impl Outlet {
    /// Hands notices over and returns at once: to all targets, or to those with these names.
    pub fn tell(&self, notices: &[Notice], to: Option<&BTreeSet<String>>) -> Vec<Ticket> {
        let lanes = self.lanes.iter();
        let is_meant = |lane: &&Arc<Lane>| to.is_none_or(|to| to.contains(&lane.name));
        let lanes: Vec<_> = lanes.filter(is_meant).collect();
        let names: BTreeSet<_> = lanes.iter().map(|lane| lane.name.clone()).collect();
        let waiting = notices.iter().map(|notice| Waiting {
            notice: notice.clone(),
            ticket: Ticket::new(names.clone()),
        });
        let waiting: Vec<_> = waiting.collect();
        for lane in lanes {
            lane.put(&waiting);
        }
        waiting.into_iter().map(|one| one.ticket).collect()
    }

    /// The names of all targets, like `wecom 2`.
    pub fn names(&self) -> BTreeSet<String> {
        self.lanes.iter().map(|lane| lane.name.clone()).collect()
    }

    /// Counts whenever something has become of a message.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until a target has taken each of them, and a moment for the other targets; or until none will do so soon.
    pub async fn taken(&self, tickets: &[Ticket]) {
        // The first look is after this.
        let mut changes = self.changes();
        while !tickets.iter().all(Ticket::is_taken) {
            if self.have_ended(tickets) || changes.changed().await.is_err() {
                return;
            }
        }
        let others =
            async { while !self.have_ended(tickets) && changes.changed().await.is_ok() {} };
        // What is left then takes longer.
        drop(timeout(OTHERS, others).await);
    }

    /// Whether each target has taken them, has given them up, or is repeating something.
    fn have_ended(&self, tickets: &[Ticket]) -> bool {
        self.lanes.iter().all(|lane| {
            lane.repeats.load(Ordering::SeqCst)
                || !tickets.iter().any(|ticket| ticket.is_open(&lane.name))
        })
    }
}

impl Lane {
    fn put(&self, waiting: &[Waiting]) {
        let mut queue = lock(&self.queue);
        let dropped: u64 = waiting.iter().map(|one| queue.put(one.clone())).sum();
        drop(queue);
        lock(&self.deliveries).dropped += dropped;
        self.filled.notify_one();
    }

    fn take(&self) -> Vec<Waiting> {
        lock(&self.queue).take(self.target.service().batch())
    }

    fn repeats(&self, repeats: bool) {
        self.repeats.store(repeats, Ordering::SeqCst);
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A message has ended for this target. `None` if it would be repeated, if the program went on.
    fn ended(&self, waiting: &[Waiting], how: Option<End>) {
        lock(&self.queue).ended(waiting, how);
        self.repeats(false);
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.target, f)
    }
}

struct Worker<P> {
    lane: Arc<Lane>,
    post: P,
    wording: Wording,
    clock: Clock,
    random: Arc<Random>,
    closed: watch::Receiver<bool>,
}

impl<P: Post> Worker<P> {
    async fn run(mut self) {
        let spacing = self.lane.target.service().spacing();
        loop {
            let waiting = self.lane.take();
            if !waiting.is_empty() {
                let notices: Vec<_> = waiting.iter().map(|one| one.notice.clone()).collect();
                let how = self.deliver(&notices).await;
                self.lane.ended(&waiting, how);
                self.rest(spacing).await;
            } else if self.is_closed() {
                return;
            } else {
                tokio::select! {
                    () = self.lane.filled.notified() => {}
                    () = closes(&mut self.closed) => {}
                }
            }
        }
    }

    /// Sends one message until it is taken, refused or too old. `None` if it ends because the program does.
    async fn deliver(&mut self, notices: &[Notice]) -> Option<End> {
        let target = self.lane.target.clone();
        let name = self.wording.name.as_deref();
        let message = Message {
            id: notices.first().map(|one| one.id(name)).unwrap_or_default(),
            body: target.service().message(notices, &self.wording),
        };
        let ends = Instant::now() + GIVES_UP;
        let repeated_until = (self.clock)().plus(GIVES_UP.as_secs().cast_signed());
        let mut attempt = 0;
        loop {
            let was_closed = self.is_closed();
            let Some(request) = request(&target, &message, (self.clock)()) else {
                return Some(End::GivenUp);
            };
            let answer = self.post.post(request).await;
            let judged = answer.and_then(|answer| target.service().judge(&answer));
            let Err(failure) = judged else {
                let mut deliveries = lock(&self.lane.deliveries);
                deliveries.sent += 1;
                deliveries.last_sent = Some((self.clock)());
                deliveries.problem = None;
                deliveries.repeated_until = None;
                return Some(End::Taken);
            };
            attempt += 1;
            let problem = failure.sentence(target.redactor());
            let wait = delay(attempt, self.random.fraction()) * SLOWER;
            let left = ends.saturating_duration_since(Instant::now());
            // Whatever the service asks for, the last attempt is made at the end.
            let wait = wait.max(failure.after.unwrap_or_default()).min(left);
            let is_over = !failure.passing || left.is_zero();
            let gives_up = is_over || was_closed;
            {
                let mut deliveries = lock(&self.lane.deliveries);
                deliveries.problem = Some(problem.clone());
                deliveries.repeated_until = (!gives_up).then_some(repeated_until);
                if gives_up {
                    deliveries.failed += 1;
                    deliveries.given_up = Some(problem.clone());
                }
            }
            let to = &self.lane.name;
            if gives_up {
                tracing::info!(%target, to, attempt, "a notification was not delivered: {problem}");
                return is_over.then_some(End::GivenUp);
            }
            tracing::info!(%target, to, attempt, ?wait, "a notification is repeated: {problem}");
            self.lane.repeats(true);
            self.rest(wait).await;
        }
    }

    fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Waits, but not while the program ends.
    async fn rest(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        tokio::select! {
            () = sleep_until(until) => {}
            () = closes(&mut self.closed) => {}
        }
    }
}

/// Returns when the notifier finishes, or is gone.
async fn closes(closed: &mut watch::Receiver<bool>) {
    // An error means that it is gone, and with it this task.
    let _ended = closed.wait_for(|closed| *closed).await.is_ok();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
