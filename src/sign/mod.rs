//! TC3-HMAC-SHA256, Tencent Cloud's request signature, version 3.
//!
//! Source: cloud.tencent.com/document/api/1323/70361; the official SDKs sign `content-type;host`, and
//! so does [`sign`]. Each stage is a separate function, so that each can be compared with published
//! vectors, and so that the sandbox can verify what other clients signed. Time is an argument.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "signing is a pure function of request, credential and time"
)]

mod credential;

pub use credential::{Credential, CredentialProblem};

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::model::Timestamp;
use crate::secret::Secret;

/// The algorithm's name, as written in the string to sign and in `Authorization`.
pub const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// What of a request takes part in its signature.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'a> {
    /// `ess`, in every environment.
    pub service: &'a str,
    /// The `Host` header, with the port when it is not the default one.
    pub host: &'a str,
    /// The `Content-Type` header, byte for byte.
    pub content_type: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// A signature and the headers that carry it.
#[derive(Clone)]
pub struct Signed {
    /// `Authorization`.
    pub authorization: String,
    /// `X-TC-Timestamp`.
    pub timestamp: String,
}

/// Signs a `POST /` with this credential at this time.
pub fn sign(request: &Unsigned<'_>, credential: &Credential, at: Timestamp) -> Signed {
    let headers = [
        ("content-type", request.content_type),
        ("host", request.host),
    ];
    let canonical = canonical_request("POST", "/", "", &headers, request.body);
    let to_sign = string_to_sign(at, request.service, &canonical);
    let signature = signature(&credential.secret_key, at, request.service, &to_sign);
    Signed {
        authorization: format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders=content-type;host, Signature={signature}",
            credential.secret_id,
            credential_scope(at, request.service),
        ),
        timestamp: at.0.to_string(),
    }
}

/// The canonical request. `headers` are those signed, by lower-case name, sorted; values are
/// trimmed here. Lower-casing them, as the documentation asks, is left to the sender.
pub fn canonical_request(
    method: &str,
    path: &str,
    query: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> String {
    let mut text = format!("{method}\n{path}\n{query}\n");
    for (name, value) in headers {
        text.push_str(name);
        text.push(':');
        text.push_str(value.trim());
        text.push('\n');
    }
    text.push('\n');
    for (position, (name, _)) in headers.iter().enumerate() {
        if position > 0 {
            text.push(';');
        }
        text.push_str(name);
    }
    text.push('\n');
    text.push_str(&hex::encode(Sha256::digest(body)));
    text
}

pub fn string_to_sign(at: Timestamp, service: &str, canonical_request: &str) -> String {
    format!(
        "{ALGORITHM}\n{}\n{}\n{}",
        at.0,
        credential_scope(at, service),
        hex::encode(Sha256::digest(canonical_request.as_bytes())),
    )
}

/// The signature, in lower-case hexadecimal.
pub fn signature(
    secret_key: &Secret,
    at: Timestamp,
    service: &str,
    string_to_sign: &str,
) -> String {
    let mut first = Vec::from(b"TC3".as_slice());
    first.extend_from_slice(secret_key.expose().as_bytes());
    let by_date = hmac(&first, at.utc_date().as_bytes());
    let by_service = hmac(&by_date, service.as_bytes());
    let signing_key = hmac(&by_service, b"tc3_request");
    hex::encode(hmac(&signing_key, string_to_sign.as_bytes()))
}

/// `2023-11-14/ess/tc3_request`: the date is that of the timestamp, in UTC.
pub fn credential_scope(at: Timestamp, service: &str) -> String {
    format!("{}/{service}/tc3_request", at.utc_date())
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}
