//! The runs of `rotate`: their options, and a state on a server.

use crate::support::{KEY, OTHER_KEY, Postgres, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWIN: &str = "https://hooks.example/one?esign-rotation=09";

/// Seconds after which a lost call is dead for sure.
const DEAD: i64 = 336;

/// The callback is there with the other key; then the key changes.
fn changed(state: Option<&str>) -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    if let Some(state) = state {
        env.set("ESS_CALLBACKS_STATE", state);
    }
    env.set("KEY", OTHER_KEY);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.set("KEY", KEY);
    (env, served)
}

fn rotate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["rotate", "acme", "--auto-approve", "--no-verify"], more].concat()
}

#[test]
fn events_and_metrics_go_into_files_and_nothing_is_printed() {
    let (env, served) = changed(None);
    let into = [
        "--json-into",
        "e.jsonl",
        "--metrics-file",
        "m.prom",
        "--quiet",
    ];
    let said = env.run(&rotate(&into)).exits(0);
    assert_eq!((said.out(), said.err()), (String::new(), String::new()));
    let events = env.read("e.jsonl");
    assert_eq!(events.matches("\"apply_complete\"").count(), 3, "{events}");
    assert!(events.contains("Rotation complete!"), "{events}");
    let metrics = env.read("m.prom");
    assert!(
        metrics.contains("last_run_exit_code{environment=\"test\"} 0"),
        "{metrics}"
    );

    // What is not complete is printed all the same.
    let mut env = env;
    env.set("KEY", OTHER_KEY);
    served.faults("lost-before=1", "");
    let quiet = ["--metrics-file", "m.prom", "--quiet", "--max-retries", "0"];
    let said = env.run(&rotate(&quiet)).exits(4);
    assert!(said.stderr.contains("Rotation incomplete!"), "{said}");
    assert!(
        env.read("m.prom")
            .contains("last_run_exit_code{environment=\"test\"} 4")
    );
}

/// Without waiting, what a lost call could undo is left for the next run, and the twin stays.
#[test]
fn without_waiting_the_twin_stays_while_a_lost_call_may_arrive() {
    let (env, served) = changed(None);
    served.faults("lost-after=1", "");
    env.run(&rotate(&["--max-retries", "0"])).exits(4);
    served.faults("", "");
    let said = env.run(&rotate(&["--no-wait"])).exits(4);
    assert!(said.stderr.contains("Rotation incomplete!"), "{said}");
    assert_eq!(served.urls(), [ONE, TWIN]);
    assert_eq!(served.operations(ONE), ["add", "delete", "add"]);
    served.skew(DEAD);
    env.run(&rotate(&["--no-wait"])).exits(0);
    assert_eq!(served.urls(), [ONE]);
}

#[test]
fn a_rotation_with_the_state_on_a_server() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (mut env, served) = changed(Some(&postgres.address("x")));
    env.run(&rotate(&[])).exits(0);
    assert_eq!(served.urls(), [ONE]);
    assert_eq!(served.operations(TWIN), ["add", "delete"]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);

    // One that is interrupted between its calls goes on, with the twin that the state knows.
    env.set("KEY", OTHER_KEY);
    let twin = "https://hooks.example/twin";
    served.faults("lost-after=1", "");
    env.run(&rotate(&["--twin", twin, "--max-retries", "0"]))
        .exits(4);
    served.faults("", "");
    served.skew(DEAD);
    let listed = env.run(&["state", "pull"]).exits(0);
    assert!(listed.stdout.contains("\"twins\": ["), "{listed}");
    env.run(&rotate(&[])).exits(0);
    assert_eq!(served.urls(), [ONE]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}
