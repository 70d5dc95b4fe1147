//! What release/gather.sh makes of the files of all targets.

use std::fmt::Write as _;
use std::fs;

use super::super::{has, machine, root, sh};
use super::{STEM, checksum};
use crate::support::{Said, TestEnv};

const TARGETS: [&str; 5] = [
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-linux-musl",
];

/// What `release/build.sh` writes for every target, with other contents.
fn built(env: &TestEnv) {
    for target in TARGETS {
        let stem = format!("ess-callbacks-9.8.7-{target}");
        let suffix = if target.contains("windows") {
            "zip"
        } else {
            "tar.gz"
        };
        let mut sums = String::new();
        for name in [format!("{stem}.{suffix}"), format!("{stem}.cdx.json")] {
            env.write(&format!("dist/{name}"), &name);
            writeln!(sums, "{}  {name}", checksum(name.as_bytes())).unwrap();
        }
        env.write(&format!("dist/{stem}.sha256"), sums);
    }
}

type Damage = fn(&TestEnv);

fn gather(env: &TestEnv) -> Said {
    let mut command = env.other("bash");
    command.arg(root().join("release/gather.sh"));
    env.said(command.args(["dist", "https://git.example/team/tools"]))
}

#[test]
fn the_files_of_all_targets_become_one_release() {
    let env = machine();
    if !has(&env, "python3") {
        return;
    }
    built(&env);
    gather(&env).exits(0);
    let sums = env.read("dist/SHA256SUMS");
    let listed: Vec<&str> = sums.lines().map(|line| &line[66..]).collect();
    let mut present: Vec<String> = fs::read_dir(env.path("dist"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "SHA256SUMS")
        .collect();
    present.sort();
    assert_eq!(listed, present);
    assert_eq!(listed.len(), 12, "{listed:?}");
    sh(
        &env,
        "dist",
        "sha256sum --check --strict --quiet SHA256SUMS",
    )
    .exits(0);

    let formula = env.read("dist/ess-callbacks.rb");
    for target in TARGETS.iter().filter(|target| !target.contains("windows")) {
        let name = format!("ess-callbacks-9.8.7-{target}.tar.gz");
        let source = format!(
            "      url \"https://git.example/team/tools/releases/download/v9.8.7/{name}\"\n      sha256 \"{}\"\n",
            checksum(name.as_bytes())
        );
        assert!(formula.contains(&source), "{source}\n{formula}");
    }
    let installer = env.read("dist/install.sh");
    assert!(installer.contains(
        "\nBASE=https://git.example/team/tools/releases/download\nREPOSITORY=team/tools\n"
    ));

    // A file without a checksum, one that is missing, and one that changed on its way.
    let damages: [(Damage, &str); 3] = [
        (|env| env.write("dist/extra", ""), "> extra"),
        (
            |env| fs::remove_file(env.path(&format!("dist/{STEM}.cdx.json"))).unwrap(),
            "FAILED open or read",
        ),
        (
            |env| env.write(&format!("dist/{STEM}.tar.gz"), "other"),
            "FAILED",
        ),
    ];
    for (damage, why) in damages {
        fs::remove_dir_all(env.path("dist")).unwrap();
        built(&env);
        damage(&env);
        let said = gather(&env).exits(1);
        assert!(said.to_string().contains(why), "{why}\n{said}");
    }
}

#[test]
fn a_release_has_the_notes_of_its_version() {
    let env = machine();
    env.write("CHANGELOG.md", "# Changes\n\n## [Unreleased]\n\n* new\n\n## [1.1.0] - 2026-01-02\n\n* one\n\n## 1.0.0\n\n* first\n\n[1.1.0]: https://x\n");
    fs::create_dir(env.path("release")).unwrap();
    fs::copy(
        root().join("release/notes.sh"),
        env.path("release/notes.sh"),
    )
    .unwrap();
    let notes = |version: &str| sh(&env, ".", &format!("sh release/notes.sh {version}"));
    assert_eq!(notes("1.1.0").exits(0).stdout.trim(), "* one");
    assert_eq!(notes("1.0.0").exits(0).stdout.trim(), "* first");
    let said = notes("1.0").exits(1);
    assert_eq!(
        said.stderr,
        "CHANGELOG.md has no section 1.0, or it is empty\n"
    );
}
