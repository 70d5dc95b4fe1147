//! What receipts said.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::{Declared, Known};
use crate::model::{Address, CallbackUrl, Missing, Timestamp};

/// How many messages in a row, with none of the declared secrets between them, show that these are not in effect.
const ENOUGH: u64 = 3;

/// What all receipts so far said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Lines that are receipts.
    pub receipts: u64,
    /// Lines that are not.
    pub unreadable: u64,
    /// Probes of eSign and of `verify`, which prove nothing.
    pub probes: u64,
    /// Deliveries of a message that came before to the same URL.
    pub repeated: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Of each declared callback, in their order.
    pub subjects: Vec<Subject>,
    /// The names of the older keys, by which [`Tally::older`] counts.
    pub older: Vec<Arc<str>>,
    /// Requests to URLs that are not declared.
    pub undeclared: BTreeMap<CallbackUrl, Undeclared>,
    /// Requests to further such URLs, which are not listed.
    pub undeclared_more: u64,
    /// Callbacks that messages did not reach which others got.
    pub missing: Vec<Gap>,
}

/// What was said of one callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub address: Address,
    pub tally: Tally,
}

/// Messages by what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Made with the declared key and token.
    pub proven: Count,
    /// The same, but several organizations have this URL with the same secrets, so it may be the others'.
    pub shared: Count,
    /// Made with other secrets, and perhaps before a call of ours changed them.
    pub before: Count,
    /// Made with an older key that was given, by its number.
    pub older: BTreeMap<usize, Count>,
    /// Signed with the declared token, but encrypted with a key that is not known.
    pub other_key: Count,
    /// Signed with the declared token, but not encrypted, though a key is declared.
    pub clear_text: Count,
    /// Not signed, or by another token: from anyone.
    pub wrong_signature: Count,
    /// Neither key nor token shows who made it.
    pub unproven: Count,
    /// No message of eSign, or damaged.
    pub unreadable: Count,
}

/// How many, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub messages: u64,
    pub last: Option<Timestamp>,
    /// How many of them came after the last message with the declared secrets.
    pub streak: u64,
}

/// What came to a URL that is not declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undeclared {
    pub count: Count,
    /// The callback whose secrets opened a message: then eSign has this URL, with these secrets. Its number.
    pub secrets_of: Option<usize>,
    /// Why it surprises no one.
    pub known: Option<Known>,
}

/// A callback that messages did not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its number.
    pub callback: usize,
    pub missing: Missing,
    pub confidence: Confidence,
}

/// How sure it is that a callback misses messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Its receiver, or what writes its receipts, may have been down.
    Low,
    /// It was not.
    High,
}

impl Observed {
    pub(super) fn of(declared: &[Declared]) -> Self {
        let subject = |callback: &Declared| Subject {
            address: callback.address.clone(),
            tally: Tally::default(),
        };
        Self {
            subjects: declared.iter().map(subject).collect(),
            ..Self::default()
        }
    }

    /// The sum of one count over all callbacks.
    pub fn sum(&self, count: impl Fn(&Tally) -> u64) -> u64 {
        self.subjects
            .iter()
            .map(|subject| count(&subject.tally))
            .sum()
    }

    /// Requests to URLs that are not declared.
    pub fn undeclared_requests(&self) -> u64 {
        let listed = self.undeclared.values().map(|one| one.count.messages);
        listed.sum::<u64>() + self.undeclared_more
    }

    /// Whether something is certainly not as declared: a callback is missing, has another key or is not encrypted, or
    /// eSign has a URL that is not declared.
    pub fn is_drift(&self) -> bool {
        let sure = |gap: &Gap| gap.confidence == Confidence::High;
        self.missing.iter().any(sure)
            || self
                .subjects
                .iter()
                .any(|subject| subject.tally.contradicts())
            || self.undeclared.values().any(Undeclared::is_foreign)
    }
}

impl Undeclared {
    /// Whether someone else configured it at eSign.
    pub const fn is_foreign(&self) -> bool {
        self.secrets_of.is_some() && self.known.is_none()
    }
}

impl Tally {
    /// The messages that contradict what is declared, by what they show.
    fn contradictions(&self) -> impl Iterator<Item = &Count> {
        let others = [&self.other_key, &self.clear_text];
        self.older.values().chain(others)
    }

    /// Whether messages certainly show other secrets than the declared ones. A few may be old ones that somebody sent again.
    pub fn contradicts(&self) -> bool {
        let mut all = self.contradictions();
        all.any(Count::is_enough)
    }

    /// A message with the declared secrets came.
    pub(super) fn forget_streaks(&mut self) {
        let others = [&mut self.other_key, &mut self.clear_text];
        for count in self.older.values_mut().chain(others) {
            count.streak = 0;
        }
    }

    /// Messages that show another key than the declared one.
    pub fn wrong_key(&self) -> u64 {
        let older = self.older.values().map(|count| count.messages);
        older.sum::<u64>() + self.other_key.messages
    }
}

impl Count {
    /// Whether there are so many in a row that they are no repetition of old ones.
    pub const fn is_enough(&self) -> bool {
        self.streak >= ENOUGH
    }

    pub(super) fn add(&mut self, at: Timestamp) {
        self.messages += 1;
        self.streak += 1;
        self.last = self.last.max(Some(at));
    }

    pub(super) fn add_if(&mut self, counts: bool, at: Timestamp) {
        if counts {
            self.add(at);
        }
    }
}
