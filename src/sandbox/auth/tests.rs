//! Verification against requests that the vendor's SDK signed.

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::secret::Secret;
use crate::sign::Credential;

/// Every vector for our service: the request as the SDK sent it, its sender and its time.
fn vectors() -> Vec<(String, RawRequest, Customer, Timestamp)> {
    let all: Value = serde_json::from_str(include_str!("../../../tests/vectors/tc3.json")).unwrap();
    let all = all["vectors"].as_array().unwrap();
    let ours = all
        .iter()
        .filter(|case| case["input"]["service"] == ESIGN.name);
    ours.map(|case| {
        let input = |name: &str| case["input"][name].as_str().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        for (name, value) in case["expected"]["headers"].as_object().unwrap() {
            headers.insert(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
            );
        }
        let request = RawRequest {
            method: input("method"),
            path: input("path"),
            query: String::new(),
            headers,
            body: Bytes::from(input("payload")),
        };
        let customer = Customer {
            account: "default".to_owned(),
            credential: Credential {
                secret_id: input("secret_id"),
                secret_key: Secret::new(input("secret_key")),
                token: case["input"]["token"].as_str().map(Secret::new),
            },
        };
        let name = case["name"].as_str().unwrap().to_owned();
        let at = Timestamp(case["input"]["timestamp"].as_i64().unwrap());
        (name, request, customer, at)
    })
    .collect()
}

fn first() -> (RawRequest, Vec<Customer>, Timestamp) {
    let (_, request, customer, at) = vectors().remove(0);
    (request, vec![customer], at)
}

fn refused(request: &RawRequest, customers: &[Customer], now: Timestamp) -> &'static str {
    authenticate(request, customers, now).unwrap_err().code
}

/// Signs `request` over these headers, with their values as `show` gives them.
fn sign_over(request: &mut RawRequest, customer: &Customer, names: &str, show: fn(&str) -> String) {
    let at = request.timestamp().unwrap();
    let values: Vec<(&str, String)> = names
        .split(';')
        .map(|name| (name, show(request.header(name).unwrap())))
        .collect();
    let headers: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let canonical = canonical_request("POST", "/", "", &headers, &request.body);
    let to_sign = string_to_sign(at, ESIGN.name, &canonical);
    let signature = signature(&customer.credential.secret_key, at, ESIGN.name, &to_sign);
    let (id, date) = (&customer.credential.secret_id, at.utc_date());
    let value = format!(
        "{ALGORITHM} Credential={id}/{date}/ess/tc3_request, SignedHeaders={names}, Signature={signature}"
    );
    let value = HeaderValue::from_str(&value).unwrap();
    request.headers.insert("authorization", value);
}

#[test]
fn every_request_that_the_sdk_signed_is_accepted() {
    let vectors = vectors();
    assert!(vectors.len() >= 10, "{} vectors", vectors.len());
    for (name, request, customer, at) in vectors {
        let customers = [customer];
        let known = authenticate(&request, &customers, at);
        assert_eq!(
            known.map(|(it, _)| it.account.as_str()),
            Ok("default"),
            "{name}"
        );
    }
}

#[test]
fn the_window_is_five_minutes_either_way() {
    let (request, customers, at) = first();
    for inside in [-300, 300] {
        assert!(authenticate(&request, &customers, at.plus(inside)).is_ok());
    }
    for outside in [-301, 301] {
        let code = refused(&request, &customers, at.plus(outside));
        assert_eq!(code, "AuthFailure.SignatureExpire");
    }
}

#[test]
fn what_is_wrong_has_its_code() {
    let (request, mut customers, at) = first();
    assert_eq!(refused(&request, &[], at), "AuthFailure.SecretIdNotFound");

    let mut other = request.clone();
    other.headers.remove("x-tc-timestamp");
    assert_eq!(refused(&other, &customers, at), "MissingParameter");

    for bad in [
        "SKIP",
        "TC3-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=content-type;host, Signature=x",
        "TC3-HMAC-SHA256 Credential=a/2023-11-14/ess/tc3_request, SignedHeaders=host, Signature=x",
        "TC3-HMAC-SHA256 Credential=a/2023-11-14/ess/tc3_request, SignedHeaders=host;content-type, Signature=x",
        "TC3-HMAC-SHA256 Credential=a/2023-11-14/ess/tc3_request, SignedHeaders=content-type;host",
    ] {
        let mut other = request.clone();
        other
            .headers
            .insert("authorization", HeaderValue::from_static(bad));
        let code = refused(&other, &customers, at);
        assert_eq!(code, "AuthFailure.InvalidAuthorization", "{bad}");
    }

    customers[0].credential.token = Some(Secret::new("temporary"));
    assert_eq!(
        refused(&request, &customers, at),
        "AuthFailure.TokenFailure"
    );
    customers[0].credential.secret_key = Secret::new("another");
    assert_eq!(
        refused(&request, &customers, at),
        "AuthFailure.SignatureFailure"
    );
}

