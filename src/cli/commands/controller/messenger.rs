//! Hands notices over to be sent, each of them once however many replicas notice the same.
//!
//! The state records what was told. The lock of the state is held from looking there until it is recorded that a chat took
//! the message, so that no other replica tells it meanwhile. Neither bad news nor another run waits for long: without the
//! lock or the state, or when every chat fails, the message is sent without this, and recorded later. Then another replica
//! may send it too.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::process::owner;
use crate::cli::terminal::log::Log;
use crate::notify::{Key, Notice, Outlet};
use crate::state::{Locked, Store};

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
/// How long freeing the lock may take at the end.
const GRACE: Duration = Duration::from_secs(1);

/// What it needs to know.
pub(super) struct Place {
    pub(super) store: Store,
    pub(super) command: String,
    pub(super) log: Log,
}

/// The other end of the task.
#[derive(Debug)]
pub(super) struct Messenger {
    notices: mpsc::UnboundedSender<Vec<Notice>>,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Messenger {
    /// Starts the task.
    pub(super) fn start(place: Place, outlet: Outlet) -> Self {
        let (notices, given) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(false);
        let task = Task {
            place,
            outlet,
            closed,
            unrecorded: BTreeSet::new(),
            late: None,
        };
        Self {
            notices,
            closing,
            task: tokio::spawn(task.run(given)),
        }
    }

    /// Hands notices over and returns at once.
    pub(super) fn tell(&self, notices: Vec<Notice>) {
        if !notices.is_empty() {
            // The task lives as long as this.
            drop(self.notices.send(notices));
        }
    }

    /// Hands over what is left, whoever else tells it, and frees the lock.
    pub(super) async fn finish(self) {
        self.closing.send_replace(true);
        drop(self.notices);
        drop(timeout(GRACE, self.task).await);
    }
}

struct Task {
    place: Place,
    outlet: Outlet,
    closed: watch::Receiver<bool>,
    /// What was told last about these is not recorded: the state says nothing of them.
    unrecorded: BTreeSet<Key>,
    late: Option<Late>,
}

/// What is recorded once a target takes it.
struct Late {
    notices: Vec<Notice>,
    /// What the targets had taken before.
    before: Vec<u64>,
    /// When the state is worth a try.
    from: Instant,
}

impl Task {
    async fn run(mut self, mut given: mpsc::UnboundedReceiver<Vec<Notice>>) {
        loop {
            let (outlet, late) = (self.outlet.clone(), self.late.as_ref());
            let late = late.map(|late| (late.before.clone(), late.from));
            let is_late = late.is_some();
            let taken = async move {
                let (before, from) = late.unwrap_or_else(|| (Vec::new(), Instant::now()));
                sleep_until(from).await;
                outlet.taken(before, true).await
            };
            tokio::select! {
                notices = given.recv() => match notices {
                    None => return,
                    Some(mut notices) => {
                        while let Ok(more) = given.try_recv() {
                            notices.extend(more);
                        }
                        self.tell(notices).await;
                    }
                },
                is_taken = taken, if is_late => match self.late.take() {
                    Some(late) if is_taken => self.record_late(late).await,
                    Some(_) | None => {}
                },
            }
        }
    }

    async fn tell(&mut self, notices: Vec<Notice>) {
        let Some(state) = self.lock_in_time().await else {
            let before = self.outlet.sent();
            self.outlet.tell(&notices);
            self.late(notices, before);
            return;
        };
        let now = SystemClock.now();
        let new: Vec<_> = notices
            .into_iter()
            .filter(|one| {
                let key = &one.condition.key;
                let is_told = !self.unrecorded.contains(key)
                    && state.read(|recorded| one.is_told(&recorded.told, now));
                if is_told {
                    tracing::info!(
                        "`{key}` was told already, by another replica or before a restart"
                    );
                }
                !is_told
            })
            .collect();
        if !new.is_empty() {
            let before = self.outlet.sent();
            self.outlet.tell(&new);
            let mut closed = self.closed.clone();
            let is_taken = tokio::select! {
                is_taken = timeout(SENDING, self.outlet.taken(before.clone(), false)) => is_taken.unwrap_or(false),
                _ = closed.wait_for(|closed| *closed) => false,
            };
            if is_taken && record(&new, &state).await {
                self.recorded(&new);
            } else {
                self.late(new, before);
            }
        }
        release(state).await;
    }

    /// What the targets have is recorded later.
    fn late(&mut self, mut notices: Vec<Notice>, before: Vec<u64>) {
        let keys: BTreeSet<_> = notices
            .iter()
            .map(|one| one.condition.key.clone())
            .collect();
        // The newest says what is true.
        let earlier = self.late.take().into_iter().flat_map(|late| late.notices);
        notices.extend(earlier.filter(|one| !keys.contains(&one.condition.key)));
        self.unrecorded.extend(keys);
        self.late = Some(Late {
            notices,
            before,
            from: Instant::now(),
        });
    }

    /// A target has taken it now.
    async fn record_late(&mut self, late: Late) {
        let Some(state) = self.lock_in_time().await else {
            let from = Instant::now() + AGAIN;
            self.late = Some(Late { from, ..late });
            return;
        };
        if record(&late.notices, &state).await {
            self.recorded(&late.notices);
        }
        release(state).await;
    }

    fn recorded(&mut self, notices: &[Notice]) {
        for notice in notices {
            self.unrecorded.remove(&notice.condition.key);
        }
    }

    /// The lock of the state, if it can be had before this ends.
    async fn lock_in_time(&self) -> Option<Locked> {
        let mut closed = self.closed.clone();
        tokio::select! {
            locked = timeout(PATIENCE, self.lock()) => locked.ok().flatten(),
            _ = closed.wait_for(|closed| *closed) => None,
        }
    }

    /// Takes the lock of a state that there is.
    async fn lock(&self) -> Option<Locked> {
        let Place {
            store,
            command,
            log,
        } = &self.place;
        let known = timeout(READ_PATIENCE, store.peek()).await.ok()?.ok()??;
        known.lineage?;
        let owner = owner::this_process(command).ok()?;
        let locked = store
            .lock(known.environment, &owner, LOCK_PATIENCE, |_| {})
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

/// Records that these were told, unless another replica has recorded it. Whether it is recorded.
async fn record(notices: &[Notice], state: &Locked) -> bool {
    let now = SystemClock.now();
    state.edit(|recorded| {
        let mut changes = false;
        for notice in notices {
            if !notice.is_told(&recorded.told, now) {
                notice.record(&mut recorded.told, now);
                changes = true;
            }
        }
        changes
    });
    match state.save().await {
        Ok(_) => true,
        Err(error) => {
            tracing::info!("a notification was not recorded: {error}");
            false
        }
    }
}

async fn release(state: Locked) {
    if let Err(error) = state.release().await {
        tracing::info!("the lock was not freed after a notification: {error}");
    }
}
