//! Where a state is kept: reading it, and taking the lock to write it.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::io;
use super::journal::Journal;
use super::locked::Locked;
use super::paths::{followed, temporary};
use super::place;
use super::synced::placeholder;
use super::{Files, LockOwner, Paths, RealFiles, StateError, format, lock};
use crate::model::{Environment, Recorded};

/// A journal smaller than this is not folded into the snapshot while an apply runs.
const CHECKPOINT_FLOOR: u64 = 16 << 20;

/// One state on one file system.
#[derive(Clone)]
pub struct Store<F: Files> {
    files: F,
    paths: Paths,
    checkpoint_floor: u64,
}

/// What was found on disk.
pub(super) struct Loaded {
    /// Snapshot and journal together, with every call on its way counted as lost.
    pub(super) recorded: Recorded,
    /// Of the snapshot alone.
    pub(super) snapshot: Snapshot,
    /// Whether there is a journal file, of use or not.
    pub(super) has_journal: bool,
}

/// A snapshot on disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Snapshot {
    /// Its serial; 0 when there is none.
    pub(super) serial: u64,
    /// Its size.
    pub(super) bytes: u64,
}

impl Store<RealFiles> {
    /// The state in this file of the operating system's. When that is a symbolic link, the state and
    /// all that belongs to it are where it leads, also when nothing is there yet: writing would put a
    /// file in the place of the link.
    pub fn on_disk(state: impl AsRef<Path>) -> Self {
        Self::new(RealFiles, followed(state.as_ref()))
    }

    /// Refuses a state whose folder is not there: the path may be mistyped, or a disk not mounted.
    pub fn check_folder(&self) -> Result<(), StateError> {
        let folder = self.paths.folder();
        let problem = match folder.metadata() {
            Ok(found) if found.is_dir() => return Ok(()),
            Ok(_) => "is not a folder",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist",
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => "is not a folder",
            // Whoever opens the state says it better.
            Err(_) => return Ok(()),
        };
        Err(StateError::NoFolder {
            state: self.paths.state.clone(),
            folder: folder.to_owned(),
            problem,
        })
    }
}

impl<F: Files> Store<F> {
    /// The state in this file. Nothing is read yet.
    pub fn new(files: F, state: impl Into<PathBuf>) -> Self {
        Self {
            files,
            paths: Paths::beside(state),
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

    /// Its files.
    pub const fn paths(&self) -> &Paths {
        &self.paths
    }

    /// What is recorded, or `None` before the first apply. Takes no lock: see [`Store::read`].
    pub async fn peek(&self) -> Result<Option<Recorded>, StateError> {
        Ok(self.load().await?.map(|loaded| loaded.recorded))
    }

    /// Who holds the lock, as its file says. Takes no lock itself, so an owner that died without freeing
    /// it is named too.
    pub async fn holder(&self) -> Option<LockOwner> {
        let (files, path) = (self.files.clone(), self.paths.lock.clone());
        self.files
            .run(move || lock::read_owner(&files, &path))
            .await
    }

    /// What is recorded; nothing before the first apply.
    ///
    /// Takes no lock, so an apply may be writing meanwhile. What comes back is what was recorded at
    /// one moment of the reading: the journal is opened before the snapshot is read, so a snapshot
    /// that replaces the old one in between makes that journal one that is folded in already, never
    /// one that is ahead.
    pub async fn read(&self, environment: Environment) -> Result<Recorded, StateError> {
        let loaded = self.load().await?;
        let recorded = loaded.map(|loaded| loaded.recorded);
        self.of_environment(recorded, environment)
    }

    /// Takes the lock and reads what is recorded, waiting for the lock up to `timeout`. `waiting` is
    /// told for whom, whenever that changes.
    ///
    /// # Errors
    ///
    /// [`StateError::Locked`] when the time is over, and whatever reading meets.
    pub async fn lock(
        &self,
        environment: Environment,
        owner: &LockOwner,
        timeout: Duration,
        waiting: impl FnMut(Option<&LockOwner>) + Send,
    ) -> Result<Locked<F>, StateError> {
        let (held, left) =
            lock::acquire(&self.files, &self.paths.lock, owner, timeout, waiting).await?;
        let outcome = self.load().await.and_then(|loaded| {
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
                path: self.paths.state.clone(),
                line: None,
                problem,
            })?;
            Ok((recorded, snapshot, has_journal))
        });
        let outcome = match outcome {
            Ok(found) => self.check_place().await.map(|()| found),
            Err(error) => Err(error),
        };
        let (files, path) = (self.files.clone(), self.paths.lock.clone());
        match outcome {
            Ok((recorded, snapshot, has_journal)) => Ok(Locked::new(
                files,
                self.paths.clone(),
                self.checkpoint_floor,
                (held, left),
                recorded,
                (snapshot, has_journal),
            )),
            Err(error) => {
                let unlocked = self.files.run(move || files.unlock(held)).await;
                // The first error is the one to tell; the lock is free either way.
                drop(unlocked.map_err(io("unlocking", &path)));
                Err(error)
            }
        }
    }

