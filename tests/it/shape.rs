//! The shape of the repository: what a reviewer would otherwise have to look for.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::layering::rust_files;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Lines of code that one file may have; comments and empty lines are not counted.
const LONGEST: usize = 450;

#[test]
fn no_file_is_too_long_to_read() {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let mut long = Vec::new();
    for folder in ["src", "tests", "benches", "fuzz/harness"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            let lines = text.lines().filter(is_code).count();
            if lines > LONGEST {
                let name = file.strip_prefix(root()).unwrap().display();
                long.push(format!("{name} has {lines} lines of code"));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in rust_files(&root().join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} begins without a module comment",
            file.display()
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    // In two parts, so that this file does not find itself.
    let marks = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["#[ig", "nore"],
        ["#[al", "low"],
    ];
    for file in rust_files(&root().join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        for mark in marks.map(|parts| parts.concat()) {
            assert!(!text.contains(&mark), "{} holds {mark}", file.display());
        }
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests/it")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name != "main"
            && (path.is_dir() || path.extension().is_some_and(|extension| extension == "rs"))
        {
            assert!(
                main.contains(&format!("mod {name};")),
                "tests/it/main.rs does not name {name}"
            );
        }
    }
}

#[test]
fn the_top_level_stays_small() {
    const EXPECTED: [&str; 25] = [
        ".ci",
        ".config",
        ".gitattributes",
        ".github",
        ".gitignore",
        ".gitlab-ci.yml",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "README.zh-CN.md",
        "benches",
        "callbacks.yaml.example",
        "clippy.toml",
        "docs",
        "examples",
        "fuzz",
        "proptest-regressions",
        "release",
        "rustfmt.toml",
        "src",
        "tests",
    ];
    let listed = Command::new("git")
        .arg("-C")
        .arg(root())
        .args(["ls-files"])
        .output();
    let Ok(listed) = listed else { return };
    let text = String::from_utf8(listed.stdout).unwrap();
    for path in text.lines() {
        let top = path.split('/').next().unwrap();
        assert!(EXPECTED.contains(&top), "{top} is new at the top level");
    }
}
