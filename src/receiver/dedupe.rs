//! Repeated deliveries: eSign sends a message again until it gets a 200, and sometimes after one.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::model::Timestamp;

/// What all deliveries of one message have in common: a hash, so that a long id takes no more memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DedupeKey([u8; 32]);

impl DedupeKey {
    pub(super) fn of_message_id(id: &str) -> Self {
        Self::of("MsgId", [Some(id)])
    }

    pub(super) fn of_content(msg_type: &str, data: &str) -> Self {
        Self::of("content", [Some(msg_type), Some(data)])
    }

    /// Of a V1 message, which has no id: the contract, the state it is in, who did what to it, and when. Two events
    /// that differ in one of these are two; without a contract, the whole message counts.
    pub(super) fn of_event(message: &str) -> Self {
        match serde_json::from_str::<Event<'_>>(message) {
            Ok(event) if event.flow_id.is_some() => {
                let Event {
                    flow_id,
                    status,
                    callback_type,
                    user_id,
                    recipient_id,
                    operate,
                    created,
                    updated,
                } = event;
                let parts = [
                    flow_id,
                    status,
                    callback_type,
                    user_id,
                    recipient_id,
                    operate,
                    created,
                    updated,
                ];
                Self::of("event", parts.map(|part| part.map(RawValue::get)))
            }
            Ok(_) | Err(_) => Self::of("content", [Some(""), Some(message)]),
        }
    }

    /// Of a request that no secret opens: of its whole body.
    #[must_use]
    pub fn of_body(body: &str) -> Self {
        Self::of("body", [Some(body)])
    }

    /// Of this message at one callback: what two callbacks get is no repetition.
    #[must_use]
    pub fn at(self, callback: &str) -> Self {
        Self::of("at", [Some(&*hex::encode(self.0)), Some(callback)])
    }

    pub(super) fn of<const N: usize>(kind: &str, parts: [Option<&str>; N]) -> Self {
        let mut digest = Sha256::new();
        for part in std::iter::once(Some(kind)).chain(parts) {
            // With their lengths, so that no two lists have the same bytes.
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            digest.update(length.to_be_bytes());
            digest.update(part.unwrap_or_default().as_bytes());
        }
        Self(digest.finalize().into())
    }
}

impl fmt::Display for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0[..8]))
    }
}

impl fmt::Debug for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "FlowId")]
    flow_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "FlowCallbackStatus")]
    status: Option<&'a RawValue>,
    #[serde(borrow, rename = "CallbackType")]
    callback_type: Option<&'a RawValue>,
    #[serde(borrow, rename = "UserId")]
    user_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "RecipientId")]
    recipient_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "Operate")]
    operate: Option<&'a RawValue>,
    #[serde(borrow, rename = "CreateOn")]
    created: Option<&'a RawValue>,
    #[serde(borrow, rename = "UpdatedOn")]
    updated: Option<&'a RawValue>,
}

/// Whether a message was received before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty<T> {
    New,
    /// With what was remembered of the first delivery.
    Again(T),
}

/// The messages received lately: a memory of bounded size and age. It has no clock; each call says the time.
///
/// In memory, it forgets everything on a restart. A receiver that must process each message once keeps the keys in its
/// database instead, in the transaction that processes the message.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    capacity: NonZeroUsize,
    seconds: u64,
    known: BTreeMap<DedupeKey, (Timestamp, T)>,
    /// Oldest first; holds every known key.
    order: VecDeque<(DedupeKey, Timestamp)>,
}

impl<T: Clone> Seen<T> {
    /// Remembers at most `capacity` messages, each for `seconds`.
    pub const fn new(capacity: NonZeroUsize, seconds: u64) -> Self {
        Self {
            capacity,
            seconds,
            known: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Remembers a message with `value`, unless it is known already.
    pub fn note(&mut self, key: DedupeKey, now: Timestamp, value: T) -> Novelty<T> {
        self.expire(now);
        if let Some((_, first)) = self.known.get(&key) {
            return Novelty::Again(first.clone());
        }
        while self.order.len() >= self.capacity.get() {
            self.drop_oldest();
        }
        self.order.push_back((key, now));
        self.known.insert(key, (now, value));
        Novelty::New
    }

    /// Forgets a message whose processing failed, so that its next delivery is new.
    pub fn forget(&mut self, key: &DedupeKey) {
        if self.known.remove(key).is_some() {
            self.order.retain(|(known, _)| known != key);
        }
    }

    /// How many messages are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn expire(&mut self, now: Timestamp) {
        let limit = self.seconds;
        let old = |at: Timestamp| {
            u64::try_from(now.seconds_since(at)).is_ok_and(|seconds| seconds > limit)
        };
        while self.order.front().is_some_and(|(_, at)| old(*at)) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((key, _)) = self.order.pop_front() {
            self.known.remove(&key);
        }
    }
}
