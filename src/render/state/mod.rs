//! The recorded state, for `show` and `state list|show`.

mod history;
mod json;
mod text;

#[cfg(test)]
mod tests;

pub use history::{history_json, history_text};
pub use json::{entry_json, state_json};
pub use text::{entry_text, state_text};
