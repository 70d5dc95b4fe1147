//! Hands notices over to be sent, each of them once however many replicas notice the same.
//!
//! The state records what was told. The lock of the state is held from looking there until it is recorded that a chat took
//! the message, so that no other replica tells it meanwhile. Bad news never waits for long: without the lock, or without
//! the state, it is told all the same, and another replica may tell it too.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

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
/// How long the lock is held while messages are sent.
const SENDING: Duration = Duration::from_secs(10);
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
    /// What was told last about these could not be recorded: the state says nothing of them.
    unrecorded: BTreeSet<Key>,
}

impl Task {
    async fn run(mut self, mut given: mpsc::UnboundedReceiver<Vec<Notice>>) {
        while let Some(mut notices) = given.recv().await {
            while let Ok(more) = given.try_recv() {
                notices.extend(more);
            }
            self.tell(notices).await;
        }
    }

    async fn tell(&mut self, notices: Vec<Notice>) {
        let mut closed = self.closed.clone();
        let locked = tokio::select! {
            locked = timeout(PATIENCE, self.lock()) => locked.ok().flatten(),
            _ = closed.wait_for(|closed| *closed) => None,
        };
        let Some(state) = locked else {
            self.outlet.tell(&notices);
            self.unrecorded
                .extend(notices.into_iter().map(|one| one.condition.key));
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
        let is_recorded = new.is_empty() || self.deliver(&new, &state).await;
        for Notice { condition, .. } in new {
            if is_recorded {
                self.unrecorded.remove(&condition.key);
            } else {
                self.unrecorded.insert(condition.key);
            }
        }
        if let Err(error) = state.release().await {
            tracing::info!("the lock was not freed after a notification: {error}");
        }
    }

    /// Whether they are told, and that is recorded.
    async fn deliver(&self, new: &[Notice], state: &Locked) -> bool {
        let mut closed = self.closed.clone();
        let is_told = tokio::select! {
            is_told = self.outlet.deliver(new, SENDING) => is_told,
            _ = closed.wait_for(|closed| *closed) => false,
        };
        if !is_told {
            return false;
        }
        let now = SystemClock.now();
        state.edit(|recorded| {
            for notice in new {
                notice.record(&mut recorded.told, now);
            }
            true
        });
        match state.save().await {
            Ok(_) => true,
            Err(error) => {
                tracing::info!("a notification was not recorded: {error}");
                false
            }
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
