//! The documentation does what it says: its commands are run and their output compared.
//!
//! `ESS_CALLBACKS_DOCS=write cargo test --test it docs::` writes what the commands print into the
//! pages, to be reviewed and committed.

mod commands;
mod emphasis;
mod languages;
mod markdown;
mod session;

use std::fs;
use std::io::Write as _;
use std::path::Path;

pub(crate) use commands::{every_flag, misuse};
use markdown::{Block, Mark, Page, pages};
use session::Session;

use crate::support::PROGRAM;

/// Set to `write` to bring the pages up to date.
const MODE: &str = "ESS_CALLBACKS_DOCS";

const ENGLISH: &str = "README.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_command_prints_what_the_page_shows() {
    let mut all = Vec::new();
    // The Chinese pages have the same blocks; another test sees to that.
    let english = |page: &&Page| languages::original(&page.name).is_none();
    for page in pages(root()).iter().filter(english) {
        let (real, local): (Vec<_>, Vec<_>) = page
            .blocks
            .iter()
            .partition(|block| needs_esign(page, block));
        let mut wrong = Session::new().follow(page, local);
        if !real.is_empty() {
            let mut session = Session::new();
            let _served = session.rehearse();
            wrong.extend(session.follow(page, real));
            wrong.sort();
        }
        if writing() {
            rewrite(page, &wrong);
        }
        for (line, printed) in wrong {
            all.push(format!("{}:{line} should be\n{printed}", page.name));
        }
    }
    if writing() {
        languages::copy_code();
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// Whether the block is for a real account. A served sandbox stands for eSign there, as in the rehearsal of
/// docs/real-account.md.
fn needs_esign(page: &Page, block: &Block) -> bool {
    page.name == "docs/real-account.md" || page.name == ENGLISH && block.heading == "First run"
}

fn writing() -> bool {
    std::env::var_os(MODE).is_some_and(|mode| mode == "write")
}

/// Puts what was printed in the place of what is shown.
fn rewrite(page: &Page, wrong: &[(usize, String)]) {
    let mut lines: Vec<&str> = page.text.lines().collect();
    for (line, printed) in wrong.iter().rev() {
        let length = lines[*line..]
            .iter()
            .position(|line| line.starts_with("```"))
            .expect("every block ends");
        lines.splice(line..&(line + length), printed.trim_end().lines());
    }
    fs::write(root().join(&page.name), lines.join("\n") + "\n").expect("the page can be written");
}

#[test]
fn what_is_not_run_is_known() {
    let mut found = Vec::new();
    // The Chinese pages have the same blocks, and the same reasons; another test sees to that.
    let english = |page: &&Page| languages::original(&page.name).is_none();
    for page in pages(root()).iter().filter(english) {
        for block in &page.blocks {
            if let Some(Mark::NotRun(reason)) = &block.mark {
                found.push(format!("{}: {reason}", page.name));
            }
        }
    }
    insta::assert_snapshot!(found.join("\n"), @"
    README.md: installs the program
    docs/controller.md: runs until it is stopped
    docs/controller.md: needs a controller
    docs/controller.md: runs until it is stopped
    docs/controller.md: needs a controller
    docs/controller.md: needs a controller
    docs/controller.md: needs a controller
    docs/fuzzing.md: takes half an hour
    docs/installation.md: installs the program
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: needs a release
    docs/installation.md: writes to the home folder
    docs/installation.md: removes the program
    docs/installation.md: needs a release
    docs/notifications.md: prints a random secret
    docs/observe.md: needs receipts
    docs/observe.md: needs an account
    docs/observe.md: needs an account
    docs/pipelines.md: needs the pipeline's files
    docs/pipelines.md: needs an account
    docs/pipelines.md: needs an account
    docs/pipelines.md: needs an account
    docs/pipelines.md: needs the pipeline's files
    docs/pipelines.md: needs an account
    docs/pipelines.md: needs an account and a bot
    docs/real-account.md: needs an account
    docs/real-account.md: serves until it is stopped
    docs/real-account.md: the test sets its own
    docs/real-account.md: needs a message
    docs/real-account.md: needs a receiver
    docs/receivers.md: serves until it is stopped
    docs/rotation.md: needs a receiver
    docs/rotation.md: an example
    docs/sandbox.md: serves until it is stopped
    docs/sandbox.md: needs a served sandbox and a receiver
    docs/state.md: needs a server
    docs/state.md: needs a server
    docs/state.md: needs a server
    docs/state.md: needs a server
    docs/state.md: needs a server
    docs/state.md: needs a server
    docs/state.md: needs a server
    docs/state.md: needs an emergency copy
    docs/verify.md: needs receivers
    docs/verify.md: an example
    ");
}

/// The targets of links.
fn links_in<'a>(prose: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose {
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split(')').next().expect("a first part");
            found.push(target.to_owned());
        }
    }
    found
}

