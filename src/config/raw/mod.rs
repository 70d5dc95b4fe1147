//! callbacks.yaml as it is written, right or wrong.
//!
//! Reading never stops at the first wrong value: a [`Loose`] keeps what kind of thing stood where
//! another was expected, and [`Fields`] keep the keys they don't know, so that the checks that follow
//! can report everything at once. Text is borrowed from the file.

mod hidden;
mod scalar;
mod shape;
mod tree;

pub(super) use hidden::{Anything, Secretive};
pub(super) use shape::{
    Entries, Fields, Flag, Kind, List, Loose, Number, Record, Shape, Stray, Text, Verbatim,
};
pub(super) use tree::{
    Account, Callback, CallbackFields, Defaults, Document, EnvironmentVariables, Organization,
    Reference,
};
