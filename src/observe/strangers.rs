//! Requests to URLs that are not declared: whether the secrets of a declared callback open them.

use std::collections::BTreeMap;

use super::places::{Value, value};
use super::{Declared, is_own_probe, proves};
use crate::envelope::SIGNATURE_HEADER;
use crate::receiver::{Content, Receipt, Receiver, Secrets};

/// How many pairs of secrets are tried.
const MOST_PAIRS: usize = 256;

/// How many bytes are hashed and decrypted at most, for all requests together: anyone can send them.
const MOST_BYTES: usize = 1 << 30;

#[derive(Debug)]
pub(super) struct Strangers {
    /// Each pair of secrets, and the first callback that has it.
    pairs: Vec<(Receiver, usize)>,
    left: usize,
}

impl Strangers {
    pub(super) fn of(declared: &[Declared]) -> Self {
        let mut first: BTreeMap<Value, (usize, &Secrets)> = BTreeMap::new();
        for (number, callback) in declared.iter().enumerate() {
            let secrets = &callback.secrets;
            if secrets.has_key() || secrets.has_token() {
                first.entry(value(secrets)).or_insert((number, secrets));
            }
        }
        let mut pairs: Vec<_> = first.into_values().collect();
        pairs.sort_by_key(|(number, _)| *number);
        let pairs = pairs.into_iter().take(MOST_PAIRS);
        Self {
            pairs: pairs
                .map(|(number, secrets)| (Receiver::new(secrets.clone()), number))
                .collect(),
            left: MOST_BYTES,
        }
    }

    /// The callback whose secrets show that eSign sent this.
    pub(super) fn opened_by(&mut self, receipt: &Receipt) -> Option<usize> {
        let signature = receipt.content_signature.as_deref();
        for (receiver, owner) in &self.pairs {
            self.left = self.left.checked_sub(receipt.body.len())?;
            let headers = signature.map(|value| (SIGNATURE_HEADER, value.as_bytes()));
            if let Ok(opened) = receiver.open(headers, receipt.body.as_bytes())
                && let Content::Message(message) = &opened.content
                && !is_own_probe(message)
                && proves(&opened)
            {
                return Some(*owner);
            }
        }
        None
    }
}
