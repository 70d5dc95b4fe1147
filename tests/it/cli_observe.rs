//! `observe` from end to end: receipts of messages, what they prove, and what is recorded.

use ess_callbacks::envelope::{content_signature, encrypt};
use ess_callbacks::model::{CallbackUrl, Timestamp};
use ess_callbacks::receiver::Receipt;
use ess_callbacks::secret::Secret;
use ess_callbacks::verify::{Marks, MsgType, Receiver as Verified, probes};
use serde_json::{Value, json};

use crate::support::{KEY, OTHER_KEY, TOKEN, TestEnv, configuration};

const A: &str = "https://a.acme.example/cb";
const B: &str = "https://b.acme.example/cb";

/// A receipt of a message, so many minutes ago, that this key and token made.
pub(crate) fn receipt(url: &str, minutes: i64, id: &str, (key, token): (&str, &str)) -> String {
    let text = format!(
        r#"{{"MsgId":"{id}","MsgType":"FlowStatusChange","MsgData":{{"Approver":"canary-person"}}}}"#
    );
    let body = encrypt(&Secret::new(key), &text).unwrap();
    let signature = content_signature(&Secret::new(token), body.as_bytes());
    line(url, minutes, &body, Some(&signature))
}

fn line(url: &str, minutes: i64, body: &str, signature: Option<&str>) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let at = Timestamp(i64::try_from(now.as_secs()).unwrap() - minutes * 60);
    let url = CallbackUrl::new(url);
    Receipt::new(at, url, body.as_bytes(), signature)
        .unwrap()
        .line()
}

fn world() -> TestEnv {
    let mut env = TestEnv::new(&configuration(&[("acme", &[A, B])]));
    env.set("ESS_CALLBACKS_SANDBOX", "true");
    env
}

/// What the state says of a URL.
fn state_of(env: &TestEnv, url: &str) -> Value {
    let shown = env.run(&["show", "--json"]).exits(0);
    let state: Value = serde_json::from_str(&shown.stdout).unwrap();
    let callbacks = state["callbacks"].as_array().unwrap();
    let found = callbacks.iter().find(|callback| callback["url"] == url);
    found.cloned().unwrap_or_default()
}

pub(crate) const OWN: (&str, &str) = (KEY, TOKEN);

