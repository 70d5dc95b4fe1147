//! `apply --expect-digest`: what was reviewed without secrets is what a trusted run calls.

use insta::assert_snapshot;

use crate::support::{OTHER_KEY, PROGRAM, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

fn acme(urls: &[&str]) -> String {
    configuration(&[("acme", urls)])
}

/// The digest that a run without secrets shows.
fn reviewed(env: &TestEnv) -> String {
    let said = env.run(&["--json", "plan", "--no-secrets"]).exits(0);
    let events = said.events();
    let digest = &events.last().unwrap()["digest"];
    digest.as_str().unwrap().to_owned()
}

fn apply(env: &TestEnv, digest: &str) -> crate::support::Said {
    env.run(&["apply", "--auto-approve", "--expect-digest", digest])
}

#[test]
fn the_calls_that_were_reviewed_are_made() {
    let mut env = TestEnv::new(&acme(&[ONE, TWO]));
    let served = env.serve(&[]);
    let digest = reviewed(&env);
    apply(&env, &digest).exits(0);
    assert_eq!(served.urls(), [ONE, TWO]);
    // A job that runs again finds nothing to do, and that needs no review.
    apply(&env, &digest).exits(0);
    assert_eq!(served.arrived(), 2);
}

#[test]
fn other_calls_are_not_made() {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let served = env.serve(&[]);
    let digest = reviewed(&env);
    env.write("callbacks.yaml", acme(&[ONE, TWO]));
    let said = apply(&env, &digest).exits(7);
    let text = said.err().replace(&digest, "[REVIEWED]");
    let other = regex::Regex::new("sha256:[0-9a-f]{64}").unwrap();
    assert_snapshot!(other.replace_all(&text, "[OTHER]"), @"
    error: the plan makes other calls than the reviewed ones: its digest is [OTHER], not [REVIEWED] as --expect-digest says; nothing was called
      The configuration, the state or a secret has changed since the review. Review this plan and give its digest, which `plan --json`, `plan --format json` and comments show.
    ");
    // Quiet, it still shows what it refused.
    let quiet = [
        "apply",
        "--auto-approve",
        "--quiet",
        "--expect-digest",
        &digest,
    ];
    let said = env.run(&quiet).exits(7);
    assert!(
        said.stdout
            .contains("acme/https://hooks.example/two will be added"),
        "{said}"
    );
    assert_eq!(served.arrived(), 0);
}

/// The very thing that a run without secrets can't see.
#[test]
fn a_secret_that_changed_since_is_found() {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", acme(&[ONE, TWO]));
    let digest = reviewed(&env);
    env.set("KEY", OTHER_KEY);
    apply(&env, &digest).exits(7);
    assert_eq!(served.arrived(), 1);
}

#[test]
fn a_newer_state_is_found() {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let served = env.serve(&[]);
    env.write("callbacks.yaml", acme(&[ONE, TWO]));
    let digest = reviewed(&env);
    env.write("callbacks.yaml", acme(&[ONE]));
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", acme(&[ONE, TWO]));
    apply(&env, &digest).exits(7);
    assert_eq!(served.arrived(), 1);
}

#[test]
fn it_lifts_no_guard_and_approves_nothing_by_itself() {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write(
        "callbacks.yaml",
        configuration(&[("beta", &[])]).replace("beta:", "beta: {}"),
    );
    let said = env.run(&["--json", "plan", "--no-secrets"]).exits(5);
    let summary = |event: &serde_json::Value| event["digest"].as_str().map(str::to_owned);
    let digest = said.events().iter().find_map(summary).unwrap();
    apply(&env, &digest).exits(5);
    env.run(&["apply", "--expect-digest", &digest]).exits(64);
    apply(&env, "sha256:1234").exits(64);
    assert_eq!(served.arrived(), 1);
}

#[test]
fn a_saved_plan_can_be_held_to_it_too() {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let served = env.serve(&[]);
    let digest = reviewed(&env);
    env.run(&["plan", "--out", "plan.json"]).exits(0);
    let other = format!("sha256:{}", "0".repeat(64));
    env.run(&["apply", "plan.json", "--expect-digest", &other])
        .exits(7);
    assert_eq!(served.arrived(), 0);
    env.run(&["apply", "plan.json", "--expect-digest", &digest])
        .exits(0);
    assert_eq!(served.urls(), [ONE]);
}

/// The guide's own two lines, as a shell reads them.
#[test]
fn the_guide_s_commands_work() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("docs/pipelines.md")).unwrap();
    let at = guide.find("digest=$(").unwrap();
    let script = guide[at..].split("```").next().unwrap();
    let mut env = TestEnv::new(&acme(&[ONE, TWO]));
    let served = env.serve(&[]);
    let folder = std::path::Path::new(PROGRAM).parent().unwrap();
    env.set("PATH", &format!("{}:/usr/bin:/bin", folder.display()));
    let said = env
        .said(env.other("/bin/sh").args(["-euc", script]))
        .exits(0);
    assert!(said.stdout.contains("Apply complete!"), "{said}");
    assert_eq!(served.urls(), [ONE, TWO]);
}
