//! Where a state is kept: reading it, and becoming its only writer.

pub(crate) mod patience;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Environment, Recorded};
use crate::state::load::{Loaded, Snapshot};
use crate::state::local::{Files, Local, RealFiles, followed};
use crate::state::locked::Locked;
use crate::state::log::{Log, Logged};
use crate::state::medium::{Attempt, Hold, Medium};
use crate::state::{LockOwner, StateError, Version, format};

pub use self::patience::Patience;

/// A journal smaller than this is not folded into the snapshot while an apply runs.
const CHECKPOINT_FLOOR: u64 = 16 << 20;

/// What a new holder expects to find.
#[derive(Clone, Copy)]
enum Want {
    /// A state, or nothing yet.
    State,
    /// Nothing, or a note that the state has moved away.
    Vacancy,
}

/// One state in one medium.
#[derive(Clone)]
pub struct Store {
    medium: Arc<dyn Medium>,
    checkpoint_floor: u64,
}

impl Store {
    /// The state in this file of the operating system's. When that is a symbolic link, the state and
    /// all that belongs to it are where it leads, also when nothing is there yet: writing would put a
    /// file in the place of the link.
    pub fn on_disk(state: impl AsRef<Path>) -> Self {
        Self::in_files(RealFiles, followed(state.as_ref()))
    }

    /// The state in this file of a file system. Nothing is read yet.
    pub fn in_files(files: impl Files, state: impl Into<PathBuf>) -> Self {
        Self::of(Arc::new(Local::new(files, state)))
    }

    /// The state in this log.
    pub(crate) fn in_log(log: Arc<dyn Log>) -> Self {
        Self::of(Arc::new(Logged::new(log)))
    }

    pub(super) fn of(medium: Arc<dyn Medium>) -> Self {
        Self {
            medium,
            checkpoint_floor: CHECKPOINT_FLOOR,
        }
    }

    /// Folds the journal into the snapshot when it is larger than the snapshot and this many bytes,
    /// instead of 16 MiB.
    #[must_use]
    pub fn checkpoint_above(mut self, bytes: u64) -> Self {
        self.checkpoint_floor = bytes;
        self
    }

    /// What is recorded, or `None` before the first apply. Takes no lock: see [`Store::read`].
    pub async fn peek(&self) -> Result<Option<Recorded>, StateError> {
        let loaded = self.medium.load().await?;
        Ok(loaded.map(|loaded| loaded.recorded))
    }

    /// The snapshots that are kept, the newest first. Takes no lock.
    ///
    /// # Errors
    /// [`StateError::Remote`] also where the protocol of the store has no request for it.
    pub async fn history(&self) -> Result<Vec<Version>, StateError> {
        self.medium.history().await
    }

    /// What was recorded at this serial; `None` when no snapshot with it is kept. Takes no lock.
    ///
    /// # Errors
    /// Those of [`Store::history`], and those of reading a state.
    pub async fn version(&self, serial: u64) -> Result<Option<Recorded>, StateError> {
        self.medium.version(serial).await
    }

    /// After how long a silent owner of the lock is taken over; `None` where a dead one leaves no lock.
    pub fn lease(&self) -> Option<Duration> {
        self.medium.lease()
    }

    /// How often [`Store::holder`] may be asked by who runs all the time; `None` when that costs too much.
    pub fn watch(&self) -> Option<Duration> {
        self.medium.watch()
    }

    /// Who holds the lock, as far as is known. Takes no lock itself, so an owner that died without freeing
    /// it is named too.
    pub async fn holder(&self) -> Option<LockOwner> {
        self.medium.holder().await
    }

    /// What is recorded; nothing before the first apply.
    ///
    /// Takes no lock, so an apply may be writing meanwhile. What comes back is what was recorded at
    /// one moment of the reading.
    pub async fn read(&self, environment: Environment) -> Result<Recorded, StateError> {
        let recorded = self.peek().await?;
        self.of_environment(recorded, environment)
    }

    /// Takes the lock and reads what is recorded, waiting for the lock with this patience. Where an owner may have
    /// died without a trace, it waits until that is known, however short the timeout. `waiting` gets the owner,
    /// whenever it changes.
    ///
    /// # Errors
    ///
    /// [`StateError::Locked`] when the time is over, and whatever reading meets.
    pub async fn lock(
        &self,
        environment: Environment,
        owner: &LockOwner,
        patience: impl Into<Patience>,
        waiting: impl FnMut(Option<&LockOwner>) + Send,
    ) -> Result<Locked, StateError> {
        self.take((environment, Want::State), owner, patience.into(), waiting)
            .await
    }

