//! YAML text to tokens with positions. The only module that knows the YAML crate.
//!
//! It uses the crate's parser without its serde layer. That layer takes as long as the parser itself, gives no
//! positions of keys, and stops at the first value of a wrong type, while here every problem is reported.
//!
//! Nesting and aliases are limited, so that a hostile file ends in an error and not in a stack overflow or
//! exhausted memory.
//!
//! Invariant: a [`YamlError`] quotes nothing of the file, so it can't reveal a secret.

mod span;
mod tokens;

pub use tokens::same_meaning;

pub(super) use span::{ByteRange, Span, Spanned, YamlError};
pub(super) use tokens::{Token, Tokens};
