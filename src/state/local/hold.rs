//! Writing a state's files, while the lock is held.
//!
//! A file is written under a temporary name, synced, and renamed into its place; the journal is appended to
//! through the handle that made it. Before anything gets a name the lock is checked: it may have been broken.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;

use super::kind::Kind;
use super::paths::temporary;
use super::surroundings;
use super::{DurableFile as _, Files, Paths, folder_of};
use crate::state::StateError;
use crate::state::error::io;
use crate::state::medium::{Done, Hold, Line};

/// The lock on one state, and what is being written.
pub(super) struct Held<F: Files> {
    files: F,
    work: Arc<Mutex<Work<F>>>,
}

struct Work<F: Files> {
    files: F,
    paths: Paths,
    /// `None` once it was freed.
    lock: Option<F::Lock>,
    /// The journal that is being written.
    journal: Option<F::File>,
    /// Whether the backup was made: it is the state from before this hold.
    has_backup: bool,
}

impl<F: Files> Held<F> {
    pub(super) fn new(files: F, paths: Paths, lock: F::Lock) -> Self {
        let work = Work {
            files: files.clone(),
            paths,
            lock: Some(lock),
            journal: None,
            has_backup: false,
        };
        Self {
            files,
            work: Arc::new(Mutex::new(work)),
        }
    }

    fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Work<F>) -> Result<T, StateError> + Send + 'static,
    ) -> Done<'_, T> {
        let work = Arc::clone(&self.work);
        let run = self
            .files
            .run(move || task(&mut work.lock().unwrap_or_else(PoisonError::into_inner)));
        run.boxed()
    }
}

impl<F: Files> Hold for Held<F> {
    fn prepare(&mut self) -> Done<'_, ()> {
        self.run(Work::prepare)
    }

    fn append(&mut self, line: Line) -> Done<'_, ()> {
        self.run(move |work| work.append(&line))
    }

    fn replace(&mut self, snapshot: Vec<u8>) -> Done<'_, ()> {
        self.run(move |work| work.replace(&snapshot))
    }

    fn forget_journal(&mut self) -> Done<'_, ()> {
        self.run(Work::forget_journal)
    }

    fn release(self: Box<Self>) -> Done<'static, ()> {
        async move { self.run(Work::release).await }.boxed()
    }
}

impl<F: Files> Work<F> {
    fn prepare(&mut self) -> Result<(), StateError> {
        surroundings::check(&self.files, &self.paths)?;
        let (state, scratch) = (&self.paths.state, temporary(&self.paths.state));
        let hindrance = self.files.hindrance(state, &scratch);
        if let Some(hindrance) = hindrance.map_err(io("creating", &scratch))? {
            return Err(StateError::Fixed {
                state: state.into(),
                folder: folder_of(state).into(),
                hindrance,
            });
        }
        // Who wrote the snapshot may have died before its name was durable. A power cut could then keep what
        // is renamed or removed after it, and not the snapshot: an older one would be found, beside a journal
        // that does not continue it, or beside none.
        if self.has_state()? {
            self.sync_folder()?;
        }
        Ok(())
    }

    fn append(&mut self, line: &Line) -> Result<(), StateError> {
        self.check_lock()?;
        let line = match line {
            Line::First(lines) => return self.start_journal(lines),
            Line::Next(line) => line,
        };
        let written = match &mut self.journal {
            Some(journal) => journal.write_all(line).and_then(|()| journal.sync()),
            None => Err(ErrorKind::NotFound.into()),
        };
        written.map_err(io("writing", &self.paths.journal))
    }

    /// Puts a new journal in place with its first lines.
    fn start_journal(&mut self, lines: &[u8]) -> Result<(), StateError> {
        let path = &self.paths.journal;
        let new = temporary(path);
        let created = self.files.create(&new, &self.paths.state);
        let mut journal = created.map_err(io("creating", &new))?;
        journal
            .write_all(lines)
            .and_then(|()| journal.sync())
            .map_err(io("writing", &new))?;
        self.files
            .rename(&new, path)
            .map_err(io("replacing", path))?;
        self.sync_folder()?;
        self.journal = Some(journal);
        Ok(())
    }

    fn replace(&mut self, snapshot: &[u8]) -> Result<(), StateError> {
        let new = temporary(&self.paths.state);
        let outcome = self.try_replace(snapshot, &new);
        if outcome.is_err() {
            // Half a snapshot on a full disk is of no use. If it can't be removed, the next takes its place.
            drop(self.files.remove(&new));
        }
        outcome
    }

    fn try_replace(&mut self, snapshot: &[u8], new: &Path) -> Result<(), StateError> {
        let state = &self.paths.state;
        let mut file = self.files.create(new, state).map_err(io("creating", new))?;
        file.write_all(snapshot)
            .and_then(|()| file.sync())
            .map_err(io("writing", new))?;
        drop(file);
        self.check_lock()?;
        self.keep_backup()?;
        let state = &self.paths.state;
        self.files
            .rename(new, state)
            .map_err(io("replacing", state))?;
        self.sync_folder()?;
        // It continues the snapshot before this one.
        self.journal = None;
        Ok(())
    }

    /// Keeps the snapshot from before this hold.
    fn keep_backup(&mut self) -> Result<(), StateError> {
        if self.has_backup || !self.has_state()? {
            return Ok(());
        }
        let (state, backup) = (&self.paths.state, &self.paths.backup);
        let new = temporary(backup);
        self.files
            .duplicate(state, &new)
            .and_then(|()| self.files.rename(&new, backup))
            .map_err(io("writing", backup))?;
        self.has_backup = true;
        Ok(())
    }

    fn forget_journal(&mut self) -> Result<(), StateError> {
        self.check_lock()?;
        self.journal = None;
        let path = &self.paths.journal;
        self.files.remove(path).map_err(io("removing", path))?;
        self.sync_folder()
    }

    fn release(&mut self) -> Result<(), StateError> {
        match self.lock.take() {
            Some(lock) => {
                let unlocked = self.files.unlock(lock);
                unlocked.map_err(io("unlocking", &self.paths.lock))
            }
            None => Ok(()),
        }
    }

    fn has_state(&self) -> Result<bool, StateError> {
        let state = &self.paths.state;
        let kind = self.files.kind(state).map_err(io("looking at", state))?;
        Ok(kind != Kind::Nothing)
    }

    /// Makes all names durable.
    fn sync_folder(&self) -> Result<(), StateError> {
        let folder = self.paths.folder();
        self.files
            .sync_folder(folder)
            .map_err(io("syncing the folder", folder))
    }

    /// Whether the lock is still ours.
    fn check_lock(&self) -> Result<(), StateError> {
        let path = &self.paths.lock;
        let held = match &self.lock {
            Some(lock) => self
                .files
                .still_locked(lock)
                .map_err(io("checking the lock", path))?,
            None => false,
        };
        if held {
            return Ok(());
        }
        Err(StateError::LockLost { place: path.into() })
    }
}
