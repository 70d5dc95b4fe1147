//! Keys and kinds of values: what holds for every mapping, whatever its fields mean.

use std::borrow::Cow;
use std::fmt;

use super::code;
use super::name::{closest, is_key_like};
use super::raw::{Fields, Kind, Loose, Record, Shape, Stray, Text};
use super::report::Reader;
use super::source::At;

impl Reader<'_> {
    /// The value if it has the expected shape; else it is reported under `what`.
    pub(super) fn expect<'t, T: Shape<'t>>(
        &mut self,
        what: fmt::Arguments<'_>,
        value: At<Loose<T>>,
    ) -> Option<At<T>> {
        let At { value, span, text } = value;
        match value {
            Loose::Is(value) => Some(At { value, span, text }),
            Loose::Not(Kind::Unresolved) => None,
            Loose::Not(kind) => {
                match kind {
                    // Whatever was meant, there may be secrets in it; where nothing is, one that
                    // begins with `#` may be taken for a comment.
                    Kind::Nothing | Kind::List | Kind::Mapping => self.hide_line_from(text.0),
                    Kind::Boolean | Kind::Number | Kind::String if !T::IS_SCALAR => self.hide(text),
                    Kind::Unresolved | Kind::Boolean | Kind::Number | Kind::String => {}
                }
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
    pub(super) fn field<'t, T: Shape<'t>>(
        &mut self,
        name: &str,
        value: Option<At<Loose<T>>>,
    ) -> Option<At<T>> {
        value.and_then(|value| self.expect(format_args!("`{name}`"), value))
    }

    /// The same of text.
    pub(super) fn text<'t>(
        &mut self,
        name: &str,
        value: Option<At<Loose<Text<'t>>>>,
    ) -> Option<At<Cow<'t, str>>> {
        self.field(name, value).map(|at| At {
            value: at.value.0,
            span: at.span,
            text: at.text,
        })
    }

    /// The fields of a mapping; those that it should not have are reported. `what` says whose they are.
    pub(super) fn fields<'t, R: Record<'t>>(&mut self, what: &str, fields: Fields<'t, R>) -> R {
        for stray in &fields.strays {
            self.stray(what, stray, R::KEYS);
        }
        if let Some(last) = fields.strays.last().filter(|_| fields.more > 0) {
            self.hide(fields.more_text);
            let message = format!(
                "{what} has {} more fields that should not be there",
                fields.more
            );
            self.error(last.key.span, code::UNKNOWN_KEY, message, None);
        }
        fields.record
    }

    fn stray(&mut self, what: &str, stray: &Stray<'_>, known: &[&str]) {
        // A mistyped `key` may hold a secret as well as a right one.
        for bytes in stray.value.scalars() {
            self.hide(bytes);
        }
        let span = stray.key.span;
        if !is_key_like(&stray.key.value) {
            // Text where a name belongs: a colon is missing, and a secret may be in it.
            self.hide(stray.key.text);
            self.error(
                span,
                code::UNKNOWN_KEY,
                format!("{what} has something that is no field"),
                Some("is there a `:` and a space after the name of each field?".to_owned()),
            );
            return;
        }
        let key = &stray.key.value;
        if stray.repeated {
            self.error(
                span,
                code::DUPLICATE_KEY,
                format!("duplicate field `{key}`"),
                Some("remove one of the two".to_owned()),
            );
            return;
        }
        let help = match closest(&stray.key.value, known) {
            _ if key == "<<" => "merge keys are not read; write the fields out".to_owned(),
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("known here are {}", listed(known)),
        };
        self.error(
            span,
            code::UNKNOWN_KEY,
            format!("{what} has no field `{key}`"),
            Some(help),
        );
    }
}

/// Whether one of the unknown keys was probably meant to be `key`, so that it is not missing as well.
pub(super) fn mistyped(strays: &[Stray<'_>], key: &str) -> bool {
    strays
        .iter()
        .any(|stray| !stray.repeated && closest(&stray.key.value, &[key]).is_some())
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
        ("a list", Kind::Nothing) => "write `[]` for an empty list, or remove the field",
        ("a list", Kind::String | Kind::Mapping) => "begin each item with `- `",
        ("a mapping", Kind::Nothing) => "write `{}` for an empty mapping, or remove the field",
        (_, Kind::Nothing) => "give it a value, or remove it",
        _ => return None,
    };
    Some(text.to_owned())
}
