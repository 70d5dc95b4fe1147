//! One record of a log, and what a log says when its records are folded.
//!
//! ```text
//! {"version":1,"number":17,"id":"0192….4","since":12,"kind":"next","bytes":412,"holder":{"id":"0192…",…}}
//! {"records":[…],"sum":"…"}
//! ```
//!
//! The first line is the record's [`Header`]; what follows is a snapshot, or lines of the journal, as the local
//! files have them.
//!
//! # Changes of the format
//!
//! * 1: the first.

use serde::{Deserialize, Serialize};

use crate::state::{LockOwner, Place, StateError};

/// The format written here, and the newest that is read.
const VERSION: u64 = 1;

/// A header is shorter than this, in bytes: reading so much of a record is enough to know it.
pub(crate) const LONGEST_HEADER: usize = 16 << 10;

/// Just enough to tell whether the rest can be understood.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// What a record says of itself, and of the log up to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    version: u64,
    /// From 1, without a gap.
    pub(crate) number: u64,
    /// No two records have the same, so a writer that got no answer can tell whether this one is its own.
    pub(crate) id: String,
    /// The number of the record with the snapshot that this one continues, or is; 0 before the first.
    pub(crate) since: u64,
    pub(crate) kind: Kind,
    /// How long the payload is.
    pub(crate) bytes: u64,
    /// Who may write after this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) holder: Option<LockOwner>,
}

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Somebody became the only writer.
    Hold,
    /// The holder is alive.
    Beat,
    /// The first lines of a journal, which continues the snapshot.
    First,
    /// More lines of it.
    Next,
    /// A snapshot, into which the journal so far is folded.
    Snapshot,
    /// The holder lets others write.
    Release,
    /// `unlock` ended the hold.
    Unlock,
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl Record {
    /// The record that follows `head`.
    pub(crate) fn after(
        head: Option<&Header>,
        (id, kind): (String, Kind),
        payload: Vec<u8>,
        holder: Option<LockOwner>,
    ) -> Self {
        let number = head.map_or(0, |head| head.number) + 1;
        let since = match kind {
            Kind::Snapshot => number,
            Kind::Hold | Kind::Beat | Kind::First | Kind::Next | Kind::Release | Kind::Unlock => {
                head.map_or(0, |head| head.since)
            }
        };
        let header = Header {
            version: VERSION,
            number,
            id,
            since,
            kind,
            bytes: payload.len() as u64,
            holder,
        };
        Self { header, payload }
    }

    /// As it is stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut text = self.header.encode();
        text.extend_from_slice(&self.payload);
        text
    }

    /// Reads what [`Record::encode`] wrote.
    pub(crate) fn decode(place: &Place, text: &[u8]) -> Result<Self, StateError> {
        let (header, rest) = Header::split(place, text)?;
        if rest.len() as u64 != header.bytes {
            return Err(damaged(
                place,
                format!(
                    "it is {} bytes long after its first line, and should be {}",
                    rest.len(),
                    header.bytes
                ),
            ));
        }
        Ok(Self {
            header,
            payload: rest.to_vec(),
        })
    }
}

impl Header {
    /// Whether what follows the header can be what it says.
    ///
    /// # Errors
    /// It can't, or a newer version wrote it.
    pub(crate) fn check(&self, place: &Place, contents: &Contents) -> Result<(), StateError> {
        if self.version > VERSION {
            return Err(StateError::NewerVersion {
                place: place.clone(),
                found: self.version,
                known: VERSION,
            });
        }
        let journal = contents.journal.len() as u64;
        let is_possible = match self.kind {
            Kind::Snapshot => {
                let snapshot = contents.snapshot.as_ref().map(|text| text.len() as u64);
                snapshot == Some(self.bytes) && journal == 0 && self.since == self.number
            }
            Kind::First => journal == self.bytes,
            Kind::Next => journal >= self.bytes,
            Kind::Hold | Kind::Beat | Kind::Release | Kind::Unlock => self.bytes == 0,
        };
        if is_possible && self.since <= self.number {
            return Ok(());
        }
        let problem = format!("what it holds is not what its record {} says", self.number);
        Err(damaged(place, problem))
    }

    fn encode(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("plain values always become JSON");
        line.push(b'\n');
        line
    }

    /// Reads the header that a record begins with. The rest of the record may be cut off.
    pub(crate) fn decode(place: &Place, start: &[u8]) -> Result<Self, StateError> {
        Ok(Self::split(place, start)?.0)
    }

    fn split<'t>(place: &Place, text: &'t [u8]) -> Result<(Self, &'t [u8]), StateError> {
        let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
            return Err(damaged(place, "it has no header".into()));
        };
        let (line, rest) = (&text[..end], &text[end + 1..]);
        if let Ok(Versioned { version }) = serde_json::from_slice(line)
            && version > VERSION
        {
            return Err(StateError::NewerVersion {
                place: place.clone(),
                found: version,
                known: VERSION,
            });
        }
        let header = serde_json::from_slice(line)
            .map_err(|error| damaged(place, format!("its header can't be read: {error}")))?;
        Ok((header, rest))
    }
}

/// What a log says: the newest snapshot, and the journal that continues it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) head: Header,
    /// `None` before the first.
    pub(crate) snapshot: Option<Vec<u8>>,
    pub(crate) journal: Vec<u8>,
}

impl Contents {
    /// Folds records in their order: all from [`Header::since`] of the last one on.
    ///
    /// # Errors
    /// One is missing, or they don't belong together. `place` names the log.
    pub(crate) fn fold(
        place: &Place,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Option<Self>, StateError> {
        let mut contents: Option<Self> = None;
        for record in records {
            contents = Some(match contents {
                None => Self::begin(place, record)?,
                Some(before) => before.with(place, record)?,
            });
        }
        Ok(contents)
    }

    fn begin(place: &Place, record: Record) -> Result<Self, StateError> {
        let number = record.header.number;
        if number != record.header.since.max(1) {
            return Err(missing(place, record.header.since.max(1)));
        }
        let nothing = Self {
            head: Header {
                number: number - 1,
                since: 0,
                ..record.header.clone()
            },
            snapshot: None,
            journal: Vec::new(),
        };
        nothing.with(place, record)
    }

    /// What it says after one more record.
    pub(crate) fn with(mut self, place: &Place, record: Record) -> Result<Self, StateError> {
        let Record { header, payload } = record;
        if header.number != self.head.number + 1 {
            return Err(missing(place, self.head.number + 1));
        }
        match header.kind {
            Kind::Hold | Kind::Beat | Kind::Release | Kind::Unlock => {}
            Kind::First => self.journal = payload,
            Kind::Next => self.journal.extend_from_slice(&payload),
            Kind::Snapshot => {
                self.snapshot = Some(payload);
                self.journal.clear();
            }
        }
        self.head = header;
        Ok(self)
    }
}

fn damaged(place: &Place, problem: String) -> StateError {
    StateError::Damaged {
        place: place.clone(),
        problem,
    }
}

fn missing(place: &Place, number: u64) -> StateError {
    damaged(place, format!("its record {number} is missing"))
}
