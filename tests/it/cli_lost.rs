//! What is printed about calls without an answer, and about unexpected answers.

use insta::assert_snapshot;

use crate::support::{Said, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

const APPLY: [&str; 4] = ["apply", "--auto-approve", "--max-retries", "0"];

/// One declared callback, and a sandbox with this script.
fn served(script: &str) -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE]), ("beta", &[])]));
    let served = env.serve(&["--script", script]);
    (env, served)
}

#[test]
fn nothing_is_forgotten_while_a_call_for_it_may_still_arrive() {
    let (env, _served) = served("late@15s");
    env.run(&APPLY).exits(4);
    let before = env.files();
    assert_snapshot!(env.run(&["state", "rm", "acme/*"]), @"
        exit 1
        --- stderr
        error: an earlier call for acme/https://hooks.example/one got no answer and may still arrive until [CLOCK] UTC; nothing was changed
          Wait until then, or run apply if it is planned: that settles the call. Forgotten now, the call could undo a later one.
        ");
    env.run(&["state", "rm", "acme/*", "--dry-run"]).exits(1);
    let address = format!("acme/{ONE}");
    let said = env.run(&["state", "mv", &address, "beta"]).exits(1);
    assert!(said.stderr.contains("may still arrive"), "{said}");
    assert_eq!(env.files(), before);
    // What is settled is no longer open, but may arrive late all the same.
    env.run(&APPLY).exits(0);
    env.run(&["state", "rm", "acme/*"]).exits(1);
    let shown = env.run(&["state", "show", "acme/*"]);
    assert!(
        shown
            .stdout
            .contains("late call    = an add without an answer"),
        "{shown}"
    );
}

#[test]
fn a_heal_without_an_answer_is_unknown_and_leaves_nothing_open() {
    let (env, _served) = served("ok,lost-after");
    env.run(&APPLY).exits(0);
    let heal = [&APPLY[..], &["--heal"]].concat();
    let said = told(&env.run(&heal).exits(4));
    let (_, told) = said.split_once("adding again)...").unwrap();
    assert_snapshot!(redacted(told), @"

    acme/https://hooks.example/one: Unknown (heal): it is unknown whether the call arrived; the callback stays recorded as present: the connection to 127.0.0.1:[PORT] was lost before its answer: client error (SendRequest): connection closed before message completed
    Apply incomplete! Resources: 0 added, 0 changed, 0 destroyed. 1 unknown.

      acme/https://hooks.example/one (heal): unknown
          error:      the connection to 127.0.0.1:[PORT] was lost before its answer: client error (SendRequest): connection closed before message completed
          it means:   the call may have arrived and been carried out; the callback was recorded as present before this heal, and still is: it is there, unless it was deleted outside ess-callbacks
          what to do: run `apply --heal` again, which adds it again
    ");
    assert_snapshot!(env.run(&["plan"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    1 unchanged, 1 unproven.
    ");
    assert_snapshot!(env.run(&["state", "show", "acme/*"]), @r#"
    exit 0
    --- stdout
    # acme/https://hooks.example/one
    callback {
        url          = "https://hooks.example/one"
        status       = present
        evidence     = assumed (perhaps with another key or token)
        key          = (secret, fp [FP], assumed)
        token        = (secret, fp [FP], assumed)
        environment  = test
        account      = "default"
        organization = the account's own
        operator     = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
        confirmed    = [AGO] ([TIME], request id [UUID])
        late call    = an add without an answer; it may still arrive until [TIME]
    }
    "#);
    env.run(&["apply", "--auto-approve", "--heal"]).exits(0);
}

#[test]
fn a_heal_without_an_answer_is_an_unknown_event() {
    let (env, _served) = served("ok,lost-before");
    env.run(&APPLY).exits(0);
    let heal = [&APPLY[..], &["--heal", "--json"]].concat();
    let said = env.run(&heal).exits(4);
    let kinds: Vec<_> = said
        .events()
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    assert!(kinds.contains(&"apply_unknown".into()), "{said}");
    assert!(!kinds.contains(&"apply_errored".into()), "{said}");
}

#[test]
fn a_first_add_that_finds_it_there_says_that_the_secrets_may_differ() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&["--exists", "error"]);
    env.run(&APPLY).exits(0);
    let elsewhere = [&APPLY[..], &["--state", "other.json"]].concat();
    let said = env.run(&elsewhere).exits(0);
    let (_, told) = said.stdout.split_once("Adding...\n").unwrap();
    assert_snapshot!(redacted(told), @"
    acme/https://hooks.example/one: Added after [ELAPSED] [request id [UUID]]; it was already there, and its key and token may differ from yours
    Apply complete! Resources: 1 added, 0 changed, 0 destroyed.

    Already there. eSign had 1 callback before the add:
      acme/https://hooks.example/one
    An add does not change the key and token of a callback that is already there, so they may differ from yours. `apply --replace ADDRESS` sets yours.
    ");
    let events = [&APPLY[..], &["--state", "third.json", "--json"]].concat();
    let said = env.run(&events).exits(0);
    let events = said.events();
    let of = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap();
    assert_eq!(of("apply_complete")["hook"]["was_there"], true);
    assert_eq!(of("apply_report")["report"]["were_there"][0]["url"], ONE);
    // Our own add that got no answer is no surprise.
    let mut env = TestEnv::new(&configuration(&[("acme", &[TWO])]));
    let _served = env.serve(&["--exists", "error", "--script", "lost-after"]);
    let said = env.run(&["apply", "--auto-approve"]).exits(0);
    assert!(!said.stdout.contains("already"), "{said}");
}

#[test]
fn what_was_only_imported_was_perhaps_never_there() {
    let (env, _served) = served("ok");
    env.run(&["import", "--all"]).exits(0);
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &[])]) + "    absent: [\"" + ONE + "\"]\n",
    );
    let said = env.run(&APPLY).exits(0);
    let (_, told) = said.stdout.split_once("Deleting...\n").unwrap();
    assert_snapshot!(redacted(told), @"
    acme/https://hooks.example/one: Drift: it was recorded as present, but eSign did not have it. No answer had confirmed it, so perhaps it was never there, and its messages were lost
    acme/https://hooks.example/one: Deleted after [ELAPSED] [request id [UUID]]
    Apply complete! Resources: 0 added, 0 changed, 1 destroyed.

    Drift. eSign was not as recorded for 1 callback:
      acme/https://hooks.example/one
          it was recorded as present, but eSign did not have it. No answer had confirmed it, so perhaps it was never there, and its messages were lost
    ");
}

#[test]
fn importing_what_is_recorded_as_absent_records_it_as_assumed() {
    let (env, _served) = served("ok");
    env.run(&APPLY).exits(0);
    let declared = configuration(&[("acme", &[ONE])]);
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &[])]) + "    absent: [\"" + ONE + "\"]\n",
    );
    env.run(&APPLY).exits(0);
    env.write("callbacks.yaml", declared);
    env.run(&["plan", "--detailed-exitcode"]).exits(2);
    let said = env.run(&["import", "--all"]).exits(0);
    assert_eq!(
        said.stdout.trim_end(),
        "Import complete! Recorded 1 callback as assumed, without a call. 1 was recorded as absent before."
    );
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
    let said = env.run(&["import", "--all"]).exits(0);
    assert!(said.stdout.contains("1 was recorded already."), "{said}");
}

