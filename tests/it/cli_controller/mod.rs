//! `controller` from end to end: a directory, the served sandbox, and what its server is asked.

mod held;
mod others;
mod owed;
mod receipts;
mod server;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Running, Served, TestEnv, eventually};

const TOKEN: &str = "canary-token-0123456789abcdef";
const COMMON: &str =
    "version: 1\nenvironment: test\ndefaults: { operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }\n";

/// What docs/ says of the status.
fn schema() -> &'static jsonschema::Validator {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let text = include_str!("../../../docs/status.schema.json");
        let schema: Value = serde_json::from_str(text).unwrap();
        // Nothing is said that it does not know.
        let strict = json!({ "allOf": [schema, { "additionalProperties": false, "properties": schema["properties"] }] });
        jsonschema::validator_for(&strict).unwrap()
    })
}

/// A directory with a common file, and one for each team.
struct World {
    env: TestEnv,
    served: Served,
}

/// A controller that runs.
struct Keeping {
    running: Running,
    address: String,
}

fn url(team: &str, number: usize) -> String {
    format!("https://hooks.{team}.example/{number}")
}

fn team(team: &str, callbacks: usize) -> String {
    let urls: Vec<_> = (1..=callbacks)
        .map(|number| format!("\"{}\"", url(team, number)))
        .collect();
    format!(
        "organizations:\n  {team}:\n    proxy_organization_id: {team}-id\n    callbacks: [{}]\n",
        urls.join(", ")
    )
}

impl World {
    fn new(teams: &[(&str, usize)]) -> Self {
        let mut env = TestEnv::new("");
        std::fs::create_dir(env.path("conf")).unwrap();
        env.write("conf/common.yaml", COMMON);
        let served = env.serve(&[]);
        env.set("ESS_CALLBACKS_CONTROLLER_TOKEN", TOKEN);
        env.set("ESS_CALLBACKS_CONFIG", "conf");
        env.set("ESS_CALLBACKS_STATE", "state.json");
        let world = Self { env, served };
        for (name, callbacks) in teams {
            world.declare(name, *callbacks);
        }
        world
    }

    fn declare(&self, name: &str, callbacks: usize) {
        self.env
            .write(&format!("conf/{name}.yaml"), team(name, callbacks));
    }

    fn start(&self, arguments: &[&str]) -> Keeping {
        let base = ["controller", "--listen", "127.0.0.1:0"];
        let running = self.env.start(&[&base, arguments].concat());
        let begin = "Status: http://";
        let address = eventually("it serves", || {
            let said = running.so_far();
            assert!(!said.stderr.contains("error"), "{said}");
            let at = said.stdout.find(begin)? + begin.len();
            let rest = &said.stdout[at..];
            rest.find('/').map(|end| rest[..end].to_owned())
        });
        Keeping { running, address }
    }

    /// Waits until eSign has so many callbacks.
    fn has(&self, callbacks: usize) {
        eventually("eSign is as declared", || {
            (self.served.urls().len() == callbacks).then_some(())
        });
    }
}

