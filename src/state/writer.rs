//! What a locked state keeps in memory and on disk, and the order in which it writes.

use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::io;
use super::journal::{self, Chain};
use super::paths::temporary;
use super::store::Snapshot;
use super::{DurableFile, Files, Paths, StateError, format};
use crate::model::{CallId, Intent, Outcome, Recorded, Settled, Timestamp};

/// Everything behind a `Locked`. Work on the disk holds it, and with it the lock, until it is done.
pub(super) struct Inner<F: Files> {
    pub(super) files: F,
    pub(super) paths: Paths,
    checkpoint_floor: u64,
    memory: Mutex<Memory>,
    /// Held while anything is written. Always taken before `memory`.
    pub(super) disk: Arc<tokio::sync::Mutex<Disk<F>>>,
}

/// What is known, and how much of it is durable.
pub(super) struct Memory {
    pub(super) recorded: Recorded,
    /// Journal records that were not written yet, each with a comma before it.
    queue: Vec<u8>,
    /// Numbers every record that was ever queued.
    pub(super) queued: u64,
    /// The last of these that is durable.
    durable: u64,
    /// Why nothing more can be written to the journal.
    pub(super) failure: Option<StateError>,
}

/// What is on disk.
pub(super) struct Disk<F: Files> {
    /// `None` once it was freed.
    lock: Option<F::Lock>,
    snapshot: Snapshot,
    /// The journal that is being written.
    journal: Option<OpenJournal<F::File>>,
    /// Whether there is a file of that name, this one or one from before.
    has_journal: bool,
    /// Whether the snapshot's name is durable. Who wrote it may have died before that.
    named: bool,
    /// Whether the backup was made: it is the state from before this run.
    has_backup: bool,
}

struct OpenJournal<W> {
    file: W,
    chain: Chain,
    bytes: u64,
}

impl Memory {
    /// A call is about to leave.
    pub(super) fn begin(&mut self, intent: &Intent) -> CallId {
        let id = self.recorded.next_call();
        self.recorded.begin(id, intent);
        journal::push_intent(&mut self.queue, id, intent);
        self.count();
        id
    }

    /// A call has ended.
    pub(super) fn settle(
        &mut self,
        id: CallId,
        outcome: &Outcome,
        at: Timestamp,
    ) -> Option<Settled> {
        let settled = self.recorded.settle(id, outcome, at)?;
        journal::push_outcome(&mut self.queue, id, outcome, at);
        self.count();
        Some(settled)
    }

    /// Whether the record with this number is durable, or why it never will be. `None`: not yet.
    pub(super) fn durability(&self, number: u64) -> Option<Result<(), StateError>> {
        if self.durable >= number {
            return Some(Ok(()));
        }
        self.failure.clone().map(Err)
    }

    fn count(&mut self) {
        self.queued += 1;
        self.recorded.serial += 1;
    }
}

impl<F: Files> Disk<F> {
    /// What the holder of the lock found.
    pub(super) const fn found(lock: F::Lock, snapshot: Snapshot, has_journal: bool) -> Self {
        Self {
            lock: Some(lock),
            snapshot,
            journal: None,
            has_journal,
            named: snapshot.serial == 0,
            has_backup: false,
        }
    }
}

impl<F: Files> Inner<F> {
    pub(super) fn new(
        files: F,
        paths: Paths,
        checkpoint_floor: u64,
        recorded: Recorded,
        disk: Disk<F>,
    ) -> Self {
        let memory = Memory {
            recorded,
            queue: Vec::new(),
            queued: 0,
            durable: 0,
            failure: None,
        };
        Self {
            files,
            paths,
            checkpoint_floor,
            memory: Mutex::new(memory),
            disk: Arc::new(tokio::sync::Mutex::new(disk)),
        }
    }

