//! The JSON Schemas in docs/ are those of what the program prints: every kind of event, and plans.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ess_callbacks::model::{
    AccountName, Action, Address, ApiError, CallbackUrl, Calls, Drift, Event, Handle,
    HowUnfinished, NotAttempted, Report, RequestId, Timestamp, Unfinished,
};
use ess_callbacks::receiver::{Receiver, Rejection, Secrets, receipt_schema};
use ess_callbacks::render::{
    Delivery, Outcome, Reception, event_json, reception_json, report_json,
};
use serde_json::Value;

use crate::support::{OTHER_KEY, TestEnv, configuration};

const NOW: Timestamp = Timestamp(1_795_435_200);

fn schema(name: &str) -> (Value, jsonschema::Validator) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    (schema, validator)
}

#[track_caller]
fn check(validator: &jsonschema::Validator, value: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{}\n{value:#}", errors.join("\n"));
}

fn address() -> Address {
    Address {
        handle: Handle::new("acme"),
        url: CallbackUrl::new("https://hooks.example/one"),
    }
}

fn error() -> ApiError {
    ApiError {
        code: None,
        message: "no answer".to_owned(),
        request_id: None,
        meaning: "it was lost".into(),
        advice: "try again".into(),
    }
}

/// The same callback with another handle, operator and protection.
fn other_record(url: &str) -> String {
    configuration(&[("renamed", &[url])])
        .replace("defaults: { operator: ", "defaults: { operator: other")
        .replace("key:", "protect: true, key:")
}

/// What an apply can tell; the ends of a run come from the program itself.
fn events() -> Vec<Event> {
    let (address, error) = (address, error);
    let account = AccountName::default_account;
    let (action, calls) = (Action::Replace, Calls::Replace);
    let mut all = vec![
        Event::Started {
            address: address(),
            action,
            calls,
        },
        Event::Completed {
            address: address(),
            action,
            calls,
            request_id: RequestId::new("r"),
            elapsed_ms: 1,
            was_there: false,
        },
        Event::Completed {
            address: address(),
            action: Action::Add,
            calls: Calls::Add,
            request_id: RequestId::new("r"),
            elapsed_ms: 1,
            was_there: true,
        },
        Event::Failed {
            address: address(),
            action,
            error: error(),
        },
        Event::Unknown {
            address: address(),
            action,
            error: error(),
        },
        Event::Retrying {
            address: address(),
            error: error(),
            attempt: 1,
            delay_ms: 2,
        },
        Event::Throttled {
            account: account(),
            rate_per_minute: 600,
        },
        Event::FenceWait {
            address: address(),
            until: NOW,
            seconds: 9,
        },
        Event::Drifted {
            address: address(),
            drift: Drift::WasGone,
        },
        Event::Drifted {
            address: address(),
            drift: Drift::NeverConfirmed,
        },
        Event::Drifted {
            address: address(),
            drift: Drift::WasThere,
        },
        Event::ClockOffset {
            account: account(),
            seconds: -75,
        },
        Event::AccountStopped {
            account: account(),
            error: error(),
        },
        Event::Interrupted { in_flight: 3 },
    ];
    all.extend(reasons().map(|why| Event::NotAttempted {
        address: address(),
        action,
        why,
    }));
    all
}

fn reasons() -> impl Iterator<Item = NotAttempted> {
    [
        NotAttempted::AccountStopped(AccountName::default_account()),
        NotAttempted::OrganizationStopped,
        NotAttempted::AddsFailed,
        NotAttempted::Unverified,
        NotAttempted::Interrupted,
        NotAttempted::Fenced(NOW),
        NotAttempted::JournalFailed,
    ]
    .into_iter()
}

fn report() -> Report {
    let left = |how| Unfinished {
        address: address(),
        action: Action::Add,
        how,
    };
    let mut unfinished = vec![
        left(HowUnfinished::Failed(error())),
        left(HowUnfinished::Unknown(error())),
    ];
    unfinished.extend(reasons().map(|why| left(HowUnfinished::NotAttempted(why))));
    Report {
        unfinished,
        drifted: vec![(address(), Drift::WasGone)],
        were_there: vec![address()],
        journal_error: Some("the disk is full".to_owned()),
        ..Report::default()
    }
}

/// What `listen` tells of each outcome.
fn receptions() -> Vec<Reception> {
    let receiver = Receiver::new(Secrets::new(None, None).unwrap());
    let delivered = |body: &str, delivery| Outcome::Accepted {
        opened: receiver.open([], body.as_bytes()).unwrap(),
        older: false,
        delivery,
        personal: false,
    };
    let accepted = |body: &str| delivered(body, Delivery::Again(1));
    let outcomes = [
        accepted("{}"),
        accepted(r#"{"encrypt":"62KE4r5Wz0yHzEpMOwVRbM1KV0"}"#),
        accepted(r#"{"MsgId":"m","MsgType":"X","MsgVersion":"CustomApp","MsgData":{}}"#),
        accepted(r#"{"FlowId":"f"}"#),
        delivered(r#"{"FlowId":"f"}"#, Delivery::Differs(1)),
        delivered(r#"{"FlowId":"f"}"#, Delivery::First),
        Outcome::Rejected(Rejection::WrongKey),
        Outcome::Refused("no such path".to_owned()),
    ];
    let reception = |outcome| Reception {
        number: 1,
        at: NOW,
        method: "POST".to_owned(),
        path: "/".to_owned(),
        url: Some(address().url),
        addresses: vec![address()],
        outcome,
        status: 200,
        note: Some("a note".to_owned()),
    };
    outcomes.into_iter().map(reception).collect()
}

#[test]
fn the_schema_of_receipts_is_that_of_their_type() {
    let (schema, validator) = schema("receipt.schema.json");
    assert_eq!(schema, receipt_schema(), "{:#}", receipt_schema());
    for (line, valid) in [
        (
            r#"{"received_at":"2026-11-26T20:31:12Z","url":"https://a.example/","body":"{}"}"#,
            true,
        ),
        (
            r#"{"received_at":"2026-11-26T20:31:12+08:00","url":"u","body":"","content_signature":"","status":"200"}"#,
            true,
        ),
        (r#"{"received_at":"2026-11-26T20:31:12Z","url":"u"}"#, false),
        (
            r#"{"received_at":"2026-11-26T20:31:12Z","url":"u","body":{}}"#,
            false,
        ),
    ] {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(validator.is_valid(&value), valid, "{line}");
        assert_eq!(
            ess_callbacks::receiver::Receipt::parse(line).is_ok(),
            valid,
            "{line}"
        );
    }
}

#[test]
fn every_kind_of_event_is_as_its_schema_says() {
    let (schema, validator) = schema("events.schema.json");
    let mut lines: Vec<String> = events()
        .iter()
        .map(|event| event_json(event, NOW))
        .collect();
    lines.push(report_json(&report(), NOW));
    lines.extend(receptions().iter().map(reception_json));

    // The rest from the program: version, log, diagnostic, and the lines of a plan.
    let url = "https://hooks.example/one";
    let mut env = TestEnv::new(&configuration(&[("acme", &[url])]));
    for arguments in [
        &["--json", "validate"][..],
        &["--json", "--sandbox", "apply", "--auto-approve"],
        &["--json", "--sandbox", "plan", "--heal"],
        &["--json", "--sandbox", "plan", "--destroy"],
        &["--json", "--sandbox", "plan", "--replace", "acme/*"],
    ] {
        lines.extend(env.run(arguments).stdout.lines().map(str::to_owned));
    }
    env.set("KEY", OTHER_KEY);
    lines.extend(
        env.run(&["--json", "--sandbox", "plan"])
            .exits(0)
            .stdout
            .lines()
            .map(str::to_owned),
    );
    let renamed = configuration(&[("acme", &[url])])
        .replace(
            "organizations:",
            "accounts: { main: { formerly: default } }\norganizations:",
        )
        .replace("callbacks:", "account: main\n    callbacks:");
    env.write("callbacks.yaml", &renamed);
    let moved = env.run(&["--json", "--sandbox", "plan"]).exits(0).stdout;
    lines.extend(moved.lines().map(str::to_owned));
    env.write("callbacks.yaml", other_record(url));
    let recorded = env.run(&["--json", "--sandbox", "plan"]).exits(0).stdout;
    lines.extend(recorded.lines().map(str::to_owned));
    env.write("callbacks.yaml", "version: 1\nkye: 2\n");
    lines.extend(
        env.run(&["--json", "validate"])
            .exits(1)
            .stdout
            .lines()
            .map(str::to_owned),
    );

    let mut seen = BTreeSet::new();
    for line in lines {
        let event: Value = serde_json::from_str(&line).unwrap();
        check(&validator, &event);
        seen.insert(event["type"].as_str().unwrap().to_owned());
        let mut bad = event;
        bad["type"] = "frobnicated".into();
        assert!(!validator.is_valid(&bad), "{bad}");
    }
    let known = schema["properties"]["type"]["enum"].as_array().unwrap();
    let known: BTreeSet<String> = known
        .iter()
        .map(|kind| kind.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(seen, known, "each kind is told, and each is in the schema");
}

#[test]
fn plans_are_as_their_schema_says() {
    let (_, validator) = schema("plan.schema.json");
    let (one, two) = ("https://hooks.example/one", "https://hooks.example/two");
    let mut env = TestEnv::new(&configuration(&[("acme", &[one, two])]));
    let plan = |env: &TestEnv, flags: &[&str]| {
        let base = ["--sandbox", "plan", "--format", "json"];
        let said = env.run(&[&base, flags].concat());
        let value: Value = serde_json::from_str(&said.stdout).unwrap();
        check(&validator, &value);
        value
    };
    plan(&env, &[]);
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    plan(&env, &["--heal"]);
    plan(&env, &["--no-secrets"]);
    assert_ne!(plan(&env, &["--destroy"])["tripped"], serde_json::json!([]));
    plan(&env, &["--destroy", "--allow-deletes", "1"]);
    env.set("KEY", OTHER_KEY);
    plan(&env, &[]);
    env.write("callbacks.yaml", configuration(&[("renamed", &[one])]));
    let renamed = plan(&env, &[]);
    let mut bad = renamed;
    bad["changes"][0]["actions"] = serde_json::json!(["add", "delete"]);
    assert!(!validator.is_valid(&bad));
    env.write("callbacks.yaml", other_record(one));
    let record = plan(&env, &[]);
    let mut bad = record;
    bad["bookkeeping"][0]["before"] = "acme".into();
    assert!(!validator.is_valid(&bad));
    env.write("callbacks.yaml", "version: 2");
    let mut errored = plan(&env, &[]);
    errored["errored"] = false.into();
    assert!(!validator.is_valid(&errored), "a plan has more");
}
