//! Foreign text in output: it must have no effect on the terminal or on programs that read logs.
//!
//! A terminal interprets escape sequences and characters that reverse the writing direction. CI systems interpret
//! logs: GitHub reads `##[…]` anywhere in a line and `::…` at its beginning as commands, Azure Pipelines `##vso[…]`,
//! `TeamCity` `##teamcity[…]`; Buildkite folds at lines that begin with `---`, `+++`, `~~~` or `^^^`; the section marks of
//! GitLab and Travis need a carriage return.
//!
//! Values are escaped where they are rendered, so that they can be read back. [`Neutral`] filters the whole stream
//! after that, in case a value was not escaped.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a pure function of the text"
)]

mod characters;
mod json;
mod neutral;

#[cfg(test)]
pub(crate) use characters::is_command;
pub(crate) use characters::is_treacherous;
pub(crate) use json::{Json, PrettyJson, write_fragment};
pub(crate) use neutral::{Neutral, neutral};
