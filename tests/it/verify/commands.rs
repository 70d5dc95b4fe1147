//! `verify` and `apply --verify` through the real program.

use serde_json::Value;

use super::server::{Receiver, good, status};
use crate::support::{KEY, OTHER_KEY, TOKEN, TestEnv, configuration};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

#[test]
fn the_exit_code_the_document_and_the_order() {
    let runtime = runtime();
    let (fine, bad) = runtime.block_on(async {
        let bad = |_: &_| status(404);
        (
            Receiver::start("127.0.0.1:0", good).await,
            Receiver::start("127.0.0.1:0", bad).await,
        )
    });
    let urls = [format!("{}?token=canary-5f8a", fine.url()), bad.url()];
    let env = TestEnv::new(&configuration(&[
        ("zeta", &[&urls[0]]),
        ("acme", &[&urls[1]]),
    ]));
    let said = env.run(&["verify", "--allow-private", "zeta"]).exits(0);
    assert!(said.stdout.contains("1 callback verified: 1 ok"), "{said}");
    let said = env.run(&["verify", "--allow-private", "--json"]).exits(8);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let results = document["results"].as_array().unwrap();
    // In the order of the file, and not of the handles.
    let addresses: Vec<_> = results
        .iter()
        .map(|one| one["address"].as_str().unwrap())
        .collect();
    assert!(
        addresses[0].starts_with("zeta/") && addresses[1].starts_with("acme/"),
        "{said}"
    );
    assert_eq!(results[0]["verdict"], "ok");
    assert_eq!(results[1]["verdict"], "failed");
    let fields: Vec<_> = results[1].as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["address", "findings", "latency_ms", "url", "verdict"]
    );
    let finding = &results[1]["findings"][0];
    assert_eq!(
        (&finding["code"], &finding["severity"]),
        (&Value::from("V020"), &Value::from("error"))
    );
    assert_eq!(finding.as_object().unwrap().len(), 4);
    for secret in [KEY, TOKEN, "canary-5f8a"] {
        assert!(!said.to_string().contains(secret), "{said}");
    }
}

#[test]
fn private_addresses_need_a_flag_and_the_sandbox_stays_on_this_machine() {
    let runtime = runtime();
    let receiver = runtime.block_on(Receiver::start("127.0.0.1:0", good));
    let env = TestEnv::new(&configuration(&[("acme", &[&receiver.url()])]));
    let said = env.run(&["verify"]).exits(8);
    assert!(said.stdout.contains("V006"), "{said}");
    assert!(receiver.bodies().is_empty());
    env.run(&["--sandbox", "verify"]).exits(0);
    let far = TestEnv::new(&configuration(&[("acme", &["https://192.0.2.1/esign"])]));
    let said = far
        .run(&["--sandbox", "verify", "--allow-private"])
        .exits(8);
    assert!(said.stdout.contains("V009"), "{said}");
}

#[test]
fn what_is_not_verified() {
    let text = configuration(&[("acme", &["https://hooks.acme.example/"])])
        .replace("  acme:\n", "  acme:\n    suspend: true\n");
    let env = TestEnv::new(&text);
    let said = env.run(&["verify"]).exits(0);
    assert!(said.stdout.contains("0 callbacks verified: 0 ok, 0 with warnings, 0 failed. 1 suspended or disabled one was left out."), "{said}");
    let said = env.run(&["verify", "nobody"]).exits(1);
    assert!(
        said.stderr
            .contains("no declared callback matches `nobody`"),
        "{said}"
    );
    env.run(&["verify", "--parallel", "0"]).exits(64);
    env.run(&["verify", "--timeout", "0s"]).exits(64);
}

