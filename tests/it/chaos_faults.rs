//! Answers that get lost, come late or make no sense: the run says what it knows, opposite calls wait
//! until the lost one is dead, and the next run finishes.

use insta::assert_snapshot;
use rstest::rstest;

use crate::support::{OTHER_KEY, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

/// Seconds after which a lost call is dead for sure.
const DEAD: i64 = 336;

fn acme(urls: &[&str]) -> String {
    configuration(&[("acme", urls)])
}

#[rstest]
#[case::lost_before("lost-before")]
#[case::lost_after("lost-after")]
#[case::late("late@1s")]
#[case::bad_gateway("502")]
#[case::bad_gateway_after("502-after")]
#[case::garbage("garbage")]
#[case::garbage_after("garbage-after")]
#[case::internal_error("internal-error")]
#[case::internal_error_after("internal-error-after")]
#[case::throttle("throttle")]
fn one_fault_is_met_by_sending_the_same_call_again(#[case] fault: &str) {
    let mut env = TestEnv::new(&acme(&[ONE, TWO]));
    let served = env.serve(&["--script", &format!("ok,{fault}")]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(served.operations(ONE), ["add"]);
    assert_eq!(served.operations(TWO)[..2], ["add", "add"]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);

    // Deletes as well.
    env.write("callbacks.yaml", acme(&[TWO]));
    served.faults("", fault);
    env.run(&["apply", "--auto-approve", "--allow-deletes", "1"])
        .exits(0);
    assert_eq!(served.operations(ONE), ["add", "delete", "delete"]);
    assert_eq!(served.urls(), [TWO]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[rstest]
#[case::lost_before("lost-before")]
#[case::lost_after("lost-after")]
#[case::garbage("garbage-after")]
#[case::internal_error("internal-error")]
fn a_fault_that_stays_leaves_the_outcome_open_and_the_next_run_finishes(#[case] fault: &str) {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let served = env.serve(&["--fault", &format!("{fault}=1")]);
    let said = env
        .run(&["apply", "--auto-approve", "--max-retries", "1"])
        .exits(4);
    assert!(
        said.stderr
            .contains("Apply incomplete! Resources: 0 added, 0 changed, 0 destroyed. 1 unknown."),
        "{said}"
    );
    served.faults("", "");
    let said = env.run(&["apply", "--auto-approve"]).exits(0);
    assert!(
        said.stdout
            .contains("has an open call, which adding it will finish"),
        "{said}"
    );
    assert_eq!(served.urls(), [ONE]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn many_faults_at_once() {
    let urls: Vec<String> = (0..12)
        .map(|n| format!("https://hooks.example/{n:02}"))
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut env = TestEnv::new(&acme(&urls));
    env.set("ESS_CALLBACKS_PARALLELISM", "100");
    let faults = "lost-before=0.05,lost-after=0.1,502=0.05,garbage-after=0.05,internal-error=0.05,throttle=0.1,slow=10ms±50%";
    let served = env.serve(&["--fault", faults, "--seed", "7"]);
    env.run(&["apply", "--auto-approve", "--rate", "0"])
        .exits(0);
    assert_eq!(served.urls(), urls);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

/// A key is changed while the delete of its replace gets lost.
fn lost_in_a_replace() -> (TestEnv, Served) {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.set("KEY", OTHER_KEY);
    served.faults("", "lost-after");
    (env, served)
}

#[test]
fn without_waiting_what_is_fenced_is_left_for_the_next_run() {
    let (env, served) = lost_in_a_replace();
    let said = env.run(&["apply", "--auto-approve", "--no-wait"]).exits(4);
    let (_, after_the_plan) = said.stdout.split_once("round trip.\n").unwrap();
    assert_snapshot!(crate::support::redact(after_the_plan, &env.path("")), @"
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    acme/https://hooks.example/one: Replacing (delete, then add)...
    acme/https://hooks.example/one: Unknown (replace): it is unknown whether the call arrived; the call stays open in the state: the connection to 127.0.0.1:[PORT] was lost before its answer: client error (SendRequest): connection closed before message completed
    ");
    assert_snapshot!(said.err(), @"
    Apply incomplete! Resources: 0 added, 0 changed, 0 destroyed. 1 unknown.

      acme/https://hooks.example/one (replace): unknown
          error:      the connection to 127.0.0.1:[PORT] was lost before its answer: client error (SendRequest): connection closed before message completed
          it means:   the call may have arrived and been carried out; it is unknown whether this replace took effect, so it stays open in the state
          what to do: run apply again: it sends the same call again. A call with the opposite effect waits until the lost one can't arrive any more, at most about 6 minutes after it was sent (`state show` shows until when)
    ");
    assert_eq!(
        served.operations(ONE),
        ["add", "delete"],
        "the opposite call did not leave"
    );

    // It is still too early, and nothing is sent.
    env.run(&["apply", "--auto-approve", "--no-wait"]).exits(4);
    assert_eq!(served.operations(ONE), ["add", "delete"]);
    assert_snapshot!(env.run(&["plan"]).exits(0).out(), @r#"
    Actions are indicated with the following symbols:
      ! finish (settle an open call)

    ess-callbacks will perform the following actions:

      # acme/https://hooks.example/one has an open call, which replacing it will finish
      # (because the outcome of an earlier delete of it is unknown)
      # (waits until [CLOCK] UTC: an earlier delete may still arrive until then)
      ! callback {
            url   = "https://hooks.example/one"
          ~ key   = (secret, fp [FP], assumed) -> (secret, changed)
          ~ token = (secret, fp [FP], assumed) -> (secret)
        }

    Plan: 1 to add, 0 to change, 1 to destroy.
    2 calls, about 1 s at 20/s; up to [SPAN] of waiting for lost calls; 1 replace with a gap of about 1 round trip. 1 unknown.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    "#);

    served.skew(DEAD);
    env.run(&["apply", "--auto-approve", "--no-wait"]).exits(0);
    assert_eq!(
        served.operations(ONE).last().map(String::as_str),
        Some("add")
    );
    assert_eq!(served.urls(), [ONE]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn waiting_for_a_fence_tells_until_when_and_then_goes_on() {
    let (env, served) = lost_in_a_replace();
    env.run(&["apply", "--auto-approve", "--no-wait"]).exits(4);
    // Almost over: a few seconds are left of it.
    let log = served.log();
    let lost = log
        .iter()
        .find(|call| call["fault"] == "lost-after")
        .unwrap();
    let expires = lost["signed_at"].as_i64().unwrap() + 330;
    let skew = expires - served.true_seconds();
    served.skew(skew);
    let said = env.run(&["apply", "--auto-approve"]).exits(0);
    assert!(said.stdout.contains(": Waiting until "), "{said}");
    let later = &served.log()[log.len()..];
    let next = later
        .iter()
        .find(|call| call["operation"] == "delete")
        .unwrap();
    let arrived = next["at_micros"].as_i64().unwrap() / 1_000_000 + skew;
    assert!(arrived > expires, "{arrived} is before {expires}");
    assert_eq!(served.urls(), [ONE]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_late_add_can_t_undo_a_delete() {
    let mut env = TestEnv::new(&acme(&[ONE, TWO]));
    let served = env.serve(&["--script", "ok,late@1s"]);
    env.run(&["apply", "--auto-approve", "--max-retries", "0"])
        .exits(4);
    // Before it arrives it is no longer declared.
    env.write("callbacks.yaml", acme(&[ONE]));
    let flags = [
        "apply",
        "--auto-approve",
        "--no-wait",
        "--allow-deletes",
        "1",
    ];
    env.run(&flags).exits(4);
    crate::support::eventually("the late call arrives", || {
        (served.urls() == [ONE, TWO]).then_some(())
    });
    served.skew(DEAD);
    env.run(&flags).exits(0);
    assert_eq!(served.urls(), [ONE]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[rstest]
#[case::add_then_delete(true)]
#[case::delete_then_add(false)]
fn a_call_that_was_killed_in_flight_is_fenced_too(#[case] adding: bool) {
    let (with, without) = (acme(&[ONE, TWO]), acme(&[ONE]));
    let (first, then) = if adding {
        (&with, &without)
    } else {
        (&without, &with)
    };
    let mut env = TestEnv::new(then);
    env.set("ESS_CALLBACKS_ALLOW_DELETES", "1")
        .set("ESS_CALLBACKS_NO_WAIT", "1");
    let served = env.serve(&[]);
    if adding {
        env.run(&["apply", "--auto-approve"]);
    } else {
        env.unset("ESS_CALLBACKS_ALLOW_DELETES");
        env.run(&["apply", "--auto-approve"]).exits(0);
        env.set("ESS_CALLBACKS_ALLOW_DELETES", "1");
    }
    let before = served.arrived();
    env.write("callbacks.yaml", first);
    // eSign's clock is asked for before a delete, and that answer is slow too.
    served.faults("slow=1s", "");
    let run = env.start(&["apply", "--auto-approve"]);
    served.wait_for(before + 1);
    run.kill();
    served.faults("", "");

    env.write("callbacks.yaml", then);
    env.run(&["apply", "--auto-approve"]).exits(4);
    assert_eq!(
        served.arrived(),
        before + 1,
        "the opposite call did not leave"
    );
    served.skew(DEAD);
    env.run(&["apply", "--auto-approve"]).exits(0);
    let wanted: &[&str] = if adding { &[ONE] } else { &[ONE, TWO] };
    assert_eq!(served.urls(), wanted);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[rstest]
#[case::ahead(400)]
#[case::behind(-4000)]
fn a_clock_that_is_off_is_corrected(#[case] skew: i64) {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let served = env.serve(&["--fault", &format!("skew={skew:+}")]);
    let said = env.run(&["apply", "--auto-approve"]).exits(0);
    assert!(said.stdout.contains("Clock off."), "{said}");
    assert_eq!(served.urls(), [ONE]);
}
