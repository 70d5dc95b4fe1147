//! The envelope that eSign puts its callback messages in: encryption and signature.
//!
//! A callback with a key gets `{"encrypt":"<base64>"}` ([`encrypt`], [`decrypt`]): AES-256-CBC, the
//! key being the text's own 32 bytes and the initialization vector their first 16, with PKCS#7
//! padding. A callback with a token gets the header `Content-Signature` over the body as sent
//! ([`content_signature`], [`verify`]). The two are independent. Fixed initialization vectors and an
//! optional signature are the vendor's design, not ours.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the envelope is a pure function of key, token and message"
)]

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secret::Secret;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "Content-Signature";
/// The length of a callback key, in bytes.
pub const KEY_LENGTH: usize = 32;

const BLOCK: usize = 16;
const SCHEME: &str = "sha256=";

/// Why a message could not be put into its envelope, or taken out. No variant holds a key, a token
/// or a message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// AES-256 takes no other length.
    #[error("the callback key has {0} bytes; it must have exactly {KEY_LENGTH}")]
    KeyLength(usize),
    /// Not `{"encrypt":"…"}`. This is the case for an unencrypted message.
    #[error(
        "the body is not an object with the text member `encrypt`: the sender has no callback key, \
         or this is its probe `{{}}`"
    )]
    NotAnEnvelope,
    /// The member `encrypt` is damaged.
    #[error("`encrypt` is not base64: the body was changed on its way")]
    NotBase64,
    /// The cipher text is damaged.
    #[error("`encrypt` holds {0} bytes; a ciphertext must be one or more blocks of {BLOCK} bytes")]
    NotWholeBlocks(usize),
    /// The usual sign of a wrong key.
    #[error("the padding is wrong: most likely the sender has another callback key")]
    Padding,
    /// The rarer sign of a wrong key.
    #[error("the message is not UTF-8: most likely the sender has another callback key")]
    NotUtf8,
}

#[derive(Deserialize)]
struct Envelope {
    encrypt: String,
}

