//! One byte of a secret, by which a saved plan notices that a value changed.
//!
//! Whatever can tell a right value from a wrong one without knowing a secret also tells a right guess
//! from a wrong one. So a [`Check`] tells little: 255 of 256 other values from this one. It depends on
//! the value alone, not on a salt, a key or a plan, so all plans together tell no more than one does.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use super::Secret;

/// A byte that most other values of the secret don't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check(pub u8);

impl Check {
    /// Of a value.
    pub fn of(value: &Secret) -> Self {
        let mut digest = Sha256::new_with_prefix("ess-callbacks check\0");
        digest.update(value.expose().as_bytes());
        Self(digest.finalize()[0])
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode([self.0]))
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let mut byte = [0];
        hex::decode_to_slice(text.as_bytes(), &mut byte)
            .map_err(|_| de::Error::custom("a check is 2 hexadecimal digits"))?;
        Ok(Self(byte[0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str) -> Check {
        Check::of(&Secret::new(value))
    }

    #[test]
    fn it_follows_the_value() {
        assert_eq!(check("123456"), check("123456"));
        assert_ne!(check("123456"), check("123457"));
    }

    /// Whoever guesses six digits keeps thousands of candidates, however many plans he reads.
    #[test]
    fn it_does_not_confirm_a_guess() {
        let secret = check("271828");
        let candidates = (0..1_000_000).filter(|n| check(&format!("{n:06}")) == secret);
        let count = candidates.count();
        assert!((3_000..5_000).contains(&count), "{count}");
    }
}
