//! Advice for commands and options of other tools, such as Terraform and kubectl.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _};

use crate::cli::args::Cli;

/// Commands of other tools, and what to use instead.
const COMMANDS: &[(&str, &str)] = &[
    (
        "add",
        "declare the callback in callbacks.yaml, then `ess-callbacks apply`",
    ),
    ("check", "`ess-callbacks validate` checks the configuration"),
    (
        "create",
        "declare the callback in callbacks.yaml, then `ess-callbacks apply`",
    ),
    (
        "delete",
        "remove the callback from callbacks.yaml, then `ess-callbacks apply`",
    ),
    (
        "describe",
        "`ess-callbacks state show ADDRESS` shows everything that is recorded of a callback",
    ),
    (
        "destroy",
        "`ess-callbacks apply --destroy` deletes every recorded callback",
    ),
    ("diff", "`ess-callbacks plan --format diff` prints a diff"),
    (
        "drift",
        "eSign can't be read; `ess-callbacks apply --heal` adds recorded callbacks again",
    ),
    ("edit", "edit callbacks.yaml, then `ess-callbacks apply`"),
    (
        "force-unlock",
        "`ess-callbacks unlock ID` removes a lock whose owner is gone",
    ),
    ("get", "`ess-callbacks state list` lists what is recorded"),
    ("lint", "`ess-callbacks validate` checks the configuration"),
    ("list", "`ess-callbacks state list` lists what is recorded"),
    (
        "logout",
        "credentials come from the environment or a profile; there is no login",
    ),
    (
        "login",
        "credentials come from the environment or a profile; there is no login",
    ),
    (
        "output",
        "`ess-callbacks show --format json` prints what is recorded",
    ),
    (
        "refresh",
        "eSign can't be read; `ess-callbacks apply --heal` adds recorded callbacks again",
    ),
    (
        "rm",
        "`ess-callbacks state rm ADDRESS` forgets a callback without a call",
    ),
    ("status", "`ess-callbacks show` shows what is recorded"),
    (
        "taint",
        "`ess-callbacks apply --replace ADDRESS` deletes a callback and adds it again",
    ),
    (
        "test",
        "`ess-callbacks --sandbox apply` tries it on the embedded sandbox",
    ),
    (
        "untaint",
        "callbacks can't be marked; `--replace ADDRESS` is for one apply",
    ),
    (
        "workspace",
        "use a file for each stage, such as production.yaml and test.yaml, with -f",
    ),
];

/// Options of other tools, without their dashes, and what to use instead.
const FLAGS: &[(&str, &str)] = &[
    ("C", "name the configuration with `-f DIR/callbacks.yaml`"),
    (
        "chdir",
        "name the configuration with `-f DIR/callbacks.yaml`",
    ),
    ("dry-run", "`ess-callbacks plan` shows what apply would do"),
    ("force", "`--auto-approve` applies without asking"),
    ("lock", "the state is always locked"),
    (
        "o",
        "`--format json` prints JSON; `plan --out FILE` saves a plan",
    ),
    (
        "output",
        "`--format json` prints JSON; `plan --out FILE` saves a plan",
    ),
    (
        "refresh",
        "eSign can't be read, so there is nothing to refresh",
    ),
    (
        "refresh-only",
        "eSign can't be read, so there is nothing to refresh",
    ),
    (
        "var-file",
        "give each value with `--var NAME=VALUE`, or use a file for each stage",
    ),
    ("y", "`--auto-approve` applies without asking"),
    ("yes", "`--auto-approve` applies without asking"),
];

/// Options that a command does not have, without their dashes, and what to use instead. They come before [`FLAGS`].
const FLAGS_OF: &[(&str, &str, &str)] = &[
    (
        "migrate",
        "to",
        "the new place has no flag: `ess-callbacks state migrate PLACE`",
    ),
    (
        "history",
        "serial",
        "the serial has no flag: `ess-callbacks state history SERIAL`",
    ),
    (
        "push",
        "file",
        "the file has no flag: `ess-callbacks state push FILE`",
    ),
    (
        "push",
        "force",
        "set the serial in the file to that of the state; `ess-callbacks state pull` prints it",
    ),
    (
        "unlock",
        "id",
        "the ID has no flag: `ess-callbacks unlock ID`",
    ),
    (
        "unlock",
        "force",
        "`ess-callbacks unlock ID` does not ask before it unlocks",
    ),
];

