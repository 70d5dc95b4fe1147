//! The real Terraform, where it is installed: against the server that other tests keep states on, and beside
//! ess-callbacks.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use ess_callbacks::testing::{Flavour, TerraformServer};
use insta::assert_snapshot;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{Running, Said, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const APPLY: [&str; 2] = ["apply", "--auto-approve"];

/// A folder with a callbacks.yaml, an eSign, a server for states, and Terraform with that server as its backend.
struct World {
    terraform: PathBuf,
    env: TestEnv,
    _served: Served,
    states: TerraformServer,
    _runtime: Runtime,
}

impl World {
    /// `None` where Terraform is not installed.
    fn new(flavour: Flavour) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut found = std::env::split_paths(&path).map(|folder| folder.join("terraform"));
        let Some(terraform) = found.find(|program| program.is_file()) else {
            // Not by `println!`, which is swallowed when a test passes.
            let skipped = b"SKIPPED: there is no terraform on PATH\n";
            std::io::stderr().write_all(skipped).ok();
            return None;
        };
        let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
        let served = env.serve(&["--script", "ok"]);
        let runtime = Runtime::new().unwrap();
        let states = runtime.block_on(TerraformServer::start(flavour)).unwrap();
        env.set("TF_HTTP_USERNAME", TerraformServer::USER)
            .set("TF_HTTP_PASSWORD", TerraformServer::PASSWORD)
            .set("TF_IN_AUTOMATION", "1")
            .set("CHECKPOINT_DISABLE", "1");
        Some(Self {
            terraform,
            env,
            _served: served,
            states,
            _runtime: runtime,
        })
    }

    /// Lets Terraform keep this state, with one output and no provider, and starts to use it.
    fn init(&self, state: &str) -> Said {
        let url = self.states.url(state);
        let configuration = format!(
            r#"terraform {{
  backend "http" {{
    address        = "{url}"
    lock_address   = "{url}/lock"
    lock_method    = "POST"
    unlock_address = "{url}/lock"
    unlock_method  = "DELETE"
    retry_max      = 0
  }}
}}
output "answer" {{ value = "{state}" }}
"#
        );
        self.env
            .write(&format!("{state}/main.tf"), configuration.as_bytes());
        self.terraform(state, &["init", "-input=false", "-no-color"])
    }

    fn command<S: AsRef<OsStr>>(&self, state: &str, arguments: &[S]) -> Command {
        let mut command = self.env.other(&self.terraform);
        command.current_dir(self.env.path(state)).args(arguments);
        command
    }

    fn terraform(&self, state: &str, arguments: &[&str]) -> Said {
        self.env.said(&mut self.command(state, arguments))
    }

    fn ess_callbacks(&self, state: &str, arguments: &[&str]) -> Said {
        let url = self.states.url(state);
        self.env.run(&[arguments, &["--state", &url]].concat())
    }

    fn newest(&self, state: &str) -> Value {
        let documents = self.states.documents(state);
        documents.into_values().next_back().unwrap()
    }
}

