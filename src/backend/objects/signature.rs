//! AWS Signature Version 4 in headers, for S3 and for what speaks its protocol.
//!
//! Source: docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. The signature and the session token
//! are headers, never part of a URL, which proxies log. Every header that is sent for a purpose is signed, so that
//! nothing on the way can drop the condition of a write; so is the hash of the body.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::model::Timestamp;
use crate::secret::Secret;
use crate::sign::Credential;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request before it is signed.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    /// Encoded by [`encode_path`].
    pub(super) path: &'a str,
    /// Encoded by [`query`].
    pub(super) query: &'a str,
    /// By lower-case name.
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) body: &'a [u8],
}

/// The headers to send: those of the request, and those of the signature. The host is not among them.
pub(super) fn sign(
    request: &Unsigned<'_>,
    credential: &Credential,
    region: &str,
    at: Timestamp,
) -> Vec<(&'static str, Secret)> {
    let time = compact(at);
    let day = &time[..8];
    let body_hash = hex::encode(Sha256::digest(request.body));
    let mut headers: Vec<(&'static str, String)> = request.headers.to_vec();
    headers.push(("host", request.host.to_owned()));
    headers.push(("x-amz-content-sha256", body_hash.clone()));
    headers.push(("x-amz-date", time.clone()));
    if let Some(token) = &credential.token {
        headers.push(("x-amz-security-token", token.expose().to_owned()));
    }
    headers.sort_unstable();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for (name, value) in &headers {
        let _infallible = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _infallible = write!(canonical, "\n{names}\n{body_hash}");
    let scope = format!("{day}/{region}/s3/aws4_request");
    let to_sign = format!(
        "{ALGORITHM}\n{time}\n{scope}\n{}",
        hex::encode(Sha256::digest(canonical.as_bytes()))
    );
    let first = Secret::new(format!("AWS4{}", credential.secret_key.expose()));
    let mut key = hmac(first.expose().as_bytes(), day);
    for part in [region, "s3", "aws4_request"] {
        key = hmac(&key, part);
    }
    let signature = hex::encode(hmac(&key, &to_sign));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope},SignedHeaders={names},Signature={signature}",
        credential.secret_id
    );
    headers.retain(|(name, _)| *name != "host");
    headers.push(("authorization", authorization));
    headers
        .into_iter()
        .map(|(name, value)| (name, Secret::new(value)))
        .collect()
}

fn hmac(key: &[u8], message: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

/// `20130524T000000Z`.
fn compact(at: Timestamp) -> String {
    let text = jiff::Timestamp::from_second(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    text.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A path whose segments are encoded as the signature has them. The slashes stay.
pub(super) fn encode_path(path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(encode).collect();
    segments.join("/")
}

/// A query in the order and the form of the signature.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut encoded: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    encoded.sort_unstable();
    encoded.join("&")
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The credential and the time of the examples in AWS's documentation.
    fn documented(request: &Unsigned<'_>) -> String {
        let credential = Credential {
            secret_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            token: None,
        };
        let signed = sign(request, &credential, "us-east-1", Timestamp(1_369_353_600));
        let (_, value) = signed
            .into_iter()
            .find(|(name, _)| *name == "authorization")
            .unwrap();
        value.expose().to_owned()
    }

    /// `GET Object`, `PUT Object`, `GET Bucket Lifecycle` and `GET Bucket` of the documentation.
    #[test]
    fn the_documented_examples_are_signed_as_documented() {
        let host = "examplebucket.s3.amazonaws.com";
        let get = Unsigned {
            method: "GET",
            host,
            path: "/test.txt",
            query: "",
            headers: &[("range", "bytes=0-9".to_owned())],
            body: b"",
        };
        assert_eq!(
            documented(&get),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let put = Unsigned {
            method: "PUT",
            path: &encode_path("/test$file.text"),
            headers: &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
            ],
            body: b"Welcome to Amazon S3.",
            ..get
        };
        assert!(documented(&put).ends_with(
            "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        ));
        let lifecycle = Unsigned {
            path: "/",
            query: &query(&[("lifecycle", "")]),
            headers: &[],
            ..get
        };
        assert!(documented(&lifecycle).ends_with(
            "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        ));
        let list = Unsigned {
            query: &query(&[("prefix", "J"), ("max-keys", "2")]),
            ..lifecycle
        };
        assert!(documented(&list).ends_with(
            "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        ));
    }

    #[test]
    fn the_condition_of_a_write_and_the_token_are_signed() {
        let request = Unsigned {
            method: "PUT",
            host: "b-1.cos.ap-guangzhou.myqcloud.com",
            path: "/k",
            query: "",
            headers: &[("x-cos-forbid-overwrite", "true".to_owned())],
            body: b"",
        };
        let credential = Credential {
            secret_id: "AKID".to_owned(),
            secret_key: Secret::new("canary"),
            token: Some(Secret::new("token")),
        };
        let signed = sign(&request, &credential, "ap-guangzhou", Timestamp(0));
        let value = |wanted: &str| {
            let found = signed.iter().find(|(name, _)| *name == wanted);
            found.unwrap().1.expose()
        };
        assert!(value("authorization").contains(
            "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-cos-forbid-overwrite,"
        ));
        assert_eq!(value("x-cos-forbid-overwrite"), "true");
        assert_eq!(value("x-amz-security-token"), "token");
        assert!(
            signed
                .iter()
                .all(|(_, value)| !value.expose().contains("canary"))
        );
    }

    #[test]
    fn paths_and_queries_are_encoded_once() {
        assert_eq!(encode_path("a b/ü+~/c"), "a%20b/%C3%BC%2B~/c");
        assert_eq!(
            query(&[("prefix", "a/b"), ("marker", "")]),
            "marker=&prefix=a%2Fb"
        );
    }
}
