//! Reading eSign back through its own callbacks: what receipts of messages prove.
//!
//! eSign can't be asked what is configured, but each message that reaches a receiver says it: one that is encrypted with
//! the declared key and signed with the declared token shows that its URL is configured with exactly these. An
//! [`Observer`] takes [receipts](Receipt) one by one and gives what they [say](Observed); [`learn()`] puts it into the
//! record. [`gaps`] finds callbacks that messages do not reach.
//!
//! Invariants: what is neither signed with a known token nor encrypted with a known key proves nothing, because anyone
//! can send it; an observer's memory is bounded, however many receipts it takes; nothing of a message is kept but hashes.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what receipts say is a function of them and of what is declared"
)]

pub mod gaps;
mod learn;
mod observed;
mod places;
mod strangers;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::envelope::is_marked;
use crate::model::twin::original;
use crate::model::{Address, CallbackUrl, Scope, Timestamp};
use crate::receiver::{
    Content, DedupeKey, Message, Novelty, Opened, Receipt, Rejection, Secrets, Seen, Signature, V2,
};
use crate::secret::Secret;
use gaps::{Gaps, Source};
use places::{Pair, Place, value};
use strangers::Strangers;

pub use learn::{Lesson, Lessons, learn};
pub use observed::{Confidence, Count, Gap, Observed, Subject, Tally, Undeclared};

/// How long messages may take from the first to the last of an application's URLs, by default, in seconds.
pub const GRACE: i64 = 6 * 3600;

/// How many messages are remembered to find repetitions, and for how many seconds.
const REMEMBERED: (NonZeroUsize, u64) = (NonZeroUsize::new(200_000).expect("not zero"), 7 * 86_400);

/// The longest URL that eSign takes has 256 bytes; a longer one in a receipt is none of its.
const LONGEST_URL: usize = 4_096;

/// How many URLs that are not declared are listed.
const MOST_UNDECLARED: usize = 1_000;

/// What the ids of messages of `verify` begin with, and their usual type.
const PROBES: (&str, &str) = ("ess-callbacks-verify-", "EssCallbacksVerify");

/// A declared callback.
#[derive(Clone, Debug)]
pub struct Declared {
    pub address: Address,
    pub scope: Arc<Scope>,
    pub secrets: Secrets,
    /// Since when it is at eSign as far as is recorded; `None` if it is not.
    pub there_since: Option<Timestamp>,
}

/// An older key, and what it is called.
#[derive(Clone, Debug)]
pub struct OlderKey {
    pub name: Arc<str>,
    pub key: Secret,
}

/// Takes receipts. See the module.
#[derive(Debug)]
pub struct Observer {
    places: BTreeMap<CallbackUrl, Place>,
    older: Vec<Arc<str>>,
    seen: Seen<()>,
    gaps: Gaps,
    known: BTreeMap<CallbackUrl, Known>,
    /// Since when each callback is at eSign.
    there_since: Vec<Option<Timestamp>>,
    /// In seconds.
    grace: i64,
    strangers: Strangers,
    observed: Observed,
}

/// Why messages of a URL without secrets surprise no one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is recorded, and not declared any more.
    Leaving,
    /// It is declared, and suspended or not enabled.
    Idle,
    /// It was the twin of a rotation of a declared callback, which ended since.
    Twin,
}

impl Observer {
    /// For these callbacks. `grace` in seconds; `known` has the URLs without secrets.
    pub fn new(
        declared: &[Declared],
        older: &[OlderKey],
        known: BTreeMap<CallbackUrl, Known>,
        grace: i64,
    ) -> Self {
        let mut scopes: BTreeMap<Arc<Scope>, usize> = BTreeMap::new();
        for callback in declared {
            let next = scopes.len();
            scopes.entry(Arc::clone(&callback.scope)).or_insert(next);
        }
        let places = places::of(declared, older);
        let compared: Vec<_> = declared
            .iter()
            .map(|callback| {
                // A message at a URL of several organizations may be of any of them.
                let place = places.get(&callback.address.url)?;
                let scope = *scopes.get(&callback.scope)?;
                (place.current_owners().count() == 1).then_some((scope, callback.there_since))
            })
            .collect();
        let (capacity, seconds) = REMEMBERED;
        Self {
            gaps: Gaps::new(grace, &compared),
            older: older.iter().map(|older| Arc::clone(&older.name)).collect(),
            seen: Seen::new(capacity, seconds),
            known,
            there_since: declared
                .iter()
                .map(|callback| callback.there_since)
                .collect(),
            grace,
            strangers: Strangers::of(declared),
            observed: Observed::of(declared),
            places,
        }
    }

