//! The shapes a value can have, and what is kept of one that has another.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::hidden::Anything;
use crate::config::source::At;

/// What a value is, in the words of YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Kind {
    Nothing,
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
pub(in crate::config) trait Shape<'de>: Sized {
    /// What to say was expected, with its article.
    const EXPECTED: &'static str;

    fn text(_: Cow<'de, str>) -> Option<Self> {
        None
    }

    fn boolean(_: bool) -> Option<Self> {
        None
    }

    fn number(_: f64) -> Option<Self> {
        None
    }

    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Loose<Self>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Not(Kind::List))
    }

    fn mapping<A: MapAccess<'de>>(mut entries: A) -> Result<Loose<Self>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Not(Kind::Mapping))
    }
}

/// Any string.
#[derive(Clone, Debug)]
pub(in crate::config) struct Text<'de>(pub(in crate::config) Cow<'de, str>);

/// `true` or `false`.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Flag(pub(in crate::config) bool);

/// A whole number.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Integer(pub(in crate::config) f64);

/// A sequence.
#[derive(Clone, Debug)]
pub(in crate::config) struct List<T>(pub(in crate::config) Vec<At<Loose<T>>>);

/// A mapping with keys that people choose.
#[derive(Clone, Debug)]
pub(in crate::config) struct Entries<'de, T>(
    pub(in crate::config) Vec<(At<Key<'de>>, At<Loose<T>>)>,
);

/// A mapping with the keys of `R`.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Fields<'de, R> {
    pub(in crate::config) record: R,
    /// Keys that `R` does not have, and repeated ones.
    pub(in crate::config) strays: Vec<Stray<'de>>,
}

/// A key that should not be there.
#[derive(Clone, Debug)]
pub(in crate::config) struct Stray<'de> {
    pub(in crate::config) key: Cow<'de, str>,
    pub(in crate::config) value: At<Loose<Anything>>,
    /// It is known, but this is not the first of its name.
    pub(in crate::config) repeated: bool,
}

/// A set of fields by name.
pub(in crate::config) trait Record<'de>: Default {
    /// Their names, as written in callbacks.yaml.
    const KEYS: &'static [&'static str];

    /// Reads the value of the field `KEYS[index]`.
    fn read<A: MapAccess<'de>>(&mut self, index: usize, entries: &mut A) -> Result<(), A::Error>;
}

/// A key; also of a mapping with fields, where it is looked up.
#[derive(Clone, Debug)]
pub(in crate::config) struct Key<'de>(pub(in crate::config) Cow<'de, str>);

impl<'de> Shape<'de> for Text<'de> {
    const EXPECTED: &'static str = "a string";

    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self(text))
    }
}

impl Shape<'_> for Flag {
    const EXPECTED: &'static str = "`true` or `false`";

    fn boolean(value: bool) -> Option<Self> {
        Some(Self(value))
    }
}

impl Shape<'_> for Integer {
    const EXPECTED: &'static str = "a number";

    fn number(value: f64) -> Option<Self> {
        Some(Self(value))
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for List<T> {
    const EXPECTED: &'static str = "a list";

    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Loose<Self>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Loose::Is(Self(list)))
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Entries<'de, T> {
    const EXPECTED: &'static str = "a mapping";

    fn mapping<A: MapAccess<'de>>(mut entries: A) -> Result<Loose<Self>, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        Ok(Loose::Is(Self(all)))
    }
}

impl<'de, R: Record<'de>> Shape<'de> for Fields<'de, R> {
    const EXPECTED: &'static str = "a mapping";

    fn mapping<A: MapAccess<'de>>(entries: A) -> Result<Loose<Self>, A::Error> {
        Self::read(entries).map(Loose::Is)
    }
}

impl<'de, R: Record<'de>> Fields<'de, R> {
    /// Reads a whole mapping.
    pub(super) fn read<A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut record = R::default();
        let mut strays = Vec::new();
        let mut seen = 0_u32;
        while let Some(Key(key)) = entries.next_key()? {
            let index = R::KEYS.iter().position(|name| *name == key);
            match index {
                Some(index) if seen & (1 << index) == 0 => {
                    seen |= 1 << index;
                    record.read(index, &mut entries)?;
                }
                Some(_) | None => strays.push(Stray {
                    key,
                    value: entries.next_value()?,
                    repeated: index.is_some(),
                }),
            }
        }
        Ok(Self { record, strays })
    }
}

impl<'de, T: Shape<'de>> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor(PhantomData))
    }
}

struct LooseVisitor<T>(PhantomData<T>);

impl<'de, T: Shape<'de>> Visitor<'de> for LooseVisitor<T> {
    type Value = Loose<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Loose::Not(Kind::Nothing))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(T::boolean(value).map_or(Loose::Not(Kind::Boolean), Loose::Is))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the only number in the format is a version of one digit"
    )]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        self.visit_f64(value as f64)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the only number in the format is a version of one digit"
    )]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Self::Value, E> {
        self.visit_f64(f64::INFINITY)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Self::Value, E> {
        self.visit_f64(f64::INFINITY)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(T::number(value).map_or(Loose::Not(Kind::Number), Loose::Is))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(T::text(Cow::Borrowed(text)).map_or(Loose::Not(Kind::String), Loose::Is))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(T::text(Cow::Owned(text)).map_or(Loose::Not(Kind::String), Loose::Is))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        T::list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        T::mapping(entries)
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "nothing",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Mapping => "a mapping",
        })
    }
}
