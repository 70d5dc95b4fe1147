//! Commands, flags, exit codes and events: what the documentation names exists, and the reference
//! names all there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use regex::Regex;

use super::markdown::{Mark, Page, pages};
use super::{PROGRAM, root};

fn help(words: &[&str]) -> Option<String> {
    let mut command = Command::new(PROGRAM);
    let output = command.args(words).arg("-h").env_clear().output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

/// Every command, as its words: `["plan"]`, `["state", "list"]`.
fn every_command() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![Vec::<String>::new()];
    while let Some(words) = open.pop() {
        let parts: Vec<&str> = words.iter().map(String::as_str).collect();
        let text = help(&parts).expect("every command has help");
        let listed = text
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty());
        for line in listed {
            let name = line.split_whitespace().next().expect("a name");
            // It shows the help of the others.
            if name == "help" {
                continue;
            }
            let mut inner = words.clone();
            inner.push(name.to_owned());
            open.push(inner);
        }
        if !words.is_empty() {
            found.push(words);
        }
    }
    found.sort();
    found
}

#[test]
fn the_reference_shows_the_help_of_every_command() {
    let page = Page::read(root(), "docs/commands.md");
    for command in every_command() {
        let line = format!("$ ess-callbacks {} -h", command.join(" "));
        let shown = page
            .blocks
            .iter()
            .any(|block| block.language == "console" && block.text.starts_with(&line));
        assert!(
            shown,
            "docs/commands.md has no block that begins with {line}"
        );
    }
}

/// The words of a command line, without quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => words.push(String::new()),
            (c, _) => words.last_mut().expect("one word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What is wrong with a line that calls this program.
pub(crate) fn misuse(line: &str) -> Option<String> {
    let words = words(line.split([';', '|', '&', '>']).next()?);
    let flags: Vec<&str> = words
        .iter()
        .filter(|word| word.starts_with("--"))
        .map(|word| word.split('=').next().expect("a first part"))
        .collect();
    let mut command = Vec::new();
    let mut text = help(&command)?;
    for word in &words {
        let known = text.lines().any(|line| {
            line.strip_prefix("  ")
                .and_then(|line| line.strip_prefix(word.as_str()))
                .is_some_and(|rest| rest.starts_with(' '))
        });
        if known && !word.starts_with('-') {
            command.push(word.as_str());
            text = help(&command)?;
        }
    }
    if command.is_empty() && flags.is_empty() {
        return Some(format!("`{line}` names no command"));
    }
    let known: BTreeSet<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(|word| word.starts_with("--"))
        .collect();
    flags
        .iter()
        .find(|flag| !known.contains(*flag))
        .map(|flag| format!("`{}` has no {flag}", command.join(" ")))
}

/// The page up to what is not there yet.
fn present(text: &str) -> &str {
    let end = text.find("\n## Not yet").or_else(|| text.find("\n## 尚未"));
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn commands_that_are_not_run_could_be() {
    let inline = Regex::new(r"`ess-callbacks( [^`]+)`").expect("a pattern");
    let mut wrong = Vec::new();
    for page in pages(root()) {
        let text = present(&page.text);
        let mut lines: Vec<String> = inline
            .captures_iter(text)
            .map(|found| found[1].to_owned())
            .collect();
        for block in &page.blocks {
            if let Some(Mark::NotRun(_)) = &block.mark {
                let text = block.text.replace("\\\n", " ");
                let calls = text
                    .lines()
                    .filter_map(|line| line.trim_start_matches("$ ").split_once("ess-callbacks "));
                lines.extend(calls.map(|(_, rest)| rest.to_owned()));
            }
        }
        for line in lines {
            if line.contains('…') || line.contains("...") {
                continue;
            }
            wrong.extend(misuse(&line).map(|problem| format!("{}: {problem}", page.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_flag_that_does_not_exist_is_found() {
    assert_eq!(misuse(" plan --out x -f y"), None);
    assert_eq!(misuse("--sandbox state list 'acme/*'"), None);
    assert_eq!(misuse("plan --outt x"), Some("`plan` has no --outt".into()));
    assert!(misuse("frobnicate").is_some());
}

/// Every flag of every command.
pub(crate) fn every_flag() -> BTreeSet<String> {
    let flag = Regex::new(r"--[a-z][a-z-]+").expect("a pattern");
    let mut known = BTreeSet::new();
    for command in every_command() {
        let parts: Vec<&str> = command.iter().map(String::as_str).collect();
        let text = help(&parts).expect("help");
        known.extend(flag.find_iter(&text).map(|found| found.as_str().to_owned()));
    }
    known
}

#[test]
fn flags_in_the_text_exist() {
    let mut known = every_flag();
    known.extend(["--all-targets".to_owned(), "--lib".to_owned()]);
    let span = Regex::new(r"`(--[a-z][a-z-]+)").expect("a pattern");
    let mut wrong = Vec::new();
    for page in pages(root()) {
        for found in span.captures_iter(present(&page.text)) {
            if !known.contains(&found[1]) {
                wrong.push(format!("{}: {}", page.name, &found[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rows of the table below a heading, as the code spans of their first cell.
fn first_cells(page: &Page, heading: &str) -> BTreeMap<String, String> {
    let start = format!("## {heading}");
    page.text
        .lines()
        .skip_while(|line| *line != start)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(cell, rest)| (cell.to_owned(), rest.to_owned()))
        .collect()
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let source = fs::read_to_string(root().join("src/cli/exit.rs")).expect("a file");
    let code = Regex::new(r"Self::\w+ => (\d+),").expect("a pattern");
    let mut real: Vec<String> = code
        .captures_iter(&source)
        .map(|found| found[1].to_owned())
        .collect();
    real.sort();
    let told = first_cells(&Page::read(root(), "docs/commands.md"), "Exit codes");
    assert_eq!(told.into_keys().collect::<Vec<_>>(), real);
    // The README has them in one sentence.
    let readme = Page::read(root(), "README.md");
    let (_, section) = readme.text.split_once("\n## Exit codes\n").expect("it");
    let section = section.split("\n## ").next().expect("a first part");
    let span = Regex::new(r"`(\d+)`").expect("a pattern");
    let mut told: Vec<&str> = span
        .captures_iter(section)
        .map(|found| found.extract::<1>().1[0])
        .collect();
    told.sort_unstable();
    assert_eq!(told, real);
    // The help says the same.
    let output = Command::new(PROGRAM).arg("--help").env_clear().output();
    let shown = String::from_utf8(output.expect("it runs").stdout).expect("it is UTF-8");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = words(&shown);
    for (code, meaning) in first_cells(&Page::read(root(), "docs/commands.md"), "Exit codes") {
        let line = format!("{code} {}", meaning.trim_matches([' ', '|']));
        assert!(shown.contains(&words(&line)), "{line}\n{shown}");
    }
}

#[test]
fn the_events_are_those_of_the_program() {
    let kind = Regex::new(r#"\((?:Level::\w+|level), "([a-z_]+)"\)"#).expect("a pattern");
    let mut real = BTreeSet::new();
    for file in crate::layering::rust_files(&root().join("src/render")) {
        let source = fs::read_to_string(file).expect("a file");
        real.extend(kind.captures_iter(&source).map(|found| found[1].to_owned()));
    }
    let told = first_cells(&Page::read(root(), "docs/commands.md"), "JSON events");
    assert_eq!(told.into_keys().collect::<BTreeSet<_>>(), real);
}
