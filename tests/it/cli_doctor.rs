//! `doctor` through the real program, against sandboxes with something wrong.

use insta::assert_snapshot;
use rstest::rstest;
use serde_json::Value;

use crate::support::{OPERATOR, Said, Served, TestEnv, redact};

const OTHER: &str = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX9";

/// A main organization and three members, one of which has another operator.
pub(crate) fn group(environment: &str) -> String {
    format!(
        "version: 1
environment: {environment}
defaults: {{ operator: {OPERATOR} }}
organizations:
  acme:
    callbacks: [https://hooks.example/main]
  one:
    proxy_organization_id: m1
    callbacks: [https://hooks.example/one]
  two:
    proxy_organization_id: m2
    operator: {OTHER}
    callbacks: [https://hooks.example/two]
"
    )
}

/// Served with this enterprise, beside that configuration.
pub(crate) fn with(enterprise: &str, environment: &str) -> (TestEnv, Served) {
    let mut env = TestEnv::new(&group(environment));
    let mut described: Value = serde_json::from_str(enterprise).unwrap();
    if described["members"].is_null() {
        described["members"] = serde_json::json!([{"id": "m1"}, {"id": "m2"}]);
    }
    env.write("enterprise.json", described.to_string());
    let served = env.serve(&["--enterprise", "enterprise.json"]);
    (env, served)
}

/// The rows of `--json`: name, organization, result.
pub(crate) fn rows(said: &Said) -> Vec<(String, String, String)> {
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
    let rows = document["checks"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            text(row, "name"),
            text(row, "organization"),
            text(row, "result"),
        )
    })
    .collect()
}

/// The failed checks, as `name organization`.
pub(crate) fn failed(said: &Said) -> Vec<String> {
    let rows = rows(said).into_iter();
    rows.filter(|(_, _, result)| result == "failed")
        .map(|(name, organization, _)| format!("{name} {organization}"))
        .collect()
}

#[test]
fn all_is_well_and_nothing_was_changed() {
    let (env, served) = with("{}", "production");
    let before = env.files();
    let said = env.run(&["doctor"]).exits(0);
    assert_snapshot!(redact(&said.stdout, &env.path("")), @"
    ok       endpoint     http://127.0.0.1:[PORT]/, given by --endpoint or ESS_CALLBACKS_ENDPOINT, for environment production
    ok       proxy        none
    skipped  dns          the endpoint is an address
    ok       connection   127.0.0.1:[PORT] answers
    skipped  tls          plain http, to this machine only
    ok       clock        this machine's clock agrees with eSign's

    Account default
    ok       credentials  from the environment variables TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY
    ok       account      they belong to the Tencent Cloud account 100000000001
    ok       enterprise   it is verified
    ok       member       one: it has joined
    ok       member       two: it has joined
    ok       permission   acme: callbacks may be configured: eSign looked for the probe's URL and has no such callback
    ok       permission   one: callbacks may be configured: eSign looked for the probe's URL and has no such callback
    ok       permission   two: callbacks may be configured: eSign looked for the probe's URL and has no such callback

    12 ok, 0 warnings, 0 failed, 2 skipped.
    ");
    assert_eq!(env.files(), before, "no state and nothing else is written");
    assert!(served.urls().is_empty());
    for call in served.log() {
        if !call["operation"].is_null() {
            assert_eq!(call["operation"], "delete");
            assert!(
                call["url"].as_str().unwrap().ends_with(".invalid/"),
                "{call}"
            );
            assert_eq!(call["effect"], "nothing");
        }
    }
}

#[rstest]
#[case::not_verified(r#"{"verified": "no"}"#, &["enterprise -"])]
#[case::verification_under_way(r#"{"verified": "under_way"}"#, &["enterprise -"])]
#[case::a_basic_edition(r#"{"edition": "basic"}"#, &["permission one", "permission two"])]
#[case::a_member_that_left(
    r#"{"members": [{"id": "m1"}, {"id": "m2", "status": 4}]}"#, &["member two"])]
#[case::members_that_have_not_joined(
    r#"{"members": [{"id": "m1", "status": 2}, {"id": "m2", "status": 1}]}"#, &["member one", "member two"])]
#[case::a_member_that_refused_and_one_that_is_not_there(
    r#"{"members": [{"id": "m1", "status": 3}]}"#, &["member one", "permission two"])]
#[case::an_unknown_operator(
    r#"{"employees": [{"user_id": "OPERATOR"}]}"#, &["permission two", "operator two"])]
#[case::an_operator_who_left(
    r#"{"employees": [{"user_id": "OPERATOR"}, {"user_id": "OTHER", "left": true}]}"#, &["permission two", "operator two"])]
#[case::an_operator_who_is_not_verified(
    r#"{"employees": [{"user_id": "OPERATOR"}, {"user_id": "OTHER", "verified": false}]}"#,
    &["permission two", "operator two"])]
