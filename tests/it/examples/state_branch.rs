//! The state on a separate branch: two runners and a bare repository.

use std::fs;

use super::{has, machine, sh};
use crate::support::TestEnv;

/// A bare repository and two runners that have cloned it.
fn two_runners() -> Option<TestEnv> {
    let env = machine();
    if !has(&env, "git") {
        return None;
    }
    let script = "git init -q --bare remote.git -b main
        git init -q seed -b main; cd seed
        echo x > callbacks.yaml; git add .
        git -c user.name=t -c user.email=t@localhost commit -qm one
        git push -q ../remote.git main; cd ..
        git clone -q --depth 1 file://$PWD/remote.git one
        git clone -q --depth 1 file://$PWD/remote.git two";
    sh(&env, ".", script).exits(0);
    Some(env)
}

const PULL: &str = "\"$STATE_BRANCH_SH\" pull";
const PUSH: &str = "\"$STATE_BRANCH_SH\" push";

#[test]
fn the_state_travels_from_one_runner_to_the_next() {
    let Some(env) = two_runners() else { return };
    let said = sh(&env, "one", PULL).exits(0);
    assert!(
        said.stderr.contains("no branch 'callbacks-state' yet"),
        "{said}"
    );
    env.write("one/.state/callbacks.state.json", "first");
    env.write("one/.state/callbacks.state.lock", "mine");
    sh(&env, "one", PUSH).exits(0);
    let again = sh(&env, "one", PUSH).exits(0);
    assert!(again.stderr.contains("nothing to push"), "{again}");

    sh(&env, "two", PULL).exits(0);
    assert_eq!(env.read("two/.state/callbacks.state.json"), "first");
    assert!(!env.exists("two/.state/callbacks.state.lock"));
    assert!(
        !env.exists("two/.state/callbacks.yaml"),
        "a branch of its own"
    );
    env.write("two/.state/callbacks.state.json", "second");
    env.write("two/.state/callbacks.state.journal", "an open call");
    sh(&env, "two", PUSH).exits(0);
    let kept = sh(
        &env,
        ".",
        "git -C remote.git ls-tree --name-only callbacks-state",
    )
    .exits(0);
    assert_eq!(
        kept.stdout,
        "callbacks.state.journal\ncallbacks.state.json\n"
    );
}

#[test]
fn of_two_runs_at_once_neither_overwrites_the_other() {
    let Some(env) = two_runners() else { return };
    for runner in ["one", "two"] {
        sh(&env, runner, PULL).exits(0);
        env.write(&format!("{runner}/.state/callbacks.state.json"), runner);
    }
    sh(&env, "one", PUSH).exits(0);
    let said = sh(&env, "two", PUSH).exits(6);
    assert!(
        said.stderr.contains("is on 'callbacks-state-conflict-"),
        "{said}"
    );
    let held = |branch: &str| {
        let script = format!(
            "git -C remote.git show \"$(git -C remote.git for-each-ref --format='%(refname)' \
             'refs/heads/{branch}')\":callbacks.state.json"
        );
        sh(&env, ".", &script).exits(0).stdout
    };
    assert_eq!(held("callbacks-state"), "one");
    assert_eq!(held("callbacks-state-conflict-*"), "two");
}

#[test]
fn a_remote_that_does_not_answer_is_not_a_state_that_is_not_there() {
    let Some(env) = two_runners() else { return };
    fs::rename(env.path("remote.git"), env.path("gone.git")).unwrap();
    let said = sh(&env, "one", PULL).exits(1);
    assert!(said.stderr.contains("can't read the branches"), "{said}");
    assert!(!env.exists("one/.state"));
}
