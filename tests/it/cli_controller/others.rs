//! A controller beside others that use the same state: replicas, and who runs `apply`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Keeping, World, team, url};
use crate::examples::receiver::Receiver;
use crate::support::eventually;

#[test]
fn a_suspension_is_in_the_state_and_holds_for_all_replicas() {
    let world = World::new(&[("acme", 1)]);
    let (one, other) = (world.start(&[]), world.start(&[]));
    world.has(1);
    // Who has never seen the files in force is careful with others.
    other.reconcile();
    one.reconcile();
    let suspend = json!({ "reason": "eSign moves", "for": "2h" });
    for wrong in [
        json!({ "reason": "x" }),
        json!({ "reason": " ", "for": "2h" }),
        json!({ "reason": "x", "for": "soon" }),
        json!({ "reason": "x", "until": "2020-01-01T00:00:00Z" }),
        json!({ "reason": "x", "for": "2h", "by": "me" }),
    ] {
        let (code, answer) = one.ask("POST /suspend", &wrong);
        assert_eq!(code, 400, "{wrong} {answer}");
    }
    let (code, answer) = one.ask("POST /suspend", &suspend);
    assert_eq!(code, 200, "{answer}");
    world.declare("acme", 2);
    for keeping in [&one, &other] {
        keeping.until("it sees the suspension and the change", |status| {
            let seen = status["suspended"]["reason"] == "eSign moves";
            (seen && status["pending"]["add"] == 1).then_some(())
        });
    }
    assert_eq!(world.served.urls().len(), 1);
    // Who runs apply is not held up.
    world.env.run(&["apply", "--auto-approve"]).exits(0);
    world.declare("acme", 3);
    assert_eq!(other.ask("POST /resume", &Value::Null).0, 200);
    world.has(3);
    assert_eq!(one.ask("POST /reconcile", &Value::Null).0, 202);
    one.logs(" Resumed\n");
    let seen = one.stop();
    assert!(seen.contains("(eSign moves), by POST /suspend"), "{seen}");
    let seen = other.stop();
    assert!(seen.contains("(eSign moves)\n"), "{seen}");
    assert!(seen.contains("Resumed, by POST /resume"), "{seen}");
}

#[test]
fn what_is_only_noted_makes_no_saved_plan_stale() {
    let world = World::new(&[("acme", 1)]);
    let keeping = world.start(&[]);
    world.has(1);
    keeping.reconcile();
    let suspend = |reason: &str| {
        let (code, answer) =
            keeping.ask("POST /suspend", &json!({ "reason": reason, "for": "2h" }));
        assert_eq!(code, 200, "{answer}");
    };
    suspend("eSign moves");
    world.declare("acme", 2);
    world.env.run(&["plan", "--out", "plan.json"]).exits(0);
    suspend("eSign still moves");
    assert!(world.env.read("state.json").contains("\"notes_after\""));
    world.env.run(&["apply", "plan.json"]).exits(0);
    world.has(2);
    world.env.run(&["apply", "plan.json"]).exits(7);
    suspend("eSign moves again");
    keeping.stop();
    // The new place knows nothing of plans that were made from the old one.
    world.env.run(&["state", "migrate", "moved.json"]).exits(0);
    assert!(!world.env.read("moved.json").contains("\"notes_after\""));
}

#[test]
fn an_approval_is_not_kept_until_a_suspension_ends() {
    let world = World::new(&[("acme", 4)]);
    let (one, other) = (world.start(&[]), world.start(&[]));
    world.has(4);
    // Who has never seen the files in force is careful with others.
    other.reconcile();
    one.reconcile();
    world.declare("acme", 1);
    let digest = one.waiting();
    assert_eq!(other.waiting(), digest);
    let suspend = json!({ "reason": "eSign moves", "for": "2h" });
    assert_eq!(one.ask("POST /suspend", &suspend).0, 200);
    // The other one has no reason to look at the state before it is asked.
    let approve = || other.ask("POST /approve", &json!({ "digest": digest }));
    let (code, answer) = approve();
    assert_eq!(code, 409, "{answer}");
    assert_eq!(one.ask("POST /resume", &Value::Null).0, 200);
    other.reconcile();
    assert_eq!(world.served.urls().len(), 4);
    assert_eq!(approve().0, 202);
    world.has(1);
    let log = one.stop();
    assert!(log.contains("(eSign moves), by POST /suspend"), "{log}");
    assert!(log.contains("Resumed, by POST /resume"), "{log}");
    other.stop();
}