    /// Frees the lock with this id, whose owner is gone; see [`StateError::OwnerAlive`] for the case
    /// that it is not. `host` is the name of this machine as [`LockOwner::host`] has it.
    pub async fn unlock(&self, id: &str, host: &str) -> Result<LockOwner, StateError> {
        lock::unlock(&self.files, &self.paths.lock, id, host).await
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
                path: self.paths.state.clone(),
                recorded: recorded.environment,
                configured: environment,
            }),
        }
    }

    /// Refuses to work where what is recorded could not be saved.
    async fn check_place(&self) -> Result<(), StateError> {
        let (files, paths) = (self.files.clone(), self.paths.clone());
        let check = move || {
            place::check(&files, &paths)?;
            let (state, scratch) = (&paths.state, temporary(&paths.state));
            match files
                .hindrance(state, &scratch)
                .map_err(io("creating", &scratch))?
            {
                None => Ok(()),
                Some(hindrance) => Err(StateError::Fixed {
                    path: state.clone(),
                    hindrance,
                }),
            }
        };
        self.files.run(check).await
    }

    async fn load(&self) -> Result<Option<Loaded>, StateError> {
        let (files, paths) = (self.files.clone(), self.paths.clone());
        self.files.run(move || load(&files, &paths)).await
    }
}

impl<F: Files> fmt::Debug for Store<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

fn load<F: Files>(files: &F, paths: &Paths) -> Result<Option<Loaded>, StateError> {
    let Paths {
        state,
        journal,
        lock: _,
        backup,
    } = paths;
    // In this order: see `Store::read`.
    let journal_input = files.open(journal).map_err(io("opening", journal))?;
    let Some(input) = files.open(state).map_err(io("opening", state))? else {
        return match journal_input {
            None => never_there(files, state, backup),
            Some(_) => Err(StateError::StateMissing {
                state: state.clone(),
                journal: journal.clone(),
            }),
        };
    };
    let mut input = Counted { input, bytes: 0 };
    let mut recorded = format::read(state, &mut input)?;
    let snapshot = Snapshot {
        serial: recorded.serial,
        bytes: input.bytes,
    };
    let has_journal = journal_input.is_some();
    if let Some(input) = journal_input {
        replay(Journal::open(journal, input)?, paths, &mut recorded)?;
    }
    recorded.interrupt();
    Ok(Some(Loaded {
        recorded,
        snapshot,
        has_journal,
    }))
}

/// A state that is not there was never there, unless something else says that it was.
fn never_there<F: Files>(
    files: &F,
    state: &Path,
    backup: &Path,
) -> Result<Option<Loaded>, StateError> {
    let is_file = |path: &Path| {
        let kind = files.kind(path).map_err(io("looking at", path))?;
        Ok(kind == place::Kind::File)
    };
    if let Some(placeholder) = placeholder(state)
        && is_file(&placeholder)?
    {
        return Err(StateError::NotDownloaded {
            state: state.to_owned(),
            placeholder,
        });
    }
    // A writer may have made both since.
    if place::is_backup(files, backup)? && !is_file(state)? {
        return Err(StateError::OnlyBackup {
            state: state.to_owned(),
            backup: backup.to_owned(),
        });
    }
    Ok(None)
}

/// Folds a journal into the snapshot it continues.
fn replay<R: Read>(
    journal: Journal<'_, R>,
    paths: &Paths,
    recorded: &mut Recorded,
) -> Result<(), StateError> {
    let (found, base) = (journal.header.lineage, journal.header.base_serial);
    if let Some(expected) = recorded.lineage
        && expected != found
    {
        return Err(StateError::ForeignJournal {
            journal: paths.journal.clone(),
            found,
            expected,
        });
    }
    if base > recorded.serial {
        return Err(StateError::StateOlder {
            state: paths.state.clone(),
            serial: recorded.serial,
            journal: paths.journal.clone(),
            base,
        });
    }
    // A journal of an earlier serial is folded into the snapshot already.
    if base == recorded.serial {
        recorded.serial += journal.replay(recorded)?;
    }
    Ok(())
}

struct Counted<R> {
    input: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.bytes += length as u64;
        Ok(length)
    }
}
