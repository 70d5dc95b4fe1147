//! What a snapshot and a journal say together.

use std::io::{self, BufReader, Read};

use super::journal::Journal;
use super::{Place, StateError, error, format, pointer};
use crate::model::Recorded;

/// What a medium holds.
pub(super) struct Loaded {
    /// Snapshot and journal together, with every call on its way counted as lost.
    pub(super) recorded: Recorded,
    /// Of the snapshot alone.
    pub(super) snapshot: Snapshot,
    /// Whether there is a journal, of use or not.
    pub(super) has_journal: bool,
}

/// A snapshot in a medium.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Snapshot {
    /// Its serial; 0 when there is none.
    pub(super) serial: u64,
    /// In bytes.
    pub(super) bytes: u64,
}

/// Reads a snapshot and folds the journal into it. The places are for messages.
///
/// The journal has to be opened before the snapshot: see [`Medium::load`](super::medium::Medium::load).
pub(super) fn load(
    (state, snapshot): (&Place, impl Read),
    (journal, records): (&Place, Option<impl Read>),
) -> Result<Loaded, StateError> {
    let mut snapshot = BufReader::with_capacity(1 << 16, snapshot);
    if let Some(to) = pointer::read(&mut snapshot).map_err(error::io("reading", state))? {
        let place = state.clone();
        return Err(StateError::Moved { place, to });
    }
    let mut input = Counted {
        input: snapshot,
        bytes: 0,
    };
    let mut recorded = format::read(state, &mut input)?;
    let snapshot = Snapshot {
        serial: recorded.serial,
        bytes: input.bytes,
    };
    let has_journal = records.is_some();
    if let Some(records) = records {
        let records = Journal::open(journal, records)?;
        replay(records, (state, journal), &mut recorded)?;
    }
    recorded.interrupt();
    Ok(Loaded {
        recorded,
        snapshot,
        has_journal,
    })
}

/// Folds a journal into the snapshot it continues.
fn replay<R: Read>(
    records: Journal<'_, R>,
    (state, journal): (&Place, &Place),
    recorded: &mut Recorded,
) -> Result<(), StateError> {
    let (found, base) = (records.header.lineage, records.header.base_serial);
    if let Some(expected) = recorded.lineage
        && expected != found
    {
        return Err(StateError::ForeignJournal {
            journal: journal.clone(),
            found,
            expected,
        });
    }
    if base > recorded.serial {
        return Err(StateError::StateOlder {
            state: state.clone(),
            serial: recorded.serial,
            journal: journal.clone(),
            base,
        });
    }
    // A journal of an earlier serial is folded into the snapshot already.
    if base == recorded.serial {
        recorded.serial += records.replay(recorded)?;
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
