//! `{handle}` and `{proxy_organization_id}`: what an organization is called, in its callbacks.
//!
//! One line can so be right for every organization: a receiver with the handle in its path, a key in
//! a file of that name. What else is in braces stays as it is.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::code;
use super::name::closest;
use super::raw::{Kind, List, Loose, Reference, Text};
use super::report::Reader;
use super::source::{At, Span};

const HANDLE: &str = "{handle}";
const MEMBER: &str = "{proxy_organization_id}";

/// Of text in which a name is replaced. For the schema.
pub(super) const PATTERN: &str = r"\{(handle|proxy_organization_id)\}";

/// What an organization is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'n> {
    pub(super) handle: &'n str,
    /// Its `proxy_organization_id`, if it has one.
    pub(super) member: Option<&'n str>,
}

/// Names, and how they are put into a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling<'n> {
    names: Names<'n>,
    /// What a URL gives a meaning is escaped, so that a name stays one part of it.
    escape: bool,
}

impl<'n> Names<'n> {
    pub(super) const fn in_url(self) -> Filling<'n> {
        Filling {
            names: self,
            escape: true,
        }
    }

    pub(super) const fn as_they_are(self) -> Filling<'n> {
        Filling {
            names: self,
            escape: false,
        }
    }
}

impl Filling<'_> {
    /// `text` with the names in it; `None` when it needs one that the organization does not have.
    fn fill(self, text: Cow<'_, str>) -> Option<Cow<'_, str>> {
        let mut text = text;
        let names = [
            (HANDLE, Some(self.names.handle)),
            (MEMBER, self.names.member),
        ];
        for (placeholder, name) in names {
            if text.contains(placeholder) {
                let name = name?;
                let name = if self.escape {
                    escaped(name)
                } else {
                    Cow::Borrowed(name)
                };
                text = Cow::Owned(text.replace(placeholder, &name));
            }
        }
        Some(text)
    }
}

/// A name as a part of a URL: all but the unreserved characters (RFC 3986, 2.3) are escaped.
fn escaped(name: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if name.bytes().all(plain) {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(3 * name.len());
    for byte in name.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _infallible = write!(escaped, "%{byte:02X}");
        }
    }
    Cow::Owned(escaped)
}

/// A word in braces that is nearly one of the names, and that name.
fn mistyped(text: &str) -> Option<(&str, &'static str)> {
    let known = [HANDLE, MEMBER].map(|name| name.trim_matches(['{', '}']));
    text.match_indices('{').find_map(|(at, _)| {
        let (word, _) = text[at + 1..].split_once('}')?;
        let other = text[..at].ends_with(['$', '{']) || known.contains(&word);
        if other || !word.chars().all(|c| c.is_ascii_alphabetic() || c == '_') {
            return None;
        }
        let close = closest(&word.to_ascii_lowercase(), &known)?;
        Some((word, close))
    })
}

impl Reader<'_> {
    /// Puts the names into text; reports one that is missing.
    pub(super) fn filled<'t>(
        &mut self,
        Text(text): Text<'t>,
        span: Span,
        filling: Filling<'_>,
    ) -> Option<Text<'t>> {
        if let Some((wrong, close)) = mistyped(&text) {
            let message = format!("`{{{wrong}}}` is not a name that is replaced here");
            let help = Some(format!("did you mean `{{{close}}}`?"));
            self.error(span, code::UNKNOWN_VARIABLE, message, help);
            return None;
        }
        let filled = filling.fill(text);
        if filled.is_none() {
            self.error(
                span,
                code::NO_MEMBER,
                format!(
                    "`{MEMBER}` is used, but `{}` has no `proxy_organization_id`",
                    filling.names.handle
                ),
                Some(format!(
                    "write `{HANDLE}` or the text itself, or add `proxy_organization_id:`"
                )),
            );
        }
        filled.map(Text)
    }

    /// The same of a value that may be missing or of another shape.
    pub(super) fn fill<'t>(
        &mut self,
        value: Option<At<Loose<Text<'t>>>>,
        filling: Filling<'_>,
    ) -> Option<At<Loose<Text<'t>>>> {
        value.map(|value| self.fill_one(value, filling))
    }

    fn fill_one<'t>(
        &mut self,
        At { value, span, text }: At<Loose<Text<'t>>>,
        filling: Filling<'_>,
    ) -> At<Loose<Text<'t>>> {
        let value = match value {
            Loose::Is(value) => self
                .filled(value, span, filling)
                .map_or(Loose::Not(Kind::Unresolved), Loose::Is),
            Loose::Not(kind) => Loose::Not(kind),
        };
        At { value, span, text }
    }

    /// Puts the names into a reference to a secret.
    pub(super) fn fill_reference<'t>(
        &mut self,
        Reference { env, file, command }: Reference<'t>,
        names: Names<'_>,
    ) -> Reference<'t> {
        let filling = names.as_they_are();
        let command = command.map(|At { value, span, text }| {
            let value = match value {
                Loose::Is(List(words)) => {
                    let words = words.into_iter();
                    Loose::Is(List(
                        words.map(|word| self.fill_one(word, filling)).collect(),
                    ))
                }
                Loose::Not(kind) => Loose::Not(kind),
            };
            At { value, span, text }
        });
        Reference {
            env: self.fill(env, filling),
            file: self.fill(file, filling),
            command,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "https://a.example/{handle}/x",
        "https://a.example/%E4%B8%8A%E6%B5%B7%20a%2F/x"
    )]
    #[case(
        "https://{proxy_organization_id}.example/{id}",
        "https://yD1.example/{id}"
    )]
    fn names_stay_one_part_of_a_url(#[case] url: &str, #[case] expected: &str) {
        let names = Names {
            handle: "上海 a/",
            member: Some("yD1"),
        };
        let filled = names.in_url().fill(url.into());
        assert_eq!(filled.as_deref(), Some(expected));
    }

    #[test]
    fn elsewhere_they_stay_as_they_are() {
        let names = Names {
            handle: "上海",
            member: None,
        };
        let fill = |text: &'static str| names.as_they_are().fill(text.into());
        assert_eq!(
            fill("secrets/{handle}.key").as_deref(),
            Some("secrets/上海.key")
        );
        assert_eq!(
            fill("{Handle} {} {handle").as_deref(),
            Some("{Handle} {} {handle")
        );
        assert_eq!(fill("{proxy_organization_id}"), None);
    }
}
