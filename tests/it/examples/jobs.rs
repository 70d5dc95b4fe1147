//! Whole jobs of the pipelines, step by step as GitHub and GitLab run them: a git repository in the place
//! of theirs, the sandbox in the place of eSign. Here the state is on a git branch.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{has, machine, root, scripts, sh, yaml_files};
use crate::support::{KEY, PROGRAM, Said, TOKEN, TestEnv, configuration};

pub(super) const ONE: &str = "https://hooks.example/one";
pub(super) const TWO: &str = "https://hooks.example/two";

/// A repository with this configuration and the examples in it, and the program on the path.
pub(super) fn project(urls: &[&str]) -> Option<TestEnv> {
    let mut env = machine();
    if !has(&env, "git") || !has(&env, "python3") {
        return None;
    }
    let folder = Path::new(PROGRAM).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:/usr/bin:/bin:{path}", folder.display());
    env.set("PATH", &path).set("KEY", KEY).set("TOKEN", TOKEN);
    // What the jobs write to GitHub and GitLab goes to the repository beside them.
    let remote = env.path("remote.git").display().to_string();
    let known = [
        "https://callbacks:t0ken@gitlab.example/acme/esign.git",
        "http://callbacks:t0ken@gitlab.example:8080/git/acme/esign.git",
        "https://gitlab.example/acme/esign.git",
    ];
    let git = known.map(|url| format!("[url \"file://{remote}\"]\n    insteadOf = {url}\n"));
    env.write("gitconfig", git.concat());
    let config = env.path("gitconfig").display().to_string();
    env.set("GIT_CONFIG_GLOBAL", &config);
    env.write("seed/callbacks.yaml", configuration(&[("acme", urls)]));
    let examples = root().join("examples");
    let script = format!(
        "cp -r '{}' seed/examples
        git init -q --bare remote.git -b main
        cd seed; git init -q -b main; git add .
        git -c user.name=t -c user.email=t@localhost commit -qm one
        git push -q ../remote.git main",
        examples.display()
    );
    sh(&env, ".", &script).exits(0);
    Some(env)
}

pub(super) fn clone(env: &TestEnv, name: &str) {
    let script = format!("git clone -q --depth 1 file://$PWD/remote.git {name}");
    sh(env, ".", &script).exits(0);
}

/// The jobs of a file, by its name.
pub(super) fn pipeline(name: &str) -> Value {
    let files = yaml_files();
    let found = files.into_iter().find(|file| file.0.ends_with(name));
    found.unwrap_or_else(|| panic!("no {name}")).1
}

/// Sets the variables of a file as both systems do, after those that the system sets.
pub(super) fn set_variables(env: &mut TestEnv, of_file: &Value, of_system: &[(&str, &str)]) {
    for (name, value) in of_system {
        env.set(name, value);
    }
    for (name, value) in of_file.as_object().expect("variables") {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let expand =
            |text: String, (name, value): &(&str, &str)| text.replace(&format!("${name}"), value);
        let value = of_system.iter().fold(value, expand);
        env.set(name, &value);
    }
}

/// A script in a clone, started the way both systems do.
pub(super) fn shell(env: &TestEnv, folder: &str, script: &str) -> Command {
    let mut command = env.other("bash");
    let arguments = ["--noprofile", "--norc", "-eo", "pipefail", "-c", script];
    command.args(arguments).current_dir(env.path(folder));
    command
}

pub(super) fn step(env: &TestEnv, folder: &str, script: &str) -> Said {
    env.said(&mut shell(env, folder, script))
}

/// The lines of a job of GitLab, which are one script.
pub(super) fn lines(job: &Value) -> String {
    let mut all = Vec::new();
    for part in ["before_script", "script"] {
        let lines = job[part].as_array().into_iter().flatten();
        all.extend(lines.map(|line| line.as_str().unwrap()));
    }
    all.join("\n")
}

pub(super) fn gitlab(env: &TestEnv, folder: &str, job: &Value) -> Said {
    step(env, folder, &lines(job))
}

fn state_of(env: &TestEnv) -> String {
    let script = "git -C remote.git show callbacks-state:callbacks.state.json";
    sh(env, ".", script).exits(0).stdout
}

