//! The mark of one call, by which a log that eSign's gateway keeps can tell it from all others.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// 128 random bits that one request carries, and no other. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub [u8; 16]);

impl Nonce {
    /// What the mark of every call of this program begins with.
    const PREFIX: &str = "ess-callbacks-";

    /// The value of `X-TC-RequestClient`, which takes at most 128 characters of `0-9a-zA-Z-_,;.`.
    pub fn mark(self) -> String {
        format!("{}{self}", Self::PREFIX)
    }

    /// The nonce of a mark, exactly as [`Self::mark`] makes it.
    pub fn of_mark(mark: &str) -> Option<Self> {
        let digits = mark.strip_prefix(Self::PREFIX)?;
        Self::parse(digits).filter(|nonce| nonce.mark() == mark)
    }

    fn parse(digits: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({self})")
    }
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("a nonce is 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_mark_is_what_the_header_takes_and_gives_its_nonce_back(bytes: [u8; 16]) {
            let mark = Nonce(bytes).mark();
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_,;.".contains(c);
            proptest::prop_assert!(mark.len() <= 128 && mark.chars().all(allowed));
            proptest::prop_assert_eq!(Nonce::of_mark(&mark), Some(Nonce(bytes)));
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_has_no_nonce() {
        let mark = Nonce([0xab; 16]).mark();
        let longer = format!("{mark}0");
        let upper = mark.replace("ab", "AB");
        for other in [
            "",
            "SDK_GO_1.0.374",
            "ess-callbacks-",
            &mark[..20],
            &longer,
            &upper,
        ] {
            assert_eq!(Nonce::of_mark(other), None, "{other}");
        }
    }
}
