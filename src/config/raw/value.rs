//! Values of an expected type, or of a wrong one.

use std::borrow::Cow;
use std::fmt;

use super::scalar::{Scalar, scalar};
use crate::config::yaml::{Span, Spanned, Token, Tokens, YamlError};

/// How many wrong items of a list are kept. A hostile file has millions, and each would take many times its text. What
/// follows is not checked.
const MOST_WRONG: usize = 1_000;

/// A kind of YAML value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    /// Text with a variable that has no value. The error is reported with the variable.
    Unresolved,
    Boolean,
    Number,
    String,
    List,
    Mapping,
}

/// A value of the expected type, or the kind of value that was found instead.
#[derive(Clone, Debug)]
pub(crate) enum Value<T> {
    Valid(T),
    WrongType(Kind),
}

/// A type that can be read from YAML. Each kind of value that an implementation does not override is of the
/// wrong type.
pub(crate) trait FromYaml<'t>: Sized {
    /// What is expected, for messages, with an article.
    const EXPECTED: &'static str;

    /// It is read from a scalar, so that a scalar of the wrong type is no secret and may be shown.
    const IS_SCALAR: bool = false;

    /// Whether `${name}` in its text is replaced by the value of that variable.
    const EXPANDS: bool = false;

    /// Whether it certainly has an error, whatever it belongs to.
    fn is_wrong(&self) -> bool {
        false
    }

    fn text(_: Cow<'t, str>) -> Option<Self> {
        None
    }

    fn boolean(_: bool) -> Option<Self> {
        None
    }

    fn number(_: f64) -> Option<Self> {
        None
    }

    /// Reads the items and the end of a list.
    fn list(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        tokens.skip()?;
        Ok(Value::WrongType(Kind::List))
    }

    /// Reads the entries and the end of a mapping.
    fn mapping(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        tokens.skip()?;
        Ok(Value::WrongType(Kind::Mapping))
    }
}

/// A string in which variables are replaced.
#[derive(Clone, Debug)]
pub(crate) struct Text<'t>(pub(crate) Cow<'t, str>);

/// A string in which no variable is replaced.
#[derive(Clone, Debug)]
pub(crate) struct Verbatim<'t>(pub(crate) Cow<'t, str>);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag(pub(crate) bool);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) f64);

#[derive(Clone, Debug)]
pub(crate) struct List<T>(pub(crate) Vec<Spanned<Value<T>>>);

/// A key and its value.
pub(crate) type Entry<'t, T> = (Spanned<Cow<'t, str>>, Spanned<Value<T>>);

/// A mapping with keys that the user chooses. Duplicates are kept.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'t, T>(pub(crate) Vec<Entry<'t, T>>);

impl<'t> FromYaml<'t> for Text<'t> {
    const EXPECTED: &'static str = "a string";
    const IS_SCALAR: bool = true;
    const EXPANDS: bool = true;

    fn text(text: Cow<'t, str>) -> Option<Self> {
        Some(Self(text))
    }
}

impl<'t> FromYaml<'t> for Verbatim<'t> {
    const EXPECTED: &'static str = "a string";
    const IS_SCALAR: bool = true;

    fn text(text: Cow<'t, str>) -> Option<Self> {
        Some(Self(text))
    }
}

impl FromYaml<'_> for Flag {
    const EXPECTED: &'static str = "`true` or `false`";
    const IS_SCALAR: bool = true;

    fn boolean(value: bool) -> Option<Self> {
        Some(Self(value))
    }
}

impl FromYaml<'_> for Number {
    const EXPECTED: &'static str = "a number";
    const IS_SCALAR: bool = true;

    fn number(value: f64) -> Option<Self> {
        Some(Self(value))
    }
}

impl<'t, T: FromYaml<'t>> FromYaml<'t> for List<T> {
    const EXPECTED: &'static str = "a list";

    fn list(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        let mut items = Vec::new();
        let mut wrong = 0;
        while let Some(item) = Spanned::<Value<T>>::item(tokens)? {
            wrong += usize::from(match &item.value {
                Value::Valid(value) => value.is_wrong(),
                Value::WrongType(_) => true,
            });
            if wrong <= MOST_WRONG {
                items.push(item);
            } else {
                // It may hold secrets, and what is kept may be shown with what is beside it.
                tokens.hide_from(item.bytes.0);
            }
        }
        Ok(Value::Valid(Self(items)))
    }
}

impl<'t, T: FromYaml<'t>> FromYaml<'t> for Entries<'t, T> {
    const EXPECTED: &'static str = "a mapping";

    fn mapping(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        let mut entries = Vec::new();
        while let Some(key) = tokens.key()? {
            entries.push((key, Spanned::read(tokens)?));
        }
        Ok(Value::Valid(Self(entries)))
    }
}

impl<'t, T: FromYaml<'t>> Spanned<Value<T>> {
    /// Reads a value.
    pub(crate) fn read(tokens: &mut Tokens<'t>) -> Result<Self, Box<YamlError>> {
        let token = tokens.next()?;
        Self::of(token, tokens)
    }

    /// Reads the value that begins with this token.
    pub(super) fn of(
        token: Spanned<Token<'t>>,
        tokens: &mut Tokens<'t>,
    ) -> Result<Self, Box<YamlError>> {
        // The parser gives no end where a value belongs.
        Ok(Self::item_of(token, tokens)?.unwrap_or(Self {
            value: Value::WrongType(Kind::Null),
            span: Span::default(),
            bytes: (0, 0),
        }))
    }

    /// Reads an item of a list; `None` at its end.
    pub(super) fn item(tokens: &mut Tokens<'t>) -> Result<Option<Self>, Box<YamlError>> {
        let token = tokens.next()?;
        Self::item_of(token, tokens)
    }

    fn item_of(
        token: Spanned<Token<'t>>,
        tokens: &mut Tokens<'t>,
    ) -> Result<Option<Self>, Box<YamlError>> {
        let Spanned { value, span, bytes } = token;
        let value = match value {
            Token::End => return Ok(None),
            Token::List => T::list(tokens)?,
            Token::Mapping => T::mapping(tokens)?,
            Token::Scalar(value, is_plain) => {
                let scalar = if is_plain {
                    scalar(&value)
                } else {
                    Scalar::String
                };
                let (made, kind) = match scalar {
                    Scalar::Null => (None, Kind::Null),
                    Scalar::Boolean(value) => (T::boolean(value), Kind::Boolean),
                    Scalar::Number(value) => (T::number(value), Kind::Number),
                    Scalar::String if T::EXPANDS => match tokens.expand(value, span) {
                        Some(value) => (T::text(value), Kind::String),
                        None => (None, Kind::Unresolved),
                    },
                    Scalar::String => (T::text(value), Kind::String),
                };
                made.map_or(Value::WrongType(kind), Value::Valid)
            }
        };
        Ok(Some(Self { value, span, bytes }))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Null => "empty",
            Self::Unresolved => "a string without a value",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Mapping => "a mapping",
        })
    }
}
