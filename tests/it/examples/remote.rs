//! Whole jobs whose state is on a server or in a bucket: nothing is pulled before and pushed after.

use std::path::Path;

use ess_callbacks::testing::{Flavour, TerraformServer};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::jobs::{ONE, TWO, clone, gitlab, lines, pipeline, project, runs};
use super::jobs::{set_variables, shell, step};
use super::{root, sh};
use crate::support::{KEY, Running, Served, TOKEN, TestEnv, configuration};

/// The state of the pipelines.
const STATE: &str = "esign";

/// A project on GitLab, which keeps its state.
struct Gitlab {
    env: TestEnv,
    served: Served,
    states: TerraformServer,
    jobs: Value,
    _runtime: Runtime,
}

impl Gitlab {
    fn new(urls: &[&str]) -> Option<Self> {
        let mut env = project(urls)?;
        let served = env.serve(&[]);
        let runtime = Runtime::new().unwrap();
        let states = runtime.block_on(TerraformServer::start(Flavour::GitLab));
        let states = states.unwrap();
        let jobs = pipeline("gitlab/.gitlab-ci.yml");
        let api = states.api();
        let of_system = [
            ("CI_API_V4_URL", api.as_str()),
            ("CI_PROJECT_ID", "42"),
            ("CI_JOB_TOKEN", TerraformServer::JOB_TOKEN),
            ("CI_PIPELINE_SOURCE", "push"),
        ];
        set_variables(&mut env, &jobs["variables"], &of_system);
        Some(Self {
            env,
            served,
            states,
            jobs,
            _runtime: runtime,
        })
    }

    fn versions(&self) -> usize {
        self.states.documents(STATE).len()
    }

    /// A job of a merge request that declares these: no secrets, and the token of a developer.
    fn on_merge_request(&mut self, folder: &str, urls: &[&str]) {
        clone(&self.env, folder);
        let declared = configuration(&[("acme", urls)]);
        self.env
            .write(&format!("{folder}/callbacks.yaml"), declared);
        let env = &mut self.env;
        for name in ["KEY", "TOKEN", "TENCENTCLOUD_SECRET_ID"] {
            env.unset(name);
        }
        env.unset("TENCENTCLOUD_SECRET_KEY")
            .set("CI_JOB_TOKEN", TerraformServer::READING_JOB_TOKEN)
            .set("CI_MERGE_REQUEST_PROJECT_ID", "42")
            .set("CI_MERGE_REQUEST_PROJECT_PATH", "acme/esign");
    }

    fn on_default_branch(&mut self, token: &str) {
        self.env
            .set("KEY", KEY)
            .set("TOKEN", TOKEN)
            .set("TENCENTCLOUD_SECRET_ID", &self.served.secret_id)
            .set("TENCENTCLOUD_SECRET_KEY", &self.served.secret_key)
            .set("CI_JOB_TOKEN", token);
    }

    fn start_apply(&self, folder: &str) -> Running {
        let command = shell(&self.env, folder, &lines(&self.jobs["apply"]));
        Running::start(command, &self.env.path("."))
    }
}

#[test]
fn on_gitlab_a_merge_request_plans_and_the_default_branch_applies() {
    let Some(mut world) = Gitlab::new(&[ONE]) else {
        return;
    };
    let (plan, apply) = (world.jobs["plan"].clone(), world.jobs["apply"].clone());
    clone(&world.env, "first");
    gitlab(&world.env, "first", &apply).exits(0);
    assert_eq!(world.served.urls(), [ONE]);
    assert!(!world.env.exists("first/callbacks.state.json"));
    let versions = world.versions();
    assert!(versions > 0);

    // A run that is repeated makes no call.
    clone(&world.env, "again");
    let said = gitlab(&world.env, "again", &apply).exits(0);
    assert!(said.stdout.contains("No changes."), "{said}");
    assert_eq!(world.served.arrived(), 1);

    let versions = world.versions();
    world.on_merge_request("topic", &[ONE, TWO]);
    let said = gitlab(&world.env, "topic", &plan).exits(0);
    assert!(said.stdout.contains("NOTE_TOKEN is not set"), "{said}");
    let page = world.env.read("topic/plan.md");
    assert!(
        page.contains("### ess-callbacks, test: 1 to add, 0 to change, 0 to destroy"),
        "{page}"
    );
    assert_eq!(world.env.read("topic/gl-code-quality-report.json"), "[]\n");
    assert_eq!(world.versions(), versions, "a plan writes nothing");

    // A fork: its token does not reach the project.
    world.on_merge_request("fork", &[ONE, TWO]);
    world.env.set("CI_PROJECT_ID", "77");
    let said = gitlab(&world.env, "fork", &plan).exits(0);
    assert!(said.stdout.contains("a member of acme/esign can"), "{said}");
    assert!(!world.env.exists("fork/plan.md"));
    world.env.write("fork/callbacks.yaml", "no");
    gitlab(&world.env, "fork", &plan).exits(1);
    world.env.set("CI_PROJECT_ID", "42");

    // Merged by a developer, who may not write the state: no call is made.
    let both = configuration(&[("acme", &[ONE, TWO])]);
    world.on_default_branch(TerraformServer::READING_JOB_TOKEN);
    clone(&world.env, "second");
    world.env.write("second/callbacks.yaml", &both);
    let said = gitlab(&world.env, "second", &apply).exits(1);
    assert!(said.stderr.contains("writing Maintainer"), "{said}");
    assert_eq!(world.served.arrived(), 1);
    // With the token that the file's first lines tell of.
    world
        .env
        .set("TF_HTTP_USERNAME", TerraformServer::USER)
        .set("TF_HTTP_PASSWORD", TerraformServer::PASSWORD);
    gitlab(&world.env, "second", &apply).exits(0);
    assert_eq!(world.served.urls(), [ONE, TWO]);

    // From a schedule nothing is due, and nothing is said.
    world.env.set("CI_PIPELINE_SOURCE", "schedule");
    let said = gitlab(&world.env, "second", &apply).exits(0);
    assert_eq!(said.stdout, "", "{said}");
    assert_eq!(world.served.arrived(), 2);
}

