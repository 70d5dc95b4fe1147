//! Reads the command line and its environment variables.

use clap::builder::Resettable;
use clap::{ArgAction, Command, CommandFactory as _, FromArgMatches as _};

use super::args::Cli;
use super::globals;
use std::ffi::OsString;

/// The command line of this process.
///
/// An empty environment variable is as if it were not set: CI systems pass empty inputs. So is a switch
/// whose variable says no (`0`, `false`, `no`, `off`). To clap they would be given all the same, and
/// conflict with flags that exclude them.
pub(super) fn parse() -> Result<Cli, clap::Error> {
    let mut command = without_denied(globals::command());
    let matches = command
        .try_get_matches_from_mut(std::env::args_os())
        .map_err(without_variables)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The same error as the command line alone gives it, where it does: clap would show what comes from the
/// environment as if it belonged to the usage.
fn without_variables(error: clap::Error) -> clap::Error {
    fn strip(command: Command) -> Command {
        command
            .mut_args(|argument| argument.env(Resettable::Reset))
            .mut_subcommands(strip)
    }
    if !error.use_stderr() {
        // Help, where the variables belong.
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

/// What the variables of flags begin with.
const OURS: &str = "ESS_CALLBACKS_";

/// Variables that look like ours and mean nothing, each with the one that was perhaps meant. What
/// somebody thinks to have switched on is then off.
pub(super) fn strange_variables() -> Vec<(String, Option<String>)> {
    let mut known = Vec::new();
    collect(&Cli::command(), &mut known);
    let known = known.iter().filter_map(|name| name.strip_prefix(OURS));
    let known: Vec<&str> = known.collect();
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut found: Vec<_> = names
        .filter(|name| !name.starts_with(super::variables::PREFIX))
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

fn says_no(value: &str) -> bool {
    is_one_of(value, ["0", "f", "false", "n", "no", "off"])
}

fn says_yes(value: &str) -> bool {
    is_one_of(value, ["1", "t", "true", "y", "yes", "on"])
}

fn is_one_of(value: &str, words: [&str; 6]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The variable of a switch. A typing mistake must not turn anything on.
pub(super) fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        yes if says_yes(yes) => Ok(true),
        no if no.is_empty() || says_no(no) => Ok(false),
        _ => Err("a switch in the environment is `true` or `false`"),
    }
}

/// Whether events were asked for, as far as a command line with a mistake can tell.
pub(super) fn wants_json(words: &[OsString]) -> bool {
    let variable = std::env::var("ESS_CALLBACKS_JSON").unwrap_or_default();
    let words = words.iter().take_while(|word| *word != "--");
    words.skip(1).any(|word| word == "--json") || !(variable.is_empty() || says_no(&variable))
}

/// What `calls_digest` makes: a text that can't be one would only be refused later, as stale.
pub(super) fn digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    if digits.len() == 64 && digits.chars().all(hexadecimal) {
        Ok(text.to_owned())
    } else {
        Err("a digest is `sha256:` and 64 hexadecimal digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_no() {
        assert!(["0", "False", "NO", "off"].into_iter().all(says_no));
        assert_eq!(switch("Yes"), Ok(true));
        assert_eq!(switch("off"), Ok(false));
        assert!(
            ["flase", "none", "2", " true"]
                .into_iter()
                .all(|text| switch(text).is_err())
        );
        assert!(
            ["1", "true", "yes", "on", "00"]
                .into_iter()
                .all(|value| !says_no(value))
        );
    }
}