#[case::a_role_of_the_group_that_does_not_cover_the_member(
    r#"{"employees": [{"user_id": "OPERATOR"}, {"user_id": "OTHER", "roles": ["r"]}], "roles": [{"id": "r", "members": ["m1"]}]}"#,
    &["permission two", "roles two"])]
#[case::a_role_that_is_switched_off(
    r#"{"employees": [{"user_id": "OPERATOR"}, {"user_id": "OTHER", "roles": ["r"]}], "roles": [{"id": "r", "enabled": false}]}"#,
    &["permission two", "roles two"])]
#[case::a_role_without_the_permission(
    r#"{"employees": [{"user_id": "OPERATOR"}, {"user_id": "OTHER", "roles": ["r"]}], "roles": [{"id": "r", "callbacks": false}]}"#,
    &["permission two"])]
#[case::no_one_who_may_act(
    r#"{"employees": [{"user_id": "OTHER", "left": true}]}"#,
    &["permission acme", "permission one", "permission two", "operator acme", "operator one", "operator two"])]
#[case::cam_without_the_change(
    r#"{"denied_actions": ["ModifyApplicationCallbackInfo"]}"#, &["permission acme"])]
fn the_root_cause_is_found(#[case] enterprise: &str, #[case] expected: &[&str]) {
    let enterprise = enterprise
        .replace("OPERATOR", OPERATOR)
        .replace("OTHER", OTHER);
    let (env, served) = with(&enterprise, "test");
    let said = env.run(&["--json", "doctor"]).exits(8);
    assert_eq!(failed(&said), expected, "{said}");
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    for row in document["checks"].as_array().unwrap() {
        let named = row.as_object().unwrap().len();
        assert_eq!(named, 6, "{row}");
        let needs = row["result"] == "failed" || row["result"] == "warning";
        assert_eq!(row["remedy"].is_string(), needs, "{row}");
    }
    assert!(served.urls().is_empty());
}

#[test]
fn a_cam_policy_for_the_change_alone_is_enough() {
    let denied = r#"{"denied_actions": ["DescribeOrganizationVerifyStatus", "DescribeOrganizationGroupOrganizations"]}"#;
    let (env, _served) = with(denied, "test");
    let said = env.run(&["--json", "doctor"]).exits(0);
    let warned = rows(&said).into_iter().filter(|row| row.2 == "warning");
    let warned: Vec<_> = warned.map(|row| row.0).collect();
    assert_eq!(warned, ["enterprise", "member"], "{said}");
}

