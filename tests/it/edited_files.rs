//! State, journal and plan as people and accidents leave them: a clear error, an exit code, and not
//! a byte changed.

use std::path::PathBuf;

use ess_callbacks::plan::read_document;
use ess_callbacks::state::{ErrorKind, Store};
use ess_callbacks::testing::MemoryFiles;
use insta::assert_snapshot;
use rstest::rstest;

use crate::support::{Said, TestEnv, configuration};

const STATE: &str = "callbacks.state.json";
const JOURNAL: &str = "callbacks.state.journal";
const PLAN: &str = "plan.json";

/// As version 1 writes it.
const RECORDED: &str = r#"{
  "version": 1,
  "lineage": "0192f0c1-7b5e-7c3a-9d4e-5f6a7b8c9d0e",
  "serial": 12,
  "environment": "test",
  "fingerprint_salt": "00112233445566778899aabbccddeeff",
  "callbacks": [
    {"handle":"acme","account":"default","url":"https://hooks.example/one","operator":"op","status":"present","evidence":"proven","proved_at":"2026-01-01T12:00:00Z","request_id":"r-1"},
    {"handle":"acme","account":"default","url":"https://hooks.example/two","operator":"op","status":"unknown","evidence":"unknown","exact":true,"open":{"lost":{"call":"add","signed_at":"2026-01-01T12:00:00Z"}}}
  ]
}
"#;

/// Continues [`RECORDED`] with two calls; their second outcome is missing.
const HAPPENED: &str = r#"{"version":1,"lineage":"0192f0c1-7b5e-7c3a-9d4e-5f6a7b8c9d0e","base_serial":12,"sum":"@"}
{"records":[{"intent":{"id":1,"handle":"acme","account":"default","url":"https://hooks.example/one","operator":"op","call":{"call":"delete","signed_at":"2026-01-01T12:00:00Z"}}}],"sum":"@"}
{"records":[{"outcome":{"id":1,"kind":"applied","at":"2026-01-01T12:00:01Z","request_id":"r-2"}},{"intent":{"id":2,"handle":"acme","account":"default","url":"https://hooks.example/three","operator":"op","call":{"call":"add","signed_at":"2026-01-01T12:00:01Z"}}}],"sum":"@"}
"#;

/// The journal with the sums that belong to it.
fn happened() -> String {
    use sha2::{Digest as _, Sha256};
    let mut sum = [0_u8; 8];
    let mut journal = String::new();
    for line in HAPPENED.lines() {
        let contents = line.strip_suffix(r#","sum":"@"}"#).unwrap();
        let digest = Sha256::new()
            .chain_update(sum)
            .chain_update(contents)
            .finalize();
        sum.copy_from_slice(&digest[..8]);
        journal.push_str(&line.replace('@', &hex::encode(sum)));
        journal.push('\n');
    }
    journal
}

/// A folder with a configuration, a state and, when given, a journal.
fn folder(state: &str, journal: Option<&str>) -> TestEnv {
    let urls = &["https://hooks.example/one", "https://hooks.example/two"];
    let mut env = TestEnv::new(&configuration(&[("acme", urls)]));
    // Nothing listens there; whoever gets so far has gone too far.
    env.set("ESS_CALLBACKS_ENDPOINT", "http://127.0.0.1:9")
        .set("TENCENTCLOUD_SECRET_ID", "id")
        .set("TENCENTCLOUD_SECRET_KEY", "key");
    env.write(STATE, state);
    if let Some(journal) = journal {
        env.write(JOURNAL, journal);
    }
    env
}

/// What is in the folder but for the lock, which may be left free.
fn files(env: &TestEnv) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = env.files();
    files.retain(|(path, bytes)| !(path.ends_with("callbacks.state.lock") && bytes.is_empty()));
    files.sort();
    files
}

/// What `plan` says, after a look that `apply` says the same and that both leave everything as it
/// was.
fn refused(state: &str, journal: Option<&str>) -> Said {
    let env = folder(state, journal);
    let before = files(&env);
    let planned = env.run(&["plan"]).exits(1);
    let applied = env.run(&["apply", "--auto-approve"]).exits(1);
    assert_eq!(planned.err(), applied.err());
    assert_eq!(files(&env), before, "something was changed");
    planned
}

