//! Delivers notices in the background: a queue and a task for each target.
//!
//! [`Notifier::tell`] never waits. A queue is bounded, a newer notice replaces an older one about the same condition, and
//! what waits is sent as one message. A failure that may pass is repeated with a growing delay, at most for
//! [`GIVES_UP`]; any other ends the message. Both are logged and counted, and end nothing else.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::memory::Notice;
use super::send::{Http, Message, Post, request};
use super::service::Service;
use super::target::Target;
use super::words::Wording;
use crate::client::retry::delay;
use crate::client::{ExtraRoots, HttpError, Random};
use crate::model::Timestamp;

/// How many notices wait for a target. Beyond that the oldest are dropped.
const MOST_WAITING: usize = 200;
/// How long a message is repeated.
const GIVES_UP: Duration = Duration::from_secs(3_600);
/// The delays of [`delay`], times this: 5 s, 10 s … 5 min.
const SLOWER: u32 = 10;

/// The time of day, for signatures.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a [`Notifier`] needs besides its targets.
pub struct Options {
    pub wording: Wording,
    pub clock: Clock,
    /// For the ids of messages and for delays. Ids of two programs must differ.
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
}

impl Deliveries {
    fn none(target: &Target) -> Self {
        Self {
            service: target.service(),
            host: target.host().to_owned(),
            sent: 0,
            failed: 0,
            dropped: 0,
            waiting: 0,
            last_sent: None,
            problem: None,
            repeated_until: None,
        }
    }
}

/// The queues of all targets. Dropping it drops what waits.
#[derive(Debug)]
pub struct Notifier {
    lanes: Vec<Arc<Lane>>,
    tasks: JoinSet<()>,
    closing: watch::Sender<bool>,
}

struct Lane {
    target: Target,
    queue: Mutex<VecDeque<Notice>>,
    deliveries: Mutex<Deliveries>,
    /// Something was put into the queue.
    filled: Notify,
    activity: watch::Sender<Activity>,
}

/// What a lane is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// Nothing waits.
    Idle,
    /// Something waits, or is being sent.
    Busy,
    /// The last attempt failed, and the message is repeated.
    Repeats,
}

/// Where notices are handed over.
#[derive(Clone, Debug)]
pub struct Outlet {
    lanes: Vec<Arc<Lane>>,
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
        };
        for (target, post) in targets {
            let deliveries = Deliveries::none(&target);
            let lane = Arc::new(Lane {
                target,
                queue: Mutex::default(),
                deliveries: Mutex::new(deliveries),
                filled: Notify::new(),
                activity: watch::Sender::new(Activity::Idle),
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
        self.outlet().tell(notices);
    }

    /// For who tells from another task.
    pub fn outlet(&self) -> Outlet {
        Outlet {
            lanes: self.lanes.clone(),
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
    /// Hands notices over and returns at once.
    pub fn tell(&self, notices: &[Notice]) {
        if notices.is_empty() {
            return;
        }
        for lane in &self.lanes {
            lane.put(notices);
        }
    }

    /// How many messages each target has taken so far.
    pub fn sent(&self) -> Vec<u64> {
        let lanes = self.lanes.iter();
        lanes.map(|lane| lock(&lane.deliveries).sent).collect()
    }

    /// Waits until a target has taken something since then, and has nothing more to send. Whether one did: otherwise all
    /// of them have given up or, without patience, have failed at the first attempt.
    pub async fn taken(&self, before: Vec<u64>, is_patient: bool) -> bool {
        let lanes = self.lanes.iter().zip(before);
        let mut lanes: FuturesUnordered<_> = lanes
            .map(|(lane, before)| async move {
                // The lane keeps the sender.
                let mut activity = lane.activity.subscribe();
                let ends = |now: &Activity| match now {
                    Activity::Idle => true,
                    Activity::Busy => false,
                    Activity::Repeats => !is_patient,
                };
                let ended = activity.wait_for(ends).await.map(|now| *now);
                ended.is_ok_and(|now| now == Activity::Idle) && lock(&lane.deliveries).sent > before
            })
            .collect();
        while let Some(is_taken) = lanes.next().await {
            if is_taken {
                return true;
            }
        }
        false
    }
}

impl Lane {
    fn put(&self, notices: &[Notice]) {
        let mut dropped = 0;
        let mut queue = lock(&self.queue);
        for notice in notices {
            queue.retain(|waiting| waiting.condition.key != notice.condition.key);
            if queue.len() == MOST_WAITING {
                queue.pop_front();
                dropped += 1;
            }
            queue.push_back(notice.clone());
        }
        self.activity.send_if_modified(|now| {
            let is_idle = *now == Activity::Idle;
            if is_idle {
                *now = Activity::Busy;
            }
            is_idle
        });
        drop(queue);
        lock(&self.deliveries).dropped += dropped;
        self.filled.notify_one();
    }

    fn take(&self) -> Vec<Notice> {
        let mut queue = lock(&self.queue);
        let count = queue.len().min(self.target.service().batch());
        queue.drain(..count).collect()
    }

    /// A message has ended.
    fn rests(&self) {
        let queue = lock(&self.queue);
        self.activity.send_replace(if queue.is_empty() {
            Activity::Idle
        } else {
            Activity::Busy
        });
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
            let notices = self.lane.take();
            if !notices.is_empty() {
                self.deliver(&notices).await;
                self.lane.rests();
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

    /// Sends one message until it is taken, refused or too old.
    async fn deliver(&mut self, notices: &[Notice]) {
        let target = self.lane.target.clone();
        let message = Message {
            id: format!("msg_{:016x}{:016x}", self.random.next(), self.random.next()),
            body: target.service().message(notices, &self.wording),
        };
        let ends = Instant::now() + GIVES_UP;
        let repeated_until = (self.clock)().plus(GIVES_UP.as_secs().cast_signed());
        let mut attempt = 0;
        loop {
            let was_closed = self.is_closed();
            let Some(request) = request(&target, &message, (self.clock)()) else {
                return;
            };
            let answer = self.post.post(request).await;
            let judged = answer.and_then(|answer| target.service().judge(&answer));
            let Err(failure) = judged else {
                let mut deliveries = lock(&self.lane.deliveries);
                deliveries.sent += 1;
                deliveries.last_sent = Some((self.clock)());
                deliveries.problem = None;
                deliveries.repeated_until = None;
                return;
            };
            attempt += 1;
            let problem = failure.sentence(target.redactor());
            let wait = delay(attempt, self.random.fraction()) * SLOWER;
            let wait = wait.max(failure.after.unwrap_or_default());
            let gives_up = !failure.passing || was_closed || Instant::now() + wait > ends;
            {
                let mut deliveries = lock(&self.lane.deliveries);
                deliveries.failed += u64::from(gives_up);
                deliveries.problem = Some(problem.clone());
                deliveries.repeated_until = (!gives_up).then_some(repeated_until);
            }
            if gives_up {
                tracing::info!(%target, attempt, "a notification was not delivered: {problem}");
                return;
            }
            tracing::info!(%target, attempt, ?wait, "a notification is repeated: {problem}");
            self.lane.activity.send_replace(Activity::Repeats);
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
