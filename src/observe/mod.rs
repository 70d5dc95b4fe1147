//! Reading eSign back through its own callbacks: what receipts of messages prove.
//!
//! eSign can't be asked what is configured, but each message that reaches a receiver says it: one that is encrypted with
//! the declared key and signed with the declared token shows that its URL is configured with exactly these. An
//! [`Observer`] takes [receipts](Receipt) one by one and gives what they [say](Observed); [`learn`] puts it into the
//! record. [`gaps`] finds callbacks that messages do not reach.
//!
//! Invariants: what is not signed with a known token proves nothing, because anyone can send it; an observer's memory is
//! bounded, however many receipts it takes; nothing of a message is kept but hashes.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what receipts say is a function of them and of what is declared"
)]

pub mod gaps;
mod learn;
mod observed;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::model::{Address, CallbackUrl, Identity, OperatorId, Scope, SecretIndex, Timestamp};
use crate::receiver::{
    Content, DedupeKey, Message, Novelty, Opened, Receipt, Receiver, Rejection, Secrets, Seen,
    Signature, V2,
};
use crate::secret::Secret;
use gaps::{Gaps, Source};

pub use learn::{Lesson, Lessons, learn};
pub use observed::{Confidence, Count, Gap, Observed, Subject, Tally, Undeclared};

/// How long messages may take from the first to the last of an application's URLs, by default, in seconds.
pub const GRACE: i64 = 6 * 3600;

/// How many messages are remembered to find repetitions, and for how many seconds.
const REMEMBERED: (NonZeroUsize, u64) = (NonZeroUsize::new(200_000).expect("not zero"), 7 * 86_400);

/// How many URLs that are not declared are listed.
const MOST_UNDECLARED: usize = 1_000;

/// What the ids of messages of `verify` begin with, and their usual type.
const PROBES: (&str, &str) = ("ess-callbacks-verify-", "EssCallbacksVerify");

/// A declared callback.
#[derive(Clone, Debug)]
pub struct Declared {
    pub address: Address,
    pub scope: Arc<Scope>,
    pub operator: OperatorId,
    pub protect: bool,
    /// Its key and token, which tell callbacks with the same ones apart from others.
    pub indices: (Option<SecretIndex>, Option<SecretIndex>),
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
    seen: Seen<Timestamp>,
    gaps: Gaps,
    /// URLs that are recorded and not declared any more.
    leaving: BTreeSet<CallbackUrl>,
    observed: Observed,
}

/// A URL with what opens its messages.
#[derive(Debug)]
struct Place {
    receiver: Receiver,
    /// Of each pair of the receiver: whose it is.
    pairs: Vec<Pair>,
}

#[derive(Debug)]
struct Pair {
    /// The callbacks with this URL and these secrets; more than one if it is declared in several organizations.
    owners: Vec<usize>,
    /// The number of the older key, if it is one.
    older: Option<usize>,
}

