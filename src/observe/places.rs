//! What opens the messages of a URL, and whose they are then.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Declared, OlderKey};
use crate::envelope;
use crate::model::CallbackUrl;
use crate::receiver::{Opened, Receipt, Receiver, Rejection, Secrets};
use crate::secret::Secret;

/// A URL with what opens its messages.
#[derive(Debug)]
pub(super) struct Place {
    receiver: Receiver,
    /// Of each pair of the receiver: whose it is.
    pub(super) pairs: Vec<Pair>,
}

#[derive(Debug)]
pub(super) struct Pair {
    /// The callbacks with this URL and these secrets; more than one if several organizations have them.
    pub(super) owners: Vec<usize>,
    /// The number of the older key, if it is one.
    pub(super) older: Option<usize>,
}

/// By the values of the secrets. Those with a token come first: without one, a message that is signed proves nothing.
type Pairs = BTreeMap<(bool, Value), (Secrets, Pair)>;

/// Tells values of secrets apart.
pub(super) type Value = [u8; 32];

pub(super) fn value(secrets: &Secrets) -> Value {
    let mut digest = Sha256::new();
    for secret in [secrets.key(), secrets.token()] {
        let text = secret.map_or("", Secret::expose);
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.finalize().into()
}

pub(super) fn of(declared: &[Declared], older: &[OlderKey]) -> BTreeMap<CallbackUrl, Place> {
    let mut urls: BTreeMap<CallbackUrl, (Pairs, BTreeMap<usize, Pairs>)> = BTreeMap::new();
    for (number, callback) in declared.iter().enumerate() {
        let url = urls.entry(callback.address.url.clone()).or_default();
        add(&mut url.0, callback.secrets.clone(), (number, None));
        for (older, OlderKey { name: _, key }) in older.iter().enumerate() {
            // Keys were checked where they were read.
            if let Ok(secrets) = Secrets::new(Some(key.clone()), callback.secrets.token().cloned())
            {
                let pairs = url.1.entry(older).or_default();
                add(pairs, secrets, (number, Some(older)));
            }
        }
    }
    let place = |(url, (current, older)): (CallbackUrl, (Pairs, BTreeMap<usize, Pairs>))| {
        let older = older.into_values().flat_map(BTreeMap::into_values);
        let all: Vec<_> = current.into_values().chain(older).collect();
        let (secrets, pairs): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let mut secrets = secrets.into_iter();
        let receiver = Receiver::new(secrets.next()?);
        let receiver = secrets.fold(receiver, Receiver::also);
        Some((url, Place { receiver, pairs }))
    };
    urls.into_iter().filter_map(place).collect()
}

fn add(pairs: &mut Pairs, secrets: Secrets, (owner, older): (usize, Option<usize>)) {
    let key = (!secrets.has_token(), value(&secrets));
    let owners = Vec::new();
    let pair = pairs
        .entry(key)
        .or_insert_with(|| (secrets, Pair { owners, older }));
    pair.1.owners.push(owner);
}

impl Place {
    pub(super) fn open(&self, receipt: &Receipt) -> Result<Opened, Rejection> {
        let signature = receipt.content_signature.as_deref();
        let headers = signature.map(|value| (envelope::SIGNATURE_HEADER, value.as_bytes()));
        self.receiver.open(headers, receipt.body.as_bytes())
    }

    /// Whether a token of this URL signed it.
    pub(super) fn is_authentic(&self, receipt: &Receipt) -> bool {
        let Some(header) = &receipt.content_signature else {
            return false;
        };
        self.receiver.accepted().iter().any(|secrets| {
            secrets
                .token()
                .is_some_and(|token| envelope::verify(token, receipt.body.as_bytes(), header))
        })
    }

    /// The callbacks with this URL.
    pub(super) fn current_owners(&self) -> impl Iterator<Item = usize> + '_ {
        let pairs = self.pairs.iter().filter(|pair| pair.older.is_none());
        pairs.flat_map(|pair| pair.owners.iter().copied())
    }
}
