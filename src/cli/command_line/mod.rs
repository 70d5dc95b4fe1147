//! Reads the command line and its environment variables, and says what is wrong with it.

mod habits;
mod parse;
mod visible;

pub(super) use habits::advise;
pub(super) use parse::{command_of, parse, strange_variables, wants_json};
pub(super) use visible::command;
