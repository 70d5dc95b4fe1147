//! Reads the command line and its environment variables.

use clap::builder::Resettable;
use clap::{ArgAction, Command, CommandFactory as _, FromArgMatches as _};

use super::visible;
use crate::cli::args::Cli;
use crate::cli::doubles;
use crate::cli::options::switch::says_no;
use crate::cli::options::variables;
use std::ffi::OsString;

/// The command line of this process.
///
/// An empty environment variable counts as not set, because CI systems pass empty inputs. So does a switch whose
/// variable is off (`0`, `false`, `no`, `off`). For clap both would be set, and conflict with other options.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    let mut command = without_denied(visible::command());
    let matches = command
        .try_get_matches_from_mut(std::env::args_os())
        .map_err(without_variables)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The error that the command line alone gives, if it does. Otherwise clap would show options from the environment in
/// the usage.
fn without_variables(error: clap::Error) -> clap::Error {
    fn strip(command: Command) -> Command {
        command
            .mut_args(|argument| argument.env(Resettable::Reset))
            .mut_subcommands(strip)
    }
    if !error.use_stderr() {
        // Help shows the variables.
        return error;
    }
    match strip(Cli::command()).try_get_matches_from(std::env::args_os()) {
        Err(plain) if plain.kind() == error.kind() => plain,
        Err(_) | Ok(_) => error,
    }
}

fn without_denied(command: Command) -> Command {
    let denied = |argument: &clap::Arg| {
        let switch = matches!(argument.get_action(), ArgAction::SetTrue);
        argument
            .get_env()
            .and_then(std::env::var_os)
            .is_some_and(|value| {
                value.is_empty() || (switch && value.to_str().is_some_and(says_no))
            })
    };
    command
        .mut_args(|argument| {
            if denied(&argument) {
                argument.env(Resettable::Reset)
            } else {
                argument
            }
        })
        .mut_subcommands(without_denied)
}

/// The command and its first argument, for the lock file.
pub(crate) fn command_of(words: &[OsString]) -> String {
    // Flags may come before the command.
    let commands = Cli::command();
    let is_command = |word: &String| commands.find_subcommand(word).is_some();
    let words = words
        .iter()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned());
    let words = words
        .skip_while(|word| !is_command(word))
        .take_while(|word| !word.starts_with('-'));
    words.take(2).collect::<Vec<_>>().join(" ")
}

/// The prefix of the variables of options.
const OURS: &str = "ESS_CALLBACKS_";

/// Variables of no option: three for tests, and one that is too secret for an option.
const OF_NO_OPTION: [&str; 4] = [
    doubles::STS,
    doubles::METADATA,
    doubles::CLOUDAUDIT,
    variables::CONTROLLER_TOKEN,
];

/// Unknown variables with our prefix, each with a similar known one. The option that such a variable was to set is not set.
pub(crate) fn unknown_variables() -> Vec<(String, Option<String>)> {
    let mut known = Vec::new();
    collect(&Cli::command(), &mut known);
    let known = known.iter().map(String::as_str).chain(OF_NO_OPTION);
    let known: Vec<&str> = known.filter_map(|name| name.strip_prefix(OURS)).collect();
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut found: Vec<_> = names
        .filter(|name| !name.starts_with(variables::PREFIX))
        .filter_map(|name| {
            let own = name.strip_prefix(OURS)?;
            if known.contains(&own) {
                return None;
            }
            let close = similar::get_close_matches(own, &known, 1, 0.7);
            let close = close.first().map(|close| format!("{OURS}{close}"));
            Some((name, close))
        })
        .collect();
    found.sort();
    found
}

fn collect(command: &Command, variables: &mut Vec<String>) {
    let names = command.get_arguments().filter_map(clap::Arg::get_env);
    variables.extend(names.filter_map(|name| name.to_str()).map(str::to_owned));
    for inner in command.get_subcommands() {
        collect(inner, variables);
    }
}

/// Whether the command line, which is invalid, asks for JSON events.
pub(crate) fn wants_json(words: &[OsString]) -> bool {
    let variable = std::env::var("ESS_CALLBACKS_JSON").unwrap_or_default();
    let words = words.iter().take_while(|word| *word != "--");
    words.skip(1).any(|word| word == "--json") || !(variable.is_empty() || says_no(&variable))
}
