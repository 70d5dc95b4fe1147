//! How much is recorded, by evidence.

use serde::Serialize;

use super::{Belief, Entry, Evidence, Recorded, Timestamp};

/// Counts of recorded callbacks by evidence. Those that are known to be absent do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// Present with exactly the recorded key and token.
    pub proven: usize,
    /// Present, perhaps with others.
    pub assumed: usize,
    /// Present or absent.
    pub unknown: usize,
    /// The oldest confirmation, by an answer or by a message.
    pub oldest_proof: Option<Timestamp>,
    /// Those of the above that messages did not reach which others got.
    pub missing: usize,
}

impl Holdings {
    /// Those of a whole state.
    pub fn of(recorded: &Recorded) -> Self {
        let mut all = Self::default();
        for (_, _, entry) in recorded.iter() {
            all.count(entry);
        }
        all
    }

    /// Counts one more.
    pub fn count(&mut self, entry: &Entry) {
        if entry.belief == Belief::ABSENT {
            return;
        }
        match entry.belief.evidence() {
            Evidence::Proven => self.proven += 1,
            Evidence::Assumed => self.assumed += 1,
            Evidence::Unknown => self.unknown += 1,
        }
        self.missing += usize::from(entry.sighting.missing.is_some());
        self.oldest_proof = [self.oldest_proof, entry.proved_at()]
            .into_iter()
            .flatten()
            .min();
    }

    /// How many there are.
    pub const fn all(&self) -> usize {
        self.proven + self.assumed + self.unknown
    }
}
