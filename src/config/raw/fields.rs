//! Mappings with a fixed set of fields.

use std::borrow::Cow;

use super::any::AnyValue;
use super::value::{FromYaml, Value};
use crate::config::yaml::{ByteRange, Spanned, Tokens, YamlError};

/// How many unexpected fields of a mapping are kept. A hostile file has millions.
const MAX_UNEXPECTED: usize = 100;

/// The fields of a mapping by name, such as those of an organization.
pub(crate) trait Record<'t>: Default {
    /// The names of the fields, as written in callbacks.yaml.
    const NAMES: &'static [&'static str];

    /// Fields whose names begin with this prefix are ignored.
    const IGNORED_PREFIX: Option<&'static str>;

    /// Reads the value of the field `NAMES[index]`.
    fn read(&mut self, index: usize, tokens: &mut Tokens<'t>) -> Result<(), Box<YamlError>>;
}

/// A mapping with the fields of `R`, and those that `R` does not have.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'t, R> {
    pub(crate) record: R,
    /// Unknown and duplicate fields, at most [`MAX_UNEXPECTED`].
    pub(crate) unexpected: Vec<UnexpectedField<'t>>,
    /// How many more unexpected fields the mapping has.
    pub(crate) not_kept: usize,
    /// From the first to the last value of those that are not kept.
    pub(crate) not_kept_bytes: ByteRange,
}

/// An unknown or duplicate field.
#[derive(Clone, Debug)]
pub(crate) struct UnexpectedField<'t> {
    pub(crate) name: Spanned<Cow<'t, str>>,
    pub(crate) value: Spanned<Value<AnyValue>>,
    /// The name is known, but an earlier field has it too.
    pub(crate) is_duplicate: bool,
}

/// A mapping with the fields of `R`, or another value, which may be a secret in clear text.
#[derive(Clone, Debug)]
pub(crate) enum MaybeSecret<'t, R> {
    Mapping(Box<Fields<'t, R>>),
    Other(AnyValue),
}

impl<R: Default> Default for Fields<'_, R> {
    fn default() -> Self {
        Self {
            record: R::default(),
            unexpected: Vec::new(),
            not_kept: 0,
            not_kept_bytes: (u32::MAX, 0),
        }
    }
}

impl<'t, R: Record<'t>> Fields<'t, R> {
    /// Reads the fields and the end of a mapping.
    pub(super) fn read(tokens: &mut Tokens<'t>) -> Result<Self, Box<YamlError>> {
        Self::read_with(tokens, R::read)
    }

    /// The same, with another way to read the value of the field `NAMES[index]`.
    pub(super) fn read_with(
        tokens: &mut Tokens<'t>,
        mut known: impl FnMut(&mut R, usize, &mut Tokens<'t>) -> Result<(), Box<YamlError>>,
    ) -> Result<Self, Box<YamlError>> {
        let mut fields = Self::default();
        let mut seen = 0_u32;
        while let Some(name) = tokens.key()? {
            let index = R::NAMES.iter().position(|known| *known == name.value);
            match index {
                Some(index) if seen & (1 << index) == 0 => {
                    seen |= 1 << index;
                    known(&mut fields.record, index, tokens)?;
                }
                None if R::IGNORED_PREFIX.is_some_and(|prefix| name.value.starts_with(prefix)) => {
                    Spanned::<Value<AnyValue>>::read(tokens)?;
                }
                Some(_) | None => fields.keep(UnexpectedField {
                    name,
                    value: Spanned::read(tokens)?,
                    is_duplicate: index.is_some(),
                }),
            }
        }
        Ok(fields)
    }

    fn keep(&mut self, field: UnexpectedField<'t>) {
        if self.unexpected.len() < MAX_UNEXPECTED {
            self.unexpected.push(field);
            return;
        }
        self.not_kept += 1;
        for (start, end) in field.value.scalars() {
            let (first, last) = self.not_kept_bytes;
            self.not_kept_bytes = (first.min(start), last.max(end));
        }
    }
}

impl<'t, R: Record<'t>> FromYaml<'t> for Fields<'t, R> {
    const EXPECTED: &'static str = "a mapping";

    fn mapping(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        Self::read(tokens).map(Value::Valid)
    }
}

impl<'t, R: Record<'t>> FromYaml<'t> for MaybeSecret<'t, R> {
    const EXPECTED: &'static str = "a mapping";

    fn text(_: Cow<'t, str>) -> Option<Self> {
        Some(Self::Other(AnyValue::SCALAR))
    }

    fn boolean(_: bool) -> Option<Self> {
        Some(Self::Other(AnyValue::SCALAR))
    }

    fn number(_: f64) -> Option<Self> {
        Some(Self::Other(AnyValue::SCALAR))
    }

    fn list(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        AnyValue::items(tokens).map(Self::Other).map(Value::Valid)
    }

    fn mapping(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        Ok(Value::Valid(Self::Mapping(Box::new(Fields::read(tokens)?))))
    }
}
