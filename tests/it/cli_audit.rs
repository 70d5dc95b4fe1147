//! CloudAudit as a witness, by the real program against the sandbox's imitation of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ess_callbacks::model::Timestamp;
use insta::assert_snapshot;

use crate::support::{
    KEY, OTHER_KEY, Said, Served, TOKEN, TestEnv, at_a_terminal, configuration, eventually,
};

const ONE: &str = "https://hooks.example/one";
const APPLY: [&str; 5] = [
    "apply",
    "--auto-approve",
    "--max-retries",
    "0",
    "--experimental-cloudaudit",
];

/// One declared callback in production, and a sandbox with these options.
fn served(arguments: &[&str]) -> (TestEnv, Served) {
    let mut env = TestEnv::new("");
    env.write("callbacks.yaml", production(&[ONE]));
    for (name, denied) in [
        ("blind.json", "DescribeEvents"),
        ("barred.json", "ModifyApplicationCallbackInfo"),
    ] {
        env.write(name, format!(r#"{{"denied_actions":["{denied}"]}}"#));
    }
    let served = env.serve(arguments);
    (env, served)
}

fn production(urls: &[&str]) -> String {
    configuration(&[("acme", urls)]).replace("environment: test", "environment: production")
}

/// Makes the lost call an hour older, so that it is dead.
fn age(env: &TestEnv, served: &Served) {
    let state = env.read("callbacks.state.json");
    let (before, rest) = state.split_once(r#""signed_at":""#).expect("a lost call");
    let (_, after) = rest.split_once('"').expect("a time");
    let earlier = Timestamp(served.true_seconds() - 3600);
    env.write(
        "callbacks.state.json",
        format!(r#"{before}"signed_at":"{earlier}"{after}"#),
    );
}

/// The line about the witness, redacted.
fn of_witness(said: &Said) -> String {
    let whole = said.to_string();
    let lines = whole.lines().filter(|line| line.contains("CloudAudit"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_lost_answer_is_settled_without_another_call() {
    let (env, served) = served(&["--script", "lost-after"]);
    env.run(&APPLY).exits(4);
    age(&env, &served);
    assert_snapshot!(env.run(&APPLY), @"
    exit 0
    --- stdout
    acme/https://hooks.example/one: Settled by CloudAudit (experimental): an add without an answer was applied at [TIME] [request id [UUID]]
    No changes. Your configuration matches the recorded state.

    eSign can't be read back: changes made in its console do not show here. The oldest was last confirmed [AGO].
    1 unchanged, 1 unproven.
    Environment: production (sandbox at http://127.0.0.1:[PORT]/)
    Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one.
    Apply complete! Resources: 0 added, 0 changed, 0 destroyed.
    ");
    assert_eq!(served.arrived(), 1);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
    let state = env.read("callbacks.state.json");
    assert!(
        !state.contains("nonce") && !state.contains("lost"),
        "{state}"
    );
}

#[test]
fn a_rotation_settles_its_lost_call() {
    let (mut env, served) = served(&["--script", "ok,lost-after"]);
    env.run(&APPLY).exits(0);
    env.set("KEY", OTHER_KEY);
    let rotate = [&["rotate", "acme", "--no-verify"], &APPLY[1..]].concat();
    env.run(&rotate).exits(4);
    age(&env, &served);
    let said = env.run(&rotate).exits(0);
    assert!(of_witness(&said).contains("was applied"), "{said}");
    // The twin was not added again.
    assert_eq!(served.arrived(), 5);
    assert_eq!(served.urls(), [ONE]);
}

#[test]
fn the_controller_settles_lost_calls() {
    let (env, served) = served(&["--script", "lost-after"]);
    env.run(&APPLY).exits(4);
    age(&env, &served);
    let flag = "--experimental-cloudaudit";
    let keeping = env.start(&["controller", "--listen", "127.0.0.1:0", flag]);
    keeping.wait_until_it_says("Settled by CloudAudit");
    eventually("it is recorded", || {
        (!env.read("callbacks.state.json").contains("lost")).then_some(())
    });
    assert_eq!(served.arrived(), 1);
}

#[test]
fn audit_shows_on_a_terminal_that_it_reads() {
    let (env, _served) = served(&[]);
    let said = at_a_terminal(&env, 100, "", &["audit"]).exits(0);
    let line = "Reading CloudAudit: account `default`, 0 events so far …";
    assert!(said.stdout.contains(line), "{said}");
    let said = env.run(&["audit"]).exits(0);
    assert!(!said.stderr.contains("Reading CloudAudit"), "{said}");
}

#[test]
fn a_lost_request_stays_unknown() {
    let (env, served) = served(&["--script", "lost-before,lost-before"]);
    env.run(&APPLY).exits(4);
    age(&env, &served);
    let said = env.run(&APPLY).exits(4);
    assert_snapshot!(of_witness(&said), @"Note: CloudAudit (experimental) settles no lost call now, which proves nothing: events come minutes late or not at all, and a call is settled only when it can't arrive any more.");
}

#[test]
fn a_refused_call_is_as_if_it_had_never_been_made() {
    let (env, served) = served(&["--script", "lost-after", "--enterprise", "barred.json"]);
    env.run(&APPLY).exits(4);
    age(&env, &served);
    let said = env.run(&APPLY).exits(3);
    assert_snapshot!(of_witness(&said), @"acme/https://hooks.example/one: Settled by CloudAudit (experimental): an add without an answer was refused: AuthFailure.UnauthorizedOperation at [TIME] [request id [UUID]]");
    assert_eq!(env.run(&["state", "list"]).stdout, "");
}

#[test]
fn an_event_that_comes_late_settles_it_then() {
    let (env, served) = served(&["--script", "lost-after,lost-after"]);
    served.audit_log(15 * 60, false);
    env.run(&APPLY).exits(4);
    age(&env, &served);
    let said = env.run(&APPLY).exits(4);
    assert!(
        of_witness(&said).contains("settles no lost call now"),
        "{said}"
    );
    age(&env, &served);
    served.audit_log(0, false);
    let said = env.run(&APPLY).exits(0);
    assert!(of_witness(&said).contains("was applied"), "{said}");
    assert_eq!(served.arrived(), 2);
}

#[test]
fn a_call_that_may_still_arrive_is_not_settled() {
    let (env, served) = served(&["--script", "lost-after,lost-after"]);
    env.run(&APPLY).exits(4);
    let said = env.run(&APPLY).exits(4);
    assert!(
        of_witness(&said).contains("settles no lost call now"),
        "{said}"
    );
    assert_eq!(served.arrived(), 2);
}

#[test]
fn an_event_of_another_call_settles_nothing() {
    let (env, served) = served(&["--script", "lost-after,lost-after"]);
    env.run(&APPLY).exits(4);
    age(&env, &served);
    let state = env.read("callbacks.state.json");
    let (before, rest) = state.split_once(r#""nonces":[""#).expect("a nonce");
    let nonce = "0".repeat(32);
    env.write(
        "callbacks.state.json",
        format!(r#"{before}"nonces":["{nonce}{}"#, &rest[32..]),
    );
    let said = env.run(&APPLY).exits(4);
    assert!(
        of_witness(&said).contains("settles no lost call now"),
        "{said}"
    );
}

#[test]
fn what_the_log_leaves_out_proves_nothing() {
    let (env, served) = served(&["--script", "lost-after"]);
    served.audit_log(0, true);
    env.run(&APPLY).exits(4);
    age(&env, &served);
    let said = env.run(&APPLY).exits(0);
    assert!(
        of_witness(&said).contains("settles no lost call now"),
        "{said}"
    );
    assert_eq!(served.arrived(), 2);
}

#[test]
fn without_the_permission_the_run_goes_on() {
    let (env, served) = served(&["--script", "lost-after", "--enterprise", "blind.json"]);
    env.run(&APPLY).exits(4);
    age(&env, &served);
    let said = env.run(&APPLY).exits(0);
    assert_snapshot!(of_witness(&said), @"Warning: CloudAudit (experimental) was not read, and the run goes on without it: account `default`: CAM does not allow these credentials to read the audit log (AuthFailure.UnauthorizedOperation: the answer of CloudAudit 127.0.0.1:[PORT] to DescribeEvents [request id [UUID]]): allow `cloudaudit:DescribeEvents` in the CAM policy of the sub-account");
    assert_snapshot!(env.run(&["audit"]), @"
    exit 1
    --- stderr
    Note: `audit` is experimental. It was only ever tried against the sandbox, and whether CloudAudit logs the calls that change callbacks is not known: that a write is missing here proves nothing.
    error: CloudAudit can't be read: account `default`: CAM does not allow these credentials to read the audit log (AuthFailure.UnauthorizedOperation: the answer of CloudAudit 127.0.0.1:[PORT] to DescribeEvents [request id [UUID]]): allow `cloudaudit:DescribeEvents` in the CAM policy of the sub-account
      Nothing was changed. No other command needs CloudAudit.
    ");
}

#[test]
fn without_the_option_nothing_is_marked_or_asked() {
    let (env, served) = served(&["--script", "lost-after"]);
    env.run(&APPLY[..4]).exits(4);
    let state = env.read("callbacks.state.json");
    assert!(
        state.contains("lost") && !state.contains("nonce"),
        "{state}"
    );
    age(&env, &served);
    let said = env.run(&APPLY).exits(0);
    assert_eq!(of_witness(&said), "");
}

#[test]
fn writes_of_others_are_listed_without_their_secrets() {
    let pair = "alice=AKIDabcdefghijklmnop:canary-secret-key";
    let (env, served) = served(&["--credential", pair]);
    env.run(&APPLY).exits(0);
    // Another state, and calls that are not marked.
    env.write("other.yaml", production(&["https://other.example/cb"]));
    let other = ["-f", "other.yaml", "apply", "--auto-approve"];
    env.run(&other).exits(0);
    assert_snapshot!(env.run(&["audit", "--since", "90d"]), @"
    exit 0
    --- stdout
    [TIME] add https://other.example/cb
      by:     user alice, SecretId AKIDabcd…, from 127.0.0.1, by ApiCall
      answer: applied [request id [UUID]]

    1 write by others since [TIME] in CloudAudit. 1 call of ess-callbacks is not listed.
    --- stderr
    Note: `audit` is experimental. It was only ever tried against the sandbox, and whether CloudAudit logs the calls that change callbacks is not known: that a write is missing here proves nothing.
    Warning: CloudAudit has the key or token of 2 calls in clear, for everyone who may read it. Allow `cloudaudit:DescribeEvents` to few, and rotate these secrets.
    ");
    let said = env.run(&["audit", "--json", "-vv"]).exits(0);
    assert_snapshot!(said.out(), @r#"
    {"type":"write","at":"[TIME]","operation":"add","url":"https://other.example/cb","organization":null,"caller":{"user":"alice","secret_id":"AKIDabcd…","source":"127.0.0.1","kind":"ApiCall","client":null},"answer":"applied","code":null,"request_id":"[UUID]"}
    {"type":"audited","experimental":true,"since":"[TIME]","foreign":1,"own":1,"secrets_in_clear":2}
    "#);
    for secret in [KEY, TOKEN, served.secret_key.as_str()] {
        assert!(!said.to_string().contains(secret), "{said}");
    }
    let journal = [&["-f", "other.yaml"][..], &["audit"]].concat();
    let said = env.run(&journal).exits(0);
    assert!(said.stdout.starts_with("No writes by others"), "{said}");
}

#[test]
fn it_is_for_production() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&[]);
    assert_snapshot!(env.run(&APPLY), @"
    exit 64
    --- stderr
    error: --experimental-cloudaudit: CloudAudit does not have the calls of eSign's test environment
      It is for `environment: production` only.
    ");
    env.run(&["audit"]).exits(64);
    env.write("callbacks.yaml", production(&[ONE]));
    env.unset("ESS_CALLBACKS_ENDPOINT");
    assert_snapshot!(env.run(&["--sandbox", "audit"]), @"
    exit 64
    --- stderr
    error: audit: the audit log of the embedded sandbox ends with each run
      Serve a sandbox with `ess-callbacks sandbox` and name it with --endpoint.
    ");
    for since in ["91d", "0s", "7"] {
        env.run(&["audit", "--since", since]).exits(64);
    }
}

/// A log of which each page has no event, and says that there is another one.
#[test]
fn a_log_without_end_is_given_up() {
    let (env, _served) = served(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(&stream);
            let mut line = String::new();
            let mut length = 0;
            while request.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            request.read_exact(&mut vec![0; length]).unwrap();
            let next = counted.fetch_add(1, Ordering::Relaxed) + 1;
            let body = format!(
                r#"{{"Response":{{"RequestId":"r","ListOver":false,"NextToken":{next},"Events":[]}}}}"#
            );
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        }
    });
    let said = env.run(&["--endpoint", &endpoint, "audit"]).exits(0);
    assert!(
        said.stderr
            .contains("has more events than are read at once"),
        "{said}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 20);
}
