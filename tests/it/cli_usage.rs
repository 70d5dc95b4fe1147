//! The command line itself: help, usage errors, environment variables, colour, pipes and texts.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::support::{TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";

fn env() -> TestEnv {
    TestEnv::new(&configuration(&[("acme", &[ONE])]))
}

#[test]
fn an_invalid_command_line_exits_with_64() {
    let env = env();
    for arguments in [
        &["pln"][..],
        &[],
        &["plan", "--rate", "fast"],
        &["plan", "--no-such-flag"],
        &["import"],
        &["apply", "plan.json", "--heal"],
        &["plan", "--destroy", "--heal"],
        &["--sandbox", "--state", "x.json", "plan"],
        &[
            "--endpoint",
            "http://esign.example",
            "apply",
            "--auto-approve",
        ],
        &["apply", "--auto-approve", "--rate", "100000"],
    ] {
        let mut command = env.command(arguments);
        command.envs([
            ("TENCENTCLOUD_SECRET_ID", "id"),
            ("TENCENTCLOUD_SECRET_KEY", "key"),
        ]);
        let said = env.said(&mut command).exits(64);
        assert!(!said.stderr.is_empty(), "{arguments:?}");
        assert_eq!(said.out(), "", "{arguments:?}");
    }
    assert_snapshot!(env.run(&["pln"]), @r"
        exit 64
        --- stderr
        error: unrecognized subcommand 'pln'

          tip: a similar subcommand exists: 'plan'

        Usage: ess-callbacks [OPTIONS] <COMMAND>

        For more information, try '--help'.
        ");
    assert_snapshot!(env.run(&["--sandbox", "--state", "x.json", "plan"]), @"
        exit 64
        --- stderr
        error: --sandbox has a separate state and makes no calls to eSign, so it can't be used with --state or --endpoint
          Leave it out; where it is set in the environment, unset ESS_CALLBACKS_STATE.
        ");
}

#[test]
fn help_and_version_are_data() {
    let env = env();
    for arguments in [&["--help"][..], &["plan", "--help"], &["state", "rm", "-h"]] {
        let said = env.run(arguments).exits(0);
        assert!(said.stdout.contains("Usage: ess-callbacks"), "{said}");
        assert_eq!(said.err(), "");
    }
    let version = env.run(&["--version"]).exits(0);
    assert_eq!(
        version.stdout,
        format!("ess-callbacks {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn flags_can_be_environment_variables() {
    let mut env = env();
    env.set("ESS_CALLBACKS_SANDBOX", "1")
        .set("ESS_CALLBACKS_AUTO_APPROVE", "true");
    env.run(&["apply"]).exits(0);
    assert!(env.exists(".ess-callbacks/sandbox.state.json"));
    env.set("ESS_CALLBACKS_SANDBOX", "0")
        .set("ESS_CALLBACKS_STATE", "elsewhere.json");
    env.run(&["import", "--all"]).exits(0);
    assert!(env.exists("elsewhere.json") && !env.exists("callbacks.state.json"));
    env.set("ESS_CALLBACKS_DETAILED_EXITCODE", "1")
        .set("ESS_CALLBACKS_HEAL", "yes");
    env.run(&["plan"]).exits(2);
    env.set("ESS_CALLBACKS_FORMAT", "json")
        .set("ESS_CALLBACKS_MAX_CALLS", "0");
    let said = env.run(&["plan"]).exits(0);
    assert!(said.stdout.starts_with('{'), "{said}");
    // A variable that is off counts as not set, also for options that exclude each other.
    env.set("ESS_CALLBACKS_DESTROY", "0")
        .set("ESS_CALLBACKS_ALL", "false");
    env.run(&["plan"]).exits(0);
    env.run(&["import", "acme/*"]).exits(0);
    env.run(&["import"]).exits(64);
    env.set("ESS_CALLBACKS_ALL", "1");
    env.run(&["import"]).exits(0);
    env.set("ESS_CALLBACKS_CONFIG", "nowhere.yaml");
    assert!(
        env.run(&["validate"])
            .exits(1)
            .stderr
            .contains("nowhere.yaml")
    );
}

#[test]
fn without_a_terminal_there_is_no_colour() {
    let env = env();
    let said = env.run(&["--sandbox", "plan"]).exits(0);
    assert!(!said.stdout.contains('\u{1b}'), "{said}");
}

#[test]
fn logs_go_to_standard_error_only() {
    let mut env = env();
    let _served = env.serve(&["--script", "502"]);
    let flags = ["apply", "--auto-approve", "-vvv", "--log-format", "json"];
    let said = env.run(&flags).exits(0);
    assert!(said.stdout.starts_with("Actions are indicated"), "{said}");
    let logs: Vec<serde_json::Value> = said
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!logs.is_empty(), "-vvv logs something");
}

/// Like `plan | head -1`: the reader goes away in the middle.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let urls: Vec<String> = (0..2000)
        .map(|n| format!("https://hooks.example/{n}"))
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let env = TestEnv::new(&configuration(&[("acme", &urls)]));
    for arguments in [
        &["plan"][..],
        &["plan", "--format", "json"],
        &["--json", "plan"],
        &["man"],
    ] {
        let mut child = env
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn an_apply_without_a_reader_still_finishes() {
    let mut env = env();
    let served = env.serve(&[]);
    let mut child = env
        .command(&["apply", "--auto-approve"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(served.urls(), [ONE]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn the_schema_is_one() {
    let said = env().run(&["schema"]).exits(0);
    let schema: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let empty = serde_json::json!({ "version": 1, "environment": "test", "organizations": {} });
    assert!(!validator.is_valid(&serde_json::json!({ "version": 2 })));
    assert!(
        validator.is_valid(&empty),
        "{:?}",
        validator.iter_errors(&empty).next()
    );
}

#[test]
fn completions_are_scripts_that_their_shells_accept() {
    let env = env();
    for shell in ["bash", "zsh", "fish"] {
        let script = env.run(&["completions", shell]).exits(0).stdout;
        env.write("script", &script);
        // Where the shell is installed, it reads the script without running it.
        match Command::new(shell)
            .arg("-n")
            .arg(env.path("script"))
            .output()
        {
            Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }
    env.run(&["completions", "cobol"]).exits(64);
}

#[test]
fn the_manual_has_every_command_and_flag() {
    let man = env().run(&["man"]).exits(0).stdout;
    for word in [
        ".TH ess",
        "auto\\-approve",
        "lock\\-timeout",
        "completions",
        "\\-\\-listen",
    ] {
        assert!(man.contains(word), "{word}");
    }
    let count = |start: &str| man.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(count(".TH "), 1, "it is one page");
    for section in [
        ".SH \"EXIT STATUS\"",
        ".SH \"ENVIRONMENT\"",
        ".SH \"FILES\"",
        ".SS \"ess\\-callbacks plan\"",
        ".SS \"ess\\-callbacks state pull\"",
    ] {
        assert_eq!(count(section), 1, "{section}");
    }
}

#[test]
fn the_long_help_ends_with_examples_and_exit_codes() {
    let help = env().run(&["--help"]).exits(0).stdout;
    let (_, end) = help.split_once("\nExamples:\n").expect("examples");
    let (examples, codes) = end.split_once("\nExit codes:\n").expect("exit codes");
    assert!(codes.contains("130  interrupted"), "{codes}");
    let example = regex::Regex::new("(?m)^  ess-callbacks (.+?)  ").unwrap();
    let found: Vec<_> = example.captures_iter(examples).collect();
    assert_eq!(found.len(), examples.lines().count());
    for line in found {
        assert_eq!(crate::docs::misuse(&line[1]), None);
    }
    for command in ["plan", "apply"] {
        let help = env().run(&[command, "--help"]).exits(0).stdout;
        assert!(help.ends_with(codes), "{help}");
    }
}

#[test]
fn the_usage_shows_nothing_of_the_environment() {
    let mut env = TestEnv::new("");
    env.set("ESS_CALLBACKS_ENDPOINT", "http://127.0.0.1:1/");
    assert_snapshot!(env.run(&["unlock"]), @"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          <ID>

        Usage: ess-callbacks unlock <ID>

        For more information, try '--help'.
        ");
}

#[test]
fn help_shows_the_global_options_in_use_and_the_others_are_accepted() {
    let env = env();
    let flags = |command: &[&str]| {
        let help = env.run(&[command, &["-h"]].concat()).exits(0).stdout;
        let shown = [
            "--config",
            "--var",
            "--state",
            "--sandbox",
            "--endpoint",
            "--ca-file",
            "--json",
            "--color",
        ];
        let shown = shown.into_iter().filter(|flag| help.contains(flag));
        shown.collect::<Vec<_>>().join(" ")
    };
    assert_snapshot!(flags(&["apply"]), @"--config --var --state --sandbox --endpoint --ca-file --json --color");
    assert_snapshot!(flags(&["plan"]), @"--config --var --state --sandbox --endpoint --json --color");
    assert_snapshot!(flags(&["validate"]), @"--config --var --sandbox --json --color");
    assert_snapshot!(flags(&["state", "rm"]), @"--config --var --state --sandbox --endpoint --json --color");
    assert_snapshot!(flags(&["fmt"]), @"--config --color");
    assert_snapshot!(flags(&["secret", "new"]), @"--color");
    assert_snapshot!(flags(&["explain"]), @"--color");
    env.run(&[
        "explain",
        "E053",
        "--endpoint",
        "http://127.0.0.1:9",
        "--state=x",
    ])
    .exits(0);
    env.run(&["--ca-file=x", "--no-color", "secret", "new"])
        .exits(0);
    let long = env.run(&["apply", "--help"]).exits(0).stdout;
    assert!(
        long.contains("Credentials:\n  An account takes them from its `env`, `profile`, `tsign`"),
        "{long}"
    );
}

/// A misspelt value must not turn a switch on, and a misspelt name must not go unnoticed.
#[test]
fn unknown_variables_and_invalid_values_are_reported() {
    let mut env = env();
    env.set("ESS_CALLBACKS_AUTO_APPROVE", "flase");
    assert_snapshot!(env.run(&["apply"]).exits(64).err(), @"
    error: invalid value 'flase' for '--auto-approve': the variable of a switch must be `true` or `false`

    For more information, try '--help'.
    ");
    env.unset("ESS_CALLBACKS_AUTO_APPROVE");
    env.set("ESS_CALLBACKS_SANBOX", "1")
        .set("ESS_CALLBACKS_VAR_X", "1")
        .set("ESS_CALLBACKS_WHATEVER", "1");
    let said = env.run(&["--json", "explain", "E053"]).exits(0);
    assert_snapshot!(said.err(), @"
    Warning: unknown environment variable ESS_CALLBACKS_SANBOX; did you mean ESS_CALLBACKS_SANDBOX?
    Warning: unknown environment variable ESS_CALLBACKS_WHATEVER
    ");
}

#[test]
fn a_configuration_is_not_a_plan() {
    assert_snapshot!(env().run(&["apply", "callbacks.yaml"]).exits(64).err(), @"
    error: `callbacks.yaml` is a configuration, not a saved plan
      Name a configuration with `-f FILE`.
    ");
}
