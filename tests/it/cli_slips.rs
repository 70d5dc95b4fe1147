//! Typing errors on the command line: they are refused before anything is written or called.

use insta::assert_snapshot;

use crate::support::{KEY, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

/// One callback that was applied, and a plan for another.
fn applied() -> TestEnv {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE, TWO])]));
    env.run(&["plan", "--out", "plan.json"]).exits(0);
    drop(served);
    env
}

#[test]
fn no_output_overwrites_a_file_that_the_program_needs() {
    let env = applied();
    std::fs::create_dir(env.path("folder")).unwrap();
    std::os::unix::fs::symlink("callbacks.state.json", env.path("link")).unwrap();
    let before = env.files();
    let plan = |path| vec!["plan", "--out", path];
    let apply = |flag, path| vec!["apply", "plan.json", flag, path];
    for arguments in [
        plan("callbacks.state.json"),
        plan("folder/../callbacks.yaml"),
        plan("./callbacks.state.lock"),
        plan("link"),
        apply("--json-into", "callbacks.state.json"),
        apply("--json-into", "plan.json"),
        apply("--metrics-file", "callbacks.yaml"),
        apply("--metrics-file", "callbacks.state.journal"),
        apply("--metrics-file", "callbacks.state.json.backup"),
        [
            apply("--metrics-file", "out.txt"),
            vec!["--json-into", "folder/../out.txt"],
        ]
        .concat(),
        vec!["-f", ".", "plan", "--out", "more.yml"],
    ] {
        let said = env.run(&arguments).exits(64);
        assert!(
            said.stderr.contains("would overwrite"),
            "{arguments:?}: {said}"
        );
        assert_eq!(env.files(), before, "{arguments:?}");
    }
    assert_snapshot!(env.run(&plan("link")), @"
        exit 64
        --- stderr
        error: --out would overwrite `link`, which is the state; nothing was written
          Give another file.
        ");
    assert_snapshot!(env.run(&["-f", ".", "plan", "--out", "more.yml"]), @"
        exit 64
        --- stderr
        error: --out would overwrite `more.yml`, which is part of the configuration; nothing was written
          Give another file.
        ");
    let said = env.run(&["-f", "-", "plan", "--out", "callbacks.state.json"]);
    assert!(said.exits(64).stderr.contains("the state;"));
    env.run(&["plan", "--out", "folder/plan.yaml"]).exits(0);
}

#[test]
fn an_address_never_becomes_a_folder() {
    let env = applied();
    let before = env.files();
    for state in ["ftp://host/key", "https://gitlab.example", "file:///tmp/x"] {
        for command in ["plan", "apply", "show"] {
            let approve = &["--auto-approve"][..usize::from(command == "apply")];
            let arguments = [&[command, "--state", state], approve].concat();
            env.run(&arguments).exits(64);
        }
    }
    assert_eq!(env.files(), before);
    env.run(&["plan", "--state", "a:b"]).exits(0);
}

#[test]
fn flags_that_leave_nothing_to_do_say_so() {
    let env = applied();
    assert_snapshot!(env.run(&["plan", "--heal", "--no-secrets"]), @"
        exit 64
        --- stderr
        error: --heal needs the keys and tokens of callbacks, so it can't be used with --no-secrets
          Leave one of the two out.
        ");
    let one = format!("acme/{ONE}");
    let flags = ["plan", "--target", "acme/*/two", "--replace", &one];
    assert_snapshot!(env.run(&flags), @"
        exit 64
        --- stderr
        error: --replace acme/https://hooks.example/one replaces nothing: no --target matches it
          Give it to --target too.
        ");
    let flags = ["plan", "--target", "acme/*", "--replace", &one];
    assert!(env.run(&flags).exits(0).stdout.contains("must be replaced"));
}

#[test]
fn the_command_after_a_saved_plan_works_as_printed() {
    let mut env = TestEnv::new("");
    env.write("my team/it's.yaml", configuration(&[("acme", &[ONE])]));
    let said = env.run(&[
        "-f",
        "my team/it's.yaml",
        "--sandbox",
        "plan",
        "--allow-commands",
        "--out=-my plan.json",
    ]);
    assert_snapshot!(said.err(), @r"
        Saved the plan to -my plan.json. To apply exactly this:

            ess-callbacks apply --config 'my team/it'\''s.yaml' --sandbox --allow-commands './-my plan.json'
        ");
    let command = said
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("    "));
    let program = env.program.parent().unwrap().display();
    let script = format!("PATH={program}:$PATH; {}", command.unwrap());
    let applied = env.said(env.other("/bin/sh").args(["-c", &script]));
    assert!(applied.exits(0).stdout.contains("1 added"));
    // What the environment says need not be repeated.
    env.set("ESS_CALLBACKS_SANDBOX", "1")
        .set("ESS_CALLBACKS_CONFIG", "my team/it's.yaml");
    env.write("my team/it's.yaml", configuration(&[("acme", &[ONE, TWO])]));
    let said = env.run(&["plan", "--out=-my plan.json"]);
    assert_snapshot!(said.err(), @"
        Saved the plan to -my plan.json. To apply exactly this:

            ess-callbacks apply './-my plan.json'
        ");
    env.unset("ESS_CALLBACKS_SANDBOX");
    let said = env.run(&[
        "plan",
        "--state=-s",
        "--endpoint",
        "http://127.0.0.1:9",
        "--out",
        "p",
    ]);
    assert_snapshot!(said.err(), @"
        Saved the plan to p. To apply exactly this:

            ess-callbacks apply --state=-s --endpoint http://127.0.0.1:[PORT] p
        ");
}

#[test]
fn a_plan_that_is_not_saved_says_so() {
    let env = applied();
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &[TWO]), ("beta", &[ONE])]),
    );
    let said = env
        .run(&["plan", "--destroy", "--out", "refused.json"])
        .exits(5);
    assert_snapshot!(said.err(), @r#"
    warning[W007]: the key of this callback (environment variable KEY) is also used by `acme`
      --> callbacks.yaml:11:16
       |
    11 |       - { url: "https://hooks.example/one", key: { env: KEY }, token: { env: TOKEN } }
       |                ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: give each organization its own secrets, so that a leak affects only one; if this is intended, add `accept: { W007: REASON }`
       = note: also at callbacks.yaml:11 (-v shows each in full)

    error: this plan deletes more than the guards allow and will not be applied

      acme: its last callback; none would be left

    These callbacks are deleted because --destroy was given. If that is meant, say how many: --allow-deletes 1
    The plan was not saved to refused.json: a guard refuses it, so it can't be applied.
    "#);
    assert!(!env.exists("refused.json"));
}

#[test]
fn what_no_target_names_needs_no_secrets() {
    let mut env = TestEnv::new("");
    let text = configuration(&[("acme", &[ONE]), ("beta", &[TWO])]);
    let (acme, beta) = text.split_once("  beta:").unwrap();
    let beta = beta.replace("env: KEY", "env: BETA_KEY");
    env.write("callbacks.yaml", format!("{acme}  beta:{beta}"));
    let served = env.serve(&[]);
    env.set("BETA_KEY", KEY);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.unset("BETA_KEY");
    env.run(&["plan"]).exits(1);
    let said = env.run(&["plan", "--target", "beta/*"]).exits(1);
    assert!(said.stderr.contains("E053"), "{said}");
    let said = env.run(&["plan", "--target", "acme/*"]).exits(0);
    assert!(said.stdout.starts_with("No changes."), "{said}");
    let heal = ["apply", "--auto-approve", "--heal", "--target", "acme/*"];
    env.run(&heal).exits(0);
    assert_eq!(served.arrived(), 3);
    env.run(&["plan", "--target", "acme/*", "--out", "plan.json"])
        .exits(0);
    env.run(&["import", &format!("acme/{ONE}"), "--state", "other.json"])
        .exits(0);
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let flags = "CONFIG STATE SANDBOX ENDPOINT CA_FILE NO_COLOR JSON VERBOSE LOG_FORMAT TARGET REPLACE HEAL \
                 OLDER_THAN MAX_CALLS DESTROY ALLOW_DELETES ALLOW_COMMANDS NO_SECRETS OUT DETAILED_EXITCODE FORMAT \
                 RATE AUTO_APPROVE PARALLELISM MAX_RETRIES NO_WAIT LOCK_TIMEOUT JSON_INTO METRICS_FILE QUIET";
    let usual = env.run(&["plan"]).exits(0);
    for flag in flags.split_whitespace() {
        env.set(&format!("ESS_CALLBACKS_{flag}"), "");
    }
    assert_eq!(env.run(&["plan"]).to_string(), usual.to_string());
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
}
