//! A value of any kind, of which only the places of its scalars are kept, so that they can be hidden.

use std::borrow::Cow;

use super::value::{FromYaml, Value};
use crate::config::yaml::{ByteRange, Spanned, Tokens, YamlError};

/// Any value at all. It may be a secret, so its text is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnyValue {
    pub(crate) is_scalar: bool,
    /// The scalars inside a list or mapping.
    inner: Vec<ByteRange>,
}

impl AnyValue {
    pub(super) const SCALAR: Self = Self {
        is_scalar: true,
        inner: Vec::new(),
    };

    /// Reads the items and the end of a list.
    pub(super) fn items(tokens: &mut Tokens<'_>) -> Result<Self, Box<YamlError>> {
        let mut all = Self::default();
        while let Some(item) = Spanned::<Value<Self>>::item(tokens)? {
            all.inner.extend(item.scalars());
        }
        Ok(all)
    }

    /// The byte ranges of all scalars of this value; `own` is that of the value itself.
    pub(crate) fn scalars(&self, own: ByteRange) -> impl Iterator<Item = ByteRange> {
        self.is_scalar
            .then_some(own)
            .into_iter()
            .chain(self.inner.iter().copied())
    }
}

impl<'t> FromYaml<'t> for AnyValue {
    const EXPECTED: &'static str = "a value";

    fn text(_: Cow<'t, str>) -> Option<Self> {
        Some(Self::SCALAR)
    }

    fn boolean(_: bool) -> Option<Self> {
        Some(Self::SCALAR)
    }

    fn number(_: f64) -> Option<Self> {
        Some(Self::SCALAR)
    }

    fn list(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        Self::items(tokens).map(Value::Valid)
    }

    fn mapping(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        let mut all = Self::default();
        while tokens.key()?.is_some() {
            all.inner
                .extend(Spanned::<Value<Self>>::read(tokens)?.scalars());
        }
        Ok(Value::Valid(all))
    }
}

impl Spanned<Value<AnyValue>> {
    /// The byte ranges of all scalars of this value.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = ByteRange> {
        match &self.value {
            Value::Valid(value) => Some(value.scalars(self.bytes)),
            Value::WrongType(_) => None,
        }
        .into_iter()
        .flatten()
    }
}