impl Observer {
    /// For these callbacks. `grace` in seconds; messages of URLs in `leaving` surprise no one.
    pub fn new(
        declared: &[Declared],
        older: Vec<OlderKey>,
        leaving: BTreeSet<CallbackUrl>,
        grace: i64,
    ) -> Self {
        let mut scopes: BTreeMap<Arc<Scope>, usize> = BTreeMap::new();
        let mut urls: BTreeMap<CallbackUrl, BTreeMap<_, (Secrets, Vec<usize>)>> = BTreeMap::new();
        for (number, callback) in declared.iter().enumerate() {
            let next = scopes.len();
            scopes.entry(Arc::clone(&callback.scope)).or_insert(next);
            let pairs = urls.entry(callback.address.url.clone()).or_default();
            let pair = pairs
                .entry(callback.indices)
                .or_insert_with(|| (callback.secrets.clone(), Vec::new()));
            pair.1.push(number);
        }
        let place = |(url, pairs): (CallbackUrl, BTreeMap<_, (Secrets, Vec<usize>)>)| {
            let mut all: Vec<(Secrets, Pair)> = Vec::new();
            for (secrets, owners) in pairs.into_values() {
                let older = None;
                all.push((secrets, Pair { owners, older }));
            }
            for at in 0..all.len() {
                let current = &all[at];
                let (token, owners) = (current.0.token().cloned(), current.1.owners.clone());
                for (number, OlderKey { name: _, key }) in older.iter().enumerate() {
                    let Ok(secrets) = Secrets::new(Some(key.clone()), token.clone()) else {
                        continue;
                    };
                    let pair = Pair {
                        owners: owners.clone(),
                        older: Some(number),
                    };
                    all.push((secrets, pair));
                }
            }
            let (secrets, pairs): (Vec<_>, Vec<_>) = all.into_iter().unzip();
            let mut secrets = secrets.into_iter();
            let receiver = Receiver::new(secrets.next()?);
            let receiver = secrets.fold(receiver, Receiver::also);
            Some((url, Place { receiver, pairs }))
        };
        let places: BTreeMap<_, _> = urls.into_iter().filter_map(place).collect();
        // A message at a URL of several organizations may be of any of them.
        let alone = |url: &CallbackUrl| {
            let place = places.get(url)?;
            let own = place.pairs.iter().filter(|pair| pair.older.is_none());
            own.map(|pair| pair.owners.len())
                .sum::<usize>()
                .eq(&1)
                .then_some(())
        };
        let compared: Vec<_> = declared
            .iter()
            .map(|callback| {
                alone(&callback.address.url)?;
                Some((*scopes.get(&callback.scope)?, callback.there_since))
            })
            .collect();
        let (capacity, seconds) = REMEMBERED;
        Self {
            gaps: Gaps::new(grace, &compared),
            older: older.into_iter().map(|older| older.name).collect(),
            seen: Seen::new(capacity, seconds),
            leaving,
            observed: Observed::of(declared),
            places,
        }
    }

    /// Whether an observer of `before` may go on with `after`: the same callbacks with the same secrets.
    pub fn is_of(&self, before: &[Declared], after: &[Declared]) -> bool {
        let same = |(one, other): (&Declared, &Declared)| {
            let value = |secret: Option<&Secret>| secret.map(|secret| secret.expose().to_owned());
            one.address == other.address
                && one.scope == other.scope
                && value(one.secrets.key()) == value(other.secrets.key())
                && value(one.secrets.token()) == value(other.secrets.token())
        };
        before.len() == after.len() && before.iter().zip(after).all(same)
    }

    /// Since when the callbacks, which are the same, are at eSign now.
    pub fn confirmed(&mut self, declared: &[Declared]) {
        let times = declared.iter().map(|callback| callback.there_since);
        self.gaps.confirmed(times);
    }

    /// The names of the older keys.
    pub fn older_keys(&self) -> &[Arc<str>] {
        &self.older
    }

    /// A line that is no receipt.
    pub const fn unreadable(&mut self) {
        self.observed.unreadable += 1;
    }

