//! What every released version wrote (`tests/vectors/releases`) is read by the program of today. docs/stability.md
//! promises it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::TestEnv;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/releases")
}

/// The versions that are kept, each with its folder.
fn releases() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.push((path.file_name().unwrap().display().to_string(), path));
        }
    }
    found.sort();
    assert!(found.iter().any(|(version, _)| version == "0.1.0"));
    found
}

/// A folder with the state of a release, and one of the two configurations.
fn machine(release: &Path, state: &str, configuration: &str) -> TestEnv {
    let mut env = TestEnv::new(&fs::read_to_string(folder().join(configuration)).unwrap());
    env.set("OTHER_TOKEN", "changed");
    for suffix in ["json", "journal"] {
        let kept = release.join(format!("{state}.{suffix}"));
        if let Ok(bytes) = fs::read(kept) {
            // That of a sandbox is where the program keeps it.
            let at = match state {
                "callbacks.state" => format!(".ess-callbacks/sandbox.state.{suffix}"),
                _ => format!("callbacks.state.{suffix}"),
            };
            env.write(&at, bytes);
        }
    }
    env
}

/// What a plan says of each callback that it has calls for, and its counts.
fn calls(plan: &str) -> (BTreeMap<String, Value>, Vec<Value>) {
    let plan: Value = serde_json::from_str(plan).unwrap();
    let changes = plan["changes"].as_array().unwrap().iter();
    let calls = changes
        .filter(|change| change["actions"] != serde_json::json!(["no-op"]))
        .map(|change| {
            let said =
                ["actions", "calls", "reason", "scope", "operator"].map(|name| &change[name]);
            (
                change["address"].as_str().unwrap().to_owned(),
                serde_json::to_value(said).unwrap(),
            )
        });
    let counts = ["add", "replace", "delete", "unchanged", "unproven", "calls"];
    let counts = counts.map(|name| plan["summary"][name].clone());
    (calls.collect(), counts.to_vec())
}

#[test]
fn a_state_of_every_release_gives_the_plan_that_it_gave_then() {
    for (version, release) in releases() {
        let env = machine(&release, "callbacks.state", "before.yaml");
        let said = env.run(&["--sandbox", "plan"]).exits(0);
        assert!(said.stdout.contains("No changes."), "{version}: {said}");
        let listed = env.run(&["--sandbox", "state", "list"]).exits(0);
        assert_eq!(listed.stdout.lines().count(), 6, "{version}: {listed}");

        let after = fs::read_to_string(folder().join("after.yaml")).unwrap();
        env.write("callbacks.yaml", after);
        let plan = ["--sandbox", "plan", "--allow-deletes=1", "--format=json"];
        let today = env.run(&plan).exits(0);
        let then = fs::read_to_string(release.join("planned.json")).unwrap();
        assert_eq!(calls(&today.stdout), calls(&then), "{version}");

        // Reading changed nothing; an apply brings it up to date, and then there is nothing to do.
        let kept = fs::read(release.join("callbacks.state.json")).unwrap();
        let state = ".ess-callbacks/sandbox.state.json";
        assert_eq!(fs::read(env.path(state)).unwrap(), kept, "{version}");
        env.run(&["--sandbox", "apply", "--auto-approve", "--allow-deletes=1"])
            .exits(0);
        assert!(env.read(state).contains("\"version\": 2,"), "{version}");
        let said = env.run(&["--sandbox", "plan"]).exits(0);
        assert!(said.stdout.contains("No changes."), "{version}: {said}");
    }
}

#[test]
fn calls_that_a_killed_run_of_every_release_left_open_are_settled() {
    for (version, release) in releases() {
        let mut env = machine(&release, "killed/callbacks.state", "before.yaml");
        let served = env.serve(&[]);
        let said = env.run(&["plan", "--format=json"]).exits(0);
        let (calls, _) = calls(&said.stdout);
        let open: Vec<&str> = calls
            .iter()
            .filter(|(_, said)| said[2]["because"] == "open_add")
            .map(|(address, _)| address.as_str())
            .collect();
        let was_open = [
            "acme-app/https://hooks.acme.example/app?source=esign",
            "acme-shanghai/https://hooks.shanghai.acme.example/esign",
            "acme/https://archive.acme.example/esign",
            "acme/https://hooks.acme.example/esign",
            "acme/https://status.acme.example/esign",
        ];
        assert_eq!(open, was_open, "{version}");
        env.run(&["apply", "--auto-approve"]).exits(0);
        assert_eq!(served.urls().len(), 5, "{version}");
        let said = env.run(&["plan"]).exits(0);
        assert!(said.stdout.contains("No changes."), "{version}: {said}");
    }
}

#[test]
fn a_saved_plan_of_another_format_is_refused_before_any_call() {
    for (version, release) in releases() {
        let env = machine(&release, "callbacks.state", "after.yaml");
        let saved = fs::read_to_string(release.join("plan.json")).unwrap();
        env.write("plan.json", &saved);
        let saved: Value = serde_json::from_str(&saved).unwrap();
        let today = env.run(&["--sandbox", "plan", "--allow-deletes=1", "--format=json"]);
        let today: Value = serde_json::from_str(&today.stdout).unwrap();
        let same = saved["format_version"] == today["format_version"];
        let said = env.run(&["--sandbox", "apply", "plan.json"]);
        if same {
            said.exits(0);
        } else {
            let said = said.exits(7);
            let why = format!(
                "the plan has format version `{}`",
                saved["format_version"].as_str().unwrap()
            );
            assert!(said.stderr.contains(&why), "{version}: {said}");
            assert!(
                said.stderr.contains("Make a new one with `plan --out`"),
                "{version}: {said}"
            );
            let state = fs::read(env.path(".ess-callbacks/sandbox.state.json")).unwrap();
            assert_eq!(
                state,
                fs::read(release.join("callbacks.state.json")).unwrap(),
                "{version}"
            );
        }
    }
}
