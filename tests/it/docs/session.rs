//! Runs the commands of one page, in a folder of their own, as its reader would.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::markdown::{Block, Mark, Page};
use super::{PROGRAM, root};
use crate::support::{Served, TestEnv, redact};

/// Stands between the outputs of two commands. No program prints it.
const CUT: char = '\u{1e}';

/// A reader's shell keeps its folder and variables from one block to the next.
const RESUME: &str =
    "exec 2>&1\nif [ -e \"$HOME/.variables\" ]; then . \"$HOME/.variables\"; cd \"$PWD\"; fi\n";
const SUSPEND: &str = "export -p > \"$HOME/.variables\"\n";

/// A page that is being followed.
pub(super) struct Session {
    env: TestEnv,
    /// What the last block that shows no output printed.
    printed: String,
    /// How the program names the sandbox that stands for eSign, and how it names eSign there.
    rehearsal: Option<(String, &'static str)>,
}

/// A command of a `console` block and the output below it.
struct Step<'a> {
    command: String,
    shown: Vec<&'a str>,
}

impl Session {
    pub(super) fn new() -> Self {
        let mut env = TestEnv::new("");
        fs::remove_file(env.path("callbacks.yaml")).expect("it was written");
        let example = root().join("callbacks.yaml.example");
        env.write("callbacks.yaml.example", fs::read(example).expect("a file"));
        let bin = Path::new(PROGRAM).parent().expect("a folder");
        env.set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
        for name in ["KEY", "TOKEN", "ESS_CALLBACKS_PARALLELISM"] {
            env.unset(name);
        }
        Self {
            env,
            printed: String::new(),
            rehearsal: None,
        }
    }

    pub(super) const fn env(&mut self) -> &mut TestEnv {
        &mut self.env
    }

    /// Serves a sandbox in the place of eSign.
    pub(super) fn rehearse(&mut self) -> Served {
        let served = self.env.serve(&[]);
        let place = format!("sandbox at {}/", served.endpoint());
        self.rehearsal = Some((place, "ess.test.ess.tencent.cn"));
        served
    }

    /// Follows blocks of the page and gives what is wrong with them, with each as it would have to be.
    pub(super) fn follow<'p>(
        &mut self,
        page: &Page,
        blocks: impl IntoIterator<Item = &'p Block>,
    ) -> Vec<(usize, String)> {
        let mut wrong = Vec::new();
        for block in blocks {
            match (&block.mark, block.language.as_str()) {
                (Some(Mark::NotRun(_)), _) => {}
                (Some(Mark::File(name)), _) => self.env.write(name, &block.text),
                (Some(Mark::Edit(name)), _) => self.edit(name, &block.text),
                (Some(Mark::Prints), _) => {
                    if !self.alike(&block.text, &self.printed) {
                        wrong.push((block.line, self.printed.clone()));
                    }
                }
                (None, "sh") if for_developers(block) => {}
                (None, "sh") => self.printed = self.block(page, block),
                (None, "console") => {
                    let printed = self.console(page, block);
                    if let Some(printed) = printed {
                        wrong.push((block.line, printed));
                    }
                }
                (None, _) => {}
            }
        }
        wrong
    }

    /// Replaces lines of a file: each that the diff removes by the one that it adds next.
    fn edit(&self, name: &str, diff: &str) {
        let mut text = fs::read_to_string(self.env.path(name)).expect("a file");
        let lines = |sign| diff.lines().filter_map(move |line| line.strip_prefix(sign));
        assert_eq!(lines('-').count(), lines('+').count(), "{diff}");
        for (old, new) in lines('-').zip(lines('+')) {
            assert_eq!(text.lines().filter(|line| *line == old).count(), 1, "{old}");
            text = text.replacen(old, new, 1);
        }
        self.env.write(name, text);
    }

    /// Runs a `sh` block, which has to succeed.
    fn block(&self, page: &Page, block: &Block) -> String {
        let script = as_installed(&block.text);
        let (output, code) = self.shell(&["-e", "-c", &format!("{RESUME}{script}{SUSPEND}")]);
        assert_eq!(code, Some(0), "{}:{}: {output}", page.name, block.line);
        output
    }

    /// Runs a `console` block. Gives it as it ought to be, when it is not so.
    fn console(&self, page: &Page, block: &Block) -> Option<String> {
        let place = format!("{}:{}", page.name, block.line);
        let steps = steps(&place, &block.text);
        let mut script = RESUME.to_owned();
        for step in &steps {
            let command = as_installed(&step.command);
            // The next command sees this one's exit code, as at a prompt.
            let end = format!("code=$?; printf '{CUT}%s{CUT}' $code; (exit $code)");
            writeln!(script, "{command}\n{end}").expect("a String takes it");
        }
        script.push_str(SUSPEND);
        let (output, _) = self.shell(&["-c", &script]);
        let mut parts = output.split(CUT);
        let (mut alike, mut real) = (true, String::new());
        for (index, step) in steps.iter().enumerate() {
            let printed = parts.next().unwrap_or_default();
            let code = parts.next().unwrap_or_default();
            let told = steps
                .get(index + 1)
                .is_some_and(|next| next.command == "echo $?");
            assert!(
                code == "0" || told,
                "{place}: `{}` exits with {code} and the page does not say so:\n{printed}",
                step.command
            );
            alike &= self.alike(&step.shown.join("\n"), printed);
            let command = step.command.replace('\n', "\n> ");
            let printed = shortened(&step.shown, printed);
            write!(real, "$ {command}\n{printed}").expect("a String takes it");
        }
        (!alike).then_some(real)
    }

    fn shell(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let said = self.env.said(self.env.other("/bin/bash").args(arguments));
        let printed = match &self.rehearsal {
            Some((sandbox, esign)) => said.stdout.replace(sandbox, esign),
            None => said.stdout,
        };
        (printed, said.code)
    }

    /// Whether the page shows what was printed, except what differs from run to run. A line `...` stands
    /// for any lines.
    fn alike(&self, shown: &str, printed: &str) -> bool {
        let folder = self.env.path("");
        let lines = |text: &str| sorted_events(&redact(text.trim(), &folder));
        matches(&lines(shown), &lines(printed))
    }
}