#[test]
fn the_files_of_these_tests_are_good() {
    let env = folder(RECORDED, Some(&happened()));
    assert_snapshot!(env.run(&["state", "list"]), @r#"
        exit 0
        --- stdout
        acme/https://hooks.example/one
        acme/https://hooks.example/three
        acme/https://hooks.example/two
        "#);
    assert_snapshot!(env.run(&["state", "show", "*/*/one", "*/*/three"]), @r#"
    exit 0
    --- stdout
    # acme/https://hooks.example/one
    callback {
        url          = "https://hooks.example/one"
        status       = absent
        evidence     = proven
        environment  = test
        account      = "default"
        organization = the account's own
        operator     = "op"
        confirmed    = [AGO] ([TIME], request id r-2)
    }

    # acme/https://hooks.example/three
    callback {
        url          = "https://hooks.example/three"
        status       = present or absent
        evidence     = unknown (the outcome of a call is open)
        environment  = test
        account      = "default"
        organization = the account's own
        operator     = "op"
        confirmed    = never
        open call    = an add without an answer; it can't arrive any more (since [TIME])
    }
    "#);
}

#[test]
fn a_truncated_state() {
    assert_snapshot!(refused(&RECORDED[..400], None), @"
    exit 1
    --- stderr
    error: `callbacks.state.json` line 9: it ends in the middle
      The file was left as it is. Restore it from version control or from the `.backup` beside the state file, or fix the line by hand; then run `plan`.
    ");
}

#[test]
fn an_empty_state() {
    assert_snapshot!(refused("", None), @"
    exit 1
    --- stderr
    error: `callbacks.state.json`: the file is empty
      The file was left as it is. Restore it from version control or from the `.backup` beside the state file, or fix the line by hand; then run `plan`.
    ");
}

#[test]
fn a_state_with_a_callback_twice() {
    assert_snapshot!(refused(&RECORDED.replace("/two", "/one"), None), @"
    exit 1
    --- stderr
    error: `callbacks.state.json` line 9: duplicate callback `https://hooks.example/one` in the same organization
      The file was left as it is. Restore it from version control or from the `.backup` beside the state file, or fix the line by hand; then run `plan`.
    ");
}

#[test]
fn a_state_of_a_newer_version() {
    let newer = RECORDED.replace("\"version\": 1", "\"version\": 3");
    assert_snapshot!(refused(&newer, None), @r#"
        exit 1
        --- stderr
        error: `callbacks.state.json` was written by a newer version of ess-callbacks (format 3; this one knows 2)
          Use at least the version that wrote it. The file was left as it is.
        "#);
}

#[test]
fn a_state_of_another_environment() {
    let other = RECORDED.replace("\"test\"", "\"production\"");
    assert_snapshot!(refused(&other, None), @"
    exit 1
    --- stderr
    error: `callbacks.state.json` records the production environment, but the configuration says test
      Use a separate state file for each environment (--state), or correct `environment:` in the configuration.
    ");
}

#[test]
fn a_state_that_belongs_to_another_journal() {
    let other = RECORDED.replace("0192f0c1", "1192f0c1");
    assert_snapshot!(refused(&other, Some(&happened())), @r#"
        exit 1
        --- stderr
        error: the journal `callbacks.state.journal` belongs to another state (lineage [UUID], not [UUID])
          Put the state file and the journal together that belong together, or move the journal away.
        "#);
}

#[test]
fn a_state_that_was_put_back() {
    let older = RECORDED.replace("\"serial\": 12", "\"serial\": 11");
    assert_snapshot!(refused(&older, Some(&happened())), @r#"
        exit 1
        --- stderr
        error: the state file `callbacks.state.json` (serial 11) is older than its journal `callbacks.state.journal`, which continues serial 12
          Put the newer state file back. If the older one is meant, move the journal away first; what it says of calls whose outcome is open is lost then.
        "#);
}

#[test]
fn a_journal_edited_in_the_middle() {
    let edited = happened().replacen("\"delete\"", "\"add\"", 1);
    assert_snapshot!(refused(RECORDED, Some(&edited)), @"
    exit 1
    --- stderr
    error: `callbacks.state.journal` line 2: the line is damaged, or lines before it are missing; and it is not the last, which a crash may damage
      The file was left as it is.
      If it was edited, undo that: its sums are there so that no edit goes unnoticed.
      If it can't be fixed, wait until six minutes have passed since the last apply, move the journal away and run `plan`.
      What only the journal knew is forgotten then: what is declared is planned again, which does no harm; list under `absent:` what was added and is not declared any more.
    ");
}

#[test]
fn a_journal_edited_in_its_last_line() {
    let edited = happened().replace("\"applied\"", "\"unknown\"");
    assert_snapshot!(refused(RECORDED, Some(&edited)), @"
    exit 1
    --- stderr
    error: `callbacks.state.journal` line 3: the line is whole but its sum does not fit: it was changed after it was written, or lines before it are missing
      The file was left as it is.
      If it was edited, undo that: its sums are there so that no edit goes unnoticed.
      If it can't be fixed, wait until six minutes have passed since the last apply, move the journal away and run `plan`.
      What only the journal knew is forgotten then: what is declared is planned again, which does no harm; list under `absent:` what was added and is not declared any more.
    ");
}

#[test]
fn a_journal_of_which_a_line_was_removed() {
    let journal = happened();
    let second = journal.lines().nth(1).unwrap();
    let shorter = journal.replace(&format!("{second}\n"), "");
    assert_snapshot!(refused(RECORDED, Some(&shorter)), @"
    exit 1
    --- stderr
    error: `callbacks.state.journal` line 2: the line is whole but its sum does not fit: it was changed after it was written, or lines before it are missing
      The file was left as it is.
      If it was edited, undo that: its sums are there so that no edit goes unnoticed.
      If it can't be fixed, wait until six minutes have passed since the last apply, move the journal away and run `plan`.
      What only the journal knew is forgotten then: what is declared is planned again, which does no harm; list under `absent:` what was added and is not declared any more.
    ");
}

#[test]
fn a_journal_with_a_line_twice() {
    let repeated = twice(&happened(), "\"delete\"");
    assert_snapshot!(refused(RECORDED, Some(&repeated)), @"
    exit 1
    --- stderr
    error: `callbacks.state.journal` line 3: the line is damaged, or lines before it are missing; and it is not the last, which a crash may damage
      The file was left as it is.
      If it was edited, undo that: its sums are there so that no edit goes unnoticed.
      If it can't be fixed, wait until six minutes have passed since the last apply, move the journal away and run `plan`.
      What only the journal knew is forgotten then: what is declared is planned again, which does no harm; list under `absent:` what was added and is not declared any more.
    ");
}

#[test]
fn a_journal_of_a_newer_version() {
    let newer = happened().replacen("\"version\":1", "\"version\":2", 1);
    assert_snapshot!(refused(RECORDED, Some(&newer)), @"
    exit 1
    --- stderr
    error: `callbacks.state.journal` was written by a newer version of ess-callbacks (format 2; this one knows 1)
      Use at least the version that wrote it. The file was left as it is.
    ");
}

#[test]
fn an_empty_journal() {
    assert_snapshot!(refused(RECORDED, Some("")), @"
    exit 1
    --- stderr
    error: `callbacks.state.journal` line 1: the first line is not a journal's header
      The file was left as it is.
      If it was edited, undo that: its sums are there so that no edit goes unnoticed.
      If it can't be fixed, wait until six minutes have passed since the last apply, move the journal away and run `plan`.
      What only the journal knew is forgotten then: what is declared is planned again, which does no harm; list under `absent:` what was added and is not declared any more.
    ");
}

/// What a crash leaves is no mistake of anybody's.
#[test]
fn a_journal_cut_in_its_last_line_is_good() {
    let journal = happened();
    let env = folder(RECORDED, Some(&journal[..journal.len() - 30]));
    let said = env.run(&["state", "list"]).exits(0);
    assert_eq!(said.stdout.lines().count(), 2, "{said}");
}

/// Wherever it was cut; the binary would take minutes for it.
#[tokio::test]
async fn a_state_cut_anywhere_is_refused_and_left_alone() {
    let journal = happened();
    // Without its last line break it is whole.
    for length in 0..RECORDED.len() - 1 {
        let files = MemoryFiles::new(0);
        files.put(STATE, &RECORDED[..length]);
        files.put(JOURNAL, &*journal);
        let before = files.all();
        let error = Store::in_files(files.clone(), STATE)
            .peek()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}: {error}");
        assert_eq!(files.all(), before, "{length}");
    }
}

/// A folder with a saved plan, and the plan.
fn planned() -> (TestEnv, String) {
    let urls = &["https://hooks.example/one", "https://hooks.example/two"];
    let env = TestEnv::new(&configuration(&[("acme", urls)]));
    env.run(&["--sandbox", "plan", "--out", PLAN]).exits(0);
    let plan = env.read(PLAN);
    (env, plan)
}

/// The text with its first line that contains this repeated.
fn twice(text: &str, with: &str) -> String {
    let line = text.lines().find(|line| line.contains(with)).unwrap();
    text.replacen(line, &format!("{line}\n{line}"), 1)
}

/// Each way to spoil a plan, and what `apply` says.
#[rstest]
#[case::edited(|plan: &str| plan.replace("/two", "/six"))]
#[case::cut(|plan: &str| plan[..plan.len() / 2].to_owned())]
#[case::empty(|_: &str| String::new())]
#[case::a_change_twice(|plan: &str| twice(plan, "/one\""))]
#[case::newer(|plan: &str| plan.replace("\"format_version\": \"1.4\"", "\"format_version\": \"2.0\""))]
#[case::no_checksum(|plan: &str| plan.replace("\"checksum\"", "\"checked\""))]
#[case::windows_lines(|plan: &str| plan.replace('\n', "\r\n"))]
#[case::a_state(|_: &str| RECORDED.to_owned())]
fn a_plan_that_was_spoilt_is_refused(#[case] spoil: fn(&str) -> String) {
    let (env, plan) = planned();
    let spoilt = spoil(&plan);
    assert_ne!(spoilt, plan);
    env.write(PLAN, &spoilt);
    let before = files(&env);
    let said = env.run(&["--sandbox", "apply", PLAN]).exits(7);
    assert_eq!(files(&env), before, "something was changed");
    assert!(said.stderr.contains("plan --out"), "{said}");
    read_document(&spoilt).unwrap_err();
}

#[test]
fn what_is_said_of_a_spoilt_plan() {
    let (env, plan) = planned();
    env.write(PLAN, plan.replace("/two", "/six"));
    assert_snapshot!(env.run(&["--sandbox", "apply", PLAN]), @"
    exit 7
    --- stderr
    error: the plan `plan.json` can't be applied: the plan was changed after it was written (edited, reformatted, or its line ends converted): its checksum does not match. What is applied must be what was reviewed, so make a new one with `plan --out`
    ");
    env.write(PLAN, &plan[..200]);
    assert_snapshot!(env.run(&["--sandbox", "apply", PLAN]), @r#"
        exit 7
        --- stderr
        error: the plan `plan.json` can't be applied: the plan is cut off: it ends in the middle. Make a new one with `plan --out`
        "#);
    assert_snapshot!(env.run(&["--sandbox", "show", PLAN]), @r#"
        exit 1
        --- stderr
        error: the plan `plan.json` can't be shown: the plan is cut off: it ends in the middle. Make a new one with `plan --out`
        "#);
    env.write(PLAN, "\u{0}\u{1}");
    assert_snapshot!(env.run(&["--sandbox", "apply", PLAN]), @"
    exit 7
    --- stderr
    error: the plan `plan.json` can't be applied: this is not a plan document (line 1, column 1). `plan --out` makes one
    ");
}
