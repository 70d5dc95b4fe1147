//! `{handle}` and `{proxy_organization_id}`: replaced by those of the organization.
//!
//! So one line can be right for every organization: a receiver with the handle in its path, a key in a file of that
//! name. Other text in braces is not changed.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::reader::Reader;
use crate::config::code;
use crate::config::name::closest;
use crate::config::raw::{Kind, List, Reference, Text, Value};
use crate::config::yaml::{Span, Spanned};

const HANDLE: &str = "{handle}";
const MEMBER: &str = "{proxy_organization_id}";

/// The values for one organization.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'n> {
    pub(crate) handle: &'n str,
    /// Its `proxy_organization_id`, if it has one.
    pub(crate) member: Option<&'n str>,
}

/// Names, and whether they are escaped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Substitution<'n> {
    names: Names<'n>,
    /// Percent-encode the names, so that each stays one part of a URL.
    escape: bool,
}

impl<'n> Names<'n> {
    pub(crate) const fn in_url(self) -> Substitution<'n> {
        Substitution {
            names: self,
            escape: true,
        }
    }

    pub(crate) const fn verbatim(self) -> Substitution<'n> {
        Substitution {
            names: self,
            escape: false,
        }
    }
}

impl Substitution<'_> {
    /// `text` with the names replaced; `None` when the organization has no such name.
    fn apply(self, text: Cow<'_, str>) -> Option<Cow<'_, str>> {
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

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
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

/// A word in braces that is similar to one of the names, and that name.
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
    /// Replaces the names in a text; an unknown or missing name is reported.
    pub(crate) fn substitute<'t>(
        &mut self,
        Text(text): Text<'t>,
        span: Span,
        substitution: Substitution<'_>,
    ) -> Option<Text<'t>> {
        if let Some((wrong, close)) = mistyped(&text) {
            let message = format!("unknown placeholder `{{{wrong}}}`");
            let help = Some(format!("did you mean `{{{close}}}`?"));
            self.error(span, code::UNKNOWN_VARIABLE, message, help);
            return None;
        }
        let substituted = substitution.apply(text);
        if substituted.is_none() {
            self.error(
                span,
                code::NO_MEMBER,
                format!(
                    "`{MEMBER}` is used, but `{}` has no `proxy_organization_id`",
                    substitution.names.handle
                ),
                Some(format!(
                    "write `{HANDLE}` or the text itself, or add `proxy_organization_id:`"
                )),
            );
        }
        substituted.map(Text)
    }

    /// Replaces the names in the value of a field.
    pub(crate) fn substitute_in<'t>(
        &mut self,
        value: Option<Spanned<Value<Text<'t>>>>,
        substitution: Substitution<'_>,
    ) -> Option<Spanned<Value<Text<'t>>>> {
        value.map(|value| self.substitute_one(value, substitution))
    }

    fn substitute_one<'t>(
        &mut self,
        Spanned { value, span, bytes }: Spanned<Value<Text<'t>>>,
        substitution: Substitution<'_>,
    ) -> Spanned<Value<Text<'t>>> {
        let value = match value {
            Value::Valid(value) => self
                .substitute(value, span, substitution)
                .map_or(Value::WrongType(Kind::Unresolved), Value::Valid),
            Value::WrongType(kind) => Value::WrongType(kind),
        };
        Spanned { value, span, bytes }
    }

    /// Replaces the names in a secret reference.
    pub(crate) fn substitute_in_reference<'t>(
        &mut self,
        Reference { env, file, command }: Reference<'t>,
        names: Names<'_>,
    ) -> Reference<'t> {
        let substitution = names.verbatim();
        let command = command.map(|Spanned { value, span, bytes }| {
            let value = match value {
                Value::Valid(List(words)) => {
                    let words = words.into_iter();
                    Value::Valid(List(
                        words
                            .map(|word| self.substitute_one(word, substitution))
                            .collect(),
                    ))
                }
                Value::WrongType(kind) => Value::WrongType(kind),
            };
            Spanned { value, span, bytes }
        });
        Reference {
            env: self.substitute_in(env, substitution),
            file: self.substitute_in(file, substitution),
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
    fn a_name_stays_one_part_of_a_url(#[case] url: &str, #[case] expected: &str) {
        let names = Names {
            handle: "上海 a/",
            member: Some("yD1"),
        };
        let url = names.in_url().apply(url.into());
        assert_eq!(url.as_deref(), Some(expected));
    }

    #[test]
    fn elsewhere_they_stay_verbatim() {
        let names = Names {
            handle: "上海",
            member: None,
        };
        let apply = |text: &'static str| names.verbatim().apply(text.into());
        assert_eq!(
            apply("secrets/{handle}.key").as_deref(),
            Some("secrets/上海.key")
        );
        assert_eq!(
            apply("{Handle} {} {handle").as_deref(),
            Some("{Handle} {} {handle")
        );
        assert_eq!(apply("{proxy_organization_id}"), None);
    }
}
