//! Whole jobs whose state is on a server or in a bucket: nothing is pulled before and pushed after.

use std::path::Path;

use serde_json::Value;

use super::jobs::{ONE, TWO, clone, pipeline, project, runs, set_variables, step};
use super::root;
use crate::support::{KEY, Running, TOKEN, TestEnv, configuration};

/// S3 with the bucket of the workflows, and the environment that the step for its credentials leaves. `None` where
/// moto is not installed.
fn s3(env: &mut TestEnv) -> Option<Running> {
    const PYTHON: &str = "ESS_CALLBACKS_OBJECTS_PYTHON";
    let Ok(python) = std::env::var(PYTHON) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{PYTHON} must be set in CI"
        );
        super::skipped(&format!("{PYTHON} is not set"));
        return None;
    };
    let mut command = env.other(&python);
    command.arg(root().join("tests/external/objects/serve.py"));
    let moto = Running::start(command, &env.path("."));
    moto.wait_until_it_says("Running on ");
    let said = moto.so_far().stderr;
    let (_, origin) = said.split_once("Running on ").unwrap();
    let origin = origin.split_whitespace().next().unwrap().to_owned();
    env.set("AWS_ENDPOINT_URL_S3", &origin)
        .set("AWS_REGION", "eu-central-1")
        .set("AWS_ACCESS_KEY_ID", "ASIATEST")
        .set("AWS_SECRET_ACCESS_KEY", "canary-secret")
        .set("AWS_SESSION_TOKEN", "canary-token");
    let make = "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], method='PUT'))";
    let bucket = format!("{origin}/acme-states");
    let mut command = env.other(Path::new(&python));
    env.said(command.args(["-c", make, &bucket])).exits(0);
    Some(moto)
}

#[test]
fn on_github_the_state_is_in_a_bucket() {
    let Some(mut env) = project(&[ONE]) else {
        return;
    };
    let Some(_moto) = s3(&mut env) else { return };
    let served = env.serve(&[]);
    let apply = runs("github/bucket/apply.yml", "apply");
    let [call, tell] = apply.as_slice() else {
        panic!("{apply:?}");
    };
    let of_file = &pipeline("github/bucket/apply.yml")["env"];
    set_variables(&mut env, of_file, &[("NOTIFY_URL", "")]);
    // The second run has nothing to do.
    for name in ["first", "again"] {
        clone(&env, name);
        step(&env, name, call).exits(0);
        step(&env, name, tell).exits(0);
        assert_eq!(served.urls(), [ONE]);
        assert_eq!(served.arrived(), 1);
    }

    for name in ["KEY", "TOKEN", "TENCENTCLOUD_SECRET_ID"] {
        env.unset(name);
    }
    env.unset("TENCENTCLOUD_SECRET_KEY");
    env.set("GITHUB_STEP_SUMMARY", "summary.md");
    clone(&env, "topic");
    let both = configuration(&[("acme", &[ONE, TWO])]);
    env.write("topic/callbacks.yaml", &both);
    for script in runs("github/bucket/plan.yml", "plan") {
        step(&env, "topic", &script).exits(0);
    }
    let page = env.read("topic/plan.md");
    assert!(page.contains("1 to add, 0 to change"), "{page}");

    env.set("KEY", KEY).set("TOKEN", TOKEN);
    env.set("TENCENTCLOUD_SECRET_ID", &served.secret_id);
    env.set("TENCENTCLOUD_SECRET_KEY", &served.secret_key);
    clone(&env, "second");
    env.write("second/callbacks.yaml", &both);
    for script in runs("github/bucket/heal.yml", "heal") {
        let said = step(&env, "second", &script).exits(0);
        assert_eq!(said.stdout, "", "{said}");
    }
    assert_eq!(served.urls(), [ONE, TWO]);
    assert_eq!(served.arrived(), 2);
}

/// Without what is about the state.
fn rest_of_step(workflow: &Value, job: &str, name: &str) -> Value {
    let steps = workflow["jobs"][job]["steps"].as_array().unwrap();
    let found = steps.iter().find(|step| step["name"] == name);
    let mut found = found.unwrap_or_else(|| panic!("no {name}")).clone();
    if let Some(variables) = found["env"].as_object_mut() {
        variables.remove("ESS_CALLBACKS_STATE");
    }
    found
}

/// Each file is complete, so that it can be copied; a change to one must reach the other.
#[test]
fn the_files_of_a_pipeline_differ_only_in_where_the_state_is() {
    for (file, job, steps) in [
        ("plan.yml", "plan", &["Check"][..]),
        ("apply.yml", "apply", &["Apply", "Tell the team"]),
        ("heal.yml", "heal", &["Heal", "Tell the team"]),
    ] {
        let branch = pipeline(&format!("github/{file}"));
        let bucket = pipeline(&format!("github/bucket/{file}"));
        for member in ["name", "on", "concurrency"] {
            assert_eq!(branch[member], bucket[member], "{file}: {member}");
        }
        for member in ["runs-on", "environment", "timeout-minutes"] {
            let of = |workflow: &Value| workflow["jobs"][job][member].clone();
            assert_eq!(of(&branch), of(&bucket), "{file}: {member}");
        }
        for step in steps {
            let of = |workflow: &Value| rest_of_step(workflow, job, step);
            assert_eq!(of(&branch), of(&bucket), "{file}: {step}");
        }
        let apply = pipeline("github/bucket/apply.yml");
        let state = "ESS_CALLBACKS_STATE";
        assert_eq!(bucket["env"][state], apply["env"][state], "{file}");
    }
    let of = |workflow: &Value| rest_of_step(workflow, "plan", "Plan")["run"].clone();
    let (branch, bucket) = (pipeline("github/plan.yml"), pipeline("bucket/plan.yml"));
    assert_eq!(of(&branch), of(&bucket));
}
