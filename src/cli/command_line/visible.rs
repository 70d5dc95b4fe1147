//! The command line for help and completions, which show below a command only the global options that it uses. The
//! others are accepted all the same.

use clap::{Command, CommandFactory as _};

use crate::cli::args::Cli;

/// The IDs of the global options that each command uses, besides those for colour. A command that is not listed uses
/// none.
const USED: [(&str, &[&str]); 17] = [
    ("init", &["config", "json"]),
    ("fmt", &["config"]),
    ("sandbox", &["verbose", "log_format"]),
    (
        "listen",
        &["config", "var", "sandbox", "json", "verbose", "log_format"],
    ),
    (
        "validate",
        &["config", "var", "sandbox", "json", "verbose", "log_format"],
    ),
    (
        "show",
        &[
            "config",
            "state",
            "sandbox",
            "json",
            "verbose",
            "log_format",
        ],
    ),
    (
        "unlock",
        &[
            "config",
            "state",
            "sandbox",
            "json",
            "verbose",
            "log_format",
        ],
    ),
    ("plan", &PLACES),
    ("report", &PLACES),
    ("import", &PLACES),
    ("observe", &PLACES),
    ("state", &PLACES),
    (
        "verify",
        &[
            "config",
            "var",
            "sandbox",
            "ca_file",
            "json",
            "verbose",
            "log_format",
        ],
    ),
    ("apply", &CALLS),
    ("rotate", &CALLS),
    (
        "audit",
        &[
            "config",
            "var",
            "state",
            "endpoint",
            "ca_file",
            "json",
            "verbose",
            "log_format",
        ],
    ),
    ("controller", &CALLS),
];

/// The options of commands that make calls.
const CALLS: [&str; 9] = [
    "config",
    "var",
    "state",
    "sandbox",
    "endpoint",
    "ca_file",
    "json",
    "verbose",
    "log_format",
];

/// The options of commands that need the destination of calls, but make none.
const PLACES: [&str; 8] = [
    "config",
    "var",
    "state",
    "sandbox",
    "endpoint",
    "json",
    "verbose",
    "log_format",
];

/// The options that every command uses.
const COLOUR: [&str; 2] = ["color", "no_color"];

/// The command line, with the unused global options hidden below each command.
pub(crate) fn command() -> Command {
    let command = Cli::command();
    let globals: Vec<clap::Arg> = command.get_arguments().cloned().collect();
    command.mut_subcommands(|inner| {
        let name = inner.get_name();
        let used = USED.iter().find(|(command, _)| *command == name);
        let used = used.map_or(&[][..], |(_, flags)| flags);
        let idle = |argument: &&clap::Arg| {
            let id = argument.get_id().as_str();
            !used.contains(&id) && !COLOUR.contains(&id)
        };
        // clap does not pass on an argument that the command has already.
        let hidden = globals
            .iter()
            .filter(idle)
            .map(|argument| argument.clone().hide(true));
        inner.args(hidden)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_and_command_exists() {
        let command = Cli::command();
        for (name, flags) in USED {
            assert!(command.find_subcommand(name).is_some(), "{name}");
            for flag in flags.iter().chain(&COLOUR) {
                let known = |argument: &clap::Arg| argument.get_id().as_str() == *flag;
                assert!(command.get_arguments().any(known), "{flag}");
            }
        }
    }
}
