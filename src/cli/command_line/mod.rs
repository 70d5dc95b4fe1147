//! Reads the command line and its environment variables, with advice for invalid ones.

mod habits;
mod parse;
mod visible;

pub(super) use habits::advise;
pub(super) use parse::{command_of, parse, unknown_variables, wants_json};
pub(super) use visible::command;
