//! Values that may be secrets: only where they stand is kept, never what they are.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::shape::{Fields, Loose, Record, Shape};
use crate::config::source::At;

/// Any value at all. Keeps where the scalars in it stand, so that they can be hidden.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Anything {
    /// It is a scalar itself.
    pub(in crate::config) scalar: bool,
    /// Bytes from the beginning of the text, start and end, of each scalar below it.
    pub(in crate::config) below: Vec<(u32, u32)>,
}

/// A mapping with the fields of `R`, or something else that may well be a secret itself.
#[derive(Clone, Debug)]
pub(in crate::config) enum Secretive<'de, R> {
    Is(Fields<'de, R>),
    Not(Anything),
}

const SCALAR: Anything = Anything {
    scalar: true,
    below: Vec::new(),
};

impl<'de> Shape<'de> for Anything {
    const EXPECTED: &'static str = "a value";

    fn text(_: Cow<'de, str>) -> Option<Self> {
        Some(SCALAR)
    }

    fn boolean(_: bool) -> Option<Self> {
        Some(SCALAR)
    }

    fn number(_: f64) -> Option<Self> {
        Some(SCALAR)
    }

    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Loose<Self>, A::Error> {
        let mut all = Self::default();
        while let Some(item) = items.next_element::<At<Loose<Self>>>()? {
            all.below.extend(item.scalars());
        }
        Ok(Loose::Is(all))
    }

    fn mapping<A: MapAccess<'de>>(mut entries: A) -> Result<Loose<Self>, A::Error> {
        let mut all = Self::default();
        while let Some((_, value)) = entries.next_entry::<IgnoredAny, At<Loose<Self>>>()? {
            all.below.extend(value.scalars());
        }
        Ok(Loose::Is(all))
    }
}

impl<'de, R: Record<'de>> Shape<'de> for Secretive<'de, R> {
    const EXPECTED: &'static str = "a secret reference";

    fn text(_: Cow<'de, str>) -> Option<Self> {
        Some(Self::Not(SCALAR))
    }

    fn boolean(_: bool) -> Option<Self> {
        Some(Self::Not(SCALAR))
    }

    fn number(_: f64) -> Option<Self> {
        Some(Self::Not(SCALAR))
    }

    fn list<A: SeqAccess<'de>>(items: A) -> Result<Loose<Self>, A::Error> {
        Ok(match Anything::list(items)? {
            Loose::Is(list) => Loose::Is(Self::Not(list)),
            Loose::Not(kind) => Loose::Not(kind),
        })
    }

    fn mapping<A: MapAccess<'de>>(entries: A) -> Result<Loose<Self>, A::Error> {
        Ok(Loose::Is(Self::Is(Fields::read(entries)?)))
    }
}

impl Anything {
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