    /// Since when the callbacks, which are the same, are at eSign now, and which URLs are known besides.
    pub fn confirmed(&mut self, declared: &[Declared], known: BTreeMap<CallbackUrl, Known>) {
        let times = declared.iter().map(|callback| callback.there_since);
        self.there_since = times.collect();
        self.gaps.confirmed(self.there_since.iter().copied());
        self.known = known;
    }

    /// A line that is no receipt.
    pub const fn unreadable(&mut self) {
        self.observed.unreadable += 1;
    }

    /// Takes a receipt, in the order in which they were received. One from the future counts as one from `now`.
    pub fn take(&mut self, source: Source, receipt: &Receipt, now: Timestamp) {
        if receipt.url.as_str().len() > LONGEST_URL {
            self.unreadable();
            return;
        }
        let at = receipt.received_at.min(now);
        let observed = &mut self.observed;
        observed.receipts += 1;
        observed.first = Some(observed.first.map_or(at, |first| first.min(at)));
        observed.last = observed.last.max(Some(at));
        self.gaps.alive(source, at);
        let place = self.places.get(&receipt.url);
        let opened = place.map(|place| place.open(receipt));
        match opened {
            Some(Ok(Opened {
                content: Content::Probe | Content::VendorCheck,
                ..
            })) => observed.probes += 1,
            // A probe of other secrets looks like another key at eSign. Few other messages have the mark.
            Some(Err(_)) if is_marked(receipt.body.as_bytes()) => observed.probes += 1,
            // One of eSign's or of `verify`, of which nothing else can be known.
            Some(Err(_)) if receipt.body.trim() == "{}" => observed.probes += 1,
            Some(Ok(
                opened @ Opened {
                    content: Content::Message(_),
                    ..
                },
            )) => self.opened(&opened, receipt, (source, at)),
            Some(Err(rejection)) => self.rejected(rejection, receipt, (source, at)),
            None => self.undeclared(receipt, at),
        }
    }

    /// What the receipts said.
    pub fn observed(&self) -> Observed {
        let mut observed = self.observed.clone();
        observed.older.clone_from(&self.older);
        observed.missing = self
            .gaps
            .missing()
            .map(|(callback, missing, confidence)| Gap {
                callback,
                missing,
                confidence,
            })
            .collect();
        observed
    }

    /// A message that a pair of secrets opened.
    fn opened(&mut self, opened: &Opened, receipt: &Receipt, (source, at): (Source, Timestamp)) {
        let Content::Message(message) = &opened.content else {
            return;
        };
        if is_own_probe(message) {
            self.observed.probes += 1;
            return;
        }
        let Some(place) = self.places.get(&receipt.url) else {
            return;
        };
        let number = opened.pair.unwrap_or_default();
        let Some(Pair { owners, older }) = place.pairs.get(number) else {
            return;
        };
        if !proves(opened) {
            for owner in owners {
                if let Some(subject) = self.observed.subjects.get_mut(*owner) {
                    subject.tally.unproven.add(at);
                }
            }
            return;
        }
        let key = message.dedupe_key();
        let of_pair = key.at(&format!("{number} {}", receipt.url.as_str()));
        let is_again = matches!(self.seen.note(of_pair, at, ()), Novelty::Again(()));
        let [owner] = owners[..] else {
            self.observed.repeated += u64::from(is_again);
            for owner in owners {
                if let Some(subject) = self.observed.subjects.get_mut(*owner) {
                    subject.tally.shared.add_if(!is_again, at);
                }
            }
            return;
        };
        self.gaps.touched(owner, (source, at));
        if is_again {
            self.observed.repeated += 1;
            return;
        }
        let is_late = self.is_before_the_last_change(owner, at);
        let Some(Subject { tally, .. }) = self.observed.subjects.get_mut(owner) else {
            return;
        };
        match older {
            Some(_) if is_late => tally.before.add(at),
            Some(older) => tally.older.entry(*older).or_default().add(at),
            None => {
                tally.proven.add(at);
                tally.forget_streaks();
                self.gaps.arrived(owner, (key, kind(message)), (source, at));
            }
        }
    }

