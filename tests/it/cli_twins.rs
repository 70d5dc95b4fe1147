//! What `apply` and `rotate` do with the twins of interrupted rotations.

use insta::assert_snapshot;
use rstest::rstest;

use crate::cli_rotate::{
    DEAD, KEY_DIGEST, ONE, ROTATE, TWO, changed, digests, killed_in, one_was_always_there,
};
use crate::support::{Served, TestEnv, configuration, eventually};

/// The answer to the add of the twin is lost.
fn with_an_open_twin() -> (TestEnv, Served) {
    let (env, served) = changed(&[ONE]);
    served.faults("lost-before=1", "");
    let rotate = [&ROTATE[..], &["--max-retries", "0"]].concat();
    env.run(&rotate).exits(4);
    served.faults("", "");
    // So that nothing waits for it.
    served.skew(DEAD);
    (env, served)
}

#[test]
fn an_apply_replaces_nothing_while_the_twin_is_not_certain_to_be_there() {
    let (env, served) = with_an_open_twin();
    let said = env.run(&["apply", "--auto-approve"]).exits(3);
    let waiting = said
        .stdout
        .lines()
        .find(|line| line.starts_with("Waiting: "));
    assert_snapshot!(waiting.unwrap(), @"Waiting: a rotation of acme/https://hooks.example/one was interrupted, and its twin is not certain to be there. It keeps its key and token in this plan; the next apply, or `rotate` with its address, replaces it without a gap.");
    assert_snapshot!(said.err(), @"
    Apply incomplete! Resources: 1 added, 0 changed, 0 destroyed. 1 not attempted.

      acme/https://hooks.example/one (replace): not attempted
          why:        a rotation of it was interrupted, and its twin was not certain to be there when this apply began
          what to do: run apply again: when its twin is there, it is replaced without a gap
    ");
    assert_eq!(served.operations(ONE), ["add"]);
    env.run(&["plan", "--detailed-exitcode"]).exits(2);
    env.run(&["apply", "--auto-approve"]).exits(0);
    one_was_always_there(&served, ONE);
    assert_eq!(served.urls(), [ONE]);
    assert_eq!(digests(&served), [KEY_DIGEST]);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

/// Who asks for the callback alone, or for a replace, is understood.
#[test]
fn a_waiting_callback_can_be_targeted_and_replaced() {
    let (env, served) = with_an_open_twin();
    let one = format!("acme/{ONE}");
    let targeted = ["apply", "--auto-approve", "--target", &one];
    env.run(&targeted).exits(3);
    assert_eq!(served.operations(ONE), ["add"]);
    env.run(&targeted).exits(0);
    one_was_always_there(&served, ONE);
    assert_eq!(served.urls(), [ONE]);
    assert_eq!(digests(&served), [KEY_DIGEST]);

    let (env, served) = with_an_open_twin();
    env.run(&["apply", "--auto-approve", "--replace", &one])
        .exits(0);
    assert_eq!(digests(&served), [KEY_DIGEST]);
}

/// Machines see in the report, which comes last, what waits.
#[test]
fn a_waiting_callback_is_reported_as_not_attempted() {
    let (env, _served) = with_an_open_twin();
    let said = env.run(&["apply", "--auto-approve", "--json"]).exits(3);
    let events = said.events();
    let waits = |event: &&serde_json::Value| event["type"] == "not_attempted";
    let waiting = events.iter().find(waits).unwrap();
    assert_eq!(waiting["hook"]["why"]["because"], "waits_for_twin");
    let summary = events.iter().find(|one| one["type"] == "change_summary");
    assert_eq!(summary.unwrap()["summary"]["waiting"], 1);
    assert_eq!(waiting["hook"]["resource"]["url"], ONE);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "apply_report");
    assert_eq!(last["report"]["complete"], false);
    assert_eq!(last["report"]["unfinished"][0]["resource"]["url"], ONE);
}

/// As long as another callback needs it.
#[test]
fn the_twin_of_another_callback_can_t_be_taken() {
    let (env, served) = changed(&[ONE, TWO]);
    let twin = "https://hooks.example/twin";
    let rotate = |url: &str| {
        let address = format!("acme/{url}");
        let words = [
            "rotate",
            &address,
            "--auto-approve",
            "--no-verify",
            "--twin",
            twin,
        ];
        words.map(str::to_owned)
    };
    let words = rotate(ONE);
    killed_in(&words.each_ref().map(String::as_str), &env, &served, 3);
    let words = rotate(TWO);
    let said = env.run(&words.each_ref().map(String::as_str)).exits(1);
    let error = said.stderr.lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_snapshot!(error, @"
    error: the twin of `acme/https://hooks.example/two`, https://hooks.example/twin, is that of another callback, which may need it; nothing was called
      Finish the rotation of the other callback first, with `rotate` or, if the file does not declare it any more, with `ess-callbacks apply`. Or give another URL with --twin.
    ");
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(served.urls(), [ONE, TWO]);
}

/// A rotation ends with the delete of its twin.
#[test]
fn what_is_configured_already_can_t_be_a_twin() {
    let (env, served) = changed(&[ONE, TWO]);
    let file = env.read("callbacks.yaml");
    let rotate = |twin: &str| {
        env.run(&[
            "rotate",
            &format!("acme/{ONE}"),
            "--auto-approve",
            "--no-verify",
            "--twin",
            twin,
        ])
    };
    let error = |twin: &str| {
        let said = rotate(twin).exits(1);
        let lines = said
            .stderr
            .lines()
            .skip_while(|line| !line.starts_with("error"));
        lines.collect::<Vec<_>>().join("\n")
    };
    // The other one has left the file.
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE])]));
    assert_snapshot!(error(TWO), @"
    error: the twin of `acme/https://hooks.example/one`, https://hooks.example/two, is recorded as a callback that callbacks.yaml does not declare, and would be deleted at the end; nothing was called
      Give another URL with --twin, one that is not configured at eSign; or run `ess-callbacks apply` first, which deletes the callback.
    ");
    // Another organization has it.
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &[ONE]), ("beta", &[TWO])]),
    );
    assert_snapshot!(error(TWO), @"
    error: the twin of `acme/https://hooks.example/one`, https://hooks.example/two, is in callbacks.yaml for `beta`; nothing was called
      Give another URL with --twin, one that is not configured at eSign.
    ");
    env.write("callbacks.yaml", file);
    assert_snapshot!(rotate("https://Hooks.example:443/one/").exits(64).err(), @"
    error: --twin is nearly the URL of `acme/https://hooks.example/one`: eSign or the receiver may take both for one
      Give another URL that reaches the same receiver. It takes the messages while the callback is replaced.
    ");
    assert_eq!(served.urls(), [ONE, TWO]);
    assert_eq!(served.operations(TWO), ["add"]);
}

/// It is a callback as any other from then on, also if the apply that finds it in the file has calls for it.
#[rstest]
#[case::as_it_is(&["apply", "--auto-approve"])]
#[case::replaced(&["apply", "--auto-approve", "--replace", "acme/https://hooks.example/twin"])]
#[case::healed(&["apply", "--auto-approve", "--heal", "--older-than", "0s"])]
fn a_twin_that_is_declared_is_none_any_more(#[case] apply: &[&str]) {
    let (env, served) = changed(&[ONE]);
    let twin = "https://hooks.example/twin";
    let words = [
        "rotate",
        "acme",
        "--auto-approve",
        "--no-verify",
        "--twin",
        twin,
    ];
    killed_in(&words, &env, &served, 2);
    assert!(env.read("callbacks.state.json").contains("twins"));
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE, twin])]));
    env.run(apply).exits(0);
    assert!(!env.read("callbacks.state.json").contains("twins"));
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE])]));
    let said = env.run(&["plan"]);
    assert!(said.stdout.contains("1 to destroy"), "{said}");
    assert!(said.stdout.contains("not in callbacks.yaml"), "{said}");
}

