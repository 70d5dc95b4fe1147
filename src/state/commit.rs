//! What is known of a locked state, how much of it is durable, and the order in which it becomes so.
//!
//! What happens is folded into [`Memory`] at once and queued for the journal. The first caller that finds the medium
//! free writes for all that wait (group commit). When the journal has outgrown the snapshot, a new snapshot takes
//! its place, so that a call costs the same however large the state is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::io;
use super::journal::{self, Chain};
use super::load::Snapshot;
use super::medium::{Hold, Line};
use super::rescue::{EndedCall, Rescue};
use super::{Part, Place, StateError, format};
use crate::model::{CallId, Intent, Outcome, Recorded, Settled, Timestamp};

/// Everything behind a `Locked`. A task that writes keeps it alive, and with it the hold, until it is done.
pub(super) struct Inner {
    place: Place,
    checkpoint_floor: u64,
    memory: Mutex<Memory>,
    /// Locked while anything is written. Always taken before `memory`.
    pub(super) written: Arc<tokio::sync::Mutex<Written>>,
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
    /// The calls that ended after that, by the number of the record that says so.
    ended: VecDeque<(u64, EndedCall)>,
    /// Why nothing more can be written to the journal.
    pub(super) failure: Option<StateError>,
}

/// What the medium holds.
pub(super) struct Written {
    /// `None` once it was released.
    hold: Option<Box<dyn Hold>>,
    snapshot: Snapshot,
    /// The journal that this hold writes.
    journal: Option<WrittenJournal>,
    /// Whether there is a journal, this one or one from before.
    has_journal: bool,
}

#[derive(Clone, Copy)]
struct WrittenJournal {
    chain: Chain,
    bytes: u64,
}

/// A snapshot that is ready to be written.
struct Encoded {
    text: Vec<u8>,
    serial: u64,
    /// Bytes of the queue that it covers.
    queue: usize,
    /// The last record that it covers.
    number: u64,
}

impl Memory {
    /// A call is about to leave.
    pub(super) fn queue_intent(&mut self, intent: &Intent) -> CallId {
        let id = self.recorded.next_call();
        self.recorded.open_call(id, intent);
        journal::push_intent(&mut self.queue, id, intent);
        self.count();
        id
    }

    /// A call has ended.
    pub(super) fn queue_outcome(
        &mut self,
        id: CallId,
        outcome: &Outcome,
        at: Timestamp,
    ) -> Option<Settled> {
        let call = self.recorded.if_lost(id);
        let settled = self.recorded.close_call(id, outcome, at)?;
        journal::push_outcome(&mut self.queue, id, outcome, at);
        self.count();
        if let Some((identity, entry)) = call
            && let Some(lost) = entry.lost
        {
            let call = EndedCall {
                identity,
                lost,
                proved_at: entry.answered_at(),
            };
            self.ended.push_back((self.queued, call));
        }
        Some(settled)
    }

    /// What can't be found in the store: `None` when nothing is missing there. A store that is not whole lacks everything.
    pub(super) fn rescue(&self, is_whole: bool) -> Option<Rescue> {
        let ended: Vec<_> = self.ended.iter().map(|(_, call)| call.clone()).collect();
        (!is_whole || !ended.is_empty()).then(|| {
            let mut recorded = self.recorded.clone();
            recorded.interrupt();
            Rescue { recorded, ended }
        })
    }

