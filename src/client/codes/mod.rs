//! The codes of eSign and of STS: what each says about a call, what it means, and what to do next.
//!
//! Source: the vendor's list of common error codes, and those of its SDKs for eSign and STS. `docs/errors.md`
//! explains each; a test keeps that page and this list equal.
//!
//! A code like `AuthFailure.SignatureFailure` is looked up whole first, then by its family `AuthFailure`. A
//! code that is in neither form here proves nothing about the call.

mod table;

pub use table::ALL;

use crate::model::Blast;

/// What a code says about the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Too many calls; this one was not applied.
    Throttled,
    /// It may have been applied.
    Unknown,
    /// The signature's time is off; not applied.
    ClockOff,
    /// Temporary credentials ran out; not applied.
    TokenExpired,
    /// Refused; not applied, and it would be refused again.
    Refused(Blast),
}

/// One code, or one family of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Without a final dot.
    pub code: &'static str,
    /// Whether it covers `code.…` too.
    pub family: bool,
    pub says: Says,
    /// A clause without a full stop.
    pub meaning: &'static str,
    /// What to do next: a clause without a full stop.
    pub advice: &'static str,
}

/// What is known of a code.
pub fn look_up(code: &str) -> Option<&'static Known> {
    ALL.iter().find(|known| known.code == code).or_else(|| {
        let mut rest = code;
        while let Some((parent, _)) = rest.rsplit_once('.') {
            rest = parent;
            let found = ALL
                .iter()
                .find(|known| known.family && known.code == parent);
            if found.is_some() {
                return found;
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_whole_before_its_family() {
        let said = |code: &str| look_up(code).map(|known| known.says);
        let account = Some(Says::Refused(Blast::Account));
        assert_eq!(said("AuthFailure.SignatureExpire"), Some(Says::ClockOff));
        assert_eq!(said("AuthFailure.Whatever"), account);
        assert_eq!(said("AuthFailure.Whatever.More"), account);
        assert_eq!(said("AuthFailure"), account);
        assert_eq!(said("AuthFailures"), None);
        assert_eq!(said(""), None);
        assert_eq!(said("."), None);
    }

    #[test]
    fn the_table_names_each_code_once_and_says_everything() {
        for (position, known) in ALL.iter().enumerate() {
            assert!(!known.meaning.is_empty() && !known.advice.is_empty());
            for text in [known.meaning, known.advice] {
                // It is put into a sentence that ends after it.
                assert!(!text.ends_with(['.', '?', '!']), "{}: {text}", known.code);
            }
            assert!(
                ALL[position + 1..]
                    .iter()
                    .all(|other| other.code != known.code),
                "{} is there twice",
                known.code
            );
        }
    }

    /// What is refused in one call may be refused in all; never the other way round.
    #[test]
    fn a_member_of_a_family_says_no_less_than_the_family() {
        let refused = |says: Says| match says {
            Says::Refused(blast) => Some(blast),
            Says::Throttled | Says::Unknown | Says::ClockOff | Says::TokenExpired => None,
        };
        for known in ALL {
            let Some((family, _)) = known.code.rsplit_once('.') else {
                continue;
            };
            let Some(family) = look_up(family) else {
                continue;
            };
            if let (Some(own), Some(whole)) = (refused(known.says), refused(family.says)) {
                assert!(own >= whole, "{} and {}", known.code, family.code);
            }
        }
    }
}
