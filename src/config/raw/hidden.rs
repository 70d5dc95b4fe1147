//! Values that may be secrets: only where they stand is kept, never what they are.

use std::borrow::Cow;

use super::shape::{Fields, Loose, Record, Shape};
use crate::config::source::{At, Failure, Tokens};

/// Any value at all. Keeps where the scalars in it stand, so that they can be hidden.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Anything {
    /// It is a scalar itself.
    pub(in crate::config) scalar: bool,
    /// Bytes from the beginning of the text, start and end, of each scalar below it.
    below: Vec<(u32, u32)>,
}

/// A mapping with the fields of `R`, or something else that may well be a secret itself.
#[derive(Clone, Debug)]
pub(in crate::config) enum Secretive<'t, R> {
    Is(Box<Fields<'t, R>>),
    Not(Anything),
}

const SCALAR: Anything = Anything {
    scalar: true,
    below: Vec::new(),
};

impl<'t> Shape<'t> for Anything {
    const EXPECTED: &'static str = "a value";

    fn text(_: Cow<'t, str>) -> Option<Self> {
        Some(SCALAR)
    }

    fn boolean(_: bool) -> Option<Self> {
        Some(SCALAR)
    }

    fn number(_: f64) -> Option<Self> {
        Some(SCALAR)
    }

    fn list(tokens: &mut Tokens<'t>) -> Result<Loose<Self>, Failure> {
        Self::items(tokens).map(Loose::Is)
    }

    fn mapping(tokens: &mut Tokens<'t>) -> Result<Loose<Self>, Failure> {
        let mut all = Self::default();
        while tokens.key()?.is_some() {
            all.below.extend(At::<Loose<Self>>::read(tokens)?.scalars());
        }
        Ok(Loose::Is(all))
    }
}

impl<'t, R: Record<'t>> Shape<'t> for Secretive<'t, R> {
    const EXPECTED: &'static str = "a mapping";

    fn text(_: Cow<'t, str>) -> Option<Self> {
        Some(Self::Not(SCALAR))
    }

    fn boolean(_: bool) -> Option<Self> {
        Some(Self::Not(SCALAR))
    }

    fn number(_: f64) -> Option<Self> {
        Some(Self::Not(SCALAR))
    }

    fn list(tokens: &mut Tokens<'t>) -> Result<Loose<Self>, Failure> {
        Anything::items(tokens).map(Self::Not).map(Loose::Is)
    }

    fn mapping(tokens: &mut Tokens<'t>) -> Result<Loose<Self>, Failure> {
        Ok(Loose::Is(Self::Is(Box::new(Fields::read(tokens)?))))
    }
}

impl Anything {
    fn items(tokens: &mut Tokens<'_>) -> Result<Self, Failure> {
        let mut all = Self::default();
        while let Some(item) = At::<Loose<Self>>::item(tokens)? {
            all.below.extend(item.scalars());
        }
        Ok(all)
    }

    /// Where the scalars of this value stand, itself included, given where it stands itself.
    pub(in crate::config) fn scalars(&self, own: (u32, u32)) -> impl Iterator<Item = (u32, u32)> {
        self.scalar
            .then_some(own)
            .into_iter()
            .chain(self.below.iter().copied())
    }
}

impl At<Loose<Anything>> {
    /// Where the scalars of this value stand, itself included.
    pub(in crate::config) fn scalars(&self) -> impl Iterator<Item = (u32, u32)> {
        match &self.value {
            Loose::Is(value) => Some(value.scalars(self.text)),
            Loose::Not(_) => None,
        }
        .into_iter()
        .flatten()
    }
}