    /// Everything up to this record is durable.
    fn confirm(&mut self, number: u64) {
        self.durable = number;
        let is_durable = |call: Option<&(u64, _)>| call.is_some_and(|(ended, _)| *ended <= number);
        while is_durable(self.ended.front()) {
            self.ended.pop_front();
        }
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

impl Written {
    /// What the holder of the lock found.
    pub(super) fn found(hold: Box<dyn Hold>, snapshot: Snapshot, has_journal: bool) -> Self {
        Self {
            hold: Some(hold),
            snapshot,
            journal: None,
            has_journal,
        }
    }

    pub(super) async fn release(&mut self) -> Result<(), StateError> {
        match self.hold.take() {
            Some(hold) => hold.release().await,
            None => Ok(()),
        }
    }
}

impl Inner {
    pub(super) fn new(
        (place, checkpoint_floor): (Place, u64),
        recorded: Recorded,
        written: Written,
    ) -> Self {
        let memory = Memory {
            recorded,
            queue: Vec::new(),
            queued: 0,
            durable: 0,
            ended: VecDeque::new(),
            failure: None,
        };
        Self {
            place,
            checkpoint_floor,
            memory: Mutex::new(memory),
            written: Arc::new(tokio::sync::Mutex::new(written)),
        }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// The memory. A panic while it was read does not make it wrong.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn uninitialized(&self) -> StateError {
        StateError::Uninitialized {
            place: self.place.clone(),
        }
    }

    /// Whether this record may take the place of ours.
    pub(super) fn check_replacement(&self, new: &Recorded) -> Result<(), StateError> {
        if new.lineage.is_none() || new.salt.is_none() {
            return Err(self.uninitialized());
        }
        format::check_room(new).map_err(|problem| StateError::Corrupt {
            place: self.place.clone(),
            part: Part::Snapshot,
            line: None,
            problem,
        })?;
        let recorded = self.memory().recorded.environment;
        if new.environment != recorded {
            return Err(StateError::Environment {
                place: self.place.clone(),
                recorded: new.environment,
                configured: recorded,
            });
        }
        Ok(())
    }

    /// Makes the queue durable. Not after a failure: what of the journal is durable is not known
    /// then, and nothing may be appended to it.
    pub(super) async fn write_queue(&self, written: &mut Written) -> Result<(), StateError> {
        let outcome = self.try_write_queue(written).await;
        self.keep_failure(outcome)
    }

    /// Writes the snapshot if anything changed, and removes the journal. Returns whether it changed.
    pub(super) async fn save(&self, written: &mut Written) -> Result<bool, StateError> {
        let changed = self.memory().recorded.serial != written.snapshot.serial;
        if changed {
            let outcome = self.write_snapshot(written).await;
            self.keep_failure(outcome)?;
        }
        // One that stays is known by its serial to be folded in.
        drop(self.forget_journal(written).await);
        Ok(changed)
    }

    /// Removes a journal that is folded into the snapshot, durably.
    pub(super) async fn forget_journal(&self, written: &mut Written) -> Result<(), StateError> {
        written.journal = None;
        if written.has_journal {
            self.hold(written)?.forget_journal().await?;
            written.has_journal = false;
        }
        Ok(())
    }

    /// Replaces the snapshot with a note that is none.
    pub(super) async fn leave_note(
        &self,
        written: &mut Written,
        note: Vec<u8>,
    ) -> Result<(), StateError> {
        self.hold(written)?.replace(note).await?;
        written.journal = None;
        let moved = StateError::LockLost {
            place: self.place.clone(),
        };
        self.memory().failure.get_or_insert(moved);
        Ok(())
    }

    fn keep_failure<T>(&self, outcome: Result<T, StateError>) -> Result<T, StateError> {
        if let Err(error) = &outcome {
            self.memory().failure.get_or_insert_with(|| error.clone());
        }
        outcome
    }

    /// The right to write.
    fn hold<'w>(&self, written: &'w mut Written) -> Result<&'w mut Box<dyn Hold>, StateError> {
        written.hold.as_mut().ok_or_else(|| StateError::LockLost {
            place: self.place.clone(),
        })
    }

    async fn try_write_queue(&self, written: &mut Written) -> Result<(), StateError> {
        let failed = self.memory().failure.clone();
        if let Some(failure) = failed {
            return Err(failure);
        }
        if self.needs_snapshot(written) {
            self.write_snapshot(written).await?;
        }
        let (records, number, lineage) = {
            let mut memory = self.memory();
            let records = std::mem::take(&mut memory.queue);
            (records, memory.queued, memory.recorded.lineage)
        };
        if records.is_empty() {
            return Ok(());
        }
        let (mut next, line) = if let Some(mut journal) = written.journal {
            let line = journal::batch(&mut journal.chain, &records);
            (journal, Line::Next(line))
        } else {
            let lineage = lineage.ok_or_else(|| self.uninitialized())?;
            let mut chain = Chain::default();
            let mut lines = journal::header(&mut chain, lineage, written.snapshot.serial);
            lines.extend_from_slice(&journal::batch(&mut chain, &records));
            (WrittenJournal { chain, bytes: 0 }, Line::First(lines))
        };
        next.bytes += line.len();
        // Whether it is there is not known while it is being written.
        written.has_journal = true;
        self.hold(written)?.append(line).await?;
        written.journal = Some(next);
        self.memory().confirm(number);
        Ok(())
    }

    /// Whether the journal can't simply be appended to: it is too long, it is one from before with
    /// calls in it, or there is no snapshot yet that it could continue.
    fn needs_snapshot(&self, written: &Written) -> bool {
        if let Some(journal) = &written.journal {
            return journal.bytes > self.checkpoint_floor.max(written.snapshot.bytes);
        }
        let memory = self.memory();
        let waiting = memory.queued - memory.durable;
        written.snapshot.serial == 0 || written.snapshot.serial + waiting != memory.recorded.serial
    }

    /// Writes everything known into a new snapshot. Whatever is queued is durable with it.
    async fn write_snapshot(&self, written: &mut Written) -> Result<(), StateError> {
        let Encoded {
            text,
            serial,
            queue,
            number,
        } = self.encode()?;
        let bytes = text.len() as u64;
        self.hold(written)?.replace(text).await?;
        written.snapshot = Snapshot { serial, bytes };
        // The journal continues another snapshot now. A fresh one begins with the next record.
        written.journal = None;
        let mut memory = self.memory();
        memory.queue.drain(..queue);
        memory.confirm(number);
        Ok(())
    }

    /// What is known at one moment. Calls that begin or end wait meanwhile, but not for the medium.
    fn encode(&self) -> Result<Encoded, StateError> {
        let memory = self.memory();
        let mut text = Vec::new();
        // Memory takes everything; what could not be read again is refused.
        format::write(&memory.recorded, &mut text).map_err(io("writing", &self.place))?;
        Ok(Encoded {
            text,
            serial: memory.recorded.serial,
            queue: memory.queue.len(),
            number: memory.queued,
        })
    }
}
