//! A controller while another run has the state's lock.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{World, url};
use crate::support::eventually;

/// The plan on a half applied state is of no use to anyone.
#[test]
fn what_guards_say_in_the_middle_of_anothers_run_is_not_said() {
    let world = World::new(&[("acme", 60), ("beta", 1)]);
    let arguments = ["--rate", "0"];
    let (one, other) = (world.start(&arguments), world.start(&arguments));
    world.has(61);
    other.reconcile();
    one.reconcile();
    world.declare("acme", 10);
    let digest = one.waiting();
    assert_eq!(other.waiting(), digest);
    let first = world.served.arrived();
    world.served.faults("slow@3s=20%", "");
    let (code, answer) = one.ask("POST /approve", &json!({ "digest": digest }));
    assert_eq!(code, 202, "{answer}");
    world.served.wait_for(first + 10);
    let mut seen = BTreeSet::new();
    eventually("it is applied", || {
        other.ask("POST /reconcile", &Value::Null);
        let status = other.status();
        let waiting = status["waiting"]["digest"].as_str().map(str::to_owned);
        let is_over = waiting.is_none();
        seen.extend(waiting);
        is_over.then_some(())
    });
    assert_eq!(seen, BTreeSet::from([digest]));
    world.has(11);
    one.stop();
    let log = other.stop();
    assert_eq!(
        log.matches("approve exactly these calls").count(),
        1,
        "{log}"
    );
    assert_eq!(log.matches("No plan waits any more").count(), 1, "{log}");
}

#[test]
fn what_happens_while_another_run_hangs_is_noticed_and_the_run_is_named() {
    let world = World::new(&[("acme", 1), ("beta", 0)]);
    let keeping = world.start(&[]);
    world.has(1);
    keeping.reconcile();
    world.served.faults("slow=600s", "");
    world.declare("beta", 1);
    let arguments = [
        "apply",
        "--auto-approve",
        "--target",
        "beta",
        "--lock-timeout",
        "1m",
    ];
    let apply = world.env.start(&arguments);
    world.served.wait_for(2);
    world.declare("acme", 2);
    keeping.until("it waits for the lock", |status| {
        (status["phase"] == "waiting_for_lock").then_some(())
    });
    world.env.write("conf/new.yaml", "organizations: [");
    keeping.logs("error: `conf/new.yaml` is not used");
    keeping.logs("Waiting for another run, which has the state's lock: ");
    let status = keeping.status();
    assert_eq!(status["phase"], "waiting_for_lock", "{status}");
    assert!(status["lock_holder"].as_str().unwrap().contains("apply"));
    world.served.faults("", "");
    apply.kill();
    eventually("it goes on", || {
        world.served.urls().contains(&url("acme", 2)).then_some(())
    });
    let log = keeping.stop();
    assert_eq!(log.matches("Waiting for another run").count(), 1, "{log}");
    assert!(log.contains("No other run is waited for any more"), "{log}");
}

/// What was approved and does not wait any more may wait again, for somebody else's reasons.
#[test]
fn an_approval_ends_when_its_plan_waits_no_more() {
    let world = World::new(&[("acme", 4), ("beta", 0)]);
    let keeping = world.start(&[]);
    world.has(4);
    keeping.reconcile();
    world.declare("acme", 1);
    let digest = keeping.waiting();
    world.served.faults("slow=600s", "");
    world.declare("beta", 1);
    let first = world.served.arrived();
    let arguments = ["apply", "--auto-approve", "--target", "beta"];
    let apply = world.env.start(&arguments);
    world.served.wait_for(first + 1);
    let (code, answer) = keeping.ask("POST /approve", &json!({ "digest": digest }));
    assert_eq!(code, 202, "{answer}");
    keeping.logs("Waiting for another run, which has the state's lock: ");
    world.declare("acme", 4);
    keeping.logs("was not applied; approve it again if it waits");
    world.declare("acme", 1);
    world.served.faults("", "");
    apply.kill();
    keeping.until("it waits for an approval again", |status| {
        let waits = status["waiting"]["digest"].is_string();
        (waits && status["phase"] == "idle").then_some(())
    });
    assert!(world.served.urls().len() >= 4);
    keeping.stop();
}
