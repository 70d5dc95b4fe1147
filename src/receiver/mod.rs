//! The reference receiver: what eSign POSTs to a callback URL, verified, decrypted and told apart.
//!
//! [`Receiver::open`] takes the headers and the raw body of a request, exactly as they arrived, and gives what they
//! hold or a typed [`Rejection`] with the status to answer. It is a function of values: serving, storing and the time
//! belong to the caller. [`Seen`] is the bounded memory that finds repeated deliveries, [`masked`] shows a message
//! without personal data, and a [`Receipt`] is what remains of a request as evidence.
//!
//! ```
//! use ess_callbacks::receiver::{Content, Receiver, Secrets};
//! use ess_callbacks::secret::Secret;
//!
//! let secrets = Secrets::new(None, Some(Secret::new("a token")))?;
//! let receiver = Receiver::new(secrets);
//! let opened = receiver.open([], b"{}").expect("the probe needs no signature");
//! assert!(matches!(opened.content, Content::Probe));
//! let rejection = receiver.open([], br#"{"MsgType":"X"}"#).unwrap_err();
//! assert_eq!(rejection.status(), 403);
//! # Ok::<(), ess_callbacks::receiver::KeyLengthError>(())
//! ```
//!
//! Decisions where eSign's documentation is silent or contradicts itself:
//!
//! * **Signatures are verified over the bytes as received**, before anything is parsed, in constant time. Two
//!   signature headers are refused, because it is not known which one a proxy added.
//! * **The probe `{}`** is accepted with a valid signature and without one: eSign sends both, and it holds nothing. One
//!   with a wrong signature is refused, so that a wrong token shows when the address is configured.
//! * **The vendor's check** `{"encrypt":"62KE4r5Wz0yHzEpMOwVRbM1KV0"}` must get 200 by its documentation, although no
//!   key opens it. Exactly this text is accepted ([`Content::VendorCheck`]) and nothing else that can't be opened: a
//!   known constant gives an attacker nothing, because there is no message in it.
//! * **Unencrypted messages are refused where a key is set.** Otherwise anyone could leave the encryption out.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a request is opened as a function of its bytes and the secrets"
)]

mod body;
mod dedupe;
mod json;
mod mask;
mod message;
mod receipt;
mod rejection;
mod shape;

pub use dedupe::{DedupeKey, Novelty, Seen};
pub use mask::{MASK, masked, masked_text};
pub use message::{Message, V1, V2};
pub use receipt::{MAX_RECEIPT_BODY, Receipt, ReceiptError, receipt_schema};
pub use rejection::Rejection;

pub(crate) use json::indented;

use crate::envelope::{self, EnvelopeError, KEY_LENGTH, SIGNATURE_HEADER};
use crate::secret::Secret;
use body::Body;

/// The key and token of a callback.
#[derive(Clone, Debug)]
pub struct Secrets {
    key: Option<Secret>,
    token: Option<Secret>,
}

/// A callback key that AES-256 can't use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the callback key has {0} bytes; it must have exactly {KEY_LENGTH}")]
pub struct KeyLengthError(pub usize);

impl Secrets {
    /// Without a key, messages are expected in clear text; without a token, anyone can forge them.
    ///
    /// # Errors
    ///
    /// The key does not have 32 bytes.
    pub fn new(key: Option<Secret>, token: Option<Secret>) -> Result<Self, KeyLengthError> {
        match key.as_ref().map(|key| key.expose().len()) {
            None | Some(KEY_LENGTH) => Ok(Self { key, token }),
            Some(length) => Err(KeyLengthError(length)),
        }
    }

    /// For a pair that differs from this one in its token.
    pub const fn key(&self) -> Option<&Secret> {
        self.key.as_ref()
    }

    /// For a pair that differs from this one in its key.
    pub const fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// Whether messages must be encrypted.
    pub const fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether messages must be signed.
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }
}

/// Opens requests with one or more pairs of key and token.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Never empty; the current pair is the first.
    accepted: Vec<Secrets>,
}

/// A request that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub content: Content,
    /// Whether the body was encrypted.
    pub encrypted: bool,
    pub signature: Signature,
    /// The pair that opened it, as a position: 0 is the current one, larger ones are older. `None` if no secret was
    /// needed.
    pub pair: Option<usize>,
}

/// What an accepted request holds. Answer 200 to all of it, also to unknown types of message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// `{}`: eSign checks the address.
    Probe,
    /// The body that the vendor's documentation checks an address with. It holds nothing.
    VendorCheck,
    Message(Message),
}

/// What is known of a request's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// It is there and valid.
    Valid,
    /// There is none.
    Absent,
    /// It is there, and there is no token to verify it with.
    Unverified,
}

/// The header, as it came.
enum Header<'a> {
    Absent,
    One(&'a [u8]),
    Several,
}

impl Receiver {
    /// With the current key and token.
    pub fn new(current: Secrets) -> Self {
        Self {
            accepted: vec![current],
        }
    }

    /// Also accepts this older pair, as long as a rotation takes. Tried after those given before.
    #[must_use]
    pub fn also(mut self, older: Secrets) -> Self {
        self.accepted.push(older);
        self
    }

