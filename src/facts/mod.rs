//! The JSON of facts: scopes, beliefs, signed writes, callbacks and errors, each once.
//!
//! The plan document, the state file, the journal and the output for machines share these types. What
//! only one of them has is beside it. Formats that differ in a name (`fence` has `lost` where
//! `state list --json` has `operation`) or lay a fact out flat, as the state file does, take its parts
//! from here: [`BeliefParts`], [`WriteParts`].
//!
//! serde can't flatten and refuse unknown fields at once, and a flattened struct is read through a buffer.
//! Therefore the lines of the state file and the journal list their fields themselves.

mod belief;
mod error;
mod scope;
mod write;

pub(crate) use belief::{BeliefParts, Contradiction, ProofJson};
pub(crate) use error::{DriftWord, ErrorJson, ResourceJson, WhyJson};
pub(crate) use scope::{LocalScopeJson, ScopeJson};
pub(crate) use write::{WriteParts, WriteWord};