    /// Takes a receipt, in the order in which they were received. One from the future counts as one from `now`.
    pub fn take(&mut self, source: Source, receipt: &Receipt, now: Timestamp) {
        let at = receipt.received_at.min(now);
        let observed = &mut self.observed;
        observed.receipts += 1;
        observed.first = Some(observed.first.map_or(at, |first| first.min(at)));
        observed.last = observed.last.max(Some(at));
        self.gaps.alive(source, at);
        let Some(place) = self.places.get(&receipt.url) else {
            self.undeclared(receipt, at);
            return;
        };
        match place.open(receipt) {
            Ok(Opened {
                content: Content::Probe | Content::VendorCheck,
                ..
            }) => observed.probes += 1,
            Ok(Opened {
                content: Content::Message(message),
                encrypted,
                signature,
                pair,
            }) => {
                if is_own_probe(&message) {
                    observed.probes += 1;
                    return;
                }
                let key = message.dedupe_key();
                let of_url = key.at(receipt.url.as_str());
                if let Novelty::Again(_) = self.seen.note(of_url, at, at) {
                    observed.repeated += 1;
                    return;
                }
                // Only who knows the key or the token could make it.
                let proves = pair.is_some()
                    && match signature {
                        Signature::Valid => true,
                        Signature::Absent => encrypted,
                        Signature::Unverified => false,
                    };
                let Some(pair) = place.pairs.get(pair.unwrap_or_default()) else {
                    return;
                };
                let of = (pair.owners.clone(), pair.older);
                self.message(of, &message, key, (source, at), proves);
            }
            Err(rejection) => {
                let owners: Vec<usize> = place.current_owners().collect();
                let authentic = owners.len() == 1 && place.is_authentic(receipt);
                self.rejected(&owners, rejection, at, authentic);
            }
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

    fn message(
        &mut self,
        (owners, older): (Vec<usize>, Option<usize>),
        message: &Message,
        key: DedupeKey,
        (source, at): (Source, Timestamp),
        proves: bool,
    ) {
        let alone = owners.len() == 1;
        for owner in owners {
            let Some(subject) = self.observed.subjects.get_mut(owner) else {
                continue;
            };
            let count = match (older, alone) {
                (Some(older), true) if proves => subject.tally.older.entry(older).or_default(),
                (None, true) if proves => &mut subject.tally.proven,
                (_, false) if proves => &mut subject.tally.shared,
                (_, _) => &mut subject.tally.unproven,
            };
            count.add(at);
            if proves && alone {
                self.gaps.arrived(owner, (key, kind(message)), (source, at));
            }
        }
    }

    fn rejected(&mut self, owners: &[usize], rejection: Rejection, at: Timestamp, authentic: bool) {
        for owner in owners {
            let Some(Subject { tally, .. }) = self.observed.subjects.get_mut(*owner) else {
                continue;
            };
            let count = match rejection {
                Rejection::WrongKey | Rejection::NotAMessage | Rejection::EncryptedWithoutKey => {
                    if authentic {
                        &mut tally.other_key
                    } else {
                        &mut tally.unproven
                    }
                }
                Rejection::ClearText if authentic => &mut tally.clear_text,
                Rejection::ClearText => &mut tally.unproven,
                Rejection::MissingSignature
                | Rejection::SeveralSignatures
                | Rejection::MalformedSignature
                | Rejection::WrongSignature => &mut tally.wrong_signature,
                Rejection::NotJson | Rejection::Damaged => &mut tally.unreadable,
            };
            count.add(at);
        }
    }

    /// A URL that is not declared: anyone can send to it, but what the secrets of a declared one open comes from eSign.
    fn undeclared(&mut self, receipt: &Receipt, at: Timestamp) {
        let Self {
            observed,
            places,
            leaving,
            ..
        } = self;
        let known = observed.undeclared.contains_key(&receipt.url);
        if !known && observed.undeclared.len() >= MOST_UNDECLARED {
            observed.undeclared_more += 1;
            return;
        }
        let found = observed
            .undeclared
            .entry(receipt.url.clone())
            .or_insert_with(|| {
                let opened = places.values().find_map(|place| {
                    let opened = place.open(receipt).ok()?;
                    let message = matches!(&opened.content, Content::Message(message) if !is_own_probe(message));
                    let signed = opened.signature == Signature::Valid && message;
                    let pair = place.pairs.get(opened.pair.filter(|_| signed)?)?;
                    pair.owners.first().copied()
                });
                Undeclared {
                    count: Count::default(),
                    secrets_of: opened,
                    is_recorded: leaving.contains(&receipt.url),
                }
            });
        found.count.add(at);
    }
}

impl Place {
    fn open(&self, receipt: &Receipt) -> Result<Opened, Rejection> {
        let signature = receipt.content_signature.as_deref();
        let headers = signature.map(|value| (crate::envelope::SIGNATURE_HEADER, value.as_bytes()));
        self.receiver.open(headers, receipt.body.as_bytes())
    }

    /// Whether a token of this URL signed it.
    fn is_authentic(&self, receipt: &Receipt) -> bool {
        let Some(header) = &receipt.content_signature else {
            return false;
        };
        self.receiver.accepted().iter().any(|secrets| {
            secrets.token().is_some_and(|token| {
                crate::envelope::verify(token, receipt.body.as_bytes(), header)
            })
        })
    }

    /// The callbacks with this URL.
    fn current_owners(&self) -> impl Iterator<Item = usize> + '_ {
        let pairs = self.pairs.iter().filter(|pair| pair.older.is_none());
        pairs.flat_map(|pair| pair.owners.iter().copied())
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
    /// What it is recorded under.
    pub fn identity(&self) -> Identity {
        Identity {
            scope: Arc::clone(&self.scope),
            url: self.address.url.clone(),
        }
    }
}
