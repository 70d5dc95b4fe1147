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
          The calls and the state are not affected. Free some disk space, or write to another place.
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
        &["secret", "new"],
    ] {
        let said = to_full_disk(&env, arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}: {said}");
    }
    // Its exit code says more than that the output could not be written.
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

#[test]
fn events_and_metrics_on_a_full_disk_are_an_error_at_the_end() {
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    let served = env.serve(&["--script", "ok,ok,ok,lost-after"]);
    let into = |flag: &str, more: &[&str]| {
        let apply = ["apply", "--auto-approve", "--heal", flag, "/dev/full"];
        env.run(&[&apply[..], more].concat())
    };
    assert_snapshot!(into("--json-into", &["--quiet"]), @"
        exit 1
        --- stderr
        error: the events `/dev/full` can't be written: No space left on device (os error 28)
          The calls and the state are not affected. Free some disk space, or write to another place.
        ");
    assert_snapshot!(into("--metrics-file", &["--quiet"]), @"
        exit 1
        --- stderr
        error: the metrics `/dev/full` can't be written: No space left on device (os error 28)
          The calls and the state are not affected. Free some disk space, or write to another place.
        ");
    // In JSON too, where standard output has the events.
    let said = into("--json-into", &["--json"]).exits(1);
    assert!(said.stderr.contains("the events `/dev/full`"), "{said}");
    let last = said.events().pop().unwrap();
    assert_eq!(last["exit_code"], 1, "{said}");
    // What became of the calls says more.
    let said = into("--json-into", &["--max-retries", "0"]).exits(4);
    let told = said.stderr.matches("can't be written").count();
    assert_eq!(told, 1, "{said}");
    assert_eq!(served.arrived(), 4);
    let plan = env.run(&["plan"]).exits(0);
    assert!(plan.stdout.starts_with("No changes."), "{plan}");
}

#[test]
fn a_plan_on_a_full_disk_is_not_saved() {
    let env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    let said = env.run(&["plan", "--out", "/dev/full"]).exits(1);
    assert!(
        said.stderr.contains("can't be saved to `/dev/full`"),
        "{said}"
    );
    assert!(!said.stderr.contains("Saved the plan"), "{said}");
    let full = std::fs::metadata("/dev/full").unwrap();
    assert!(!full.is_file(), "it was not replaced");
}

#[test]
fn what_a_state_holds_is_printed_whole_or_it_is_an_error() {
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    let _served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    for arguments in [
        &["state", "pull"][..],
        &["state", "list"],
        &["state", "show", "acme/*"],
        &["show"],
        &["show", "--format", "json"],
    ] {
        for json in [&[][..], &["--json"]] {
            let said = to_full_disk(&env, &[arguments, json].concat());
            assert_eq!(said.code, Some(1), "{arguments:?}: {said}");
            let told = said
                .stderr
                .matches("standard output can't be written")
                .count();
            assert_eq!(told, 1, "{arguments:?}: {said}");
        }
    }
}

#[cfg(unix)]
#[test]
fn outputs_may_be_streams() {
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    let _served = env.serve(&[]);
    // A pipe, and a file that the shell has opened and the text goes to as well.
    let said = env.run(&["plan", "--out", "/dev/stdout"]).exits(0);
    assert!(said.stdout.contains("\"format_version\""), "{said}");
    let file = env.path("all.txt");
    let mut command = env.command(&[
        "apply",
        "--auto-approve",
        "--json-into",
        "/dev/stdout",
        "--metrics-file",
        "/dev/fd/1",
    ]);
    command.stdout(std::fs::File::create(&file).unwrap());
    env.said(&mut command).exits(0);
    let all = env.read("all.txt");
    for part in [
        "Apply complete!",
        "\"type\":\"apply_report\"",
        "ess_callbacks_last_run_exit_code",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(std::path::Path::new("/dev/stdout").is_symlink());
}
