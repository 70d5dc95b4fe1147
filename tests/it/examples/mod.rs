//! The pipelines to copy: what can be run here is run, the rest is read the way its reader would.
//!
//! What needs schemas from elsewhere is checked by tests/external/pipelines/run.sh.

mod bots;
mod comments;
mod controller;
#[cfg(unix)]
mod install;
mod jobs;
mod kubernetes;
mod monitoring;
pub(crate) mod receiver;
mod remote;
mod state_branch;
mod units;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::docs::misuse;
use crate::layering::rust_files;
use crate::support::{Said, TestEnv};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A machine with git, Python and the like.
fn machine() -> TestEnv {
    let mut env = TestEnv::new("");
    let path = std::env::var("PATH").unwrap();
    // Shims need the home they were made for.
    env.set("PATH", &format!("/usr/bin:/bin:{path}"))
        .set("GIT_CONFIG_GLOBAL", "/dev/null")
        .set("GIT_CONFIG_NOSYSTEM", "1");
    env
}

fn has(env: &TestEnv, program: &str) -> bool {
    let there = env.other(program).arg("--version").output().is_ok();
    if !there {
        skipped(&format!("there is no {program}"));
    }
    there
}

/// Not by `println!`, which is swallowed when a test passes.
fn skipped(why: &str) {
    let text = format!("SKIPPED: {why}\n");
    std::io::stderr().write_all(text.as_bytes()).ok();
}

fn sh(env: &TestEnv, folder: &str, script: &str) -> Said {
    let mut command = env.other("/bin/sh");
    command.args(["-euc", script]).current_dir(env.path(folder));
    let tool = root().join("examples/state-branch.sh");
    env.said(command.env("STATE_BRANCH_SH", tool))
}

/// Every YAML file among the examples, parsed.
fn yaml_files() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yml" || extension == "yaml")
            {
                let text = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                let value =
                    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
                found.push((name, value));
            }
        }
    }
    found.sort_by(|one, two| one.0.cmp(&two.0));
    found
}

/// Every script in it: `run` of GitHub's steps, `script` and `before_script` of GitLab's jobs.
fn scripts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("run", Value::String(script)) => into.push(script.clone()),
                    ("script" | "before_script", Value::Array(lines)) => {
                        let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
                        into.push(lines.join("\n"));
                    }
                    _ => scripts(value, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| scripts(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn pipelines_say_what_the_program_understands() {
    let mut calls = 0;
    let mut wrong = Vec::new();
    let files = yaml_files();
    assert_eq!(
        files.len(),
        22,
        "{:?}",
        files.iter().map(|file| &file.0).collect::<Vec<_>>()
    );
    for (name, value) in files {
        let mut all = Vec::new();
        scripts(&value, &mut all);
        for script in all {
            let parsed = Command::new("bash")
                .args(["-n", "-c", &script])
                .output()
                .unwrap();
            assert!(
                parsed.status.success(),
                "{name}: {}",
                String::from_utf8_lossy(&parsed.stderr)
            );
            for line in script.replace("\\\n", " ").lines() {
                if let Some(rest) = line.trim().strip_prefix("ess-callbacks ") {
                    calls += 1;
                    wrong.extend(misuse(rest).map(|problem| format!("{name}: {problem}")));
                }
            }
            // What comes from outside goes through the environment: in a script it would be code.
            if name.contains("github") && script.contains("${{") {
                wrong.push(format!("{name}: an expression stands in a script"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(calls >= 7, "{calls}");
}

/// The image for pipelines takes the program from where the other images have it, and the jobs name it.
#[test]
fn the_image_of_jobs_has_the_program() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let program = "usr/local/bin/ess-callbacks";
    assert!(
        read("examples/container/ci.Dockerfile")
            .contains(&format!("\nCOPY --from=program /{program} /{program}\n"))
    );
    assert!(
        read("examples/container/Dockerfile")
            .contains(&format!("/release/ess-callbacks /{program}\n"))
    );
    assert!(read("release/pack.py").contains("(f\"usr/local/bin/{NAME}\", program.read_bytes()"));
    for name in ["gitlab/.gitlab-ci.yml", "gitlab/state-branch.gitlab-ci.yml"] {
        let image = &jobs::pipeline(name)["default"]["image"];
        assert_eq!(image, "registry.example/ess-callbacks-ci:0.2.0", "{name}");
    }
}

/// The image is not built here, but what goes into it is all there, and cargo accepts it.
#[test]
fn the_image_is_made_of_what_there_is() {
    let folder = root().join("examples/container");
    let file = fs::read_to_string(folder.join("Dockerfile")).unwrap();
    let ignore = fs::read_to_string(folder.join("Dockerfile.dockerignore")).unwrap();
    let own = |line: &&str| line.starts_with("COPY ") && !line.contains("--from");
    let sources: BTreeSet<&str> = file
        .lines()
        .filter(own)
        .flat_map(|line| line.split(' ').skip(1).filter(|word| *word != "./"))
        .collect();
    let env = TestEnv::new("");
    for source in &sources {
        assert!(
            ignore
                .lines()
                .any(|line| line.strip_prefix('!') == Some(source)),
            "{source} is ignored"
        );
        let copied = Command::new("cp")
            .arg("-r")
            .arg(root().join(source))
            .arg(env.path(source))
            .status();
        assert!(copied.unwrap().success(), "{source}");
    }
    assert!(
        file.contains("RUN cargo build --release --locked\n")
            && file.contains("\nUSER 65532:65532\n")
    );
    let mut cargo = Command::new(env!("CARGO"));
    let arguments = [
        "metadata",
        "--locked",
        "--offline",
        "--no-deps",
        "--format-version=1",
    ];
    let output = cargo
        .args(arguments)
        .current_dir(env.path("."))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // What the sources name is there, too.
    for file in rust_files(&env.path("src")) {
        let text = fs::read_to_string(&file).unwrap();
        for named in text.split("include_str!(\"").skip(1) {
            let (named, _) = named.split_once('"').unwrap();
            let named = file.parent().unwrap().join(named);
            assert!(named.exists(), "{} is not copied", named.display());
        }
    }
}
