//! The script that tells chat bots, and a receiver in the place of one.

use serde_json::Value;

use super::receiver::Receiver;
use super::{has, machine, root};
use crate::support::{Said, TestEnv, configuration};

fn notify(env: &mut TestEnv, bot: &str, answer: &'static str) -> (Said, String, Value) {
    let receiver = Receiver::saying(answer);
    env.set("NOTIFY_URL", &format!("{}/hook?key=SECRET", receiver.url()));
    let script = root().join("examples/notify/notify.py");
    let said = env.said(env.other("python3").arg(script).args([bot, "events.jsonl"]));
    let asked = receiver.asked();
    let [asked] = asked.as_slice() else {
        panic!("{said}");
    };
    (said, asked.line.clone(), asked.body.clone())
}

#[test]
fn bots_are_told_what_failed() {
    let mut env = machine();
    if !has(&env, "python3") {
        return;
    }
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &["https://hooks.example/one?a=1&b=<2>"])]),
    );
    let served = env.serve(&[]);
    env.set("TENCENTCLOUD_SECRET_KEY", "wrong")
        .set("CI_JOB_URL", "https://ci.example/job/7")
        .set("NOTIFY_SECRET", "s3cret");
    let apply = [
        "apply",
        "--auto-approve",
        "--quiet",
        "--json-into",
        "events.jsonl",
    ];
    env.run(&apply).exits(3);
    drop(served);

    let fine = "{\"errcode\":0,\"errmsg\":\"ok\"}";
    let told = |text: &Value| {
        let text = text.as_str().unwrap_or_else(|| panic!("{text}"));
        assert!(text.starts_with("Apply incomplete!"), "{text}");
        assert!(text.contains("AuthFailure"), "{text}");
        assert!(text.ends_with("\nhttps://ci.example/job/7"), "{text}");
    };
    let (said, line, body) = notify(&mut env, "wecom", fine);
    said.exits(0);
    assert_eq!(line, "POST /hook?key=SECRET");
    assert_eq!(body["msgtype"], "text");
    told(&body["text"]["content"]);

    let (said, line, body) = notify(&mut env, "dingtalk", fine);
    said.exits(0);
    assert!(
        line.contains("&timestamp=") && line.contains("&sign="),
        "{line}"
    );
    told(&body["text"]["content"]);

    let (said, _, body) = notify(&mut env, "feishu", "{\"code\":0}");
    said.exits(0);
    assert_eq!(body["msg_type"], "text");
    assert!(
        body["sign"].is_string() && body["timestamp"].is_string(),
        "{body}"
    );
    told(&body["content"]["text"]);

    let (said, _, body) = notify(&mut env, "slack", "ok");
    said.exits(0);
    told(&body["text"]);

    // They answer 200 also when they refuse.
    let (said, _, _) = notify(
        &mut env,
        "wecom",
        "{\"errcode\":93000,\"errmsg\":\"invalid\"}",
    );
    let said = said.exits(1);
    assert!(
        said.stderr.contains("93000") && !said.stderr.contains("SECRET"),
        "{said}"
    );
}

#[test]
fn bots_are_not_told_of_what_went_well() {
    let mut env = machine();
    if !has(&env, "python3") {
        return;
    }
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &["https://hooks.example/one"])]),
    );
    let apply = [
        "--sandbox",
        "apply",
        "--auto-approve",
        "--json-into",
        "events.jsonl",
    ];
    env.run(&apply).exits(0);
    // Nobody listens there.
    env.set("NOTIFY_URL", "http://127.0.0.1:1/");
    let script = root().join("examples/notify/notify.py");
    let said = env.said(
        env.other("python3")
            .arg(&script)
            .args(["slack", "events.jsonl"]),
    );
    said.exits(0);
    env.set("NOTIFY_URL", "http://bot.example/");
    let said = env.said(
        env.other("python3")
            .arg(&script)
            .args(["slack", "events.jsonl"]),
    );
    said.exits(1);
}

/// A refused plan ends before any call, so no report tells of it.
#[test]
fn bots_are_told_what_a_guard_refused() {
    let mut env = machine();
    if !has(&env, "python3") {
        return;
    }
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &["https://hooks.example/one"])]),
    );
    let apply = [
        "--sandbox",
        "apply",
        "--auto-approve",
        "--json-into",
        "events.jsonl",
    ];
    env.run(&apply).exits(0);
    env.run(&[&apply[..], &["--destroy"]].concat()).exits(5);
    let (said, _, body) = notify(&mut env, "feishu", "{\"code\":0}");
    said.exits(0);
    let text = body["content"]["text"].as_str().unwrap();
    insta::assert_snapshot!(text, @"
    ess-callbacks did not finish
    error: this plan deletes more than the guards allow and will not be applied: acme: its last callback; none would be left
      These callbacks are deleted because --destroy was given. If that is meant, say how many: --allow-deletes 1
    ");
}
