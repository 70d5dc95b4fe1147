//! Every stage of the signature against vectors made by an official SDK.

use ess_callbacks::model::Timestamp;
use ess_callbacks::secret::Secret;
use ess_callbacks::sign::{
    Credential, Unsigned, canonical_request, credential_scope, sign, signature, string_to_sign,
};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    input: Input,
    expected: Expected,
}

#[derive(Deserialize)]
struct Input {
    secret_id: String,
    secret_key: String,
    token: Option<String>,
    service: String,
    host: String,
    timestamp: i64,
    method: String,
    path: String,
    content_type: String,
    payload: String,
    unsigned_payload: bool,
}

#[derive(Deserialize)]
struct Expected {
    date: String,
    payload_sha256: String,
    canonical_request: String,
    canonical_request_sha256: String,
    string_to_sign: String,
    signature: String,
    authorization: String,
    headers: std::collections::BTreeMap<String, String>,
}

fn vectors() -> Vec<Vector> {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/tc3.json"))
        .expect("the vectors are JSON of this shape");
    vectors.vectors
}

#[test]
fn every_stage_of_every_vector() {
    let vectors = vectors();
    for name in [
        "ess-add-session-token",
        "ess-test-env-host",
        "ess-host-with-port",
        "ess-add-utf8-compact",
        "ess-date-utc-23:59:59",
        "ess-date-utc-00:00:00",
    ] {
        assert!(
            vectors.iter().any(|vector| vector.name == name),
            "the vectors lack {name}"
        );
    }
    for Vector {
        name,
        input,
        expected,
    } in vectors
    {
        assert!(
            !input.unsigned_payload,
            "{name}: unsigned payloads are not sent"
        );
        let at = Timestamp(input.timestamp);
        let key = Secret::new(input.secret_key);
        let headers = [
            ("content-type", input.content_type.as_str()),
            ("host", input.host.as_str()),
        ];

        assert_eq!(at.utc_date(), expected.date, "{name}");
        assert_eq!(
            hex::encode(Sha256::digest(input.payload.as_bytes())),
            expected.payload_sha256,
            "{name}"
        );
        let canonical = canonical_request(
            &input.method,
            &input.path,
            "",
            &headers,
            input.payload.as_bytes(),
        );
        assert_eq!(canonical, expected.canonical_request, "{name}");
        assert_eq!(
            hex::encode(Sha256::digest(canonical.as_bytes())),
            expected.canonical_request_sha256,
            "{name}"
        );
        let to_sign = string_to_sign(at, &input.service, &canonical);
        assert_eq!(to_sign, expected.string_to_sign, "{name}");
        assert_eq!(
            signature(&key, at, &input.service, &to_sign),
            expected.signature,
            "{name}"
        );

        let signed = sign(
            &Unsigned {
                service: &input.service,
                host: &input.host,
                content_type: &input.content_type,
                body: input.payload.as_bytes(),
            },
            &Credential {
                secret_id: input.secret_id,
                secret_key: key,
                token: input.token.as_deref().map(Secret::new),
            },
            at,
        );
        assert_eq!(signed.authorization, expected.authorization, "{name}");
        assert_eq!(
            signed.timestamp, expected.headers["X-TC-Timestamp"],
            "{name}"
        );
        assert_eq!(
            input.token.as_ref(),
            expected.headers.get("X-TC-Token"),
            "{name}"
        );
    }
}

/// The documentation's samples sign `x-tc-action` too; the sandbox has to verify such requests.
#[test]
fn more_headers_can_be_signed() {
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("host", "cvm.tencentcloudapi.com"),
        ("x-tc-action", "describeinstances"),
    ];
    insta::assert_snapshot!(canonical_request("POST", "/", "", &headers, b"{}"), @r"
    POST
    /

    content-type:application/json; charset=utf-8
    host:cvm.tencentcloudapi.com
    x-tc-action:describeinstances

    content-type;host;x-tc-action
    44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
    ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Also for timestamps no calendar has, and texts no header takes.
    #[test]
    fn signing_never_panics(
        id in any::<String>(),
        key in any::<String>(),
        host in any::<String>(),
        content_type in any::<String>(),
        body in any::<Vec<u8>>(),
        at in any::<i64>(),
    ) {
        let credential = Credential { secret_id: id, secret_key: Secret::new(key), token: None };
        let request = Unsigned { service: "ess", host: &host, content_type: &content_type, body: &body };
        let signed = sign(&request, &credential, Timestamp(at));
        prop_assert_eq!(signed.timestamp, at.to_string());
    }

    /// What passes [`Credential::check`] makes headers that HTTP takes and that give nothing away.
    #[test]
    fn a_checked_credential_makes_valid_headers(
        id in "[ -~]{1,80}",
        key in "[ -~]{8,80}",
        at in any::<i64>(),
    ) {
        let credential = Credential { secret_id: id, secret_key: Secret::new(&*key), token: None };
        let request = Unsigned { service: "ess", host: "h", content_type: "t", body: b"" };
        let signed = sign(&request, &credential, Timestamp(at));
        if credential.check().is_ok() {
            prop_assert!(HeaderValue::from_str(&signed.authorization).is_ok());
            prop_assert!(HeaderValue::from_str(&signed.timestamp).is_ok());
        }
        let printed = format!("{signed:?} {credential:?}");
        prop_assert!(credential.secret_id.contains(&key) || !printed.contains(&key));
        prop_assert!(signed.authorization.ends_with(|c: char| c.is_ascii_hexdigit()));
        prop_assert!(signed.authorization.contains(&credential_scope(Timestamp(at), "ess")));
    }
}