/// The newcomer's `cargo run` runs the program that is built already.
fn as_installed(script: &str) -> String {
    script.replace("cargo run -- ", "ess-callbacks ")
}

/// Whether the commands are about the source, not the program. The gate runs those.
fn for_developers(block: &Block) -> bool {
    let text = as_installed(&block.text);
    text.contains("cargo ") || text.starts_with("bash .ci/")
}

fn steps<'a>(place: &str, text: &'a str) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    for line in text.lines() {
        match (
            line.strip_prefix("$ "),
            line.strip_prefix("> "),
            steps.last_mut(),
        ) {
            (Some(command), _, _) => steps.push(Step {
                command: command.to_owned(),
                shown: Vec::new(),
            }),
            (None, Some(more), Some(step)) if step.shown.is_empty() => {
                step.command.push('\n');
                step.command.push_str(more);
            }
            (None, _, Some(step)) => step.shown.push(line),
            (None, _, None) => panic!("{place}: output before any command: {line}"),
        }
    }
    steps
}

/// What was printed, left out after the same line as on the page.
fn shortened(shown: &[&str], printed: &str) -> String {
    let mut lines: Vec<&str> = printed.trim_end().lines().collect();
    if let [.., last, "..."] = shown {
        if let Some(at) = lines.iter().position(|line| line == last) {
            lines.truncate(at + 1);
            lines.push("...");
        }
    }
    lines.push("");
    lines.join("\n").trim_start_matches('\n').to_owned()
}

/// Calls run side by side, so the lines that tell of them come in any order.
fn sorted_events(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    let event = |line: &String| {
        line.split_once(": ").is_some_and(|(address, rest)| {
            address.contains("/http") && !address.contains(' ') && rest.contains(['.', '['])
        })
    };
    for run in lines.chunk_by_mut(|one, two| event(one) && event(two)) {
        run.sort();
    }
    lines
}

fn matches(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..]))
        }
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, printed)| line == first && matches(rest, printed)),
    }
}

#[test]
fn three_dots_stand_for_any_lines() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let same = |shown: &str, printed: &str| matches(&lines(shown), &lines(printed));
    assert!(same("a\n...\nd", "a\nb\nc\nd") && same("a\n...", "a") && same("...", ""));
    assert!(!same("a\n...\nd", "a\nb\nc") && !same("a", "a\nb") && !same("a\nb", "a"));
}