fn parsed(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn the_server_of_the_tests_serves_it() {
    for flavour in [Flavour::GitLab, Flavour::Gitea] {
        let Some(world) = World::new(flavour) else {
            return;
        };
        world.init("infra").exits(0);
        let apply = ["apply", "-auto-approve", "-no-color"];
        let applied = world.terraform("infra", &apply).exits(0);
        assert!(applied.stdout.contains(r#"answer = "infra""#), "{applied}");
        assert_eq!(world.states.locked("infra"), None);
        let pulled = parsed(&world.terraform("infra", &["state", "pull"]).exits(0));
        assert_eq!(pulled["outputs"]["answer"]["value"], "infra");
        assert_eq!(pulled["serial"], world.newest("infra")["serial"]);
        // The same again is no new version, another value is.
        world.terraform("infra", &apply).exits(0);
        assert_eq!(world.states.documents("infra").len(), 1);
        let main = world.env.read("infra/main.tf");
        let main = main.replace(r#"value = "infra""#, r#"value = "other""#);
        world.env.write("infra/main.tf", main);
        world.terraform("infra", &apply).exits(0);
        assert_eq!(world.states.documents("infra").len(), 2);
    }
}

#[test]
fn it_reads_the_state_of_ess_callbacks() {
    for flavour in [Flavour::GitLab, Flavour::Gitea] {
        let Some(world) = World::new(flavour) else {
            return;
        };
        world.ess_callbacks("prod", &APPLY).exits(0);
        let ours = world.newest("prod");
        world.init("prod").exits(0);
        let pulled = world.terraform("prod", &["state", "pull"]).exits(0);
        let theirs = parsed(&pulled);
        for key in ["version", "serial", "lineage", "outputs", "resources"] {
            assert_eq!(theirs[key], ours[key], "{key}");
        }
        // What it does not know, it drops: this is no backup of the callbacks.
        assert_eq!(theirs.get("ess_callbacks"), None);
        // Its own files take the document.
        world.env.write("copy/main.tf", "");
        world.env.write("copy/ours.json", ours.to_string());
        let push = ["state", "push", "-no-color", "ours.json"];
        world.terraform("copy", &push).exits(0);
        let copy: Value = serde_json::from_str(&world.env.read("copy/terraform.tfstate")).unwrap();
        assert_eq!(
            (&copy["lineage"], &copy["serial"]),
            (&ours["lineage"], &ours["serial"])
        );
        // ess-callbacks goes on where it was.
        world
            .ess_callbacks("prod", &["plan", "--detailed-exitcode"])
            .exits(0);
    }
}

#[test]
fn what_it_wrote_over_the_state_is_not_taken_for_one() {
    for flavour in [Flavour::GitLab, Flavour::Gitea] {
        let Some(world) = World::new(flavour) else {
            return;
        };
        world.ess_callbacks("prod", &APPLY).exits(0);
        world.init("prod").exits(0);
        let apply = ["apply", "-auto-approve", "-no-color"];
        world.terraform("prod", &apply).exits(0);
        for command in [&["plan"][..], &APPLY] {
            let refused = world.ess_callbacks("prod", command).exits(1);
            let said = "a state of Terraform is stored there";
            assert!(refused.stderr.contains(said), "{refused}");
        }
        // The server kept what was there before.
        let documents = world.states.documents("prod");
        let before = documents.values().rev().nth(1).unwrap();
        assert!(before.get("ess_callbacks").is_some(), "{before}");
    }
}

/// Its `apply` has the lock while it asks.
#[test]
fn its_lock_is_respected() {
    let Some(world) = World::new(Flavour::Gitea) else {
        return;
    };
    world.ess_callbacks("prod", &APPLY).exits(0);
    world.init("prod").exits(0);
    let mut apply = world.command("prod", &["apply", "-no-color"]);
    let (answers, mut answer) = std::io::pipe().unwrap();
    apply.stdin(answers);
    let apply = Running::start(apply, &world.env.path("prod"));
    apply.wait_until_it_says("Enter a value:");
    let lock = world.states.locked("prod").unwrap();
    let before = world.states.documents("prod");
    world
        .ess_callbacks("prod", &["plan", "--detailed-exitcode"])
        .exits(0);
    let refused = world.ess_callbacks("prod", &APPLY).exits(1);
    let who = lock["Who"].as_str().unwrap();
    assert_snapshot!(refused.to_string().replace(who, "[WHO]"), @"
    exit 1
    --- stderr
    error: writing `http://127.0.0.1:[PORT]/state/prod` failed: the server answers 423 Locked: it is locked by [WHO] with the lock id [UUID]
      Another program took Terraform's lock on it, which ess-callbacks does not use. Wait for it to end, or run `terraform force-unlock` there.
    ");
    assert_eq!(world.states.documents("prod"), before);
    answer.write_all(b"no\n").unwrap();
    let ended = apply.wait().exits(1);
    assert!(ended.stdout.contains("Apply cancelled"), "{ended}");
    world.ess_callbacks("prod", &APPLY).exits(0);
}
