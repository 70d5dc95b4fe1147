//! The plan document: what `plan --format json` prints and `plan --out` saves.
//!
//! [`write_document`] streams it; [`read_document`] returns an equal [`Plan`](super::Plan), so that
//! `apply PLAN` needs no callbacks.yaml. It contains secret references, recorded fingerprints and one byte of
//! a hash of each secret that is sent, never a secret: see [`Same`](super::Same).
//!
//! Invariants: what was written reads back equal; a document that was cut off, edited or made by
//! another version is refused. The checksum detects accidents and careless edits; it is not a signature.
//!
//! Format history: 1.0, the first; 1.1, `destination`; 1.2, `moves` and
//! `successor`, accounts as objects, and `checks` and `same` in the place of declared fingerprints; 1.3, `before` and
//! `after` of a refresh; 1.4, `digest` is of the calls, and the last line is `checksum`.

mod digest;
mod errored;
mod layout;
mod lists;
mod read;
mod rows;
mod write;

#[cfg(test)]
mod tests;

pub use digest::calls_digest;
pub use errored::write_errored;
pub use read::{DocumentError, read_document};
pub use write::{applyable, write_document, write_shown};

/// The version written, and the only one read.
pub const FORMAT_VERSION: &str = "1.4";

/// The start of the last line of a document, the checksum of everything before this line's comma. A JSON string
/// can't contain a line break, so nothing else looks like it.
const CHECKSUM_LINE: &str = "\n  \"checksum\": \"sha256:";
