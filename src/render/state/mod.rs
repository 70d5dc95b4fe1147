//! The recorded state, for `show` and `state list|show`.

mod json;
mod text;

#[cfg(test)]
mod tests;

pub use json::{entry_json, state_json};
pub use text::{entry_text, state_text};
