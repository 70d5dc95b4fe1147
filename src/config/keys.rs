//! Keys and kinds of values: what holds for every mapping, whatever its fields mean.

use std::borrow::Cow;

use super::code;
use super::name::{closest, shown};
use super::raw::{Fields, Kind, Loose, Record, Shape, Stray, Text};
use super::report::Reader;
use super::source::{At, Span};

impl Reader<'_> {
    /// The value if it has the expected shape; else it is reported under `what`.
    pub(super) fn expect<'de, T: Shape<'de>>(
        &mut self,
        what: &str,
        value: At<Loose<T>>,
    ) -> Option<At<T>> {
        let At { value, span, text } = value;
        match value {
            Loose::Is(value) => Some(At { value, span, text }),
            Loose::Not(kind) => {
                self.error(
                    span,
                    code::WRONG_TYPE,
                    format!("{what} must be {}, but this is {kind}", T::EXPECTED),
                    remedy(T::EXPECTED, kind),
                );
                None
            }
        }
    }

    /// The same of a field that may be missing.
    pub(super) fn field<'de, T: Shape<'de>>(
        &mut self,
        name: &str,
        value: Option<At<Loose<T>>>,
    ) -> Option<At<T>> {
        value.and_then(|value| self.expect(&format!("`{name}`"), value))
    }

    /// The same of text.
    pub(super) fn text<'de>(
        &mut self,
        name: &str,
        value: Option<At<Loose<Text<'de>>>>,
    ) -> Option<At<Cow<'de, str>>> {
        self.field(name, value).map(|at| At {
            value: at.value.0,
            span: at.span,
            text: at.text,
        })
    }

    /// The fields of a mapping; keys it should not have are reported. `what` says whose keys.
    pub(super) fn fields<'de, R: Record<'de>>(&mut self, what: &str, fields: Fields<'de, R>) -> R {
        for stray in fields.strays {
            self.stray(what, &stray, R::KEYS);
        }
        fields.record
    }

    fn stray(&mut self, what: &str, stray: &Stray<'_>, known: &[&str]) {
        // A mistyped `key` may hold a secret as well as a right one.
        for bytes in stray.value.scalars() {
            self.hide(bytes);
        }
        let key = shown(&stray.key);
        let span = self.key_span(&stray.key, stray.value.span);
        if stray.repeated {
            self.error(
                span,
                code::DUPLICATE_KEY,
                format!("the key `{key}` stands here for the second time"),
                Some("remove one of the two".to_owned()),
            );
            return;
        }
        let help = match (stray.key.as_ref(), closest(&stray.key, known)) {
            (_, Some(close)) => format!("did you mean `{close}`?"),
            (_, None) => format!("known here are {}", listed(known)),
        };
        self.error(
            span,
            code::UNKNOWN_KEY,
            format!("{what} has no key `{key}`"),
            Some(help),
        );
    }

    /// Where the key of a value stands. The YAML crate gives places of values only where it is
    /// cheap, so the few keys that need one are searched for before their value; a key that is not
    /// found (one that was merged in or written with escapes) is shown at its value.
    fn key_span(&self, key: &str, value: Span) -> Span {
        const FARTHEST: usize = 4096;
        let end = value.offset as usize;
        let Some(before) = self.text.get(..end) else {
            return value;
        };
        let mut start = end.saturating_sub(FARTHEST + key.len());
        while !before.is_char_boundary(start) {
            start += 1;
        }
        let window = &before[start..];
        let Some(at) = window.rfind(key).filter(|_| !key.is_empty()) else {
            return value;
        };
        let between = window[at + key.len()..].trim_start_matches(['"', '\'']);
        if !between.trim_start().starts_with(':') {
            return value;
        }
        let line_start = window[..at].rfind(['\n', '\r']).map(|at| at + 1);
        let between = &window[at..];
        let breaks = between.matches(['\n', '\r']).count() - between.matches("\r\n").count();
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let column = match (breaks, line_start) {
            (0, _) => value.column.saturating_sub(count(between)),
            (_, Some(line_start)) => count(&window[line_start..at]) + 1,
            (_, None) if start == 0 => count(&window[..at]) + 1,
            (_, None) => return value,
        };
        Span {
            line: value
                .line
                .saturating_sub(u32::try_from(breaks).unwrap_or(0)),
            column,
            length: count(key),
            offset: u32::try_from(start + at).unwrap_or(u32::MAX),
        }
    }
}

/// Whether one of the unknown keys was probably meant to be `key`, so that it is not missing as well.
pub(super) fn mistyped(strays: &[Stray<'_>], key: &str) -> bool {
    strays
        .iter()
        .any(|stray| !stray.repeated && closest(&stray.key, &[key]).is_some())
}

/// Names in backquotes, with commas.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn remedy(expected: &str, kind: Kind) -> Option<String> {
    let text = match (expected, kind) {
        ("a string", Kind::Number | Kind::Boolean) => "put it in quotes",
        ("`true` or `false`", Kind::String) => "write `true` or `false`, without quotes",
        ("a number", Kind::String) => "write it without quotes",
        ("a list", Kind::Nothing) => "write `[]` for an empty list, or remove the key",
        ("a list", Kind::String | Kind::Mapping) => "begin each item with `- `",
        ("a mapping", Kind::Nothing) => "write `{}` for an empty mapping, or remove the key",
        (_, Kind::Nothing) => "give it a value, or remove it",
        _ => return None,
    };
    Some(text.to_owned())
}