    /// The pairs, the current one first.
    pub fn accepted(&self) -> &[Secrets] {
        &self.accepted
    }

    /// Opens a request: its headers, whose names are compared without case, and its body as received.
    ///
    /// # Errors
    ///
    /// The request is not proven to come from eSign, or can't be read; the [`Rejection`] says which.
    pub fn open<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        body: &[u8],
    ) -> Result<Opened, Rejection> {
        let header = match signature_header(headers) {
            Header::Several => return Err(Rejection::SeveralSignatures),
            Header::One(header) => Some(header),
            Header::Absent => None,
        };
        let signatures: Vec<_> = self
            .accepted
            .iter()
            .map(|secrets| secrets.signature(header, body))
            .collect();
        let valid = signatures.iter().position(Result::is_ok);
        let read = Body::read(body);
        if header.is_none() || valid.is_some() {
            let content = match read {
                Ok(Body::Empty) => Some(Content::Probe),
                Ok(Body::VendorCheck) => Some(Content::VendorCheck),
                Ok(Body::Sealed | Body::Clear(_)) | Err(_) => None,
            };
            if let Some(content) = content {
                let signature = match valid.map(|valid| signatures[valid]) {
                    Some(Ok(signature)) => signature,
                    Some(Err(_)) | None => Signature::Absent,
                };
                let pair = valid.filter(|_| signature == Signature::Valid);
                return Ok(Opened {
                    encrypted: false,
                    content,
                    signature,
                    pair,
                });
            }
        }
        let mut first = None;
        for (pair, (secrets, signature)) in self.accepted.iter().zip(&signatures).enumerate() {
            let opened = signature.and_then(|signature| {
                let (content, encrypted) = secrets.content(&read, body)?;
                Ok(Opened {
                    content,
                    encrypted,
                    signature,
                    pair: (secrets.has_key() || secrets.has_token()).then_some(pair),
                })
            });
            match opened {
                Ok(opened) => return Ok(opened),
                // One that a valid signature allowed says more.
                Err(rejection) if signature.is_ok() => first = first.or(Some(rejection)),
                Err(_) => {}
            }
        }
        let unproven = signatures.into_iter().find_map(Result::err);
        Err(first.or(unproven).unwrap_or(Rejection::MissingSignature))
    }
}

impl Secrets {
    fn signature(&self, header: Option<&[u8]>, body: &[u8]) -> Result<Signature, Rejection> {
        match (&self.token, header) {
            (None, None) => Ok(Signature::Absent),
            (None, Some(_)) => Ok(Signature::Unverified),
            (Some(_), None) => Err(Rejection::MissingSignature),
            (Some(token), Some(header)) => match std::str::from_utf8(header) {
                Ok(text) if envelope::verify(token, body, text) => Ok(Signature::Valid),
                Ok(text) if is_signature(text) => Err(Rejection::WrongSignature),
                Ok(_) | Err(_) => Err(Rejection::MalformedSignature),
            },
        }
    }

    fn content(
        &self,
        read: &Result<Body<'_>, Rejection>,
        body: &[u8],
    ) -> Result<(Content, bool), Rejection> {
        match (read, &self.key) {
            (Err(rejection), _) => Err(*rejection),
            (Ok(Body::Empty), _) => Ok((Content::Probe, false)),
            (Ok(Body::VendorCheck), _) => Ok((Content::VendorCheck, false)),
            (Ok(Body::Sealed), None) => Err(Rejection::EncryptedWithoutKey),
            (Ok(Body::Clear(_)), Some(_)) => Err(Rejection::ClearText),
            (Ok(Body::Clear(text)), None) => Ok((Content::Message(Message::read(text)?), false)),
            (Ok(Body::Sealed), Some(key)) => {
                let text = envelope::decrypt(key, body).map_err(|error| match error {
                    EnvelopeError::Padding | EnvelopeError::NotUtf8 => Rejection::WrongKey,
                    EnvelopeError::NotBase64
                    | EnvelopeError::NotWholeBlocks(_)
                    | EnvelopeError::NotAnEnvelope
                    | EnvelopeError::KeyLength(_) => Rejection::Damaged,
                })?;
                match Body::read(text.as_bytes()) {
                    Ok(Body::Empty) => Ok((Content::Probe, true)),
                    Ok(Body::Sealed | Body::VendorCheck | Body::Clear(_)) => {
                        Ok((Content::Message(Message::read(&text)?), true))
                    }
                    Err(_) => Err(Rejection::NotAMessage),
                }
            }
        }
    }
}

fn signature_header<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Header<'a> {
    let mut found = headers
        .into_iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(SIGNATURE_HEADER));
    match (found.next(), found.next()) {
        (None, _) => Header::Absent,
        (Some((_, value)), None) => Header::One(value),
        (Some(_), Some(_)) => Header::Several,
    }
}

/// `sha256=` and 64 lower-case hexadecimal digits.
fn is_signature(text: &str) -> bool {
    let digits = text.strip_prefix("sha256=").unwrap_or_default();
    digits.len() == 64
        && digits
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
