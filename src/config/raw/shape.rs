//! The shapes a value can have, and what is kept of one that has another.

use std::borrow::Cow;
use std::fmt;

use super::hidden::Anything;
use super::scalar::{Scalar, scalar};
use crate::config::source::{At, Failure, Token, Tokens};

/// What a value is, in the words of YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Kind {
    Nothing,
    /// Text with a variable that has no value. Reported where it was read.
    Unresolved,
    Boolean,
    Number,
    String,
    List,
    Mapping,
}

/// A value of the expected shape, or what it was instead.
#[derive(Clone, Debug)]
pub(in crate::config) enum Loose<T> {
    Is(T),
    Not(Kind),
}

/// Something that can be made from one of YAML's kinds of value. Each constructor that is not
/// overridden refuses.
pub(in crate::config) trait Shape<'t>: Sized {
    /// What to say was expected, with its article.
    const EXPECTED: &'static str;

    /// It is made from text, a number or the like, so that a wrong one of those may be shown.
    const IS_SCALAR: bool = false;

    /// Whether `${name}` in its text is replaced by the value of that variable.
    const EXPANDS: bool = false;

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
    fn list(tokens: &mut Tokens<'t>) -> Result<Loose<Self>, Failure> {
        tokens.skip()?;
        Ok(Loose::Not(Kind::List))
    }

    /// Reads the entries and the end of a mapping.
    fn mapping(tokens: &mut Tokens<'t>) -> Result<Loose<Self>, Failure> {
        tokens.skip()?;
        Ok(Loose::Not(Kind::Mapping))
    }
}

/// Any string.
#[derive(Clone, Debug)]
pub(in crate::config) struct Text<'t>(pub(in crate::config) Cow<'t, str>);

/// Any string, in which no variable is replaced.
#[derive(Clone, Debug)]
pub(in crate::config) struct Verbatim<'t>(pub(in crate::config) Cow<'t, str>);

/// `true` or `false`.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Flag(pub(in crate::config) bool);

/// A number.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Number(pub(in crate::config) f64);

/// A sequence.
#[derive(Clone, Debug)]
pub(in crate::config) struct List<T>(pub(in crate::config) Vec<At<Loose<T>>>);

/// A key and its value.
pub(in crate::config) type Entry<'t, T> = (At<Cow<'t, str>>, At<Loose<T>>);

/// A mapping with keys that people choose.
#[derive(Clone, Debug)]
pub(in crate::config) struct Entries<'t, T>(pub(in crate::config) Vec<Entry<'t, T>>);

/// A mapping with the keys of `R`.
#[derive(Clone, Debug)]
pub(in crate::config) struct Fields<'t, R> {
    pub(in crate::config) record: R,
    /// Keys that `R` does not have, and repeated ones.
    pub(in crate::config) strays: Vec<Stray<'t>>,
    /// How many more there are than are kept.
    pub(in crate::config) more: usize,
    /// Where the values of those stand, in bytes: from the start of the first to the end of the last.
    pub(in crate::config) more_text: (u32, u32),
}

/// How many strays of a mapping are kept. A mapping with more is something else altogether, and a
/// hostile file has millions.
const MOST_STRAYS: usize = 100;

/// A key that should not be there.
#[derive(Clone, Debug)]
pub(in crate::config) struct Stray<'t> {
    pub(in crate::config) key: At<Cow<'t, str>>,
    pub(in crate::config) value: At<Loose<Anything>>,
    /// It is known, but this is not the first of its name.
    pub(in crate::config) repeated: bool,
}

/// A set of fields by name.
pub(in crate::config) trait Record<'t>: Default {
    /// Their names, as written in callbacks.yaml.
    const KEYS: &'static [&'static str];

    /// Other keys that begin so have no meaning and are no mistake.
    const IGNORED: Option<&'static str>;

    /// Reads the value of the field `KEYS[index]`.
    fn read(&mut self, index: usize, tokens: &mut Tokens<'t>) -> Result<(), Failure>;
}

impl<'t> Shape<'t> for Text<'t> {
    const EXPECTED: &'static str = "a string";
    const IS_SCALAR: bool = true;
    const EXPANDS: bool = true;

    fn text(text: Cow<'t, str>) -> Option<Self> {
        Some(Self(text))
    }
}

impl<'t> Shape<'t> for Verbatim<'t> {
    const EXPECTED: &'static str = "a string";
    const IS_SCALAR: bool = true;

    fn text(text: Cow<'t, str>) -> Option<Self> {
        Some(Self(text))
    }
}

impl Shape<'_> for Flag {
    const EXPECTED: &'static str = "`true` or `false`";
    const IS_SCALAR: bool = true;

    fn boolean(value: bool) -> Option<Self> {
        Some(Self(value))
    }
}

