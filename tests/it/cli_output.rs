//! Output that can't be written is no success. A reader that went away is no error.

use std::fs::OpenOptions;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::support::{Said, TestEnv, configuration};

fn to_full_disk(env: &TestEnv, arguments: &[&str]) -> Said {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = env.command(arguments);
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    Said::of(&child.wait_with_output().unwrap(), &env.path(""))
}

#[test]
fn a_full_disk_is_an_error() {
    let env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    assert_snapshot!(to_full_disk(&env, &["plan"]), @"
        exit 1
        --- stderr
        error: standard output can't be written: No space left on device (os error 28)
          What was printed is not whole; what was called and saved does not depend on it. Make room, or print elsewhere.
        ");
    for arguments in [
        &["schema"][..],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
        &["validate"],
        &["plan", "--json"],
        &["plan", "--format", "json"],
        &["plan", "--format", "markdown"],
        &["plan", "--format", "diff"],
        &["plan", "--detailed-exitcode"],
    ] {
        let said = to_full_disk(&env, arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}: {said}");
    }
    // What it exits with says more than that nobody could read it.
    assert_eq!(to_full_disk(&env, &["plan", "-f", "nowhere"]).code, Some(1));
    assert_eq!(to_full_disk(&env, &["plan", "--rate", "x"]).code, Some(64));
}

#[test]
fn an_apply_is_saved_all_the_same() {
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    let served = env.serve(&["--script", "ok,lost-after"]);
    let said = to_full_disk(&env, &["apply", "--auto-approve"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(
        said.stderr.contains("standard output can't be written"),
        "{said}"
    );
    assert_eq!(served.arrived(), 1);
    let plan = env.run(&["plan"]).exits(0);
    assert!(plan.stdout.starts_with("No changes."), "{plan}");
    let heal = ["apply", "--auto-approve", "--heal", "--max-retries", "0"];
    assert_eq!(to_full_disk(&env, &heal).code, Some(4));
}
