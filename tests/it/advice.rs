//! Advice can be followed: every command and flag that a message names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::docs::{every_flag, misuse};
use crate::layering::rust_files;
use crate::support::{Said, TestEnv, configuration};

/// What users of other tools look for, and what messages may not name, because it can't be had.
const DESIGNED: [&str; 1] = ["refresh"];

/// The source as it speaks to users: without comments and tests.
fn messages(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next();
    let lines = source.expect("a first part").lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    // Strings go on after a backslash at the line's end.
    let joined = lines.collect::<Vec<_>>().join("\n");
    let goes_on = Regex::new(r"\\\n\s*").expect("a pattern");
    goes_on.replace_all(&joined, "").into_owned()
}

/// Commands of another program, with its flags.
const FOREIGN: &str = "(tccli|aws) [a-z -]+ --profile( [^ ]* --format)?";

/// What is wrong with the commands and flags that this text names.
fn problems(text: &str, flags: &BTreeSet<String>) -> Vec<String> {
    let foreign = Regex::new(FOREIGN).expect("a pattern");
    let text = &foreign.replace_all(text, "tccli");
    let flag = Regex::new(r"(?:^|[^A-Za-z-])(--[a-z][a-z-]+)").expect("a pattern");
    let unknown = flag
        .captures_iter(text)
        .map(|found| found[1].to_owned())
        .filter(|found| !flags.contains(found))
        .map(|found| format!("there is no flag {found}"));
    let commands = "apply|plan|state|import|unlock|validate|secret|show|init|sandbox|verify|listen|doctor|orgs|controller|observe|report|rotate";
    let span = format!(
        "`(?:ess-callbacks )?((?:{commands}|{})(?: [^`]*)?)`",
        DESIGNED.join("|")
    );
    let span = Regex::new(&span).expect("a pattern");
    let misused = span
        .captures_iter(text)
        .filter_map(|found| misuse(&found[1]));
    let full = Regex::new(r"`ess-callbacks ([^`\n]+)`").expect("a pattern");
    let full = full
        .captures_iter(text)
        .filter_map(|found| misuse(&found[1]));
    unknown.chain(misused).chain(full).collect()
}

#[test]
fn messages_name_what_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let flags = every_flag();
    let mut wrong = Vec::new();
    for file in rust_files(&root.join("src")) {
        let name = file.file_name().and_then(|name| name.to_str());
        let is_tests = |part: &std::ffi::OsStr| part == "tests";
        if name.is_some_and(|name| name.ends_with("tests.rs")) || file.iter().any(is_tests) {
            continue;
        }
        let source = fs::read_to_string(&file).expect("a file");
        for problem in problems(&messages(&source), &flags) {
            wrong.push(format!("{}: {problem}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn advice_that_can_not_be_followed_is_found() {
    let flags = every_flag();
    let found = |text: &str| problems(text, &flags);
    assert!(found("run `ess-callbacks state list`, or give --lock-timeout").is_empty());
    assert_eq!(
        found("`refresh` reads what is there"),
        ["`refresh` names no command"]
    );
    assert_eq!(
        found("allow it with --allow-remotes"),
        ["there is no flag --allow-remotes"]
    );
    assert_eq!(found("`ess-callbacks frobnicate x`").len(), 1);
    assert_eq!(
        found("`validate --no-secrets`"),
        ["`validate` has no --no-secrets"]
    );
}

/// What is broken, and a command that says so. The state lies where the flags say.
type Broken = (fn(&TestEnv, &str), &'static [&'static str]);

fn no_state(_: &TestEnv, _: &str) {}

fn spoilt(env: &TestEnv, state: &str) {
    env.write(state, "{");
}

fn foreign(env: &TestEnv, state: &str) {
    env.write(state, "[package]\nname = \"x\"\n");
}

fn newer(env: &TestEnv, state: &str) {
    env.write(state, "{\"version\":99}\n");
}

fn foreign_lock(env: &TestEnv, state: &str) {
    env.write(
        &format!("{}.lock", state.trim_end_matches(".json")),
        "not ours\n",
    );
}

fn only_a_backup(env: &TestEnv, state: &str) {
    env.write(&format!("{state}.backup"), "{}");
}

fn other_environment(env: &TestEnv, state: &str) {
    env.write(
        state,
        "{\"version\":2,\"lineage\":\"00000000-0000-0000-0000-000000000001\",\"serial\":1,\"environment\":\"production\",\
         \"fingerprint_salt\":\"00000000000000000000000000000000\",\"destination\":\"esign\",\"accounts\":{},\"callbacks\":[\n]}\n",
    );
}

fn no_configuration(env: &TestEnv, _: &str) {
    for name in ["callbacks.yaml", "team/all.yaml"] {
        fs::remove_file(env.path(name)).expect("it is there");
    }
}

fn unreadable_configuration(env: &TestEnv, _: &str) {
    env.write("callbacks.yaml", "a: [");
    env.write("team/all.yaml", "a: [");
}

const BROKEN: [Broken; 21] = [
    (no_configuration, &["plan"]),
    (no_configuration, &["validate"]),
    (unreadable_configuration, &["fmt"]),
    (no_state, &["apply"]),
    (no_state, &["apply", "none.json"]),
    (no_state, &["import", "nobody/x"]),
    (no_state, &["plan", "--out", "Cargo.toml/x"]),
    (no_state, &["state", "pull"]),
    (other_environment, &["state", "rm", "nobody"]),
    (no_state, &["show"]),
    (no_state, &["state", "list"]),
    (no_state, &["state", "rm", "acme"]),
    (no_state, &["unlock", "x"]),
    (no_state, &["plan", "--target", "nobody"]),
    (spoilt, &["plan"]),
    (foreign, &["apply", "--auto-approve"]),
    (newer, &["plan"]),
    (foreign_lock, &["apply", "--auto-approve"]),
    (only_a_backup, &["plan"]),
    (other_environment, &["plan"]),
    (other_environment, &["apply", "--auto-approve"]),
];

/// The commands that a message names in full, as words.
fn named_in_full(text: &str) -> Vec<Vec<String>> {
    let full = Regex::new(r"`ess-callbacks ([^`\n>]+)`").expect("a pattern");
    let words = |found: regex::Captures<'_>| {
        let words = found[1].split_whitespace();
        words
            .map(|word| word.trim_matches('\'').to_owned())
            .collect()
    };
    full.captures_iter(text).map(words).collect()
}

/// Global flags, the state that a command with them works on, and the flags that it can't be given as well.
type Place = (
    &'static [&'static str],
    &'static str,
    &'static [&'static str],
);