#[test]
fn what_has_an_open_call_is_not_imported() {
    let (env, _served) = served("lost-before");
    env.run(&APPLY).exits(4);
    let before = env.files();
    assert_snapshot!(env.run(&["import", "--all"]), @"
        exit 1
        --- stderr
        error: can't import `acme/https://hooks.example/one`: an earlier call for it got no answer, so it is unknown whether eSign has it; nothing was recorded
          Run apply first, which settles that call. Then import what is still missing.
        ");
    assert_eq!(env.files(), before);
}

#[test]
fn a_lost_delete_says_until_when_it_may_arrive() {
    let (env, _served) = served("ok,lost-before");
    env.run(&APPLY).exits(0);
    let address = format!("acme/{ONE}");
    let replace = [
        "apply",
        "--auto-approve",
        "--no-wait",
        "--replace",
        &address,
    ];
    let said = told(&env.run(&replace).exits(4));
    let (_, told) = said.split_once("then add)...\n").unwrap();
    assert_snapshot!(redacted(told), @"
    acme/https://hooks.example/one: Unknown (replace): it is unknown whether the call arrived; the call stays open in the state: the connection to 127.0.0.1:[PORT] was lost before its answer: client error (SendRequest): connection closed before message completed
    Apply incomplete! Resources: 0 added, 0 changed, 0 destroyed. 1 unknown.

      acme/https://hooks.example/one (replace): unknown
          error:      the connection to 127.0.0.1:[PORT] was lost before its answer: client error (SendRequest): connection closed before message completed
          it means:   the call may have arrived and been carried out; it is unknown whether this replace took effect, so it stays open in the state
          what to do: run apply again: it sends the same call again. A call with the opposite effect waits until the lost one can't arrive any more, at most about 6 minutes after it was sent (`state show` shows until when)
    ");
    assert_snapshot!(env.run(&["state", "show", "acme/*"]), @r#"
    exit 0
    --- stdout
    # acme/https://hooks.example/one
    callback {
        url          = "https://hooks.example/one"
        status       = present or absent
        evidence     = unknown (the outcome of a call is open)
        key          = (secret, fp [FP], assumed)
        token        = (secret, fp [FP], assumed)
        environment  = test
        account      = "default"
        organization = the account's own
        operator     = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
        confirmed    = [AGO] ([TIME], request id [UUID])
        open call    = a delete without an answer; it may still arrive until [TIME]
    }
    "#);
}

/// What a person at a terminal reads.
fn told(said: &Said) -> String {
    format!("{}{}", said.stdout, said.stderr)
}

fn redacted(text: &str) -> String {
    crate::support::redact(text, std::path::Path::new("/nowhere"))
}
