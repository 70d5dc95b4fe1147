//! The link of messages: to the status page of the program.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a pure function of the text"
)]

use std::fmt;

use serde::Serialize;
use url::Url;

use crate::model::masked;

/// No status page has a longer address, and each message has room for this.
const LONGEST: usize = 1_000;

/// A link that can't be mistaken for anything else: http or https, without user, password and credentials, and without the
/// characters that end a link in one of the services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Link(String);

impl Link {
    /// `None` if the text is no such link; what would end it is encoded.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = matches!(url.scheme(), "https" | "http")
            && url.username().is_empty()
            && url.password().is_none();
        let text = String::from(url);
        if !plain || masked(&text) != text {
            return None;
        }
        let mut link = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '(' => link.push_str("%28"),
                ')' => link.push_str("%29"),
                '|' => link.push_str("%7C"),
                '*' => link.push_str("%2A"),
                '`' => link.push_str("%60"),
                '<' => link.push_str("%3C"),
                '>' => link.push_str("%3E"),
                '@' => link.push_str("%40"),
                c => link.push(c),
            }
        }
        (link.len() <= LONGEST).then_some(Self(link))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_plain_or_refused() {
        for (text, expected) in [
            (
                "https://status.example/a?b=1&c=2",
                Some("https://status.example/a?b=1&c=2"),
            ),
            (
                "https://status.example/a)](b|c",
                Some("https://status.example/a%29]%28b%7Cc"),
            ),
            ("javascript:alert(1)", None),
            ("https://user:pw@status.example/", None),
            ("https://status.example/?token=0123456789abcdef", None),
            ("not a url", None),
        ] {
            let link = Link::parse(text);
            assert_eq!(link.as_ref().map(Link::as_str), expected, "{text}");
        }
        let long = format!("https://status.example/{}", "a)".repeat(LONGEST / 3));
        assert_eq!(Link::parse(&long), None);
    }
}