#[test]
fn messages_prove_what_was_imported_and_nothing_is_called() {
    let env = world();
    env.run(&["import", "--all"]).exits(0);
    let lines = [
        receipt(A, 90, "1", OWN),
        receipt(B, 90, "1", OWN),
        receipt(A, 80, "2", OWN),
        receipt(A, 80, "2", OWN),
        "not a receipt\n".to_owned(),
    ];
    env.write("receipts.jsonl", lines.concat());
    let said = env.run(&["observe", "receipts.jsonl"]).exits(0);
    insta::assert_snapshot!(said.out(), @"
    acme/https://a.acme.example/cb
      proven: 2 messages with the declared key and token, the last [AGO] ([TIME])
    acme/https://b.acme.example/cb
      proven: 1 message with the declared key and token, the last [AGO] ([TIME])
    4 receipts: 2 of 2 declared callbacks proven, 1 repeated message, 1 unreadable line. Recorded: 2 proven for the first time.
    ");
    assert!(!said.stdout.contains("canary"), "{said}");
    let state = state_of(&env, A);
    assert_eq!(state["evidence"], "proven", "{state}");
    assert!(
        state["seen_at"].is_string() && state["proof"].is_null(),
        "{state}"
    );
    let again = env.run(&["observe", "receipts.jsonl"]).exits(0);
    assert!(again.stdout.contains("Nothing new to record"), "{again}");
    let plan = env.run(&["plan"]).exits(0);
    assert!(
        plan.stdout.contains("No changes.") && !plan.stdout.contains("unproven"),
        "{plan}"
    );
}

#[test]
fn each_cause_is_told_and_the_next_apply_mends_it() {
    let env = world();
    env.write("old.key", OTHER_KEY);
    let third = KEY.replace('0', "9");
    let old = |minutes: i64| receipt(A, minutes, &minutes.to_string(), (OTHER_KEY, TOKEN));
    let other = |minutes: i64| receipt(B, minutes, &minutes.to_string(), (&third, TOKEN));
    let lines = [
        old(63),
        old(62),
        old(61),
        other(53),
        other(52),
        other(51),
        receipt(B, 40, "3", (KEY, "a forged token")),
        line(B, 30, "{}", None),
        receipt("https://x.example/?token=canary", 20, "4", OWN),
        line("https://y.example/", 10, "{}", None),
    ];
    env.write("receipts.jsonl", lines.concat());
    env.run(&["import", "--all"]).exits(0);
    let said = env
        .run(&["observe", "receipts.jsonl", "--key-from", "file:old.key"])
        .exits(8);
    insta::assert_snapshot!(said.out(), @"
    acme/https://a.acme.example/cb
      3 messages were encrypted with an older key, `file:old.key`, the last [AGO] ([TIME]). eSign still has it, or has it again; `apply` replaces it.
    acme/https://b.acme.example/cb
      3 messages were encrypted with a key that is not declared, under the declared token, the last [AGO] ([TIME]). Someone changed the key at eSign, or in callbacks.yaml without `apply`; `apply` replaces it.
      1 message was not signed with the declared token, the last [AGO] ([TIME]). Anyone can send such; if real ones are missing, eSign has another token, or a proxy changes bodies.
    URLs that are not declared
      https://x.example/?***: 1 request, the last [AGO] ([TIME]). The secrets of `acme/https://a.acme.example/cb` open them: someone configured this URL at eSign. Declare it, or list it under `absent`
      https://y.example/: 1 request, the last [AGO] ([TIME]). Nothing shows that eSign sent them
    10 receipts: 0 of 2 declared callbacks proven, 1 probe. Recorded: 2 with another key or token.
    ");
    assert!(!said.stdout.contains("canary"), "{said}");
    let plan = env.run(&["plan", "--detailed-exitcode"]).exits(2);
    assert!(
        plan.stdout.contains("2 to add, 0 to change, 2 to destroy"),
        "{plan}"
    );
}

/// It may be older than the add.
#[test]
fn a_message_soon_after_a_call_proves_nothing_yet_and_that_is_said() {
    let env = world();
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write("receipts.jsonl", receipt(A, 0, "1", OWN));
    let said = env.run(&["observe", "receipts.jsonl"]).exits(0);
    let early = "1 callback stays recorded as assumed: a message may be six hours old";
    assert!(said.stdout.contains(early), "{said}");
    assert_eq!(state_of(&env, A)["evidence"], "assumed");
}

/// It took messages until the last call for its callback.
#[test]
fn the_twin_of_a_rotation_is_no_stranger_until_it_is_there_again() {
    let env = world();
    env.run(&["import", "--all"]).exits(0);
    let twin = format!("{A}?esign-rotation=3f");
    env.write("receipts.jsonl", receipt(&twin, 90, "1", OWN));
    env.run(&["apply", "--replace", &format!("acme/{A}"), "--auto-approve"])
        .exits(0);
    let said = env
        .run(&["observe", "receipts.jsonl", "--no-record"])
        .exits(0);
    assert!(
        said.stdout
            .contains("It was the twin of a rotation that ended since"),
        "{said}"
    );
    // Of other callbacks there was no rotation.
    let other = receipt("https://x.example/cb?esign-rotation=3f", 90, "1", OWN);
    env.write("receipts.jsonl", other);
    env.run(&["observe", "receipts.jsonl", "--no-record"])
        .exits(8);
    // More than six hours after the last call for it.
    let state = env.read(".ess-callbacks/sandbox.state.json");
    let days_ago = |text: &str| {
        let (before, after) = text.split_once("\"proved_at\":\"20").unwrap();
        format!("{before}\"proved_at\":\"19{after}")
    };
    env.write(".ess-callbacks/sandbox.state.json", days_ago(&state));
    env.write("receipts.jsonl", receipt(&twin, 90, "1", OWN));
    env.run(&["observe", "receipts.jsonl", "--no-record"])
        .exits(8);
}

/// Whoever verifies from a branch has another key, and receivers write receipts of that, too.
#[test]
fn what_verify_sends_proves_nothing_whoever_s_key_it_has() {
    let env = world();
    env.run(&["import", "--all"]).exits(0);
    let mut lines = Vec::new();
    for (run, url, key, token) in [
        (1, A, KEY, TOKEN),
        (2, A, OTHER_KEY, TOKEN),
        (3, A, OTHER_KEY, "the token of a branch"),
        (4, "https://c.acme.example/cb", KEY, TOKEN),
    ] {
        let receiver = Verified {
            url: CallbackUrl::new(url),
            key: Some(Secret::new(key)),
            token: Some(Secret::new(token)),
        };
        let sent = probes(0, &receiver, &MsgType::harmless(), Marks(run)).unwrap();
        lines.extend(
            sent.iter()
                .map(|probe| line(url, 30, &probe.body, probe.signature.as_deref())),
        );
    }
    let count = lines.len();
    env.write("receipts.jsonl", lines.concat());
    let said = env.run(&["observe", "receipts.jsonl", "--json"]).exits(0);
    let events = said.events();
    let told = events.last().unwrap();
    for nothing in ["proven", "wrong_key", "clear_text", "unproven"] {
        assert_eq!(told[nothing], 0, "{nothing} {told}");
    }
    // Bodies that can't be marked, at an address that is not declared.
    assert_eq!(told["wrong_signature"], 0, "{told}");
    assert_eq!(told["undeclared"], 3, "{told}");
    assert_eq!(told["probes"], count - 3, "{told}");
}

#[test]
fn a_callback_that_messages_do_not_reach_is_shown_and_healed_first() {
    let env = world();
    env.run(&["import", "--all"]).exits(0);
    let hour = |hour: i64, url: &str| receipt(url, hour * 60, &hour.to_string(), OWN);
    let mut lines = vec![hour(14, A), hour(14, B), hour(13, A), hour(13, B)];
    lines.extend((1..=12).rev().map(|number| hour(number, A)));
    env.write("all.jsonl", lines.concat());
    let said = env.run(&["observe", "all.jsonl", "--json"]).exits(8);
    let summary: Value = serde_json::from_str(said.stdout.lines().last().unwrap()).unwrap();
    let missing = &summary["missing"][0];
    assert_eq!(
        (
            &missing["address"],
            &missing["confidence"],
            &missing["messages"]
        ),
        (&json!(format!("acme/{B}")), &json!("high"), &json!(6)),
        "{summary}"
    );
    assert_eq!(state_of(&env, B)["missing"]["messages"], 6);
    let plan = env.run(&["plan"]).exits(0);
    insta::assert_snapshot!(plan.out(), @"
    No changes. Your configuration matches the recorded state.

    eSign can't be read back: changes made in its console do not show here. The oldest was last confirmed [AGO].
    2 unchanged, 1 perhaps missing.
    Environment: test (sandbox)
    Perhaps missing: 6 messages that went to others since [TIME] did not arrive at acme/https://b.acme.example/cb. `apply --heal` adds it again, and `verify` says whether its receiver answers.
    ");
    let heal = ["plan", "--heal", "--older-than", "30d"];
    let plan = env.run(&heal).exits(0);
    insta::assert_snapshot!(plan.out(), @r#"
    Actions are indicated with the following symbols:
      * heal (add again)

    ess-callbacks will perform the following actions:

      # acme/https://b.acme.example/cb will be healed (added again)
      # (because messages that went to others did not arrive there)
      * callback {
            url   = "https://b.acme.example/cb"
            key   = (secret, fp [FP])
            token = (secret, fp [FP])
        }

    Plan: 0 to add, 1 to change, 0 to destroy.
    1 call, about 1 s at 20/s. 1 unchanged.
    Environment: test (sandbox), account: default
    Healing adds callbacks again, in case they were deleted outside ess-callbacks. It can't detect a deletion, nor a changed key or token.
    "#);
    env.run(&["apply", "--heal", "--older-than", "30d", "--auto-approve"])
        .exits(0);
    assert!(state_of(&env, B)["missing"].is_null());
}

#[test]
fn what_can_t_be_read_records_nothing() {
    let env = world();
    env.write("a.jsonl", receipt(A, 5, "1", OWN));
    env.write("broken.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3]);
    let before = env.files();
    for (arguments, code, what) in [
        (vec!["missing.jsonl"], 1, "`missing.jsonl` can't be read"),
        (vec!["a.jsonl", "."], 1, "is a folder"),
        (vec!["a.jsonl", "broken.gz"], 1, "to their end"),
        (vec!["a.jsonl", "a.jsonl"], 64, "given twice"),
        (vec![], 64, "RECEIPTS"),
        (vec!["a.jsonl", "--grace", "5m"], 64, "at least 15m"),
        (vec!["a.jsonl", "--key-from", KEY], 64, "env:NAME"),
    ] {
        let said = env.run(&[&["observe"], &*arguments].concat()).exits(code);
        assert!(said.stderr.contains(what), "{said}");
        assert!(!said.stderr.contains(KEY), "{said}");
    }
    env.run(&["observe", "a.jsonl", "--no-record"]).exits(0);
    assert_eq!(before, env.files());
    // Nothing says that what is not recorded was not deleted since.
    let said = env.run_with_input(&["observe", "-"], &receipt(A, 5, "1", OWN));
    let said = said.exits(0);
    assert!(said.stdout.contains("is not recorded"), "{said}");
    assert!(!env.exists(".ess-callbacks/sandbox.state.json"));
    let said = env.run_with_input(&["observe", "-"], "no receipt\n{}\n");
    assert!(said.exits(1).stderr.contains("none of the 2 lines"));
}