#[test]
fn links_lead_somewhere() {
    let anchor = |heading: &str| -> String {
        heading
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    let mut broken = Vec::new();
    for page in pages(root()) {
        for link in links_in(page.prose()) {
            if link.contains("://") {
                continue;
            }
            let (file, section) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(&page.name).parent().expect("a name");
            let target = match file {
                "" => root().join(&page.name),
                file => root().join(folder).join(file),
            };
            let text = fs::read_to_string(&target).ok();
            let leads = target.is_dir()
                || text.is_some_and(|text| {
                    let mut headings = text.lines().filter(|line| line.starts_with('#'));
                    section.is_empty() || headings.any(|heading| anchor(heading) == section)
                });
            if !leads {
                broken.push(format!("{}: {link}", page.name));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_readme_ignores_what_init_does() {
    let mut session = Session::new();
    let env = session.env();
    env.run(&["init"]).exits(0);
    let written = fs::read_to_string(env.path(".gitignore")).expect("a file");
    let readme = Page::read(root(), ENGLISH);
    let is_ignored = |block: &&Block| block.language == "gitignore";
    let block = readme.blocks.iter().find(is_ignored).expect("a block");
    assert_eq!(block.text, written);
}

#[test]
fn the_gate_runs_the_readme_s_commands() {
    let gate = fs::read_to_string(root().join(".ci/run")).expect("a file");
    let readme = Page::read(root(), ENGLISH);
    for heading in ["Quickstart", "Tests"] {
        let run = format!("bash -euo pipefail -c \"$(readme {heading})\"");
        assert!(gate.contains(&run), ".ci/run does not run {heading}");
        let below = |block: &&Block| block.heading == heading;
        let first = readme.blocks.iter().find(below).expect("a block below it");
        assert_eq!((first.language.as_str(), &first.mark), ("sh", &None));
        assert_eq!(first.text.lines().count(), 1, "{heading} is one command");
        assert!(
            first.text.starts_with("cargo "),
            "{heading} needs only Rust"
        );
    }
}

#[test]
fn the_tour_runs() {
    let mut session = Session::new();
    let said = {
        let env = session.env();
        let mut command = env.other("/bin/bash");
        command.arg(root().join("examples/quickstart.sh"));
        env.said(&mut command).exits(0)
    };
    for line in [
        "Apply complete! Resources: 6 added, 0 changed, 2 destroyed.",
        "No changes. Your configuration matches the recorded state.",
        "  # (because its key changed)",
        "Apply complete! Resources: 1 added, 0 changed, 1 destroyed.",
        "Apply complete! Resources: 0 added, 6 changed, 0 destroyed.",
    ] {
        assert!(
            said.stdout.lines().any(|said| said == line),
            "{line}\n{said}"
        );
    }
}

/// The commands that read a message by hand, on a message that the vendor's rules made.
#[test]
fn a_message_can_be_read_by_hand() {
    let mut session = Session::new();
    let env = session.env();
    if env.other("openssl").arg("version").output().is_err() {
        // Not by `println!`, which is swallowed when a test passes.
        std::io::stderr()
            .write_all(b"SKIPPED: there is no openssl\n")
            .ok();
        return;
    }
    let vectors = fs::read(root().join("tests/vectors/callback.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_slice(&vectors).unwrap();
    let vector = |name: &str| vectors["vectors"][0][name].as_str().unwrap();
    env.write("body", vector("raw_body"));
    env.set("CALLBACK_KEY", vector("callback_key"))
        .set("CALLBACK_TOKEN", vector("callback_token"));
    let page = Page::read(root(), "docs/real-account.md");
    let mark = Some(Mark::NotRun("needs a message".to_owned()));
    let block = page.blocks.iter().find(|block| block.mark == mark).unwrap();
    let said = env.said(env.other("/bin/bash").args(["-c", &block.text]));
    let said = said.exits(0);
    assert!(said.stdout.starts_with(vector("plaintext")), "{said}");
    let signature = vector("content_signature").trim_start_matches("sha256=");
    assert!(said.stdout.trim_end().ends_with(signature), "{said}");
}