#[test]
fn a_refused_reserved_host_is_followed_by_a_path_of_ones_own() {
    let (env, served) = with(r#"{"invalid_hosts": [".invalid"]}"#, "test");
    env.run(&["doctor"]).exits(0);
    let urls: Vec<String> = served
        .log()
        .iter()
        .filter(|call| !call["operation"].is_null())
        .map(|call| call["url"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(urls.len(), 6);
    let own = urls
        .iter()
        .filter(|url| url.starts_with("https://hooks.example/ess-callbacks-probe-"));
    assert_eq!(own.count(), 3, "{urls:?}");
}

#[test]
fn only_some_organizations_are_probed_without_all() {
    use std::fmt::Write as _;
    let mut text = group("test");
    for number in 0..9 {
        write!(text, "  x{number}:\n    proxy_organization_id: x{number}\n").unwrap();
    }
    let mut env = TestEnv::new(&text);
    let served = env.serve(&[]);
    let probes = || {
        served
            .log()
            .iter()
            .filter(|call| !call["operation"].is_null())
            .count()
    };
    let said = env.run(&["doctor"]).exits(0);
    assert!(
        said.stdout
            .contains("8 more organizations were not probed; --all"),
        "{said}"
    );
    assert_eq!(probes(), 4);
    env.run(&["doctor", "--all"]).exits(0);
    assert_eq!(probes(), 4 + 12);
    env.run(&["doctor", "--organization", "x3"]).exits(0);
    assert_eq!(probes(), 4 + 12 + 1);
}

#[test]
fn bad_credentials_are_the_root_cause() {
    let (mut env, served) = with("{}", "production");
    env.set("TENCENTCLOUD_SECRET_KEY", "wrong");
    let said = env.run(&["--json", "doctor"]).exits(8);
    assert_eq!(failed(&said), ["account -"], "{said}");
    assert!(
        said.stdout.contains("AuthFailure.SignatureFailure"),
        "{said}"
    );
    env.unset("TENCENTCLOUD_SECRET_KEY");
    let said = env.run(&["--json", "doctor"]).exits(8);
    assert_eq!(failed(&said), ["credentials -"], "{said}");
    assert!(served.log().iter().all(|call| call["operation"].is_null()));
}

/// Neither is another command's file overwritten, nor is anything called for the state of another destination.
#[test]
fn a_trial_keeps_files_and_other_states() {
    let (env, served) = with("{}", "test");
    let trial = [
        "doctor",
        "--probe-api",
        "https://throwaway.example/trial",
        "--auto-approve",
    ];
    let before = env.read("callbacks.yaml");
    let report = [&trial[..], &["--report", "callbacks.yaml"]].concat();
    let said = env.run(&report).exits(64);
    assert!(
        said.stderr.contains("part of the configuration")
            || said.stderr.contains("the configuration"),
        "{said}"
    );
    assert_eq!(env.read("callbacks.yaml"), before);
    env.run(&["apply", "--auto-approve"]);
    let calls = served.log().len();
    for command in [&["doctor"][..], &trial] {
        let elsewhere = [command, &["--endpoint", "https://ess.other.example"]].concat();
        let said = env.run(&elsewhere).exits(7);
        assert!(said.stderr.contains("the state records calls to"), "{said}");
    }
    assert_eq!(served.log().len(), calls);
}

#[test]
fn another_account_than_the_expected_one_is_found() {
    let (env, served) = with("{}", "production");
    let text = group("production").replace(
        "organizations:",
        "accounts: { default: { expect_account_id: \"42\" } }\norganizations:",
    );
    env.write("callbacks.yaml", text);
    let said = env.run(&["doctor"]).exits(8);
    assert!(
        said.stdout.contains(
            "belong to the Tencent Cloud account 100000000001, but `expect_account_id` says 42"
        ),
        "{said}"
    );
    let trial = "https://throwaway.example/trial";
    let said = env
        .run(&["doctor", "--probe-api", trial, "--auto-approve"])
        .exits(1);
    assert!(
        said.stderr.contains("says 42; nothing was called"),
        "{said}"
    );
    assert!(served.log().iter().all(|call| call["operation"].is_null()));
}

#[rstest]
#[case(90, 0, "warning")]
#[case(-90, 0, "warning")]
#[case(-400, 8, "failed")]
#[case(400, 8, "failed")]
fn the_clock_is_compared(#[case] skew: i64, #[case] exit: i32, #[case] result: &str) {
    let (env, served) = with("{}", "test");
    served.skew(skew);
    let said = env.run(&["--json", "doctor"]).exits(exit);
    let clock = rows(&said)
        .into_iter()
        .find(|row| row.0 == "clock")
        .unwrap();
    assert_eq!(clock.2, result, "{said}");
}

#[test]
fn busy_servers_are_asked_again() {
    let (env, served) = with("{}", "test");
    served.faults("", "throttle,internal-error,lost-before");
    env.run(&["doctor", "--organization", "acme"]).exits(0);
    assert_eq!(served.arrived(), 4);
}