/// Adds to an error about the command line what to use instead.
pub(crate) fn advise(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum; there is no advice for other errors"
    )]
    let tip = match error.kind() {
        ErrorKind::InvalidSubcommand => word_in(&error, ContextKind::InvalidSubcommand)
            .and_then(|word| meaning(COMMANDS, &word).map(str::to_owned)),
        ErrorKind::UnknownArgument => single_dash(words).or_else(|| {
            let word = word_in(&error, ContextKind::InvalidArg)?;
            let name = word.trim_start_matches('-').split('=').next()?;
            let of_command = meaning_below(words, name);
            of_command
                .or_else(|| meaning(FLAGS, name))
                .map(str::to_owned)
        }),
        _ => None,
    };
    if let Some(tip) = tip {
        // clap's own guess only compares the spelling.
        for guess in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
            error.remove(guess);
        }
        let tip = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tip);
    } else if error.kind() == ErrorKind::UnknownArgument {
        // clap's way to give a value that begins with dashes: none here does.
        error.remove(ContextKind::Suggested);
    }
    error
}

fn word_in(error: &clap::Error, kind: ContextKind) -> Option<String> {
    let ContextValue::String(word) = error.get(kind)? else {
        return None;
    };
    Some(word.clone())
}

fn meaning(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(habit, _)| *habit == word)
        .map(|(_, meaning)| *meaning)
}

/// What to use instead of an option that this command does not have.
fn meaning_below(words: &[OsString], flag: &str) -> Option<&'static str> {
    FLAGS_OF
        .iter()
        .find(|(command, habit, _)| *habit == flag && words.iter().any(|word| word == command))
        .map(|(_, _, meaning)| *meaning)
}

/// The advice for a long option with one dash, as Terraform has them.
fn single_dash(words: &[OsString]) -> Option<String> {
    words.iter().find_map(|word| {
        let name = word.to_str()?.strip_prefix('-')?;
        let name = name.split('=').next()?;
        let known = name.len() > 1 && is_flag(&Cli::command(), name);
        known.then(|| format!("long options begin with two dashes: `--{name}`"))
    })
}

fn is_flag(command: &Command, name: &str) -> bool {
    command
        .get_arguments()
        .any(|argument| argument.get_long() == Some(name))
        || command.get_subcommands().any(|below| is_flag(below, name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn advice(line: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let error = Cli::command()
            .try_get_matches_from(&words)
            .expect_err("it is a mistake");
        advise(error, &words).render().to_string()
    }

    #[rstest]
    #[case("ess-callbacks destroy", "tip: `ess-callbacks apply --destroy`")]
    #[case(
        "ess-callbacks taint acme/*",
        "tip: `ess-callbacks apply --replace ADDRESS`"
    )]
    #[case("ess-callbacks plan -out=plan.json", "two dashes: `--out`")]
    #[case("ess-callbacks apply -auto-approve", "two dashes: `--auto-approve`")]
    #[case("ess-callbacks apply --dry-run", "tip: `ess-callbacks plan` shows")]
    #[case("ess-callbacks -C esign plan", "tip: name the configuration with `-f")]
    #[case("ess-callbacks apply -y", "tip: `--auto-approve`")]
    #[case(
        "ess-callbacks state migrate --to s3://b/k",
        "tip: the new place has no flag: `ess-callbacks state migrate PLACE`"
    )]
    #[case(
        "ess-callbacks state history --serial 4",
        "tip: the serial has no flag: `ess-callbacks state history SERIAL`"
    )]
    #[case(
        "ess-callbacks state push --force old.json",
        "tip: set the serial in the file"
    )]
    #[case("ess-callbacks unlock --force 0123", "does not ask")]
    #[case(
        "ess-callbacks state history abc",
        "a serial is a whole number; `state history` lists them"
    )]
    #[case("ess-callbacks plam", "'plan'")]
    fn a_habit_gets_advice(#[case] line: &str, #[case] expected: &str) {
        let advice = advice(line);
        assert!(advice.contains(expected), "{advice}");
    }

    #[test]
    fn no_value_begins_with_dashes() {
        for line in [
            "ess-callbacks state push --foo",
            "ess-callbacks plan --targte x",
        ] {
            assert!(!advice(line).contains("as a value"));
        }
        let similar = advice("ess-callbacks plan --targte x");
        assert!(similar.contains("'--target'"), "{similar}");
    }

    #[test]
    fn no_habit_is_a_command_or_flag_here() {
        let command = Cli::command();
        for (habit, _) in COMMANDS {
            assert!(command.find_subcommand(habit).is_none(), "{habit}");
        }
        for (name, habit, _) in FLAGS_OF {
            let state = command.find_subcommand("state").unwrap();
            let below = state.find_subcommand(name);
            let named = below.or_else(|| command.find_subcommand(name)).unwrap();
            assert!(!is_flag(named, habit), "{name} {habit}");
        }
        // `--dry-run` is a flag of `state rm` only.
        for (habit, _) in FLAGS.iter().filter(|(habit, _)| *habit != "dry-run") {
            assert!(!is_flag(&command, habit), "{habit}");
        }
    }
}
