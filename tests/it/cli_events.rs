//! `--json` and `--json-into`: one event a line, in order.

use serde_json::Value;

use crate::support::{Said, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";

fn types(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap_or("none"))
        .collect()
}

#[track_caller]
fn well_formed(said: &Said) -> Vec<Value> {
    let events = said.events();
    for event in &events {
        for field in ["@level", "@message", "@timestamp", "type"] {
            assert!(event[field].is_string(), "{field}: {event}");
        }
    }
    assert_eq!(said.err(), "", "events say it all");
    events
}

#[test]
fn an_apply_tells_its_events_in_order() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&[]);
    let said = env.run(&["--json", "apply", "--auto-approve"]).exits(0);
    let events = well_formed(&said);
    assert_eq!(
        types(&events),
        [
            "version",
            "planned_change",
            "change_summary",
            "apply_start",
            "apply_complete",
            "change_summary",
            "apply_report"
        ]
    );
    assert_eq!(events[3]["hook"]["resource"]["addr"], format!("acme/{ONE}"));
    assert_eq!(events[4]["hook"]["action"], "add");
    assert!(events[4]["hook"]["request_id"].is_string());
    assert_eq!(events[5]["changes"]["operation"], "apply");
    assert_eq!(events[5]["changes"]["add"], 1);
}

#[test]
fn a_failure_is_an_event_too() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.unset("KEY");
    let said = env.run(&["--json", "plan"]).exits(1);
    let events = well_formed(&said);
    assert_eq!(types(&events), ["version", "diagnostic", "diagnostic"]);
    assert_eq!(events[1]["diagnostic"]["code"], "E053");
    assert_eq!(events[1]["@level"], "error");
    let said = env.run(&["--json", "state", "list"]).exits(1);
    assert_eq!(types(&well_formed(&said)), ["version", "diagnostic"]);
}

#[test]
fn throttling_retries_and_lost_calls_are_events() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&["--script", "throttle,lost-before"]);
    let said = env.run(&["--json", "apply", "--auto-approve"]).exits(0);
    let events = well_formed(&said);
    let kinds = types(&events);
    assert!(
        kinds.contains(&"throttled") && kinds.contains(&"retry"),
        "{kinds:?}"
    );

    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&["--fault", "lost-after=1"]);
    let said = env
        .run(&["--json", "apply", "--auto-approve", "--max-retries", "0"])
        .exits(4);
    let events = well_formed(&said);
    assert!(
        types(&events).contains(&"apply_unknown"),
        "{:?}",
        types(&events)
    );
}

#[test]
fn events_go_to_a_file_beside_the_text() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&[]);
    let flags = ["apply", "--auto-approve", "--json-into", "events.jsonl"];
    let said = env.run(&flags).exits(0);
    assert!(said.stdout.contains("Apply complete!"), "{said}");
    let text = env.read("events.jsonl");
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds = types(&events);
    assert_eq!(kinds.first(), Some(&"version"));
    assert!(kinds.contains(&"apply_complete"), "{kinds:?}");
    let said = env
        .run(&["apply", "--auto-approve", "--json-into", "no/such/file"])
        .exits(1);
    assert!(said.stderr.contains("no/such/file"), "{said}");
}

#[test]
fn json_is_all_there_is_on_both_streams() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&[]);
    for (arguments, kinds) in [
        (&["validate"][..], &["version", "log"][..]),
        (&["import", "--all"], &["version", "log"]),
        (&["state", "list"], &["data"]),
        (&["state", "show", "acme/*"], &["data"]),
        (&["show"], &["data"]),
        (&["show", "--format", "json"], &["data"]),
        (&["state", "mv", "acme/*", "acme"], &["version", "log"]),
        (&["state", "rm", "acme/*"], &["version", "log"]),
        (
            &["plan", "--out", "plan.json"],
            &["version", "planned_change", "change_summary"],
        ),
        (
            &["show", "plan.json"],
            &["version", "planned_change", "change_summary"],
        ),
        (&["unlock", "0123"], &["version", "diagnostic"]),
        (&["apply"], &["version", "diagnostic"]),
        (&["schema"], &["data"]),
    ] {
        let said = env.run(&[&["--json"], arguments].concat());
        assert_eq!(said.err(), "", "{arguments:?}");
        let values = serde_json::Deserializer::from_str(&said.stdout).into_iter::<Value>();
        let values: Vec<Value> = values.map(|value| value.unwrap()).collect();
        let found: Vec<&str> = values
            .iter()
            .map(|value| value["type"].as_str().unwrap_or("data"))
            .collect();
        // The schema has a separate type for it.
        let found = if arguments == ["schema"] {
            vec!["data"; found.len()]
        } else {
            found
        };
        assert_eq!(found, kinds, "{arguments:?}");
    }
}

/// The last event of a file that `--json-into` wrote.
#[track_caller]
fn last(env: &TestEnv, name: &str) -> Value {
    let text = env.read(name);
    let line = text.lines().last().unwrap();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Whatever ends a run before a call, the events end with it, and the text is there as well.
#[test]
fn a_run_that_ends_early_says_so_in_its_events() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    env.run(&["plan", "--out", "old.json"]).exits(0);
    let into = ["--auto-approve", "--json-into", "events.jsonl"];
    let apply = |env: &TestEnv, arguments: &[&str], code: i32| {
        let said = env
            .run(&[&["apply"], arguments, &into].concat())
            .exits(code);
        let last = last(env, "events.jsonl");
        assert_eq!(last["type"], "diagnostic", "{last}");
        assert_eq!(last["exit_code"], code, "{last}");
        let message = last["diagnostic"]["message"].as_str().unwrap();
        // Wrapped to the terminal's width, or not.
        let told = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let all = told(&format!("{} {}", said.stdout, said.stderr));
        assert!(
            all.contains(told(message).split(": ").next().unwrap()),
            "{message}\n{said}"
        );
        last
    };
    env.run(&["apply", "--auto-approve"]).exits(0);
    let refused = apply(&env, &["--destroy"], 5);
    let help = refused["diagnostic"]["help"].as_str().unwrap();
    assert!(
        help.ends_with("say how many: --allow-deletes 1"),
        "{refused}"
    );
    apply(&env, &["old.json"], 7);
    apply(
        &env,
        &[
            "--heal",
            "--expect-digest",
            &format!("sha256:{}", "0".repeat(64)),
        ],
        7,
    );
    apply(&env, &["missing.json"], 1);
    apply(&env, &["--max-calls", "3"], 64);
    env.unset("KEY");
    apply(&env, &["--heal"], 1);
    assert_eq!(served.arrived(), 1, "only the first one called");
    // The same on standard output.
    let said = env
        .run(&["--json", "plan", "--destroy", "--no-secrets"])
        .exits(5);
    assert_eq!(well_formed(&said).last().unwrap()["exit_code"], 5, "{said}");
}

#[test]
fn the_events_of_a_plan_have_its_digest() {
    let env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let events = well_formed(&env.run(&["--json", "plan"]).exits(0));
    let summary = events.last().unwrap();
    let digest = summary["digest"].as_str().unwrap();
    let page = env.run(&["plan", "--format", "markdown"]).exits(0);
    assert!(page.stdout.contains(digest), "{page}");
}