/// The controller does the rest in its next round, without a gap.
#[test]
fn a_controller_finishes_a_rotation() {
    let (env, served) = with_an_open_twin();
    let mut running = env.start(&["controller", "--listen", "127.0.0.1:0", "--interval", "1h"]);
    eventually("the key is new", || {
        (served.urls() == [ONE] && digests(&served) == [KEY_DIGEST]).then_some(())
    });
    assert!(!running.has_ended());
    one_was_always_there(&served, ONE);
}

/// What the second run of a rotation would have done is not done.
#[test]
fn an_interrupted_rotation_is_not_complete_for_machines() {
    let (env, served) = changed(&[ONE]);
    served.faults("slow=1s", "");
    let before = served.arrived();
    let run = env.start(&[&ROTATE[..], &["--json"]].concat());
    served.wait_for(before + 1);
    run.signal("INT");
    let said = run.wait().exits(130);
    let events = said.events();
    let report = events.iter().find(|event| event["type"] == "apply_report");
    let report = &report.unwrap()["report"];
    assert_eq!(report["complete"], false);
    assert_eq!(report["interrupted"], true);
    let left = &report["unfinished"][0];
    assert_eq!(left["resource"]["url"], ONE);
    assert_eq!(left["why"]["because"], "interrupted");
    served.faults("", "");
    env.run(&ROTATE).exits(0);
    one_was_always_there(&served, ONE);
}