/// The body for `message`, encrypted: `{"encrypt":"…"}`.
pub fn encrypt(key: &Secret, message: &str) -> Result<String, EnvelopeError> {
    let (key, vector) = parts(key)?;
    let cipher = cbc::Encryptor::<Aes256>::new(key.into(), vector.into());
    let sealed = cipher.encrypt_padded_vec::<Pkcs7>(message.as_bytes());
    Ok(format!(r#"{{"encrypt":"{}"}}"#, STANDARD.encode(sealed)))
}

/// The message in an encrypted body. Verify the body first where there is a token.
pub fn decrypt(key: &Secret, body: &[u8]) -> Result<String, EnvelopeError> {
    let (key, vector) = parts(key)?;
    let envelope: Envelope =
        serde_json::from_slice(body).map_err(|_| EnvelopeError::NotAnEnvelope)?;
    let sealed = STANDARD
        .decode(envelope.encrypt)
        .map_err(|_| EnvelopeError::NotBase64)?;
    if sealed.is_empty() || !sealed.len().is_multiple_of(BLOCK) {
        return Err(EnvelopeError::NotWholeBlocks(sealed.len()));
    }
    let cipher = cbc::Decryptor::<Aes256>::new(key.into(), vector.into());
    let message = cipher
        .decrypt_padded_vec::<Pkcs7>(&sealed)
        .map_err(|_| EnvelopeError::Padding)?;
    String::from_utf8(message).map_err(|_| EnvelopeError::NotUtf8)
}

/// The value of `Content-Signature` for a body as sent: `sha256=` and lower-case hexadecimal.
pub fn content_signature(token: &Secret, raw_body: &[u8]) -> String {
    format!("{SCHEME}{}", hex::encode(mac(token, raw_body)))
}

/// Whether `header` signs this body, compared in constant time. Anything malformed does not.
pub fn verify(token: &Secret, raw_body: &[u8], header: &str) -> bool {
    let Some(digits) = header.strip_prefix(SCHEME) else {
        return false;
    };
    // The vendor documents lower case; hexadecimal in capitals is not what it sends.
    let expected = hex::encode(mac(token, raw_body));
    expected.as_bytes().ct_eq(digits.as_bytes()).into()
}

/// Whether a body has the mark of what `verify` sends, which shows whatever key and token it was made with: its SHA-256
/// begins with a zero byte. So does that of one other body in 256.
pub fn is_marked(body: &[u8]) -> bool {
    Sha256::digest(body)[0] == 0
}

fn mac(token: &Secret, raw_body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.expose().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(raw_body);
    mac.finalize().into_bytes().into()
}

fn parts(key: &Secret) -> Result<(&[u8; KEY_LENGTH], &[u8; BLOCK]), EnvelopeError> {
    let bytes = key.expose().as_bytes();
    let wrong = || EnvelopeError::KeyLength(bytes.len());
    let key: &[u8; KEY_LENGTH] = bytes.try_into().map_err(|_| wrong())?;
    let vector = key.first_chunk().ok_or_else(wrong)?;
    Ok((key, vector))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "0123456789ABCDEF0123456789ABCDEF";

    fn broken(body: &str) -> EnvelopeError {
        decrypt(&Secret::new(KEY), body.as_bytes()).unwrap_err()
    }

    #[test]
    fn each_way_to_be_broken_has_its_own_error() {
        assert_eq!(broken("{}"), EnvelopeError::NotAnEnvelope);
        assert_eq!(broken(r#"{"MsgId":"1"}"#), EnvelopeError::NotAnEnvelope);
        assert_eq!(broken("not JSON"), EnvelopeError::NotAnEnvelope);
        assert_eq!(broken(r#"{"encrypt":"*"}"#), EnvelopeError::NotBase64);
        assert_eq!(
            broken(r#"{"encrypt":""}"#),
            EnvelopeError::NotWholeBlocks(0)
        );
        // The vendor's own curl sample: not a whole block, and not even whole base64.
        assert_eq!(
            broken(r#"{"encrypt":"62KE4r5Wz0yHzEpMOwVRbM1KV0"}"#),
            EnvelopeError::NotBase64
        );
        let short = STANDARD.encode([0_u8; 19]);
        assert_eq!(
            broken(&format!(r#"{{"encrypt":"{short}"}}"#)),
            EnvelopeError::NotWholeBlocks(19)
        );
    }

    #[test]
    fn a_key_of_another_length_is_refused_both_ways() {
        for length in [0, 31, 33, 64] {
            let key = Secret::new("k".repeat(length));
            let expected = EnvelopeError::KeyLength(length);
            assert_eq!(encrypt(&key, "{}").unwrap_err(), expected);
            assert_eq!(decrypt(&key, b"{}").unwrap_err(), expected);
        }
        // Bytes count, not characters.
        let key = Secret::new("合".repeat(32));
        assert_eq!(
            encrypt(&key, "{}").unwrap_err(),
            EnvelopeError::KeyLength(96)
        );
    }

    #[test]
    fn a_signature_is_verified_to_the_letter() {
        let token = Secret::new("token");
        let good = content_signature(&token, b"{}");
        assert!(verify(&token, b"{}", &good));
        for bad in [
            good.to_uppercase(),
            good.replace("sha256=", ""),
            good.replace("sha256=", "sha1="),
            good[..good.len() - 1].to_owned(),
            format!("{good}0"),
            String::new(),
        ] {
            assert!(!verify(&token, b"{}", &bad), "{bad}");
        }
        assert!(!verify(&Secret::new("other"), b"{}", &good));
    }

    proptest! {
        #[test]
        fn what_was_encrypted_is_decrypted(key in "[ -~]{32}", message in ".*") {
            let key = Secret::new(key);
            let body = encrypt(&key, &message).unwrap();
            prop_assert_eq!(decrypt(&key, body.as_bytes()).unwrap(), message);
        }

        #[test]
        fn another_key_never_gives_the_message(
            key in "[ -~]{32}", other in "[ -~]{32}", message in ".{1,99}",
        ) {
            prop_assume!(key != other);
            let body = encrypt(&Secret::new(key), &message).unwrap();
            prop_assert_ne!(decrypt(&Secret::new(other), body.as_bytes()), Ok(message));
        }

        #[test]
        fn arbitrary_bytes_cause_no_panic(bytes: Vec<u8>) {
            let key = Secret::new(KEY);
            prop_assert!(decrypt(&key, &bytes).is_err());
            let sealed = STANDARD.encode(&bytes);
            let body = format!(r#"{{"encrypt":"{sealed}"}}"#);
            if let Ok(message) = decrypt(&key, body.as_bytes()) {
                prop_assert_eq!(encrypt(&key, &message).unwrap(), body);
            }
        }

        #[test]
        fn one_flipped_bit_breaks_the_signature(
            token in "[ -~]{0,40}", mut body in proptest::collection::vec(any::<u8>(), 1..200),
            at: prop::sample::Index, bit in 0..8_u32,
        ) {
            let token = Secret::new(token);
            let header = content_signature(&token, &body);
            prop_assert!(verify(&token, &body, &header));
            let at = at.index(body.len());
            body[at] ^= 1 << bit;
            prop_assert!(!verify(&token, &body, &header));
        }
    }
}
