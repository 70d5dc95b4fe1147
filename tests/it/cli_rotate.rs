//! `rotate` as a user sees it: another key without a lost message, whatever comes in between.

use insta::assert_snapshot;
use rstest::rstest;

use crate::support::{KEY, OTHER_KEY, Served, TestEnv, configuration, eventually};

pub(crate) const ONE: &str = "https://hooks.example/one";
pub(crate) const TWO: &str = "https://hooks.example/two";

/// What sha256sum says of the two keys.
pub(crate) const KEY_DIGEST: &str =
    "cd6c1f7d1dc6717d6371d2647910ca71ba3bf0b611083d322466b8843b4285b6";

/// Seconds after which a lost call is dead for sure.
pub(crate) const DEAD: i64 = 336;

/// Every callback is there with the other key; then the key changes.
pub(crate) fn changed(urls: &[&str]) -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", urls)]));
    let served = env.serve(&[]);
    env.set("KEY", OTHER_KEY);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.set("KEY", KEY);
    (env, served)
}

pub(crate) const ROTATE: [&str; 4] = ["rotate", "acme", "--auto-approve", "--no-verify"];

pub(crate) fn digests(served: &Served) -> Vec<String> {
    let digest = |one: &serde_json::Value| one["key_sha256"].as_str().unwrap().to_owned();
    served.callbacks().iter().map(digest).collect()
}

/// At no time was the callback or the twin deleted while the other was missing.
#[track_caller]
pub(crate) fn one_was_always_there(served: &Served, url: &str) {
    one_was_always_there_with(served, url, url);
}

#[track_caller]
fn one_was_always_there_with(served: &Served, url: &str, twin: &str) {
    let mut present = std::collections::BTreeSet::new();
    let mut begun = false;
    for call in served.log() {
        let of = call["url"].as_str().unwrap_or_default();
        let is_either = of.starts_with(url) || of.starts_with(twin);
        if !is_either || call["operation"].is_null() {
            continue;
        }
        match call["operation"].as_str() {
            Some("add") => present.insert(of.to_owned()),
            _ => present.remove(of),
        };
        assert!(!begun || !present.is_empty(), "{:#?}", served.log());
        begun |= !present.is_empty();
    }
}