#[cfg(unix)]
#[test]
fn an_interruption_prints_what_was_verified() {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::process::Stdio;
    let runtime = runtime();
    let (fine, silent) = runtime.block_on(async {
        let silent = super::server::raw(b"", false).await;
        (Receiver::start("127.0.0.1:0", good).await, silent)
    });
    let urls = [fine.url(), format!("http://127.0.0.2:{}/", silent.port())];
    // The second one answers never: nothing listens for it, or it is silent.
    let silent = urls[1].replace("127.0.0.2", "127.0.0.1");
    let env = TestEnv::new(&configuration(&[
        ("acme", &[&urls[0]]),
        ("slow", &[&silent]),
    ]));
    let mut command = env.command(&["verify", "--allow-private", "--timeout", "60s"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !line.contains("Verifying") {
        line.clear();
        stderr.read_line(&mut line).unwrap();
    }
    crate::support::eventually("the good one is done", || {
        (fine.bodies().len() == 9).then_some(())
    });
    let pid = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .unwrap();
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(text.contains("Interrupted: "), "{text}");
}

#[test]
fn apply_leaves_out_what_fails_and_the_deletes_that_wait_for_it() {
    let runtime = runtime();
    let (fine, bad) = runtime.block_on(async {
        let bad = |_: &_| status(500);
        (
            Receiver::start("127.0.0.1:0", good).await,
            Receiver::start("127.0.0.1:0", bad).await,
        )
    });
    let old = "https://old.acme.example/esign";
    let mut env = TestEnv::new(&configuration(&[("acme", &[old])]));
    let _esign = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &[&bad.url()]), ("beta", &[&fine.url()])]),
    );
    let apply = [
        "apply",
        "--auto-approve",
        "--allow-private",
        "--allow-deletes",
        "1",
    ];
    let with_verify: Vec<_> = apply.iter().copied().chain(["--verify"]).collect();
    let said = env.run(&with_verify).exits(8);
    assert!(
        said.stderr
            .contains("1 added, 0 changed, 0 destroyed. 2 not attempted."),
        "{said}"
    );
    assert!(
        said.stderr.contains("its receiver failed the verification"),
        "{said}"
    );
    let state = env.read("callbacks.state.json");
    assert!(state.contains(old) && state.contains(&fine.url()) && !state.contains(&bad.url()));
    // Without it, the receiver is not asked.
    let before = bad.bodies().len();
    env.run(&["plan", "--allow-deletes", "1"]).exits(0);
    env.run(&apply).exits(0);
    assert_eq!(bad.bodies().len(), before);
}

#[test]
fn a_code_is_explained() {
    let env = TestEnv::new("");
    let said = env.run(&["explain", "v001"]).exits(0);
    assert!(
        said.stdout.starts_with("V001 redirect from http to https"),
        "{said}"
    );
}

/// The receiver has to take the new key at both URLs before its callback is changed.
#[test]
fn a_rotation_verifies_both_urls() {
    let runtime = runtime();
    let (fine, bad) = runtime.block_on(async {
        let bad = |_: &_| status(404);
        (
            Receiver::start("127.0.0.1:0", good).await,
            Receiver::start("127.0.0.1:0", bad).await,
        )
    });
    let (fine_url, bad_url) = (fine.url(), bad.url());
    let mut env = TestEnv::new(&configuration(&[
        ("acme", &[&fine_url]),
        ("beta", &[&bad_url]),
    ]));
    let served = env.serve(&[]);
    env.set("KEY", OTHER_KEY);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.set("KEY", KEY);
    let said = env.run(&["rotate", "*", "--auto-approve", "--allow-private"]);
    let said = said.exits(8);
    assert!(
        said.stdout
            .contains("4 callbacks verified: 2 ok, 0 with warnings, 2 failed."),
        "{said}"
    );
    assert!(
        said.stderr.contains("1 of 2 rotations are complete"),
        "{said}"
    );
    assert_eq!(served.operations(&fine_url), ["add", "delete", "add"]);
    assert_eq!(served.operations(&bad_url), ["add"], "it keeps its old key");
    // A plan shows what is left: a replace with a gap.
    let left = env.run(&["plan"]).exits(0);
    assert!(
        left.stdout
            .contains("Plan: 1 to add, 0 to change, 1 to destroy."),
        "{left}"
    );
}