    /// Like [`Store::lock`], for a state that is to come here from elsewhere.
    ///
    /// # Errors
    ///
    /// [`StateError::Occupied`] when there is one already. One that was moved away does not count.
    pub async fn lock_vacant(
        &self,
        environment: Environment,
        owner: &LockOwner,
        patience: impl Into<Patience>,
        waiting: impl FnMut(Option<&LockOwner>) + Send,
    ) -> Result<Locked, StateError> {
        self.take(
            (environment, Want::Vacancy),
            owner,
            patience.into(),
            waiting,
        )
        .await
    }

    async fn take(
        &self,
        (environment, want): (Environment, Want),
        owner: &LockOwner,
        patience: Patience,
        waiting: impl FnMut(Option<&LockOwner>) + Send,
    ) -> Result<Locked, StateError> {
        let (mut hold, left) = self.acquire(owner, patience, waiting).await?;
        match self.find(environment, want, hold.as_mut()).await {
            Ok((recorded, snapshot, has_journal)) => Ok(Locked::new(
                (hold, left),
                (self.medium.place(), self.checkpoint_floor),
                recorded,
                (snapshot, has_journal),
            )),
            Err(error) => {
                // The first error is the one to report; the lock is free either way.
                drop(hold.release().await);
                Err(error)
            }
        }
    }

    /// Takes the lock, waiting for it with this patience, and until it is known whether its owner is alive. Reports
    /// each owner that it waits for once.
    async fn acquire(
        &self,
        owner: &LockOwner,
        mut patience: Patience,
        mut waiting: impl FnMut(Option<&LockOwner>) + Send,
    ) -> Result<(Box<dyn Hold>, Option<LockOwner>), StateError> {
        let deadline = Instant::now().checked_add(patience.timeout);
        let mut reported = None;
        loop {
            let (theirs, known_in) = match self.medium.hold(owner).await? {
                Attempt::Ours(hold, left) => return Ok((hold, left)),
                Attempt::Theirs { owner, known_in } => (owner, known_in),
            };
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.map(|left| left.max(known_in.unwrap_or_default()));
            if patience.is_over() || left.is_some_and(|left| left.is_zero()) {
                return Err(StateError::Locked {
                    place: self.medium.place(),
                    owner: theirs.map(Box::new),
                });
            }
            if reported.as_ref() != Some(&theirs) {
                waiting(theirs.as_ref());
                reported = Some(theirs);
            }
            let poll = self.medium.poll();
            patience
                .sleep(left.map_or(poll, |left| left.min(poll)))
                .await;
        }
    }

    /// What the holder of the lock finds.
    async fn find(
        &self,
        environment: Environment,
        want: Want,
        hold: &mut dyn Hold,
    ) -> Result<(Recorded, Snapshot, bool), StateError> {
        let loaded = match (self.medium.load().await, want) {
            (Ok(Some(_)), Want::Vacancy) => {
                return Err(StateError::Occupied {
                    place: self.medium.place(),
                });
            }
            (Err(StateError::Moved { .. }), Want::Vacancy) => None,
            (loaded, Want::Vacancy | Want::State) => loaded?,
        };
        let (recorded, snapshot, has_journal) = match loaded {
            Some(Loaded {
                recorded,
                snapshot,
                has_journal,
            }) => (Some(recorded), snapshot, has_journal),
            None => (None, Snapshot::default(), false),
        };
        let recorded = self.of_environment(recorded, environment)?;
        format::check_room(&recorded).map_err(|problem| StateError::Corrupt {
            place: self.medium.place(),
            part: crate::state::Part::Snapshot,
            line: None,
            problem,
        })?;
        hold.prepare().await?;
        Ok((recorded, snapshot, has_journal))
    }

    /// Frees the lock with this id, whose owner is gone; see [`StateError::OwnerAlive`] for the case
    /// that it is not. `host` is the name of this machine as [`LockOwner::host`] has it.
    pub async fn unlock(&self, id: &str, host: &str) -> Result<LockOwner, StateError> {
        self.medium.break_hold(id, host).await
    }

    /// What [`Store::peek`] gave, if it is of this environment; nothing before the first apply.
    pub fn of_environment(
        &self,
        recorded: Option<Recorded>,
        environment: Environment,
    ) -> Result<Recorded, StateError> {
        match recorded {
            None => Ok(Recorded::nothing(environment)),
            Some(recorded) if recorded.environment == environment => Ok(recorded),
            Some(recorded) => Err(StateError::Environment {
                place: self.medium.place(),
                recorded: recorded.environment,
                configured: environment,
            }),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("medium", &self.medium)
            .finish_non_exhaustive()
    }
}