#[test]
fn a_rotation_on_the_embedded_sandbox() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    env.set("KEY", OTHER_KEY);
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    env.set("KEY", KEY);
    let one = format!("acme/{ONE}");
    let said = env.run(&["--sandbox", "rotate", &one, "--auto-approve", "--no-verify"]);
    assert_snapshot!(said, @"
    exit 0
    --- stdout
    ess-callbacks will rotate 1 callback:

      # acme/https://hooks.example/one
      # (because its key changed)
      +   add     https://hooks.example/one?esign-rotation=09
    -/+   replace https://hooks.example/one
      -   delete  https://hooks.example/one?esign-rotation=09

    Rotation: 1 to rotate.
    4 calls.
    At every moment one of the two URLs is configured at eSign. Until the rotation is complete, the receiver must take the old key and token and the new ones.
    Environment: test (sandbox), account: default
    acme/https://hooks.example/one?esign-rotation=09: Adding...
    acme/https://hooks.example/one?esign-rotation=09: Added after [ELAPSED] [request id [UUID]]
    acme/https://hooks.example/one: Replacing (delete, then add)...
    acme/https://hooks.example/one: Replaced after [ELAPSED] [request id [UUID]]
    acme/https://hooks.example/one?esign-rotation=09: Deleting...
    acme/https://hooks.example/one?esign-rotation=09: Deleted after [ELAPSED] [request id [UUID]]
    Apply complete! Resources: 2 added, 0 changed, 2 destroyed.
    Rotation complete! 1 callback has the declared key and token, and no twin is left.
    ");
    let again = env.run(&["--sandbox", "rotate", &one, "--auto-approve"]);
    assert_snapshot!(again, @"
    exit 0
    --- stdout
    Nothing to rotate. 1 unchanged.
    ");
    let left = env.run(&["--sandbox", "plan"]).exits(0);
    assert!(
        left.stdout.contains("1 to add, 0 to change, 1 to destroy"),
        "{left}"
    );
}

#[test]
fn a_rotation_is_never_without_a_callback_and_ends_with_the_new_key() {
    let (env, served) = changed(&[ONE, "https://hooks.example/two?a=b"]);
    env.run(&ROTATE).exits(0);
    assert_eq!(served.urls(), [ONE, "https://hooks.example/two?a=b"]);
    assert_eq!(digests(&served), [KEY_DIGEST, KEY_DIGEST]);
    for (url, twin) in [
        (ONE, "https://hooks.example/one?esign-rotation=09"),
        (
            "https://hooks.example/two?a=b",
            "https://hooks.example/two?a=b&esign-rotation=09",
        ),
    ] {
        one_was_always_there(&served, url);
        assert_eq!(served.operations(url), ["add", "delete", "add"]);
        assert_eq!(served.operations(twin), ["add", "delete"]);
    }
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_rotation_needs_an_answer_an_address_and_a_callback() {
    let (env, served) = changed(&[ONE]);
    let before = served.arrived();
    assert_snapshot!(env.run(&["rotate", "acme"]), @"
    exit 64
    --- stderr
    error: rotate asks before the first call, but there is no terminal
      Give --auto-approve.
    ");
    env.run(&["rotate", "--auto-approve"]).exits(64);
    let said = env.run(&["rotate", "beta", "--auto-approve"]).exits(1);
    assert!(
        said.stderr.contains("no declared callback matches `beta`"),
        "{said}"
    );
    assert_eq!(served.arrived(), before);
}

#[test]
fn a_twin_of_another_url() {
    let (env, served) = changed(&[ONE, TWO]);
    let one = format!("acme/{ONE}");
    let rotate = |address: &str, twin: &str| {
        env.run(&[
            "rotate",
            address,
            "--twin",
            twin,
            "--auto-approve",
            "--no-verify",
        ])
    };
    let said = rotate("acme", "https://hooks.example/twin").exits(64);
    assert_snapshot!(said.err(), @"
    error: --twin is for one callback, and the addresses match 2
      Rotate them one after the other.
    ");
    assert_snapshot!(rotate(&one, ONE).exits(64).err(), @"
    error: --twin is the URL of `acme/https://hooks.example/one` itself
      Give another URL that reaches the same receiver. It takes the messages while the callback is replaced.
    ");
    assert_snapshot!(rotate(&one, "https://hooks.example/#twin").exits(64).err(), @"error: --twin: this URL has a fragment (`#…`), which is never sent to a server; remove the `#` and what follows it");
    assert_snapshot!(rotate(&one, TWO).exits(1).err(), @"
    error: the twin of `acme/https://hooks.example/one`, https://hooks.example/two, is in callbacks.yaml itself, so it can't be deleted at the end; nothing was called
      If you rotate with the file, run `ess-callbacks apply` and remove the twin from the file afterwards. Otherwise remove it first, or give another URL with --twin.
    ");
    rotate(&one, "https://hooks.example/twin").exits(0);
    assert_eq!(
        served.operations("https://hooks.example/twin"),
        ["add", "delete"]
    );
    assert_eq!(served.urls(), [ONE, TWO]);
}

#[test]
fn a_twin_without_tls_is_warned_of() {
    let (env, served) = changed(&[ONE]);
    let twin = "http://hooks.example/twin";
    let said = env.run(&[
        "rotate",
        "acme",
        "--twin",
        twin,
        "--no-verify",
        "--auto-approve",
    ]);
    let warning =
        "Warning: --twin: this URL is http: others can read and change the messages on the way";
    assert!(said.stderr.contains(warning), "{said}");
    assert_eq!(served.urls(), [ONE]);
}

/// Nothing is known of the receiver, so nothing is called.
#[test]
fn a_receiver_that_fails_its_verification_stops_the_rotation() {
    let (env, served) = changed(&["http://127.0.0.1:1/"]);
    let before = served.arrived();
    let said = env.run(&["rotate", "acme", "--auto-approve", "--allow-private"]);
    assert_snapshot!(said, @r#"
    exit 8
    --- stdout
    ess-callbacks will rotate 1 callback:

      # acme/http://127.0.0.1:[PORT]/
      # (because its key changed)
          verify  the new key and token at both URLs
      +   add     http://127.0.0.1:[PORT]/?esign-rotation=09
    -/+   replace http://127.0.0.1:[PORT]/
      -   delete  http://127.0.0.1:[PORT]/?esign-rotation=09

    Rotation: 1 to rotate.
    4 calls.
    At every moment one of the two URLs is configured at eSign. Until the rotation is complete, the receiver must take the old key and token and the new ones.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    VERDICT    LATENCY  ADDRESS
    failed           -  acme/http://127.0.0.1:[PORT]/
                        error V004: the connection was refused: nothing listens at this address and port
                          what to do: start the receiver, and check the port in the URL and the rules of the firewall
    failed           -  acme/http://127.0.0.1:[PORT]/?esign-rotation=09
                        error V004: the connection was refused: nothing listens at this address and port
                          what to do: start the receiver, and check the port in the URL and the rules of the firewall
    2 callbacks verified: 0 ok, 0 with warnings, 2 failed.

    --- stderr
    warning[W001]: this URL is http: others can read and change the messages on the way
     --> callbacks.yaml:7:16
      |
    7 |       - { url: "http://127.0.0.1:[PORT]/", key: { env: KEY }, token: { env: TOKEN } }
      |                ^^^^^^^^^^^^^^^^^^^
      |
      = help: use https; a redirect from http to https is not enough, because it turns the POST into a GET
    warning[W005]: this host is private to a machine or network, so eSign can't reach it
     --> callbacks.yaml:7:16
      |
    7 |       - { url: "http://127.0.0.1:[PORT]/", key: { env: KEY }, token: { env: TOKEN } }
      |                ^^^^^^^^^^^^^^^^^^^
      |
      = help: use a host name or address that is reachable from the internet
    Verifying 2 receivers …
    Apply incomplete! Resources: 0 added, 0 changed, 0 destroyed. 1 not attempted.

      acme/http://127.0.0.1:[PORT]/?esign-rotation=09 (add): not attempted
          why:        its receiver failed the verification
          what to do: correct the receiver as its finding says, then run the same command again; `verify` shows the findings

    Rotation stopped before the first call! eSign has what it had. Correct what is reported above, then run the same command again; if only the twin failed, give another URL of the receiver with --twin.
    "#);
    assert_eq!(served.arrived(), before);
}

#[test]
fn an_unknown_outcome_leaves_the_callback_and_the_next_rotation_goes_on() {
    let (env, served) = changed(&[ONE]);
    served.faults("lost-after=1", "");
    let said = env.run(&[
        "rotate",
        "acme",
        "--auto-approve",
        "--no-verify",
        "--max-retries",
        "0",
    ]);
    assert_snapshot!(said.exits(4).err(), @"
    Apply incomplete! Resources: 0 added, 0 changed, 0 destroyed. 1 unknown.

      acme/https://hooks.example/one?esign-rotation=09 (add): unknown
          error:      the connection to 127.0.0.1:[PORT] was lost before its answer: client error (SendRequest): connection closed before message completed
          it means:   the call may have arrived and been carried out; it is unknown whether this add took effect, so it stays open in the state
          what to do: run the same command: it sends the same call again. A call with the opposite effect waits until the lost one can't arrive any more, at most about 6 minutes after it was sent (`state show` shows until when)

    Rotation incomplete! 0 of 1 rotation is complete. Run the same command again: it goes on from here, while an apply replaces a callback that has no twin yet with a gap. Until then, the receiver must take both pairs of key and token.
    ");
    assert_eq!(served.operations(ONE), ["add"]);
    served.faults("", "");
    // The twin is deleted when the lost add can't arrive any more.
    served.skew(DEAD);
    env.run(&ROTATE).exits(0);
    one_was_always_there(&served, ONE);
    assert_eq!(digests(&served), [KEY_DIGEST]);
}

/// Between two answers of a rotation.
fn killed(env: &TestEnv, served: &Served, calls: usize) {
    killed_in(&ROTATE, env, served, calls);
}

pub(crate) fn killed_in(rotate: &[&str], env: &TestEnv, served: &Served, calls: usize) {
    served.faults("slow=30ms", "");
    let before = served.arrived();
    let mut run = env.start(rotate);
    eventually("a moment to strike", || {
        (run.has_ended() || served.arrived() >= before + calls).then_some(())
    });
    run.kill();
    served.faults("", "");
    // What was lost can't arrive any more.
    served.skew(DEAD);
}

#[test]
fn killed_at_each_call_a_rotation_goes_on() {
    for calls in 1..=4 {
        let (env, served) = changed(&[ONE]);
        killed(&env, &served, calls);
        env.run(&ROTATE).exits(0);
        assert_eq!(served.urls(), [ONE], "{calls}");
        assert_eq!(digests(&served), [KEY_DIGEST]);
        one_was_always_there(&served, ONE);
        env.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

/// If the add of the twin is open, the first apply adds it, and the second one does the rest.
#[test]
fn killed_at_each_call_an_apply_finishes_the_rotation() {
    for calls in 1..=4 {
        let (env, served) = changed(&[ONE]);
        killed(&env, &served, calls);
        let said = env.run(&["apply", "--auto-approve"]);
        if said.code == Some(3) {
            assert!(
                said.stderr.contains("its twin was not certain to be there"),
                "{said}"
            );
            env.run(&["apply", "--auto-approve"]).exits(0);
        } else if calls == 2 {
            // The twin is there, and the callback not replaced yet.
            assert!(
                said.exits(0)
                    .stdout
                    .contains("1 replace beside its twin, without a gap")
            );
        } else {
            said.exits(0);
        }
        assert_eq!(served.urls(), [ONE], "{calls}");
        assert_eq!(digests(&served), [KEY_DIGEST]);
        one_was_always_there(&served, ONE);
        env.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

/// The state knows the twin, whatever its URL is: no guard counts it, and no other URL is added for it.
#[rstest]
#[case::rotate(&ROTATE)]
#[case::apply(&["apply", "--auto-approve"])]
fn a_twin_of_another_url_is_known_after_a_crash(#[case] next: &[&str]) {
    let twin = "https://hooks.example/twin";
    let with_twin = [
        "rotate",
        "acme",
        "--auto-approve",
        "--no-verify",
        "--twin",
        twin,
    ];
    for calls in 2..=4 {
        let (env, served) = changed(&[ONE]);
        killed_in(&with_twin, &env, &served, calls);
        env.run(next).exits(0);
        assert_eq!(served.urls(), [ONE], "{calls}");
        assert_eq!(digests(&served), [KEY_DIGEST]);
        assert_eq!(served.operations(twin).first().unwrap(), "add");
        one_was_always_there_with(&served, ONE, twin);
        env.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert!(!env.read("callbacks.state.json").contains("twins"));
    }
}

#[test]
fn machines_get_both_plans_and_one_report() {
    let (env, _served) = changed(&[ONE]);
    let said = env.run(&["--json", "rotate", "acme", "--auto-approve", "--no-verify"]);
    let events = said.exits(0).events();
    let kinds: Vec<_> = events
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "version",
            "log",
            "planned_change",
            "change_summary",
            "apply_start",
            "apply_complete",
            "planned_change",
            "planned_change",
            "change_summary",
            "apply_start",
            "apply_complete",
            "apply_start",
            "apply_complete",
            "change_summary",
            "apply_report",
            "log",
        ]
    );
}