impl Keeping {
    /// The status code of an answer, and its body.
    fn send(&self, request: &str, headers: &[String], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let headers = headers.join("\r\n");
        write!(
            stream,
            "{request} HTTP/1.1\r\n{headers}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (code, body.to_owned())
    }

    fn ask(&self, request: &str, body: &Value) -> (u16, Value) {
        let headers = [
            format!("host: {}", self.address),
            format!("authorization: Bearer {TOKEN}"),
        ];
        let (code, body) = self.send(request, &headers, &body.to_string());
        (code, serde_json::from_str(&body).unwrap())
    }

    fn status(&self) -> Value {
        let (code, status) = self.ask("GET /status", &Value::Null);
        assert_eq!(code, 200, "{status}");
        let errors: Vec<_> = schema()
            .iter_errors(&status)
            .map(|it| it.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{status}");
        status
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut(&Value) -> Option<T>) -> T {
        eventually(what, || look(&self.status()))
    }

    /// How many rounds have ended.
    fn rounds(&self) -> u64 {
        let headers = [format!("authorization: Bearer {TOKEN}")];
        let (_, text) = self.send("GET /metrics", &headers, "");
        let begin = "ess_callbacks_rounds_total{";
        let lines = text.lines().filter(|line| line.starts_with(begin));
        let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        counts.sum()
    }

    /// Asks for a round, and waits until it has ended.
    fn reconcile(&self) {
        let before = self.rounds();
        assert_eq!(self.ask("POST /reconcile", &Value::Null).0, 202);
        eventually("a round ends", || (self.rounds() > before).then_some(()));
    }

    /// Waits for the plan that waits, and gives its digest.
    fn waiting(&self) -> String {
        self.until("a plan waits", |status| {
            Some(status["waiting"]["digest"].as_str()?.to_owned())
        })
    }

    fn has_logged(&self, text: &str) -> bool {
        let said = self.running.so_far();
        said.stdout.contains(text) || said.stderr.contains(text)
    }

    /// Waits until the log has this.
    fn logs(&self, text: &str) {
        eventually(text, || self.has_logged(text).then_some(()));
    }

    /// What it printed, after it ended because of SIGTERM.
    fn stop(self) -> String {
        self.running.signal("TERM");
        let said = self.running.wait().exits(0);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(!all.contains("canary"), "{all}");
        all
    }
}

fn messages(status: &Value) -> Vec<String> {
    let problems = status["problems"].as_array().unwrap();
    let message = |problem: &Value| problem["message"].as_str().unwrap().to_owned();
    problems.iter().map(message).collect()
}

#[test]
fn a_directory_is_kept_and_a_broken_file_stops_only_itself() {
    let world = World::new(&[("acme", 2), ("beta", 1)]);
    let keeping = world.start(&[]);
    world.has(3);
    keeping.until("it is ready", |status| {
        (status["ready"] == true && status["phase"] == "idle").then_some(())
    });
    // Half written: what was declared stays, and the other team goes on.
    world.env.write("conf/acme.yaml", "organizations: [");
    world.declare("beta", 3);
    world.has(5);
    let problem = keeping.until("it says so", |status| messages(status).pop());
    assert!(problem.contains("acme.yaml:1"), "{problem}");
    keeping.logs("error: `conf/acme.yaml` is not used");
    // A file that is taken away is a decision, which the guards look at.
    world.declare("acme", 2);
    keeping.until("it is mended", |status| {
        status["problems"].as_array()?.is_empty().then_some(())
    });
    keeping.logs("`conf/acme.yaml` is valid again");
    let all = keeping.stop();
    assert!(all.contains("Stopped."), "{all}");
    world.env.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(world.served.arrived(), 5, "nothing was called twice");
}

#[test]
fn a_file_that_never_was_good_deletes_nothing() {
    let world = World::new(&[("acme", 2), ("beta", 1)]);
    world.env.run(&["apply", "--auto-approve"]).exits(0);
    world.env.write("conf/acme.yaml", "x");
    world.declare("beta", 2);
    let keeping = world.start(&[]);
    world.has(4);
    let status = keeping.status();
    assert_eq!(status["waiting"], Value::Null, "{status}");
    // Nor does a secret that can't be had.
    let secret = team("acme", 1).replace(
        "callbacks: [",
        "callbacks: [{ url: \"https://hooks.acme.example/9\", key: { env: NOT_SET } }, ",
    );
    world.env.write("conf/acme.yaml", secret);
    world.declare("beta", 3);
    world.has(5);
    keeping.until("it says so", |status| {
        let all = messages(status);
        all.iter().any(|one| one.contains("NOT_SET")).then_some(())
    });
    keeping.stop();
}

#[test]
fn a_file_that_never_was_good_holds_up_deletes_alone_and_says_so() {
    let world = World::new(&[("acme", 1), ("beta", 2)]);
    let keeping = world.start(&[]);
    world.has(3);
    world.env.write("conf/new.yaml", "organizations: [");
    keeping.logs("error: `conf/new.yaml` is not used");
    // 2 is replaced by 3, and acme has nothing to delete.
    let other = team("beta", 2).replace("example/2", "example/3");
    world.env.write("conf/beta.yaml", other);
    world.declare("acme", 2);
    world.has(5);
    let status = keeping.until("its deletes wait", |status| {
        let beta = &status["organizations"][1];
        let waits = beta["condition"] == "stalled" && beta["pending"] == 1;
        (waits && status["pending"]["add"] == 0).then(|| status.clone())
    });
    assert_eq!(status["pending"]["delete"], 1);
    assert_eq!(
        status["organizations"][1]["waits_for"],
        json!(["conf/new.yaml"])
    );
    assert_eq!(status["organizations"][0]["condition"], "ready");
    assert_eq!(status["organizations"][0]["waits_for"], json!([]));
    let waits = "Deletes wait for that: beta (1).";
    let advice = status["problems"][0]["advice"].as_str().unwrap();
    assert!(advice.ends_with(waits), "{status}");
    keeping.logs(waits);
    let token = format!("authorization: Bearer {TOKEN}");
    let (_, page) = keeping.send("GET /", &[token], "");
    assert!(page.contains(waits), "{page}");
    std::fs::remove_file(world.env.path("conf/new.yaml")).unwrap();
    world.has(4);
    keeping.until("nothing waits", |status| {
        let beta = &status["organizations"][1];
        (beta["condition"] == "ready" && beta["waits_for"] == json!([])).then_some(())
    });
    assert_eq!(world.served.operations(&url("beta", 2)).len(), 2);
    keeping.stop();
}

#[test]
fn a_file_that_is_away_is_not_removed_and_a_refused_team_stops_no_other() {
    let world = World::new(&[("acme", 4), ("beta", 1)]);
    let keeping = world.start(&[]);
    world.has(5);
    // A link that leads nowhere, as when a volume is not mounted.
    std::fs::remove_file(world.env.path("conf/beta.yaml")).unwrap();
    std::os::unix::fs::symlink("/nowhere/beta.yaml", world.env.path("conf/beta.yaml")).unwrap();
    world.declare("acme", 5);
    world.has(6);
    let problem = keeping.until("it says so", |status| messages(status).pop());
    assert!(
        problem.contains("beta.yaml") && problem.contains("can't be read"),
        "{problem}"
    );
    let said = world.env.run(&["plan"]).exits(1);
    assert!(said.stderr.contains("beta.yaml"), "{said}");
    std::fs::remove_file(world.env.path("conf/beta.yaml")).unwrap();
    // The deletes of acme wait; beta goes on.
    world.declare("acme", 1);
    world.declare("beta", 2);
    world.has(7);
    keeping.waiting();
    let status = keeping.until("beta is ready", |status| {
        let beta = &status["organizations"][1];
        (beta["condition"] == "ready" && beta["assumed"] == 2).then(|| status.clone())
    });
    assert_eq!(status["organizations"][0]["condition"], "stalled");
    assert_eq!(status["waiting"]["deletes"], 4);
    // What is recorded for beta meanwhile does not change what waits.
    let at_rest = |callbacks: u64| {
        keeping.until("nothing else is to be done", |status| {
            let rests = status["phase"] == "idle" && status["pending"]["add"] == 0;
            let is_there = status["callbacks"]["assumed"] == callbacks;
            let digest = status["waiting"]["digest"].as_str()?.to_owned();
            (rests && is_there).then_some(digest)
        })
    };
    let digest = at_rest(7);
    world.declare("beta", 3);
    assert_eq!(at_rest(8), digest);
    let (code, answer) = keeping.ask("POST /approve", &json!({ "digest": digest }));
    assert_eq!(code, 202, "{answer}");
    world.has(4);
    keeping.stop();
}

#[test]
fn who_does_not_read_its_output_holds_up_nothing() {
    let world = World::new(&[("acme", 900)]);
    let mut command = world
        .env
        .command(&["controller", "--listen", "127.0.0.1:0", "--rate", "0"]);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = command
        .stdout(writer)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    world.has(900);
    let kill = format!("kill -TERM {}", child.id());
    std::process::Command::new("sh")
        .args(["-c", &kill])
        .status()
        .unwrap();
    assert!(child.wait().unwrap().success());
    drop(reader);
}

#[test]
fn what_guards_refuse_waits_for_the_approval_of_exactly_these_calls() {
    let world = World::new(&[("acme", 4)]);
    let keeping = world.start(&[]);
    world.has(4);
    world.declare("acme", 1);
    let digest = keeping.waiting();
    let status = keeping.status();
    assert_eq!(status["waiting"]["deletes"], 3, "{status}");
    assert_eq!(status["organizations"][0]["condition"], "stalled");
    let why = keeping.until("it says why", |status| messages(status).pop());
    assert!(why.contains("3 of its 4"), "{why}");
    let approve = |digest: &str| keeping.ask("POST /approve", &json!({ "digest": digest }));
    let (code, answer) = approve("sha256:00");
    assert_eq!(code, 409, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains(&digest));
    let token = format!("authorization: Bearer {TOKEN}");
    let (_, page) = keeping.send("GET /", &[token], "");
    assert!(
        page.contains("leaves them out. If that is meant, approve the plan."),
        "{page}"
    );
    assert!(
        !page.contains("--allow-deletes") && !page.contains("callbacks.yaml"),
        "{page}"
    );
    // Another plan with as many deletes is not the one that was approved.
    world.env.write(
        "conf/acme.yaml",
        team("acme", 1).replace("example/1", "example/2"),
    );
    let other = keeping.until("the plan is another one", |status| {
        let now = status["waiting"]["digest"].as_str()?;
        (now != digest).then(|| now.to_owned())
    });
    assert_eq!(approve(&digest).0, 409);
    assert_eq!(approve(&other).0, 202);
    world.has(1);
    assert_eq!(world.served.urls(), [url("acme", 2)]);
    keeping.until("nothing waits", |status| {
        status["waiting"].is_null().then_some(())
    });
    assert_eq!(approve(&other).0, 409, "an approval counts once");
    keeping.stop();
}

#[test]
fn with_the_policy_approve_each_plan_waits() {
    let world = World::new(&[("acme", 1)]);
    let keeping = world.start(&["--policy", "approve"]);
    let digest = keeping.waiting();
    assert_eq!(world.served.arrived(), 0);
    // What waits can be reviewed, before it is approved, where it is announced.
    let address = format!("acme/{}", url("acme", 1));
    let status = keeping.status();
    assert_eq!(
        status["waiting"]["changes"],
        json!([{ "action": "add", "address": address }])
    );
    keeping.logs(&format!("  add {address}"));
    keeping.logs(&format!(
        "http://{}/approve -d '{{\"digest\":\"{digest}\"}}'",
        keeping.address
    ));
    let approve = |digest: &str| keeping.ask("POST /approve", &json!({ "digest": digest }));
    let (code, answer) = approve(&digest[..40]);
    assert_eq!(code, 409, "{answer}");
    assert!(
        answer["advice"].as_str().unwrap().contains("cut"),
        "{answer}"
    );
    let (code, _) = approve(&digest);
    assert_eq!(code, 202);
    world.has(1);
    let log = keeping.stop();
    assert!(log.contains(&format!("Plan {digest} approved")), "{log}");
    for line in log.lines().filter(|line| !line.is_empty()) {
        let time = line.get(..9).unwrap_or_default();
        assert!(
            time.ends_with(' ') && time.matches(':').count() == 2,
            "{line}"
        );
    }
}

#[test]
fn all_that_is_wrong_is_said_with_help_and_without_repetition() {
    let world = World::new(&[("acme", 1)]);
    let secrets = ["ONE", "TWO"].map(|name| {
        format!("{{ url: \"https://hooks.acme.example/{name}\", key: {{ env: {name}_NOT_SET }} }}")
    });
    world.env.write(
        "conf/acme.yaml",
        team("acme", 1).replace(
            "callbacks: [",
            &format!("callbacks: [{}, ", secrets.join(", ")),
        ),
    );
    let keeping = world.start(&[]);
    let problem = keeping.until("it says so", |status| status["problems"].get(0).cloned());
    let all = problem.to_string();
    assert!(
        all.contains("ONE_NOT_SET") && all.contains("TWO_NOT_SET"),
        "{all}"
    );
    assert!(all.contains("restart the controller"), "{all}");
    assert_eq!(keeping.status()["problems"].as_array().unwrap().len(), 1);
    world.env.write(
        "conf/acme.yaml",
        team("acme", 1).replace("callbacks", "calbacks"),
    );
    let problem = keeping.until("it says another thing", |status| {
        let problem = status["problems"].get(0)?;
        problem["message"]
            .as_str()?
            .contains("calbacks")
            .then(|| problem.clone())
    });
    let details = problem["details"].to_string();
    assert!(details.contains("help: "), "{problem}");
    keeping.stop();
}
