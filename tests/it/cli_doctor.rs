//! `doctor` and `orgs` through the real program, against sandboxes with something wrong and against servers that
//! answer badly.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use insta::assert_snapshot;
use rstest::rstest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

use crate::support::{OPERATOR, Said, TestEnv, redact};

const OTHER: &str = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX9";

/// A main organization and three members, one of which has another operator.
fn group(environment: &str) -> String {
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
fn with(enterprise: &str, environment: &str) -> (TestEnv, crate::support::Served) {
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
fn rows(said: &Said) -> Vec<(String, String, String)> {
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
fn failed(said: &Said) -> Vec<String> {
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
    ok       endpoint     http://127.0.0.1:[PORT]/, given by --endpoint, for environment production
    ok       proxy        none
    skipped  dns          the endpoint is an address
    ok       connection   127.0.0.1:[PORT] answers
    skipped  tls          plain http, to this machine only
    ok       clock        this machine's clock agrees with eSign's

    Account default
    ok       credentials  from the environment (TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY)
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

#[test]
fn another_account_than_the_expected_one_is_found() {
    let (env, _served) = with("{}", "production");
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

/// A server on 127.0.0.1 that answers each connection with this, and how many there were.
fn answering(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || respond(stream, answer));
        }
    });
    (format!("http://{address}/"), count)
}

/// Answers every request of a connection.
fn respond(stream: TcpStream, answer: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let date = httpdate();
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        )
        .ok()?;
    }
}

fn httpdate() -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[rstest]
#[case::html("<html>welcome to the hotel</html>")]
#[case::nothing("")]
#[case::half(r#"{"Response":{"Req"#)]
#[case::hostile(
    "{\"Response\":{\"Error\":{\"Code\":\"FailedOperation\",\"Message\":\"\\u001b[2J::set-output name=a::b\\u202e\"},\"RequestId\":\"##[group]\\u001b\"}}"
)]
#[case::a_new_code(r#"{"Response":{"Error":{"Code":"Brand.New","Message":"x"},"RequestId":"r"}}"#)]
fn whatever_a_server_answers_is_reported(#[case] answer: &'static str) {
    let (endpoint, asked) = answering(answer);
    let mut env = TestEnv::new(&group("test"));
    env.set("ESS_CALLBACKS_ENDPOINT", &endpoint)
        .set("TENCENTCLOUD_SECRET_ID", "AKIDx")
        .set("TENCENTCLOUD_SECRET_KEY", "canary-secret-key");
    for form in [
        &["doctor", "--organization", "acme"][..],
        &["--json", "doctor", "--organization", "acme"],
        &["orgs"],
    ] {
        let said = env.run(form);
        assert!(matches!(said.code, Some(8 | 1)), "{said}");
        for text in [&said.stdout, &said.stderr] {
            assert!(
                !text.contains('\u{1b}') && !text.contains('\u{202e}'),
                "{said}"
            );
            assert!(!text.contains("canary"), "{said}");
        }
    }
    assert!(asked.load(Ordering::Relaxed) > 0);
}

/// Serves TLS with a certificate of `tests/vectors/tls`.
fn tls(certificate: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tls");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let chain = CertificateDer::from_pem_slice(&read(certificate)).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let mut connection = rustls::ServerConnection::new(config).ok()?;
                while connection.is_handshaking() {
                    connection.complete_io(&mut stream).ok()?;
                }
                let mut tls = rustls::Stream::new(&mut connection, &mut stream);
                let mut some = [0; 4096];
                let _read = tls.read(&mut some).ok()?;
                write!(
                    tls,
                    "HTTP/1.1 200 OK\r\nDate: {}\r\nContent-Length: 0\r\n\r\n",
                    httpdate()
                )
                .ok()
            });
        }
    });
    format!("https://{address}/")
}

#[rstest]
#[case::expired("expired.pem", true, "expired")]
#[case::wrong_name("other-name.pem", true, "for another name")]
#[case::unknown_issuer("good.pem", false, "does not trust the issuer")]
#[case::good("good.pem", true, "")]
fn certificates_are_checked(#[case] certificate: &str, #[case] trusted: bool, #[case] words: &str) {
    let mut env = TestEnv::new(&group("test"));
    env.set("ESS_CALLBACKS_ENDPOINT", &tls(certificate))
        .set("TENCENTCLOUD_SECRET_ID", "AKIDx")
        .set("TENCENTCLOUD_SECRET_KEY", "key");
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/tls/ca.pem");
    if trusted {
        env.set("ESS_CALLBACKS_CA_FILE", ca);
    }
    let said = env.run(&["doctor", "--organization", "acme"]).exits(8);
    let line = said
        .stdout
        .lines()
        .find(|line| line.contains(" tls "))
        .unwrap();
    let expected = if words.is_empty() { "ok" } else { "failed" };
    assert!(line.starts_with(expected) && line.contains(words), "{said}");
}

#[test]
fn a_wrong_port_or_name_is_found() {
    let mut env = TestEnv::new(&group("test"));
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (plain, _) = answering("");
    let not_tls = plain.replace("http://", "https://");
    for (endpoint, name) in [
        (format!("http://{unused}/"), "connection"),
        ("https://does-not-exist.invalid/".to_owned(), "dns"),
        (not_tls, "tls"),
    ] {
        env.set("ESS_CALLBACKS_ENDPOINT", &endpoint);
        env.set("TENCENTCLOUD_SECRET_ID", "x")
            .set("TENCENTCLOUD_SECRET_KEY", "y");
        let said = env.run(&["--json", "doctor"]).exits(8);
        assert_eq!(failed(&said), [format!("{name} -")], "{said}");
    }
}

#[test]
fn a_proxy_is_named_without_its_password() {
    let mut env = TestEnv::new(&group("test"));
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    env.set("HTTPS_PROXY", &format!("http://me:canary@{unused}"))
        .set("TENCENTCLOUD_SECRET_ID", "x")
        .set("TENCENTCLOUD_SECRET_KEY", "y");
    let said = env.run(&["doctor"]).exits(8);
    assert!(
        said.stdout
            .contains(&format!("the proxy {unused} did not connect")),
        "{said}"
    );
    assert!(!said.stdout.contains("canary"), "{said}");
}

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
        "Nothing of it is left at eSign.",
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