#[test]
fn a_replica_takes_over_what_another_left() {
    let world = World::new(&[("acme", 40)]);
    world.served.faults("slow=100ms", "");
    let first = world.start(&[]);
    let second = world.start(&[]);
    world.served.wait_for(5);
    // One of them has the lock, and its calls are on their way.
    let holder = |keeping: &Keeping| keeping.status()["phase"] == "working";
    let (killed, left) = if holder(&first) {
        (first, second)
    } else {
        (second, first)
    };
    killed.running.kill();
    world.has(40);
    left.until("it is done", |status| {
        (status["pending"]["add"] == 0 && status["phase"] == "idle").then_some(())
    });
    left.stop();
    world.env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn what_was_planned_before_another_run_is_not_made_when_the_files_have_changed() {
    let world = World::new(&[("acme", 1), ("beta", 0)]);
    let keeping = world.start(&[]);
    world.has(1);
    world.served.faults("slow=3s", "");
    // Somebody's apply has the lock for a while, and the controller waits with a plan.
    world.declare("beta", 1);
    let apply = world.env.start(&[
        "apply",
        "--auto-approve",
        "--target",
        "beta",
        "--lock-timeout",
        "1m",
    ]);
    world.served.wait_for(2);
    world.declare("acme", 2);
    keeping.until("it waits for the lock", |status| {
        let holder = status["lock_holder"].as_str();
        let names = holder.is_some_and(|holder| holder.contains("apply"));
        (status["phase"] == "waiting_for_lock" && names).then_some(())
    });
    world.declare("acme", 1);
    apply.wait().exits(0);
    world.served.faults("", "");
    eventually("it has read the files again", || {
        let status = keeping.status();
        let counted = status["callbacks"]["assumed"] == 2 && status["pending"]["add"] == 0;
        (status["phase"] == "idle" && counted).then_some(())
    });
    assert_eq!(
        world.served.operations(&url("acme", 2)),
        Vec::<String>::new()
    );
    keeping.stop();
}

/// A run that waits for it would hold the lock for minutes.
#[test]
fn a_lost_call_holds_up_no_other_change() {
    let world = World::new(&[("acme", 1), ("beta", 0)]);
    let keeping = world.start(&[]);
    world.has(1);
    world
        .served
        .faults("", "lost-before,lost-before,lost-before");
    world.declare("acme", 2);
    keeping.until("an add is lost", |status| {
        (status["callbacks"]["unknown"] == 1).then_some(())
    });
    // The delete waits until the add can't arrive any more.
    world.declare("acme", 1);
    keeping.running.wait_until_it_says("1 change waits until");
    world.declare("beta", 1);
    eventually("the others go on", || {
        world.served.urls().contains(&url("beta", 1)).then_some(())
    });
    let status = keeping.status();
    assert!(
        status["pending"]["delete"] == 1 || status["pending"]["finish"] == 1,
        "{status}"
    );
    assert_eq!(status["problems"], Value::Array(Vec::new()), "{status}");
    keeping.stop();
}

#[test]
fn a_replica_with_older_files_undoes_nothing_and_waits_for_its_own() {
    let world = World::new(&[("acme", 1)]);
    let late = world.env.path("late");
    std::fs::create_dir(&late).unwrap();
    let follow = || {
        for file in ["common.yaml", "acme.yaml"] {
            std::fs::copy(world.env.path("conf").join(file), late.join(file)).unwrap();
        }
    };
    follow();
    let copied = Timestamp::now();
    let (first, other) = (world.start(&[]), world.start(&["-f", "late"]));
    world.has(1);
    eventually("the times of files differ", || {
        (Timestamp::now().as_second() > copied.as_second() + 1).then_some(())
    });
    world.declare("acme", 2);
    world.has(2);
    // It may be late for a while, and that is no problem.
    other.reconcile();
    let status = other.status();
    assert_eq!(status["problems"], json!([]));
    assert!(status["behind"].is_string(), "{status}");
    other.logs("or have just changed. Nothing is called until this replica has newer files.");
    world.declare("acme", 3);
    world.has(3);
    // What makes its files no newer: another file, one that breaks, and a version before the one that is in force.
    std::fs::write(late.join("notes.txt"), "").unwrap();
    for (late_text, problems) in [
        ("organizations:\n  acme:\n    callb".to_owned(), 1),
        (team("acme", 2), 0),
    ] {
        other.reconcile();
        assert_eq!(world.served.urls().len(), 3);
        std::fs::write(late.join("acme.yaml"), late_text).unwrap();
        other.reconcile();
        assert_eq!(
            other.status()["problems"].as_array().unwrap().len(),
            problems
        );
    }
    assert_eq!(world.served.urls().len(), 3);
    follow();
    other.logs("The files are no longer behind");
    other.reconcile();
    assert_eq!(other.status()["behind"], Value::Null);
    assert_eq!(world.served.urls().len(), 3);
    // Now it is the other one that is late; and to go back to what was before is a change like any other.
    std::fs::write(late.join("acme.yaml"), team("acme", 2)).unwrap();
    world.has(2);
    first.reconcile();
    first.logs("or have just changed.");
    assert_eq!(world.served.urls().len(), 2);
    first.stop();
    other.stop();
}

#[test]
fn what_both_replicas_notice_is_told_once_also_after_a_restart() {
    let mut world = World::new(&[("acme", 4)]);
    let chat = Receiver::saying("ok");
    // One that never takes anything keeps nobody from it.
    let busy = Receiver::start(|_| (503, "X-Nothing: 1".to_owned(), String::new()));
    for (name, receiver) in [("BOT", &chat), ("BUSY", &busy)] {
        let url = format!("{}/services/T0/B0/x", receiver.url());
        world.env.set(name, &url);
    }
    let titles = || -> Vec<String> {
        let title = |body: &Value| {
            let text = body.to_string();
            let title = text.split_once("conf: ").unwrap().1;
            title.split_once('"').unwrap().0.to_owned()
        };
        chat.asked().iter().map(|one| title(&one.body)).collect()
    };
    let arguments = ["--notify", "slack=env:BOT slack=env:BUSY", "-v"];
    let (one, other) = (world.start(&arguments), world.start(&arguments));
    world.has(4);
    other.reconcile();
    one.reconcile();
    let left_to_the_other = |what: &str| {
        let left = format!("`{what}` was told already");
        eventually("one of them leaves it to the other", || {
            (one.has_logged(&left) || other.has_logged(&left)).then_some(())
        });
    };
    world.declare("acme", 1);
    left_to_the_other("plan-refused");
    assert_eq!(titles(), ["error: plan refused"]);
    let suspend = json!({ "reason": "eSign moves", "for": "2h" });
    assert_eq!(one.ask("POST /suspend", &suspend).0, 200);
    other.reconcile();
    left_to_the_other("suspended");
    // One that starts again says nothing twice.
    other.stop();
    let again = world.start(&arguments);
    again.until("it sees the suspension", |status| {
        status["suspended"].is_object().then_some(())
    });
    again.stop();
    assert_eq!(titles(), ["error: plan refused", "notice: suspended"]);
    one.stop();
}
