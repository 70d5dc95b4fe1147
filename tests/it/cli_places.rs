//! What a state's calls went to: what is recorded of one place is true of no other.

use insta::assert_snapshot;

use crate::support::{Said, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";
const STATE: &str = "callbacks.state.json";

/// A configuration that was applied to a sandbox, which is gone.
fn rehearsed() -> TestEnv {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(served.urls(), [ONE]);
    env
}

/// The line of the state that says where its calls went.
fn destination(env: &TestEnv) -> String {
    let state = env.read(STATE);
    let line = state.lines().find(|line| line.contains("destination"));
    line.unwrap_or("no line").trim().to_owned()
}

/// A state as format 1 has it.
fn make_it_old(env: &TestEnv) {
    let line = format!("  {}\n", destination(env));
    let state = env.read(STATE).replace(&line, "");
    env.write(STATE, state.replace("\"version\": 2", "\"version\": 1"));
}

fn refused(env: &TestEnv, arguments: &[&str]) -> Said {
    let before = env.read(STATE);
    let said = env.run(arguments).exits(7);
    assert_eq!(env.read(STATE), before);
    said
}

#[test]
fn the_state_of_a_rehearsal_is_not_used_against_esign() {
    let mut env = rehearsed();
    env.unset("ESS_CALLBACKS_ENDPOINT");
    assert_snapshot!(refused(&env, &["plan"]), @"
    exit 7
    --- stderr
    error: the state records calls to http://127.0.0.1:[PORT]/, and these calls would go to eSign; nothing was called
      Give the state that belongs to eSign with --state; a new file begins with nothing recorded. After a rehearsal, move its state file away, with the journal and the copy beside it.
    ");
    let uses: [&[&str]; 4] = [
        &["plan", "--no-secrets", "--format", "json"],
        &["apply", "--auto-approve"],
        &["apply", "--auto-approve", "--destroy"],
        &["import", "--all"],
    ];
    for arguments in uses {
        let said = refused(&env, arguments);
        assert!(said.stderr.contains("would go to eSign"), "{said}");
    }
}

#[test]
fn another_address_is_another_place_and_the_advice_says_how_to_agree() {
    let mut env = rehearsed();
    let state = env.read(STATE);
    env.write(
        STATE,
        state.replace(&destination(&env), "\"destination\": \"esign\","),
    );
    env.set("ESS_CALLBACKS_ENDPOINT", "https://proxy.example/");
    assert_snapshot!(refused(&env, &["plan"]).err(), @r#"
    error: the state records calls to eSign, and these calls would go to https://proxy.example/; nothing was called
      Give the state that belongs to https://proxy.example/ with --state; a new file begins with nothing recorded.
      If both are the same eSign, remove the line `"destination"` from the state file; the next apply writes it again.
    "#);
    make_it_old(&env);
    env.run(&["plan"]).exits(0);
}

#[test]
fn a_sandbox_that_is_served_on_another_port_is_the_same_place() {
    let mut env = rehearsed();
    let first = destination(&env);
    let served = env.serve(&[]);
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE, TWO])]));
    env.run(&["plan", "--out", "plan.json"]).exits(0);
    env.run(&["apply", "plan.json"]).exits(0);
    assert_eq!(served.urls(), [TWO]);
    assert_eq!(destination(&env), first);
}

#[test]
fn the_sandbox_inside_the_command_is_recorded_too() {
    let env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    let state = env.read(".ess-callbacks/sandbox.state.json");
    assert!(state.contains("\"destination\": \"sandbox\","), "{state}");
    env.write(STATE, state);
    assert_snapshot!(refused(&env, &["plan"]).err(), @"
    error: the state records calls to the sandbox, and these calls would go to eSign; nothing was called
      Give the state that belongs to eSign with --state; a new file begins with nothing recorded. After a rehearsal, move its state file away, with the journal and the copy beside it.
    ");
}

#[test]
fn a_state_of_the_first_format_learns_its_place_from_the_next_apply() {
    let mut env = rehearsed();
    let _served = env.serve(&[]);
    make_it_old(&env);
    let old = env.read(STATE);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(env.read(STATE), old);
    env.run(&["apply", "--auto-approve"]).exits(0);
    let new = env.read(STATE);
    assert!(destination(&env).contains("http://127.0.0.1:"), "{new}");
    assert!(new.contains("\"version\": 2"), "{new}");
    // That was the only change.
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(env.read(STATE), new);
}

#[test]
fn a_plan_saved_for_a_state_of_another_place_is_refused() {
    let mut env = rehearsed();
    let served = env.serve(&[]);
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE, TWO])]));
    env.run(&["plan", "--out", "plan.json"]).exits(0);
    let state = env.read(STATE);
    env.write(
        STATE,
        state.replace(&destination(&env), "\"destination\": \"esign\","),
    );
    assert_snapshot!(refused(&env, &["apply", "plan.json"]).err(), @"
    error: the state records calls to eSign, and these calls would go to http://127.0.0.1:[PORT]/; nothing was called
      Give the state that belongs to http://127.0.0.1:[PORT]/ with --state; a new file begins with nothing recorded.
    ");
    assert_eq!(served.arrived(), 0);
}

#[test]
fn what_is_imported_says_of_which_place() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&[]);
    env.run(&["import", "--all"]).exits(0);
    assert!(destination(&env).contains("http://127.0.0.1:"));
}

#[test]
fn a_saved_plan_has_its_number_of_calls() {
    let mut env = rehearsed();
    let served = env.serve(&[]);
    env.run(&["plan", "--heal", "--out", "plan.json"]).exits(0);
    let options: [&[&str]; 2] = [&["--max-calls", "1"], &["--older-than", "1h"]];
    for option in options {
        let said = env.run(&[&["apply", "plan.json"], option].concat());
        said.exits(64);
    }
    assert_eq!(served.arrived(), 0);
}
