//! The JSON of facts: scopes, beliefs, signed writes, callbacks and errors.
//!
//! The plan document, the state file, the journal and the JSON output share these types. Types of only
//! one format are in its module. Formats that use another name (`fence` has `lost` where
//! `state list --json` has `operation`) or flatten a fact, as the state file does, use its parts:
//! [`BeliefParts`], [`WriteParts`].
//!
//! serde can't both flatten a struct and refuse unknown fields, and it reads a flattened struct through a
//! buffer. Therefore the lines of the state file and the journal list their fields.

mod belief;
mod error;
mod scope;
mod write;

pub(crate) use belief::{BeliefParts, Contradiction, ProofJson};
pub(crate) use error::{DriftWord, ErrorJson, ResourceJson, WhyJson};
pub(crate) use scope::{LocalScopeJson, ScopeJson};
pub(crate) use write::{WriteParts, WriteWord};