/// GitLab would run one after the other; here nothing but the state keeps them apart.
#[test]
fn of_two_jobs_at_once_the_second_waits_and_has_nothing_to_do() {
    let Some(world) = Gitlab::new(&[ONE, TWO]) else {
        return;
    };
    world.served.faults("slow=300ms", "");
    for name in ["first", "second"] {
        clone(&world.env, name);
    }
    let both = ["first", "second"].map(|folder| world.start_apply(folder));
    let said = both.map(|job| job.wait().exits(0).stdout);
    assert_eq!(world.served.arrived(), 2, "{said:?}");
    assert_eq!(world.served.urls(), [ONE, TWO]);
    let idle = said.iter().filter(|text| text.contains("No changes."));
    assert_eq!(idle.count(), 1, "{said:?}");
}

#[test]
fn what_a_job_could_not_record_is_among_its_artifacts() {
    let Some(world) = Gitlab::new(&[ONE, TWO]) else {
        return;
    };
    let (env, apply) = (&world.env, &world.jobs["apply"]);
    clone(env, "first");
    world.served.faults("slow=1s", "");
    let job = world.start_apply("first");
    world.served.wait_for(1);
    // The next record, and the snapshot at the end.
    world.states.answer(2, 403, "no", false);
    job.wait().exits(3);
    world.served.faults("", "");
    let kept = apply["artifacts"]["paths"].as_array().unwrap();
    let kept: Vec<&str> = kept.iter().map(|path| path.as_str().unwrap()).collect();
    let found = sh(env, "first", &format!("ls {}", kept.join(" "))).exits(0);
    let copy = found.stdout.lines().next().unwrap();
    assert!(copy.starts_with("callbacks.emergency-"), "{found}");

    clone(env, "second");
    let push = format!("ess-callbacks state push ../first/{copy}");
    step(env, "second", &push).exits(0);
    gitlab(env, "second", apply).exits(0);
    assert_eq!(world.served.arrived(), 2);
    assert_eq!(world.served.urls(), [ONE, TWO]);
}

#[test]
fn a_state_moves_from_its_branch_to_gitlab() {
    let Some(mut world) = Gitlab::new(&[ONE]) else {
        return;
    };
    let address = format!("{}/projects/42/terraform/state/{STATE}", world.states.api());
    let branch = pipeline("gitlab/state-branch.gitlab-ci.yml");
    let of_system = [
        ("CI_PROJECT_URL", "https://gitlab.example/acme/esign"),
        ("CALLBACKS_PUSH_TOKEN", "t0ken"),
    ];
    let variables = &branch[".state"]["variables"];
    set_variables(&mut world.env, variables, &of_system);
    clone(&world.env, "first");
    gitlab(&world.env, "first", &branch["apply"]).exits(0);

    let page = std::fs::read_to_string(root().join("docs/pipelines.md")).unwrap();
    let start = "./examples/state-branch.sh pull\ness-callbacks state migrate";
    let (_, rest) = page.split_once(start).unwrap();
    let commands = format!("{start}{}", rest.split("```").next().unwrap());
    world.env.set("NEW", &address);
    clone(&world.env, "own");
    step(&world.env, "own", &commands).exits(0);

    // The old pipeline does nothing more, and the new one finds nothing to do.
    clone(&world.env, "second");
    let said = gitlab(&world.env, "second", &branch["apply"]).exits(1);
    assert!(said.stderr.contains("it was moved to"), "{said}");
    world.env.set("ESS_CALLBACKS_STATE", &address);
    let apply = &world.jobs["apply"];
    let said = gitlab(&world.env, "second", apply).exits(0);
    assert!(said.stdout.contains("No changes."), "{said}");
    assert_eq!(world.served.arrived(), 1);
}

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
    // What is new waits for apply.yml, which somebody approves.
    assert_eq!(served.urls(), [ONE]);
    assert_eq!(served.arrived(), 1);
    step(&env, "second", call).exits(0);
    assert_eq!(served.urls(), [ONE, TWO]);
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

    let branch = pipeline("gitlab/state-branch.gitlab-ci.yml");
    let http = pipeline("gitlab/.gitlab-ci.yml");
    let members = [
        "rules",
        "artifacts",
        "resource_group",
        "interruptible",
        "environment",
    ];
    for job in ["plan", "apply"] {
        for member in members {
            assert_eq!(branch[job][member], http[job][member], "{job}: {member}");
        }
    }
    let script = |file: &Value| file["apply"]["script"].as_array().unwrap().clone();
    let mut of_branch = script(&branch);
    of_branch.retain(|line| !line.as_str().unwrap().contains("state-branch.sh"));
    assert_eq!(of_branch, script(&http));
}
