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

fn says_no(value: &str) -> bool {
    let no = ["0", "f", "false", "n", "no", "off"];
    no.iter().any(|word| value.eq_ignore_ascii_case(word))
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
        assert!(
            ["1", "true", "yes", "on", "00"]
                .into_iter()
                .all(|value| !says_no(value))
        );
    }
}