impl Shape<'_> for Number {
    const EXPECTED: &'static str = "a number";
    const IS_SCALAR: bool = true;

    fn number(value: f64) -> Option<Self> {
        Some(Self(value))
    }
}

impl<'t, T: Shape<'t>> Shape<'t> for List<T> {
    const EXPECTED: &'static str = "a list";

    fn list(tokens: &mut Tokens<'t>) -> Result<Loose<Self>, Failure> {
        let mut items = Vec::new();
        while let Some(item) = At::item(tokens)? {
            items.push(item);
        }
        Ok(Loose::Is(Self(items)))
    }
}

impl<'t, T: Shape<'t>> Shape<'t> for Entries<'t, T> {
    const EXPECTED: &'static str = "a mapping";

    fn mapping(tokens: &mut Tokens<'t>) -> Result<Loose<Self>, Failure> {
        let mut entries = Vec::new();
        while let Some(key) = tokens.key()? {
            entries.push((key, At::read(tokens)?));
        }
        Ok(Loose::Is(Self(entries)))
    }
}

impl<'t, R: Record<'t>> Shape<'t> for Fields<'t, R> {
    const EXPECTED: &'static str = "a mapping";

    fn mapping(tokens: &mut Tokens<'t>) -> Result<Loose<Self>, Failure> {
        Self::read(tokens).map(Loose::Is)
    }
}

impl<R: Default> Default for Fields<'_, R> {
    fn default() -> Self {
        Self {
            record: R::default(),
            strays: Vec::new(),
            more: 0,
            more_text: (u32::MAX, 0),
        }
    }
}

impl<'t, R: Record<'t>> Fields<'t, R> {
    /// Reads the entries and the end of a mapping.
    pub(super) fn read(tokens: &mut Tokens<'t>) -> Result<Self, Failure> {
        let mut fields = Self::default();
        let mut seen = 0_u32;
        while let Some(key) = tokens.key()? {
            let index = R::KEYS.iter().position(|name| *name == key.value);
            match index {
                Some(index) if seen & (1 << index) == 0 => {
                    seen |= 1 << index;
                    fields.record.read(index, tokens)?;
                }
                None if R::IGNORED.is_some_and(|prefix| key.value.starts_with(prefix)) => {
                    At::<Loose<Anything>>::read(tokens)?;
                }
                Some(_) | None => fields.stray(Stray {
                    key,
                    value: At::read(tokens)?,
                    repeated: index.is_some(),
                }),
            }
        }
        Ok(fields)
    }

    fn stray(&mut self, stray: Stray<'t>) {
        if self.strays.len() < MOST_STRAYS {
            self.strays.push(stray);
            return;
        }
        self.more += 1;
        for (start, end) in stray.value.scalars() {
            let (first, last) = self.more_text;
            self.more_text = (first.min(start), last.max(end));
        }
    }
}

impl<'t, T: Shape<'t>> At<Loose<T>> {
    /// Reads a value.
    pub(in crate::config) fn read(tokens: &mut Tokens<'t>) -> Result<Self, Failure> {
        Ok(Self::item(tokens)?.unwrap_or(Self {
            // No value begins with an end; the parser sees to that.
            value: Loose::Not(Kind::Nothing),
            span: crate::config::source::Span::default(),
            text: (0, 0),
        }))
    }

    /// Reads an item of a list; `None` at its end.
    pub(super) fn item(tokens: &mut Tokens<'t>) -> Result<Option<Self>, Failure> {
        let At { value, span, text } = tokens.next()?;
        let value = match value {
            Token::End => return Ok(None),
            Token::List => T::list(tokens)?,
            Token::Mapping => T::mapping(tokens)?,
            Token::Scalar(value, plain) => {
                let scalar = if plain {
                    scalar(&value)
                } else {
                    Scalar::String
                };
                let (made, kind) = match scalar {
                    Scalar::Nothing => (None, Kind::Nothing),
                    Scalar::Boolean(value) => (T::boolean(value), Kind::Boolean),
                    Scalar::Number(value) => (T::number(value), Kind::Number),
                    Scalar::String if T::EXPANDS => match tokens.expand(value, span) {
                        Some(value) => (T::text(value), Kind::String),
                        None => (None, Kind::Unresolved),
                    },
                    Scalar::String => (T::text(value), Kind::String),
                };
                made.map_or(Loose::Not(kind), Loose::Is)
            }
        };
        Ok(Some(Self { value, span, text }))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "nothing",
            Self::Unresolved => "a string without a value",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Mapping => "a mapping",
        })
    }
}