const SANDBOX: &str = ".ess-callbacks/sandbox.state.json";
const COMMON: &str = "callbacks.state.json";

const PLACES: [Place; 12] = [
    (&[], COMMON, &[]),
    (&["--json"], COMMON, &[]),
    (&["--sandbox"], SANDBOX, &["--state", "--endpoint"]),
    (
        &["--sandbox", "--json"],
        SANDBOX,
        &["--state", "--endpoint"],
    ),
    (&["--state=other.json"], "other.json", &["--sandbox"]),
    (&["-f=team"], "team/callbacks.state.json", &[]),
    (
        &["-f=team", "--sandbox"],
        "team/.ess-callbacks/sandbox.state.json",
        &["--state"],
    ),
    (&["-f=team/all.yaml"], "team/all.state.json", &[]),
    (&["-f=-"], COMMON, &[]),
    (&["-f=-", "--sandbox"], SANDBOX, &["--state"]),
    (
        &["--endpoint=http://127.0.0.1", "-vv"],
        COMMON,
        &["--sandbox"],
    ),
    (
        &["-f=team", "--state=other.json", "--json"],
        "other.json",
        &["--sandbox"],
    ),
];

/// Runs with the file `declared` as its input, which it may leave unread.
fn run(env: &TestEnv, words: &[&str]) -> Said {
    let input = fs::File::open(env.path("declared")).expect("it is there");
    env.said(env.command(words).stdin(input))
}

/// Does what the message `said` of the command `words` advises, and gives the number of commands.
fn follow(env: &TestEnv, globals: &[&str], words: &[&str], said: &str) -> usize {
    let named = named_in_full(said);
    for advised in &named {
        let text = advised.join("=");
        let has = |word: &str| advised.iter().any(|it| it == word);
        // These say themselves what they work on.
        let needs: &[&str] = if has("init") || has("explain") {
            &[]
        } else if has("validate") {
            &["-f"]
        } else {
            &["-f", "--state", "--sandbox", "--endpoint"]
        };
        let needed = |flag: &&&str| needs.iter().any(|name| flag.starts_with(name));
        for flag in globals.iter().filter(needed) {
            assert!(text.contains(*flag), "{words:?}, without {flag}: {said}");
        }
        let advised: Vec<_> = advised.iter().map(String::as_str).collect();
        let then = run(env, &advised);
        assert_ne!(
            then.code,
            Some(64),
            "{words:?}: {said}\n{advised:?}: {then}"
        );
        if ["init", "explain", "list"].into_iter().any(has) {
            assert_eq!(then.code, Some(0), "{words:?}: {said}\n{advised:?}: {then}");
        }
        if has("init") {
            let again = format!("{}", run(env, words));
            assert!(!again.contains("ess-callbacks init"), "{again}");
        }
    }
    named.len()
}

/// Each message with each global flag: what it advises can be done beside that flag, and a command that it
/// names in full works on the same configuration and state.
#[test]
fn advice_fits_the_flags_that_were_given() {
    let (mut told, mut followed) = (0, 0);
    for (globals, state, unfit) in PLACES {
        for (breaks, command) in BROKEN {
            let env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
            let declared = env.read("callbacks.yaml");
            env.write("team/all.yaml", &declared);
            env.write("declared", &declared);
            breaks(&env, state);
            let words: Vec<_> = globals.iter().chain(command).copied().collect();
            let said = run(&env, &words);
            told += usize::from(said.code != Some(0));
            let said = format!("{said}");
            for flag in unfit {
                assert!(!said.contains(flag), "{words:?}: {said}");
            }
            followed += follow(&env, globals, &words, &said);
        }
    }
    assert!(told > 200, "only {told} of these failed");
    assert!(followed > 30, "only {followed} commands were named");
}
