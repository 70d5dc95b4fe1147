//! callbacks.yaml as it is written, right or wrong.
//!
//! Reading never stops at the first wrong value: a [`Value`] keeps what kind of value was found where
//! another was expected, and [`Fields`] keep the fields they don't know, so that the checks that follow
//! can report everything at once. Text is borrowed from the file.

mod any;
mod document;
mod fields;
mod scalar;
mod stream;
mod value;

pub(super) use any::AnyValue;
pub(super) use document::{
    ACCOUNT_SOURCES, Account, AssumeRole, Callback, CallbackFields, Defaults, Document,
    EnvironmentVariables, Github, IdentityToken, Organization, Reference, WebIdentity,
};
pub(super) use fields::{Fields, MaybeSecret, Record, UnexpectedField};
pub(super) use stream::{Described, Key, Root};
pub(super) use value::{Entries, Flag, FromYaml, Kind, List, Number, Text, Value, Verbatim};
