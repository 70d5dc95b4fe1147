//! Fingerprints: keyed, truncated hashes that show whether two values are equal, and nothing else.
//!
//! A key is 32 random bytes, so HMAC-SHA256 with the state's salt is enough. A token may be weak, so its hash also
//! depends on the callback key: it can't be guessed from the state file alone. Without a key, a slow hash makes guessing
//! expensive.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::fingerprint::{Fingerprint, Fingerprints, Salt};
use super::value::Secret;

/// Rounds of PBKDF2 for a token without a key. About 10 ms each time; done once per value.
const SLOW_ROUNDS: u32 = 50_000;

/// Computes the fingerprints of one state.
#[derive(Clone, Copy, Debug)]
pub struct Fingerprinter {
    salt: Salt,
}

impl Fingerprinter {
    pub const fn new(salt: Salt) -> Self {
        Self { salt }
    }

    /// The fingerprints of one callback's secrets.
    pub fn fingerprints(&self, key: Option<&Secret>, token: Option<&Secret>) -> Fingerprints {
        Fingerprints {
            key: key.map(|key| self.quick("key", &[key])),
            token: token.map(|token| match key {
                Some(key) => self.quick("token", &[key, token]),
                None => self.slow(token),
            }),
        }
    }

    /// The fingerprint of a `SecretId`. It is not a secret, but private, and too long to guess.
    pub fn secret_id(&self, id: &str) -> Fingerprint {
        self.quick("secret id", &[&Secret::new(id)])
    }

    fn quick(&self, purpose: &str, secrets: &[&Secret]) -> Fingerprint {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.salt.0).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        for secret in secrets {
            let value = secret.expose().as_bytes();
            mac.update(&(value.len() as u64).to_be_bytes());
            mac.update(value);
        }
        truncate(&mac.finalize().into_bytes())
    }

    fn slow(&self, token: &Secret) -> Fingerprint {
        let mut salt = Vec::from(b"token".as_slice());
        salt.extend_from_slice(&self.salt.0);
        let bytes: [u8; 32] =
            pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(token.expose().as_bytes(), &salt, SLOW_ROUNDS);
        truncate(&bytes)
    }
}

fn truncate(bytes: &[u8]) -> Fingerprint {
    let mut short = [0; 16];
    short.copy_from_slice(&bytes[..16]);
    Fingerprint(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(salt: u8, key: Option<&str>, token: Option<&str>) -> Fingerprints {
        let (key, token) = (key.map(Secret::new), token.map(Secret::new));
        Fingerprinter::new(Salt([salt; 16])).fingerprints(key.as_ref(), token.as_ref())
    }

    #[test]
    fn a_fingerprint_follows_the_value_and_the_salt() {
        let one = made(1, Some("k"), Some("t"));
        assert_eq!(one, made(1, Some("k"), Some("t")));
        assert_ne!(one, made(2, Some("k"), Some("t")));
        assert_ne!(one.key, made(1, Some("l"), Some("t")).key);
        assert_ne!(one.token, made(1, Some("k"), Some("u")).token);
    }

    #[test]
    fn a_token_is_hashed_with_the_key_where_there_is_one() {
        assert_ne!(
            made(1, Some("k"), Some("t")).token,
            made(1, Some("l"), Some("t")).token
        );
        assert_ne!(
            made(1, Some("k"), Some("t")).token,
            made(1, None, Some("t")).token
        );
    }

    #[test]
    fn where_one_value_ends_and_the_next_begins_matters() {
        assert_ne!(
            made(1, Some("ab"), Some("c")).token,
            made(1, Some("a"), Some("bc")).token
        );
    }
}
