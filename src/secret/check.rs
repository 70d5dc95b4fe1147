//! One byte of a hash of a secret, by which a saved plan detects that the value changed.
//!
//! Anything that distinguishes the right value without a key also confirms a right guess. So a [`Check`] reveals little:
//! one of 256 other values has the same check. It depends on the value alone, not on a salt, a key or a plan, so
//! several plans reveal no more than one.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use super::value::Secret;

/// A byte that is different for 255 of 256 other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check(pub u8);

impl Check {
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

    /// Thousands of six-digit candidates remain, however many plans are known.
    #[test]
    fn it_does_not_confirm_a_guess() {
        let secret = check("271828");
        let candidates = (0..1_000_000).filter(|n| check(&format!("{n:06}")) == secret);
        let count = candidates.count();
        assert!((3_000..5_000).contains(&count), "{count}");
    }
}