#[test]
fn on_gitlab_a_fork_plans_and_the_default_branch_applies() {
    let Some(mut env) = project(&[ONE]) else {
        return;
    };
    let served = env.serve(&[]);
    let jobs = pipeline("gitlab/state-branch.gitlab-ci.yml");
    let of_system = [
        // A GitLab below a path, at another port.
        (
            "CI_PROJECT_URL",
            "http://gitlab.example:8080/git/acme/esign",
        ),
        ("CALLBACKS_PUSH_TOKEN", "t0ken"),
        ("CI_PIPELINE_SOURCE", "push"),
    ];
    set_variables(&mut env, &jobs[".state"]["variables"], &of_system);
    clone(&env, "first");
    gitlab(&env, "first", &jobs["apply"]).exits(0);
    assert_eq!(served.urls(), [ONE]);
    assert!(state_of(&env).contains(ONE));

    // A fork: another repository, no secrets, no token, no credentials.
    let mut fork = vec![
        "KEY",
        "TOKEN",
        "TENCENTCLOUD_SECRET_ID",
        "TENCENTCLOUD_SECRET_KEY",
    ];
    clone(&env, "fork");
    env.write(
        "fork/callbacks.yaml",
        configuration(&[("acme", &[ONE, TWO])]),
    );
    sh(
        &env,
        "fork",
        "git remote set-url origin https://gitlab.example/stranger/esign.git",
    )
    .exits(0);
    for name in fork.drain(..) {
        env.unset(name);
    }
    env.set("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "77")
        .set("CI_MERGE_REQUEST_PROJECT_ID", "42")
        .set(
            "CI_MERGE_REQUEST_PROJECT_URL",
            "https://gitlab.example/acme/esign",
        );
    let said = gitlab(&env, "fork", &jobs["plan"]).exits(0);
    assert!(said.stdout.contains("NOTE_TOKEN is not set"), "{said}");
    let page = env.read("fork/plan.md");
    // Against the project's state: one to add, not two.
    assert!(
        page.contains("### ess-callbacks, test: 1 to add, 0 to change, 0 to destroy"),
        "{page}"
    );
    assert!(page.contains("Not checked: "), "{page}");
    assert_eq!(env.read("fork/gl-code-quality-report.json"), "[]\n");

    // From a schedule nothing is due, and nothing is said.
    env.set("CI_PIPELINE_SOURCE", "schedule");
    env.set("KEY", KEY).set("TOKEN", TOKEN);
    env.set("TENCENTCLOUD_SECRET_ID", &served.secret_id);
    env.set("TENCENTCLOUD_SECRET_KEY", &served.secret_key);
    clone(&env, "second");
    let said = gitlab(&env, "second", &jobs["apply"]).exits(0);
    assert_eq!(said.stdout, "", "{said}");
    assert_eq!(served.arrived(), 1);
}

/// The `run` scripts of a job's steps.
pub(super) fn runs(file: &str, job: &str) -> Vec<String> {
    let mut all = Vec::new();
    scripts(&pipeline(file)["jobs"][job], &mut all);
    all
}

#[test]
fn on_github_a_fork_plans_and_the_main_branch_applies() {
    let Some(mut env) = project(&[ONE]) else {
        return;
    };
    let served = env.serve(&[]);
    let apply = runs("github/apply.yml", "apply");
    let [pull, call, push, tell] = apply.as_slice() else {
        panic!("{apply:?}");
    };
    env.set("ESS_CALLBACKS_STATE", ".state/callbacks.state.json")
        .set("NOTIFY_URL", "");
    clone(&env, "first");
    for script in [pull, call, push, tell] {
        step(&env, "first", script).exits(0);
    }
    assert_eq!(served.urls(), [ONE]);

    env.unset("KEY").unset("TOKEN");
    env.unset("TENCENTCLOUD_SECRET_ID")
        .unset("TENCENTCLOUD_SECRET_KEY");
    clone(&env, "topic");
    sh(&env, ".", "cp -r seed topic/base").exits(0);
    let plan = runs("github/plan.yml", "plan");
    env.set("GITHUB_STEP_SUMMARY", "summary.md");
    env.write(
        "topic/callbacks.yaml",
        configuration(&[("acme", &[ONE, TWO])]),
    );
    for script in &plan {
        step(&env, "topic", script).exits(0);
    }
    let page = env.read("topic/plan.md");
    assert!(
        page.contains("1 to add, 0 to change, 0 to destroy"),
        "{page}"
    );
    assert_eq!(env.read("topic/summary.md"), page);

    // A guard refuses: the page is there, and the step fails.
    let empty = configuration(&[("acme", &[])]).replace("acme:", "acme: {}");
    env.write("topic/callbacks.yaml", empty);
    step(&env, "topic", plan.last().unwrap()).exits(5);
    assert!(env.read("topic/plan.md").contains("`--allow-deletes 1`"));
    assert_eq!(served.arrived(), 1);

    // A run that fails keeps its record all the same, and fails.
    env.set("KEY", KEY).set("TOKEN", TOKEN);
    env.set("TENCENTCLOUD_SECRET_ID", &served.secret_id);
    env.set("TENCENTCLOUD_SECRET_KEY", &served.secret_key);
    clone(&env, "second");
    env.write(
        "second/callbacks.yaml",
        configuration(&[("acme", &[ONE, TWO])]),
    );
    step(&env, "second", pull).exits(0);
    served.faults("lost-after=1", "");
    env.set("ESS_CALLBACKS_MAX_RETRIES", "0");
    step(&env, "second", call).exits(4);
    step(&env, "second", push).exits(0);
    assert!(state_of(&env).contains(TWO), "an open call is recorded");

    // At night, and twice: what is open is settled, and then nothing is said.
    served.faults("", "");
    for name in ["third", "fourth"] {
        clone(&env, name);
        let both = configuration(&[("acme", &[ONE, TWO])]);
        env.write(&format!("{name}/callbacks.yaml"), both);
        let scripts = runs("github/heal.yml", "heal");
        let said = scripts
            .iter()
            .map(|script| step(&env, name, script).exits(0));
        let [_, heal, _, _] = &said.collect::<Vec<_>>()[..] else {
            panic!("{scripts:?}");
        };
        assert_eq!(heal.stdout, "", "{heal}");
    }
    assert_eq!(served.urls(), [ONE, TWO]);
}
