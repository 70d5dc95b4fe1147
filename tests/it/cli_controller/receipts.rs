//! `POST /receipts`: what messages show is recorded, and what they do not reach is healed first.

use ess_callbacks::envelope::content_signature;
use ess_callbacks::secret::Secret;
use serde_json::{Value, json};

use super::{TOKEN as BEARER, World};
use crate::cli_observe::{OWN, receipt};
use crate::support::{TOKEN as SIGNING, eventually};

const URLS: [&str; 3] = [
    "https://hooks.acme.example/1",
    "https://hooks.acme.example/2",
    "https://hooks.acme.example/3",
];

fn declare(world: &World) {
    let callbacks = URLS.map(|url| {
        format!("      - {{ url: {url}, key: {{ env: KEY }}, token: {{ env: TOKEN }} }}\n")
    });
    let text = format!(
        "organizations:\n  acme:\n    proxy_organization_id: acme-id\n    callbacks:\n{}",
        callbacks.concat()
    );
    world.env.write("conf/acme.yaml", text);
}

#[test]
fn receipts_are_recorded_and_a_callback_that_gets_none_is_healed_first() {
    let world = World::new(&[]);
    declare(&world);
    world.env.run(&["import", "--all"]).exits(0);
    let keeping = world.start(&[]);
    // The first of those that no answer ever confirmed.
    world.has(1);
    let first = world.served.urls()[0].clone();
    let others: Vec<_> = URLS.into_iter().filter(|url| *url != first).collect();
    // The later one would be the last to be healed.
    let (seen, silent) = (others[0], others[1]);
    let hour = |hour: i64, url: &str| receipt(url, hour * 60, &hour.to_string(), OWN);
    let mut lines = vec![hour(14, seen), hour(14, silent), "no receipt\n".to_owned()];
    lines.extend((1..=13).rev().map(|number| hour(number, seen)));
    let token = [format!("authorization: Bearer {BEARER}")];
    let (code, answer) = keeping.send("POST /receipts?source=gateway", &token, &lines.concat());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (code, &answer),
        (200, &json!({ "receipts": 15, "unreadable": 1 }))
    );
    assert_eq!(keeping.send("POST /receipts", &[], &lines[0]).0, 401);
    for none in ["no receipt", "", "\n"] {
        let (code, answer) = keeping.send("POST /receipts", &token, none);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            (code, &answer["error"]),
            (400, &json!("no line is a receipt"))
        );
        assert_eq!(answer["receipts"], 0);
    }
    keeping.ask("POST /reconcile", &Value::Null);
    eventually("what misses messages is added again", || {
        (world.served.operations(silent) == ["add"]).then_some(())
    });
    assert_eq!(world.served.operations(seen), Vec::<String>::new());
    let shown = world.env.run(&["show", "--json"]).exits(0);
    let state: Value = serde_json::from_str(&shown.stdout).unwrap();
    let of = |url: &str| {
        let callbacks = state["callbacks"].as_array().unwrap();
        callbacks
            .iter()
            .find(|it| it["url"] == url)
            .cloned()
            .unwrap()
    };
    assert_eq!(of(seen)["evidence"], "proven");
    assert!(of(seen)["seen_at"].is_string() && of(silent)["missing"].is_null());
    let (_, page) = keeping.send("GET /", &token, "");
    assert!(page.contains("seen in a message"), "{page}");
    keeping.stop();
}

#[test]
fn a_message_to_the_controller_proves_its_own_callback() {
    let world = World::new(&[]);
    declare(&world);
    let text = std::fs::read_to_string(world.env.path("conf/acme.yaml")).unwrap();
    let own = "https://callbacks.acme.example/esign";
    let text = format!("{text}      - {{ url: \"{own}\", token: {{ env: TOKEN }} }}\n");
    world.env.write("conf/acme.yaml", text);
    world.env.run(&["import", "--all"]).exits(0);
    let keeping = world.start(&["--esign-token-from", "env:TOKEN", "--heal-within", "never"]);
    keeping.until("the first round ends", |status| {
        status["last_round"].as_str().map(|_| ())
    });
    let message = r#"{"MsgId":"m1","MsgType":"FlowStatusChange","MsgData":{}}"#;
    let signature = content_signature(&Secret::new(SIGNING), message.as_bytes());
    let headers = [format!("Content-Signature: {signature}")];
    assert_eq!(keeping.send("POST /esign", &headers, message).0, 200);
    keeping.ask("POST /reconcile", &Value::Null);
    let of = |url: &str| {
        let shown = world.env.run(&["show", "--json"]).exits(0);
        let state: Value = serde_json::from_str(&shown.stdout).unwrap();
        let callbacks = state["callbacks"].as_array().unwrap();
        callbacks
            .iter()
            .find(|it| it["url"] == url)
            .cloned()
            .unwrap()
    };
    let proven = eventually("it is recorded", || {
        let own = of(own);
        own["seen_at"].is_string().then_some(own)
    });
    assert_eq!(proven["evidence"], "proven");
    assert!(of(URLS[0])["seen_at"].is_null());
    keeping.stop();
}

#[test]
fn a_message_proves_nothing_while_a_callback_with_the_same_secrets_may_be_there() {
    let world = World::new(&[]);
    let organization = |callbacks: &str| {
        let text = format!(
            "organizations:\n  acme:\n    proxy_organization_id: acme-id\n    callbacks:\n{callbacks}"
        );
        world.env.write("conf/acme.yaml", text);
    };
    let of = |url: &str, more: &str| {
        format!("      - {{ url: \"{url}\", token: {{ env: TOKEN }}{more} }}\n")
    };
    organization(&(of(URLS[0], "") + &of(URLS[1], ", protect: true")));
    world.env.run(&["apply", "--auto-approve"]).exits(0);
    organization(&of(URLS[0], ""));
    let keeping = world.start(&["--esign-token-from", "env:TOKEN", "--heal-within", "never"]);
    keeping.reconcile();
    let message = r#"{"MsgId":"m1","MsgType":"FlowStatusChange","MsgData":{}}"#;
    let signature = content_signature(&Secret::new(SIGNING), message.as_bytes());
    let headers = [format!("Content-Signature: {signature}")];
    assert_eq!(keeping.send("POST /esign", &headers, message).0, 200);
    keeping.reconcile();
    let shown = world.env.run(&["show", "--json"]).exits(0);
    assert!(!shown.stdout.contains("seen_at\":\""), "{shown}");
    keeping.stop();
}
