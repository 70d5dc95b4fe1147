//! The command line as help and completions show it: below each command only the global flags that do
//! something there. The others are taken all the same, wherever they stand.

use clap::{Command, CommandFactory as _};

use super::args::Cli;

/// Of a global flag, its id and the commands that it does nothing for.
const IDLE: [(&str, &[&str]); 9] = [
    (
        "config",
        &[
            "secret",
            "sandbox",
            "explain",
            "version",
            "schema",
            "completions",
            "man",
        ],
    ),
    (
        "var",
        &[
            "init",
            "show",
            "unlock",
            "secret",
            "sandbox",
            "explain",
            "fmt",
            "version",
            "schema",
            "completions",
            "man",
        ],
    ),
    (
        "state",
        &[
            "init",
            "validate",
            "secret",
            "sandbox",
            "explain",
            "fmt",
            "version",
            "schema",
            "completions",
            "man",
        ],
    ),
    (
        "sandbox",
        &[
            "init",
            "secret",
            "sandbox",
            "explain",
            "fmt",
            "version",
            "schema",
            "completions",
            "man",
        ],
    ),
    (
        "endpoint",
        &[
            "init",
            "validate",
            "show",
            "unlock",
            "secret",
            "sandbox",
            "explain",
            "fmt",
            "version",
            "schema",
            "completions",
            "man",
        ],
    ),
    (
        "ca_file",
        &[
            "init",
            "validate",
            "plan",
            "show",
            "import",
            "state",
            "unlock",
            "secret",
            "sandbox",
            "explain",
            "fmt",
            "version",
            "schema",
            "completions",
            "man",
        ],
    ),
    (
        "json",
        &[
            "secret",
            "sandbox",
            "explain",
            "fmt",
            "version",
            "schema",
            "completions",
            "man",
        ],
    ),
    (
        "verbose",
        &[
            "init",
            "secret",
            "explain",
            "fmt",
            "version",
            "schema",
            "completions",
            "man",
        ],
    ),
    (
        "log_format",
        &[
            "init",
            "secret",
            "explain",
            "fmt",
            "version",
            "schema",
            "completions",
            "man",
        ],
    ),
];

/// The command line.
pub(super) fn command() -> Command {
    let command = Cli::command();
    let globals: Vec<clap::Arg> = command.get_arguments().cloned().collect();
    command.mut_subcommands(|inner| {
        let name = inner.get_name().to_owned();
        let idle = |argument: &&clap::Arg| {
            let id = argument.get_id().as_str();
            IDLE.iter()
                .any(|(flag, commands)| *flag == id && commands.contains(&name.as_str()))
        };
        // One that is there already is not passed down again.
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
        for (flag, commands) in IDLE {
            let known = |argument: &clap::Arg| argument.get_id().as_str() == flag;
            assert!(command.get_arguments().any(known), "{flag}");
            for name in commands {
                assert!(command.find_subcommand(name).is_some(), "{name}");
            }
        }
    }
}
