//! Types of values and names of fields: what is checked in every mapping.

use std::borrow::Cow;
use std::fmt;

use super::reader::Reader;
use crate::config::code;
use crate::config::name::{closest, is_key_like, listed};
use crate::config::raw::{Fields, FromYaml, Kind, Record, Text, UnexpectedField, Value};
use crate::config::yaml::{ByteRange, Spanned};

impl Reader<'_> {
    /// The value, if it has the expected type; otherwise this is reported. `what` names it in the message.
    pub(crate) fn expect<'t, T: FromYaml<'t>>(
        &mut self,
        what: fmt::Arguments<'_>,
        value: Spanned<Value<T>>,
    ) -> Option<Spanned<T>> {
        let Spanned { value, span, bytes } = value;
        match value {
            Value::Valid(value) => Some(Spanned { value, span, bytes }),
            Value::WrongType(Kind::Unresolved) => None,
            Value::WrongType(kind) => {
                match kind {
                    // There may be secrets in it. Nothing may be a secret that begins with `#`.
                    Kind::Null | Kind::List | Kind::Mapping => self.hide_line_from(bytes.0),
                    Kind::Boolean | Kind::Number | Kind::String if !T::IS_SCALAR => {
                        self.hide(bytes);
                    }
                    Kind::Unresolved | Kind::Boolean | Kind::Number | Kind::String => {}
                }
                self.error(
                    span,
                    code::WRONG_TYPE,
                    format!("{what} must be {}, but it is {kind}", T::EXPECTED),
                    if kind == Kind::String && is_wide(self.text, bytes) {
                        Some(WIDE_COLON.to_owned())
                    } else {
                        remedy(T::EXPECTED, kind)
                    },
                );
                None
            }
        }
    }

    /// The value of a field, if it is set and has the expected type.
    pub(crate) fn field<'t, T: FromYaml<'t>>(
        &mut self,
        name: &str,
        value: Option<Spanned<Value<T>>>,
    ) -> Option<Spanned<T>> {
        value.and_then(|value| self.expect(format_args!("`{name}`"), value))
    }

    /// The value of a field, if it is set and a string.
    pub(crate) fn text<'t>(
        &mut self,
        name: &str,
        value: Option<Spanned<Value<Text<'t>>>>,
    ) -> Option<Spanned<Cow<'t, str>>> {
        self.field(name, value).map(|text| Spanned {
            value: text.value.0,
            span: text.span,
            bytes: text.bytes,
        })
    }

    /// The known fields of a mapping; unexpected ones are reported. `what` names the mapping in messages.
    pub(crate) fn fields<'t, R: Record<'t>>(&mut self, what: &str, fields: Fields<'t, R>) -> R {
        for field in &fields.unexpected {
            self.unexpected(what, field, R::NAMES);
        }
        if let Some(last) = fields.unexpected.last().filter(|_| fields.not_kept > 0) {
            self.hide(fields.not_kept_bytes);
            let message = format!(
                "{} more unknown or duplicate fields in {what}",
                fields.not_kept
            );
            self.error(last.name.span, code::UNKNOWN_KEY, message, None);
        }
        fields.record
    }

    fn unexpected(&mut self, what: &str, field: &UnexpectedField<'_>, known: &[&str]) {
        // It may be a misspelt `key`.
        for bytes in field.value.scalars() {
            self.hide(bytes);
        }
        let name = &field.name.value;
        let (code, message, help) = if !is_key_like(name) {
            // A colon is missing, so a secret may be part of the name.
            self.hide(field.name.bytes);
            (
                code::UNKNOWN_KEY,
                format!("invalid field name in {what}"),
                "write a `:` and a space after the name of each field".to_owned(),
            )
        } else if field.is_duplicate {
            (
                code::DUPLICATE_KEY,
                format!("duplicate field `{name}`"),
                "remove one of the two".to_owned(),
            )
        } else {
            let help = match closest(name, known) {
                _ if name == "<<" => {
                    "merge keys are not supported; write the fields out".to_owned()
                }
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("known fields are {}", listed(known)),
            };
            (
                code::UNKNOWN_KEY,
                format!("unknown field `{name}` in {what}"),
                help,
            )
        };
        self.error(field.name.span, code, message, Some(help));
    }
}

/// Whether an unknown field was probably meant to be `name`, which is then not reported as missing.
pub(crate) fn mistyped(unexpected: &[UnexpectedField<'_>], name: &str) -> bool {
    unexpected
        .iter()
        .any(|field| !field.is_duplicate && closest(&field.name.value, &[name]).is_some())
}

/// Chinese input methods type it.
const WIDE_COLON: &str = "it has a full-width colon `：`; write `:` and a space";

fn is_wide(text: &str, (begin, end): ByteRange) -> bool {
    let bytes = text.get(begin as usize..end as usize);
    bytes.is_some_and(|text| text.contains('：'))
}

fn remedy(expected: &str, kind: Kind) -> Option<String> {
    let text = match (expected, kind) {
        ("a string", Kind::Number | Kind::Boolean) => "put it in quotes",
        ("`true` or `false`", Kind::String) => "write `true` or `false`, without quotes",
        ("a number", Kind::String) => "write it without quotes",
        ("a list", Kind::Null) => "write `[]` for an empty list, or remove the field",
        ("a list", Kind::String | Kind::Mapping) => "begin each item with `- `",
        ("a mapping", Kind::Null) => "write `{}` for an empty mapping, or remove the field",
        (_, Kind::Null) => "give it a value, or remove it",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::{Source, parse};

    fn source(text: &str) -> Source {
        Source {
            name: "callbacks.yaml".into(),
            text: text.as_bytes().to_vec(),
        }
    }

    /// As Chinese input methods type it.
    #[test]
    fn a_full_width_colon_is_recognized() {
        let text = "version: 1\nenvironment: test\ndefaults:\n  operator：x\norganizations:\n  a:\n    callbacks:\n      - url：https://a.example/\n";
        let found = parse(&[source(text)]).unwrap_err();
        let help: Vec<_> = found.iter().filter_map(|one| one.help.as_deref()).collect();
        assert_eq!(
            help[0],
            "it has a full-width colon `：`; write `:` and a space"
        );
        assert_eq!(
            help[1],
            "it has a full-width colon `：`; write `:`, and a space after the name of a field"
        );
        let whole = parse(&[source("version：1\n")]).unwrap_err();
        assert_eq!(whole[0].help.as_deref(), Some(help[0]));
    }
}
