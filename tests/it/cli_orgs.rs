//! `orgs` and `doctor --probe-api` through the real program.

use insta::assert_snapshot;
use rstest::rstest;
use serde_json::Value;

use crate::cli_doctor::{group, with};
use crate::support::redact;

#[test]
fn the_group_is_shown_beside_the_configuration() {
    let members = r#"{"members": [{"id": "m1", "name": "示例科技（上海）有限公司"}, {"id": "m2", "status": 4, "name": "Left"},
        {"id": "m3", "name": "New \u001b[31m Ltd"}, {"id": "m4", "status": 2, "name": "Soon"}]}"#;
    let (env, _served) = with(members, "test");
    let said = env.run(&["orgs"]).exits(0);
    assert_snapshot!(redact(&said.stdout, &env.path("")), @r"
    NAME                      ID                                STATUS         COVERAGE  CALLBACKS  HANDLES
    沙箱集团主企业 default    yDobNhASqfXBvxW0p3gZgfAkq5o3Z8w2  joined (main)  own       1          acme
    Left                      m2                                left           inactive  1          two
    New \u{1b}[31m Ltd        m3                                joined         main      0
    Soon                      m4                                authorized     inactive  0
    示例科技（上海）有限公司  m1                                joined         own       1          one

    5 organizations: 2 with callbacks of their own, 1 covered by the main organization, 0 uncovered, 2 inactive; 1 declared and not joined.
    ");
    let said = env.run(&["orgs", "--format", "yaml"]).exits(0);
    assert_snapshot!(said.stdout, @r#"
    # Paste this below `organizations:`.
    # New \u{1b}[31m Ltd
    new-31m-ltd:
      proxy_organization_id: "m3"
      operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8
      callbacks: []
    "#);
    let pasted = group("test") + &said.stdout;
    env.write("callbacks.yaml", pasted);
    env.run(&["validate"]).exits(0);
    let said = env.run(&["--json", "orgs"]).exits(0);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["organizations"].as_array().unwrap().len(), 5);
    let said = env.run(&["orgs", "--format", "yaml"]).exits(0);
    assert!(
        said.stdout
            .contains("Every organization that has joined is declared"),
        "{said}"
    );
}

#[test]
fn a_group_of_many_pages_is_listed_once_each() {
    let members: Vec<Value> = (0..450)
        .map(|number| serde_json::json!({"id": format!("m{number}")}))
        .collect();
    let enterprise = serde_json::json!({ "members": members }).to_string();
    let (env, served) = with(&enterprise, "test");
    let said = env.run(&["orgs", "--format", "json"]).exits(0);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["complete"], true);
    assert_eq!(document["organizations"].as_array().unwrap().len(), 451);
    assert_eq!(served.log().len(), 3);
}

const TRIAL: &str = "https://throwaway.example/esign-trial";

#[test]
fn a_trial_answers_and_leaves_nothing() {
    let (env, served) = with("{}", "test");
    let before = env.files();
    let said = env.run(&["doctor", "--probe-api", TRIAL]).exits(1);
    assert!(said.stderr.contains("--auto-approve"), "{said}");
    assert_eq!(served.arrived(), 0);
    let said = env
        .run(&["doctor", "--probe-api", TRIAL, "--auto-approve"])
        .exits(0);
    assert!(!said.stdout.contains("throwaway"), "{said}");
    for line in [
        "| What is the answer to an add of an existing URL? | success |",
        "| What exactly is the answer to a delete of a missing URL? | FailedOperation: 当前配置不存在 |",
        "| Is the URL with its default port the same URL? | another URL |",
        "None of it remains at eSign.",
    ] {
        assert!(said.stdout.contains(line), "{said}");
    }
    assert!(served.urls().is_empty());
    assert_eq!(env.files(), before);
    let arguments = [
        "doctor",
        "--probe-api",
        TRIAL,
        "--auto-approve",
        "--report",
        "report.md",
    ];
    let said = env.run(&arguments).exits(0);
    assert_eq!(env.read("report.md"), said.stdout);
}

#[rstest]
#[case("https://hooks.example/main")]
#[case("https://HOOKS.example:443/main/")]
#[case("ftp://x.example/")]
#[case("https://x.example/?secret=canary")]
fn a_trial_refuses_urls_that_are_in_use_or_none(#[case] url: &str) {
    let (env, served) = with("{}", "test");
    let said = env
        .run(&["doctor", "--probe-api", url, "--auto-approve"])
        .exits(64);
    assert!(!said.stderr.contains("canary"), "{said}");
    assert_eq!(served.arrived(), 0);
}

#[rstest]
#[case::an_add_that_was_carried_out("ok,lost-after", 4, "may still take effect until")]
#[case::a_delete_that_was_lost("ok,ok,ok,lost-before", 8, "")]
#[case::throttled("ok,ok,throttle", 8, "")]
fn an_interrupted_trial_cleans_up(#[case] script: &str, #[case] exit: i32, #[case] words: &str) {
    let (env, served) = with("{}", "test");
    served.faults("", script);
    let said = env
        .run(&["doctor", "--probe-api", TRIAL, "--auto-approve"])
        .exits(exit);
    assert!(said.stderr.contains(words), "{said}");
    assert!(served.urls().is_empty(), "{said}");
}

#[test]
fn a_trial_cleans_up_after_ctrl_c() {
    let (env, served) = with("{}", "test");
    served.faults("", "ok,slow@2s");
    let running = env.start(&["doctor", "--probe-api", TRIAL, "--auto-approve"]);
    served.wait_for(2);
    running.signal("INT");
    let said = running.wait().exits(130);
    assert!(
        said.stderr
            .contains("Interrupted; https://throwaway.example/esign-trial is not at eSign."),
        "{said}"
    );
    assert!(served.urls().is_empty(), "{said}");
    assert_eq!(served.arrived(), 3);
}
