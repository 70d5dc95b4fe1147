//! The envelope against vectors made with openssl and Python, not with this program.

use ess_callbacks::envelope::{content_signature, decrypt, encrypt, verify};
use ess_callbacks::secret::Secret;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/callback.json")).expect("the vectors are JSON")
}

#[test]
fn every_vector_is_sealed_and_opened_byte_for_byte() {
    let vectors = vectors();
    let cases = vectors["vectors"].as_array().unwrap();
    assert_eq!(cases.len(), 4, "a vector was added or lost");
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let key = Secret::new(text("callback_key"));
        let body = text("raw_body");
        assert_eq!(encrypt(&key, text("plaintext")).unwrap(), body);
        assert_eq!(decrypt(&key, body.as_bytes()).unwrap(), text("plaintext"));
        let token = Secret::new(text("callback_token"));
        let header = text("content_signature");
        assert_eq!(content_signature(&token, body.as_bytes()), header);
        assert!(verify(&token, body.as_bytes(), header));
    }
}

#[test]
fn the_probe_is_signed_as_it_is_sent() {
    let probe = &vectors()["probe"];
    let text = |name: &str| probe[name].as_str().unwrap();
    let token = Secret::new(text("callback_token"));
    assert_eq!(
        content_signature(&token, text("raw_body").as_bytes()),
        text("content_signature")
    );
}