#[test]
fn more_headers_may_be_signed_and_are_then_checked() {
    let (mut request, customers, at) = first();
    let names = "content-type;host;x-tc-action";
    sign_over(&mut request, &customers[0], names, str::to_ascii_lowercase);
    assert!(authenticate(&request, &customers, at).is_ok());
    request
        .headers
        .insert("x-tc-action", HeaderValue::from_static("Other"));
    let code = refused(&request, &customers, at);
    assert_eq!(code, "AuthFailure.SignatureFailure");
    request.headers.remove("x-tc-action");
    let code = refused(&request, &customers, at);
    assert_eq!(code, "AuthFailure.InvalidAuthorization");
}

#[test]
fn a_content_type_may_be_signed_as_sent_or_in_lower_case() {
    let (mut request, customers, at) = first();
    let content_type = HeaderValue::from_static("application/json; charset=UTF-8");
    request.headers.insert("content-type", content_type);
    for show in [str::to_owned, str::to_ascii_lowercase] {
        sign_over(&mut request, &customers[0], "content-type;host", show);
        assert!(authenticate(&request, &customers, at).is_ok());
    }
    sign_over(
        &mut request,
        &customers[0],
        "content-type;host",
        str::to_ascii_uppercase,
    );
    assert_eq!(
        refused(&request, &customers, at),
        "AuthFailure.SignatureFailure"
    );
}

#[test]
fn an_unsigned_payload_is_accepted_as_the_sdk_offers_it() {
    let (mut request, customers, at) = first();
    let body = std::mem::replace(&mut request.body, Bytes::from_static(b"UNSIGNED-PAYLOAD"));
    sign_over(
        &mut request,
        &customers[0],
        "content-type;host",
        str::to_owned,
    );
    request.body = body;
    assert_eq!(
        refused(&request, &customers, at),
        "AuthFailure.SignatureFailure"
    );
    let unsigned = HeaderValue::from_static("UNSIGNED-PAYLOAD");
    request.headers.insert("x-tc-content-sha256", unsigned);
    assert!(authenticate(&request, &customers, at).is_ok());
}

proptest! {
    #[test]
    fn one_changed_bit_is_refused(
        vector: prop::sample::Index, place: prop::sample::Index, part in 0..4_usize, bit in 0..7_u32,
    ) {
        let vectors = vectors();
        let (_, mut request, customer, at) = vectors[vector.index(vectors.len())].clone();
        let name = ["body", "authorization", "host", "content-type"][part];
        let mut bytes = match name {
            "body" => request.body.to_vec(),
            _ => request.headers[name].as_bytes().to_vec(),
        };
        let place = place.index(bytes.len());
        let letter = bytes[place].is_ascii_alphabetic();
        // The case of host and content type is the one thing the documentation leaves open.
        prop_assume!(matches!(name, "body" | "authorization") || !letter || 1 << bit != 0x20);
        bytes[place] ^= 1 << bit;
        if name == "body" {
            request.body = Bytes::from(bytes);
        } else {
            let value = HeaderValue::from_bytes(&bytes);
            prop_assume!(value.is_ok());
            request.headers.insert(name, value.unwrap());
        }
        prop_assert!(authenticate(&request, &[customer], at).is_err());
    }

    #[test]
    fn an_authorization_out_of_thin_air_is_refused(text in "(TC3-HMAC-SHA256 )?\\PC*") {
        let (mut request, customers, at) = first();
        let value = HeaderValue::from_str(&text);
        prop_assume!(value.is_ok());
        request.headers.insert("authorization", value.unwrap());
        prop_assert!(authenticate(&request, &customers, at).is_err());
    }
}