    /// The memory. A panic of somebody who looked at it does not make it wrong.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn uninitialized(&self) -> StateError {
        StateError::Uninitialized {
            path: self.paths.state.clone(),
        }
    }

    /// Whether this record may take the place of ours.
    pub(super) fn check_replacement(&self, new: &Recorded) -> Result<(), StateError> {
        if new.lineage.is_none() || new.salt.is_none() {
            return Err(self.uninitialized());
        }
        format::check_room(new).map_err(|problem| StateError::Corrupt {
            path: self.paths.state.clone(),
            line: None,
            problem,
        })?;
        let recorded = self.memory().recorded.environment;
        if new.environment != recorded {
            return Err(StateError::Environment {
                path: self.paths.state.clone(),
                recorded: new.environment,
                configured: recorded,
            });
        }
        Ok(())
    }

    /// Makes the queue durable. Not after a failure: what of the journal is durable is not known
    /// then, and nothing may be appended to it.
    pub(super) fn write_queue(&self, disk: &mut Disk<F>) -> Result<(), StateError> {
        self.keep_failure(self.try_write_queue(disk))
    }

    /// Writes the snapshot if anything changed, and removes the journal. Returns whether it changed.
    pub(super) fn save(&self, disk: &mut Disk<F>) -> Result<bool, StateError> {
        let changed = self.memory().recorded.serial != disk.snapshot.serial;
        if changed {
            self.keep_failure(self.write_snapshot(disk))?;
        } else {
            self.settle_name(disk)?;
        }
        // One that stays is known by its serial to be folded in.
        drop(self.remove_journal(disk));
        Ok(changed)
    }

    /// Removes a journal that is folded into the snapshot, durably.
    pub(super) fn forget_journal(&self, disk: &mut Disk<F>) -> Result<(), StateError> {
        self.remove_journal(disk)?;
        self.sync_folder()
    }

    fn remove_journal(&self, disk: &mut Disk<F>) -> Result<(), StateError> {
        disk.journal = None;
        if disk.has_journal {
            let path = &self.paths.journal;
            self.files.remove(path).map_err(io("removing", path))?;
            disk.has_journal = false;
        }
        Ok(())
    }

    /// Makes the snapshot's name durable before anything else relies on it. A power cut could keep what
    /// was renamed or removed after it, and not the snapshot: an older one would be found then, beside a
    /// journal that does not continue it, or beside none.
    fn settle_name(&self, disk: &mut Disk<F>) -> Result<(), StateError> {
        if !disk.named {
            self.sync_folder()?;
            disk.named = true;
        }
        Ok(())
    }

    /// Makes all names durable.
    fn sync_folder(&self) -> Result<(), StateError> {
        let folder = self.paths.folder();
        self.files
            .sync_folder(folder)
            .map_err(io("syncing the folder", folder))
    }

    /// Frees the lock.
    pub(super) fn release(&self, disk: &mut Disk<F>) -> Result<(), StateError> {
        match disk.lock.take() {
            Some(lock) => self
                .files
                .unlock(lock)
                .map_err(io("unlocking", &self.paths.lock)),
            None => Ok(()),
        }
    }

    fn keep_failure<T>(&self, outcome: Result<T, StateError>) -> Result<T, StateError> {
        if let Err(error) = &outcome {
            self.memory().failure.get_or_insert_with(|| error.clone());
        }
        outcome
    }

    fn try_write_queue(&self, disk: &mut Disk<F>) -> Result<(), StateError> {
        self.check_lock(disk)?;
        if self.needs_snapshot(disk) {
            self.write_snapshot(disk)?;
        }
        let (records, number, lineage) = {
            let mut memory = self.memory();
            let records = std::mem::take(&mut memory.queue);
            (records, memory.queued, memory.recorded.lineage)
        };
        if records.is_empty() {
            return Ok(());
        }
        if let Some(journal) = &mut disk.journal {
            let line = journal::batch(&mut journal.chain, &records);
            journal
                .append(&line)
                .map_err(io("writing", &self.paths.journal))?;
        } else {
            let lineage = lineage.ok_or_else(|| self.uninitialized())?;
            let mut chain = Chain::default();
            let mut text = journal::header(&mut chain, lineage, disk.snapshot.serial);
            text.extend_from_slice(&journal::batch(&mut chain, &records));
            self.start_journal(disk, chain, &text)?;
        }
        self.memory().durable = number;
        Ok(())
    }

    /// Whether the journal can't simply be appended to: it is too long, it is one from before with
    /// calls in it, or there is no snapshot yet that it could continue.
    fn needs_snapshot(&self, disk: &Disk<F>) -> bool {
        if let Some(journal) = &disk.journal {
            return journal.bytes > self.checkpoint_floor.max(disk.snapshot.bytes);
        }
        let memory = self.memory();
        let waiting = memory.queued - memory.durable;
        disk.snapshot.serial == 0 || disk.snapshot.serial + waiting != memory.recorded.serial
    }

    /// Puts a new journal in place, durably, with its first records.
    fn start_journal(
        &self,
        disk: &mut Disk<F>,
        chain: Chain,
        text: &[u8],
    ) -> Result<(), StateError> {
        let path = &self.paths.journal;
        let new = temporary(path);
        let file = self
            .files
            .create(&new, &self.paths.state)
            .map_err(io("creating", &new))?;
        let mut journal = OpenJournal {
            file,
            chain,
            bytes: 0,
        };
        journal.append(text).map_err(io("writing", &new))?;
        self.settle_name(disk)?;
        self.files
            .rename(&new, path)
            .map_err(io("replacing", path))?;
        disk.has_journal = true;
        self.sync_folder()?;
        disk.journal = Some(journal);
        Ok(())
    }

    /// Writes everything known into a new snapshot. Whatever is queued is durable with it.
    fn write_snapshot(&self, disk: &mut Disk<F>) -> Result<(), StateError> {
        let new = temporary(&self.paths.state);
        let outcome = self.try_write_snapshot(disk, &new);
        if outcome.is_err() {
            // Half a snapshot on a full disk helps nobody. If it can't be removed, the next takes
            // its place.
            drop(self.files.remove(&new));
        }
        outcome
    }

    fn try_write_snapshot(&self, disk: &mut Disk<F>, new: &Path) -> Result<(), StateError> {
        let state = &self.paths.state;
        let file = self.files.create(new, state).map_err(io("creating", new))?;
        let (mut file, covered) = self.encode(file).map_err(io("writing", new))?;
        file.sync().map_err(io("writing", new))?;
        drop(file);
        self.check_lock(disk)?;
        self.keep_backup(disk)?;
        self.files
            .rename(new, state)
            .map_err(io("replacing", state))?;
        self.sync_folder()?;
        disk.named = true;
        disk.snapshot = covered.snapshot;
        // The journal continues another snapshot now. A fresh one begins with the next record.
        disk.journal = None;
        let mut memory = self.memory();
        memory.queue.drain(..covered.queue);
        memory.durable = covered.number;
        Ok(())
    }

    /// Writes what is known at one moment. Calls that begin or end have to wait meanwhile.
    fn encode(&self, file: F::File) -> io::Result<(F::File, Covered)> {
        let mut out = Counted {
            out: BufWriter::with_capacity(1 << 16, file),
            bytes: 0,
        };
        let memory = self.memory();
        format::write(&memory.recorded, &mut out)?;
        let covered = Covered {
            snapshot: Snapshot {
                serial: memory.recorded.serial,
                bytes: out.bytes,
            },
            queue: memory.queue.len(),
            number: memory.queued,
        };
        drop(memory);
        let file = out
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok((file, covered))
    }

    /// Keeps the snapshot from before this run.
    fn keep_backup(&self, disk: &mut Disk<F>) -> Result<(), StateError> {
        if disk.has_backup || disk.snapshot.serial == 0 {
            return Ok(());
        }
        // A backup beside no state would look like a state that was lost.
        self.settle_name(disk)?;
        let (state, backup) = (&self.paths.state, &self.paths.backup);
        let new = temporary(backup);
        self.files
            .duplicate(state, &new)
            .and_then(|()| self.files.rename(&new, backup))
            .map_err(io("writing", backup))?;
        disk.has_backup = true;
        Ok(())
    }

    /// Whether nobody broke the lock.
    fn check_lock(&self, disk: &Disk<F>) -> Result<(), StateError> {
        let path = &self.paths.lock;
        let held = match &disk.lock {
            Some(lock) => self
                .files
                .still_locked(lock)
                .map_err(io("checking the lock", path))?,
            None => false,
        };
        if held {
            return Ok(());
        }
        Err(StateError::LockLost { path: path.clone() })
    }
}

/// What a snapshot holds.
struct Covered {
    snapshot: Snapshot,
    /// Bytes of the queue.
    queue: usize,
    /// The last record.
    number: u64,
}

impl<W: DurableFile> OpenJournal<W> {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.file.sync()?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: io::Write> io::Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.bytes += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
