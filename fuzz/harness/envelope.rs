//! Callback messages as anybody may send them.
//!
//! Body and signature are split at 0xFF. The first byte chooses: the body as it is, or as the cipher
//! text of an envelope.

use ess_callbacks::envelope::{content_signature, decrypt, encrypt, verify};
use ess_callbacks::secret::Secret;
use serde_json::Value;

const KEY: &str = "0123456789ABCDEF0123456789ABCDEF";

/// Verifies and decrypts.
pub(crate) fn run(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let (key, token) = (Secret::new(KEY), Secret::new("token"));
    let mut parts = data.splitn(2, |byte| *byte == 0xff);
    let body = parts.next().unwrap_or_default();
    let header = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let good = content_signature(&token, body);
    assert!(verify(&token, body, &good));
    assert_eq!(verify(&token, body, &header), header == good);
    let whole = Value::from(String::from_utf8_lossy(body)).to_string();
    let whole = format!(r#"{{"encrypt":{whole}}}"#);
    let is_whole = choice & 1 == 0;
    let body = if is_whole { body } else { whole.as_bytes() };
    match decrypt(&key, body) {
        // There is one cipher text for one message.
        Ok(message) => assert!(
            is_whole || encrypt(&key, &message).expect("the key is good") == whole,
            "{message:?} has another cipher text than {whole}"
        ),
        Err(error) => assert!(!error.to_string().contains(KEY)),
    }
    if let Ok(message) = std::str::from_utf8(data) {
        let sealed = encrypt(&key, message).expect("the key is good");
        assert_eq!(decrypt(&key, sealed.as_bytes()).as_deref(), Ok(message));
    }
}
