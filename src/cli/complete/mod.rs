//! Answers a shell that completes a command line.
//!
//! The script that `completions SHELL` prints runs this program with the environment variable [`VARIABLE`] and the
//! words so far. The answer is one candidate a line. No error is printed, as the shell would show it in the middle of
//! the line. Nothing is written or called, no secret is read and no command is run.

mod line;
mod world;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueHint;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};

use crate::cli::command_line;
use crate::cli::commands::completions::VARIABLE;
use crate::harmless::is_treacherous;
use line::Line;
use world::World;

/// The maximum number of candidates. A shell is slow with more.
const MOST: usize = 1_000;

/// Answers a shell, if one asks.
pub(crate) fn answer(words: &[OsString]) -> Option<ExitCode> {
    let shell = std::env::var(VARIABLE)
        .ok()
        .filter(|shell| !shell.is_empty())?;
    let words = words.get(1..).unwrap_or_default();
    // If the variable was exported by mistake, an apply must not end in a silent success.
    if !is_asked(&shell, words) {
        return None;
    }
    let answer = match shell.as_str() {
        "bash" => bash(words),
        "zsh" => lines(words, Paths::Shells),
        "fish" => lines(&without_quotes(words), Paths::Ours),
        _ => None,
    };
    // The shell may have stopped reading.
    drop(io::stdout().write_all(answer.unwrap_or_default().as_bytes()));
    Some(ExitCode::SUCCESS)
}

/// Whether the words have the form that our scripts give them.
fn is_asked(shell: &str, words: &[OsString]) -> bool {
    let program = |word: &OsString| {
        let name = std::path::Path::new(word).file_name();
        name.is_some_and(|name| name == "ess-callbacks")
    };
    match (shell, words) {
        ("bash", [_, line]) => line.to_string_lossy().contains("ess-callbacks"),
        ("zsh" | "fish", [first, ..]) => program(first),
        _ => false,
    }
}

/// What completes the names of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paths {
    /// The shell, if there is no candidate.
    Shells,
    /// This program.
    Ours,
}

/// For bash, from its word breaks and the line up to the cursor. A candidate replaces what bash takes for the last
/// word, and is quoted.
fn bash(words: &[OsString]) -> Option<String> {
    let [breaks, line] = words else { return None };
    let line = Line::read(line.to_str()?, breaks.to_str()?);
    let found = candidates(line.words().map(OsString::from).collect(), Paths::Shells)?;
    let replies = found.iter().filter_map(|found| line.reply(&found.value));
    Some(replies.map(|reply| reply + "\n").collect())
}

/// The words of fish, which passes the last one with its quotes.
fn without_quotes(words: &[OsString]) -> Vec<OsString> {
    let mut words = words.to_vec();
    if let Some(last) = words.last_mut()
        && let Some(typed) = last.to_str()
    {
        *last = Line::read(typed, "").words().collect::<String>().into();
    }
    words
}

/// For shells that pass words and quote candidates themselves: a value, a tab, its meaning.
fn lines(words: &[OsString], paths: Paths) -> Option<String> {
    let found = candidates(words.to_vec(), paths)?;
    let line = |found: &Candidate| match &found.help {
        Some(help) => format!("{}\t{help}\n", found.value),
        None => format!("{}\n", found.value),
    };
    Some(found.iter().map(line).collect())
}

struct Candidate {
    value: String,
    help: Option<String>,
}

/// The candidates for the last of these words, the first of which is the program.
fn candidates(words: Vec<OsString>, paths: Paths) -> Option<Vec<Candidate>> {
    let last = words.len().checked_sub(1).filter(|last| *last > 0)?;
    let world = Arc::new(World::of(&words[..last]));
    let mut command = with_values(command_line::command(), &world, paths);
    let here = std::env::current_dir().ok();
    let typed = words[last].clone();
    let found = complete(&mut command, words, last, here.as_deref()).ok()?;
    let mut found: Vec<Candidate> = found.iter().filter_map(candidate).collect();
    // Options are candidates only after a dash, or if there are no others.
    let is_flag = |found: &Candidate| found.value.starts_with('-');
    if typed.is_empty() && !found.iter().all(is_flag) {
        found.retain(|found| !is_flag(found));
    }
    found.truncate(MOST);
    Some(found)
}

/// A candidate, unless it can't be shown in a line.
fn candidate(found: &CompletionCandidate) -> Option<Candidate> {
    let value = found.get_value().to_str()?.to_owned();
    let first_line = |text: String| text.lines().next().map(str::to_owned);
    let help = found
        .get_help()
        .map(ToString::to_string)
        .and_then(first_line);
    let harmless = |text: &str| !text.contains(is_treacherous);
    harmless(&value).then(|| Candidate {
        value,
        help: help.filter(|help| harmless(help)),
    })
}

/// The command with the values that its arguments can have.
fn with_values(command: clap::Command, world: &Arc<World>, paths: Paths) -> clap::Command {
    command
        .mut_args(|argument| with_value(argument, world, paths))
        .mut_subcommands(|inner| with_values(inner, world, paths))
}

fn with_value(argument: clap::Arg, world: &Arc<World>, paths: Paths) -> clap::Arg {
    let world = Arc::clone(world);
    match argument.get_id().as_str() {
        "target" | "replace" | "addresses" | "from" => {
            argument.add(world::completer(move |typed| world.addresses(typed)))
        }
        "to" => argument.add(world::completer(move |typed| world.handles(typed))),
        "credential" => argument.add(world::completer(move |typed| world.accounts(typed))),
        "id" => argument.add(world::completer(move |typed| world.locks(typed))),
        "code" => argument.add(ArgValueCandidates::new(world::codes)),
        _ if paths == Paths::Shells && is_path(&argument) => {
            argument.add(ArgValueCandidates::new(Vec::new))
        }
        _ => argument,
    }
}

fn is_path(argument: &clap::Arg) -> bool {
    let hint = argument.get_value_hint();
    hint == ValueHint::AnyPath || hint == ValueHint::FilePath
}
