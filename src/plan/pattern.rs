//! Addresses with wildcards, as `--target` and `--replace` take them.

use std::fmt;

use crate::model::{Address, masked};

/// `handle/URL`, where `*` matches any text and `?` any one character, in both parts.
///
/// `acme`, like `acme/*`, is every callback of acme; an address without wildcards matches itself only. A URL's own
/// `?` matches as itself too, because it matches any one character, and so does the `***` that is
/// shown in the place of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern names an organization, and perhaps a URL.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        match text.split_once('/') {
            Some((handle, url)) if !handle.is_empty() && !url.is_empty() => {
                Ok(Self(text.to_owned()))
            }
            None if !text.trim().is_empty() => Ok(Self(text.to_owned())),
            Some(_) | None => Err(PatternError {
                text: masked(text).into_owned(),
            }),
        }
    }

    /// Whether this address is meant.
    pub fn matches(&self, address: &Address) -> bool {
        let (handle, url) = self.0.split_once('/').unwrap_or((&self.0, "*"));
        wildcard(handle, address.handle.as_str()) && wildcard(url, address.url.as_str())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&masked(&self.0))
    }
}

/// A text that is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address: write `handle/URL`, or `handle` for all of an organization")]
pub struct PatternError {
    text: String,
}

/// Greedy matching with one point to go back to: linear for one `*`, never exponential.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    p = after + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallbackUrl, Handle};
    use rstest::rstest;

    #[rstest]
    #[case("acme/*", true)]
    #[case("acme", true)]
    #[case("a*", true)]
    #[case("beta", false)]
    #[case("acme/https://a.example/x?y=1", true)]
    #[case("a*/https://*.example/*", true)]
    #[case("*/*", true)]
    #[case("acme/https://a.example/x", false)]
    #[case("beta/*", false)]
    #[case("acme/https://a.example/x?y=***", true)]
    #[case("acme/*z", false)]
    fn patterns(#[case] pattern: &str, #[case] expected: bool) {
        let address = Address {
            handle: Handle::new("acme"),
            url: CallbackUrl::new("https://a.example/x?y=1"),
        };
        assert_eq!(Pattern::parse(pattern).unwrap().matches(&address), expected);
    }

    #[test]
    fn what_names_no_organization_or_an_empty_url_is_no_pattern() {
        for text in ["acme/", "/https", "", " "] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        assert!(!wildcard(&"*a".repeat(50), &"a".repeat(49)));
    }
}