    fn rejected(
        &mut self,
        rejection: Rejection,
        receipt: &Receipt,
        (source, at): (Source, Timestamp),
    ) {
        let Some(place) = self.places.get(&receipt.url) else {
            return;
        };
        let owners: Vec<usize> = place.current_owners().collect();
        let alone = match owners[..] {
            [owner] if place.is_authentic(receipt) => Some(owner),
            _ => None,
        };
        // What anyone can send is not remembered: it would drive out what counts.
        if let Some(owner) = alone {
            self.gaps.touched(owner, (source, at));
            let of_url = DedupeKey::of_body(&receipt.body).at(receipt.url.as_str());
            if let Novelty::Again(()) = self.seen.note(of_url, at, ()) {
                self.observed.repeated += 1;
                return;
            }
        }
        let is_late = alone.is_some_and(|owner| self.is_before_the_last_change(owner, at));
        for owner in owners {
            let Some(Subject { tally, .. }) = self.observed.subjects.get_mut(owner) else {
                continue;
            };
            let count = match (rejection, alone) {
                (
                    Rejection::WrongKey | Rejection::EncryptedWithoutKey | Rejection::ClearText,
                    Some(_),
                ) if is_late => &mut tally.before,
                (Rejection::WrongKey | Rejection::EncryptedWithoutKey, Some(_)) => {
                    &mut tally.other_key
                }
                (Rejection::ClearText, Some(_)) => &mut tally.clear_text,
                (
                    Rejection::WrongKey | Rejection::EncryptedWithoutKey | Rejection::ClearText,
                    None,
                ) => &mut tally.unproven,
                (
                    Rejection::MissingSignature
                    | Rejection::SeveralSignatures
                    | Rejection::MalformedSignature
                    | Rejection::WrongSignature,
                    _,
                ) => &mut tally.wrong_signature,
                (Rejection::NotJson | Rejection::Damaged | Rejection::NotAMessage, _) => {
                    &mut tally.unreadable
                }
            };
            count.add(at);
            if rejection == Rejection::WrongSignature {
                // Perhaps it is eSign's, with another token: then they do arrive.
                self.gaps.touched(owner, (source, at));
            }
        }
    }

    /// Whether a message of other secrets may have been made before a call of ours changed them.
    fn is_before_the_last_change(&self, owner: usize, at: Timestamp) -> bool {
        let since = self.there_since.get(owner).copied().flatten();
        since.is_none_or(|since| at.seconds_since(since) <= self.grace)
    }

    /// A URL that is not declared: anyone can send to it, but what the secrets of a declared one open comes from eSign.
    fn undeclared(&mut self, receipt: &Receipt, at: Timestamp) {
        let found = self.observed.undeclared.get(&receipt.url);
        let is_known = found.is_some();
        let opened = match found.and_then(|found| found.secrets_of) {
            Some(owner) => Some(owner),
            None => self.strangers.opened_by(receipt),
        };
        if opened.is_none() && is_marked(receipt.body.as_bytes()) {
            self.observed.probes += 1;
            return;
        }
        // What eSign has is listed in any case.
        if !is_known && opened.is_none() && self.observed.undeclared.len() >= MOST_UNDECLARED {
            self.observed.undeclared_more += 1;
            return;
        }
        let url = receipt.url.clone();
        let is_twin = self.was_a_twin(&url, at);
        let known = self.known.get(&url).copied();
        let known = known.or(is_twin.then_some(Known::Twin));
        let found = self
            .observed
            .undeclared
            .entry(url)
            .or_insert_with(|| Undeclared {
                count: Count::default(),
                secrets_of: None,
                known,
            });
        found.secrets_of = opened;
        found.count.add(at);
        // Since then it is there again.
        if found.known == Some(Known::Twin) && !is_twin {
            found.known = None;
        }
    }

    /// Whether this may have been the twin of a rotation that ended with the last call for its callback.
    fn was_a_twin(&self, url: &CallbackUrl, at: Timestamp) -> bool {
        let of = original(url);
        let place = of.and_then(|of| self.places.get(&of));
        place.is_some_and(|place| {
            let mut owners = place.current_owners();
            owners.any(|owner| self.is_before_the_last_change(owner, at))
        })
    }
}

/// Whether only who knows the key or the token could make it.
fn proves(opened: &Opened) -> bool {
    opened.pair.is_some()
        && match opened.signature {
            Signature::Valid => true,
            Signature::Absent => opened.encrypted,
            Signature::Unverified => false,
        }
}

/// A message of `verify`, whose type can be chosen.
fn is_own_probe(message: &Message) -> bool {
    let (id, kind) = PROBES;
    match message {
        Message::V2(V2 {
            msg_id, msg_type, ..
        }) => {
            msg_type == kind
                || msg_id
                    .as_deref()
                    .is_some_and(|msg_id| msg_id.starts_with(id))
        }
        Message::V1(_) => false,
    }
}

/// A hash of a message's type. V1 messages are of one type.
fn kind(message: &Message) -> u64 {
    let text = match message {
        Message::V2(V2 { msg_type, .. }) => msg_type.as_str(),
        Message::V1(_) => "",
    };
    let digest = Sha256::digest(text.as_bytes());
    digest
        .first_chunk()
        .map_or(0, |first| u64::from_be_bytes(*first))
}

impl Declared {
    /// Whether it is the same callback with the same key and token.
    pub fn is_same(&self, other: &Self) -> bool {
        self.address == other.address
            && self.scope == other.scope
            && self.has_secrets(&other.secrets)
    }

    /// Whether these are its key and token.
    pub fn has_secrets(&self, secrets: &Secrets) -> bool {
        value(&self.secrets) == value(secrets)
    }
}
