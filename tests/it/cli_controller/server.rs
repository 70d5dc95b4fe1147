//! Who gets in at the controller's server, what eSign tells it, and what is wrong before it serves.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use ess_callbacks::envelope::{content_signature, encrypt};
use ess_callbacks::secret::Secret;
use serde_json::json;

use super::{TOKEN, World, url};
use crate::support::{KEY, TOKEN as SIGNING, eventually};

#[test]
fn only_who_has_the_token_gets_in() {
    let mut world = World::new(&[("acme", 1)]);
    let keeping = world.start(&[]);
    world.has(1);
    let host = format!("host: {}", keeping.address);
    let get = |path: &str, more: &[String]| {
        let headers = [std::slice::from_ref(&host), more].concat();
        keeping.send(&format!("GET {path}"), &headers, "").0
    };
    for path in ["/healthz", "/readyz", "/metrics"] {
        eventually(path, || (get(path, &[]) == 200).then_some(()));
    }
    assert_eq!(get("/status", &[]), 401);
    let wrong = [format!("authorization: Bearer {TOKEN}x")];
    assert_eq!(get("/status", &wrong), 401);
    for request in ["GET /status", "POST /resume"] {
        let (code, body) = keeping.send(request, &wrong, "");
        assert!(
            code == 401 && body.contains("this is not the token"),
            "{body}"
        );
    }
    assert_eq!(get("/nothing", &[]), 404);
    assert_eq!(get("/approve", &[]), 405);
    // A browser sends a password by itself, also for another page: it reads, and changes nothing.
    let password = "authorization: Basic bWU6Y2FuYXJ5LXRva2VuLTAxMjM0NTY3ODlhYmNkZWY=".to_owned();
    assert_eq!(get("/status", std::slice::from_ref(&password)), 200);
    let headers = [host.clone(), password];
    assert_eq!(keeping.send("POST /reconcile", &headers, "").0, 401);
    let (code, page) = keeping.send("GET /", &headers, "");
    assert_eq!(code, 200);
    assert!(
        page.contains(&url("acme", 1)) && !page.contains("canary"),
        "{page}"
    );
    assert_eq!(get("/", &[]), 401);
    let (code, text) = keeping.send("GET /metrics", std::slice::from_ref(&host), "");
    assert_eq!(code, 200);
    assert!(
        text.contains("ess_callbacks_ready{environment=\"test\"} 1"),
        "{text}"
    );
    assert!(!text.contains("canary") && !text.contains(KEY));
    let log = keeping.stop();
    let refused = "A request with a wrong token was refused: GET /status\n";
    assert_eq!(log.matches("wrong token").count(), 1, "{log}");
    assert!(log.contains(refused), "{log}");
    // Without a token there are no requests, and no other names.
    world.env.unset("ESS_CALLBACKS_CONTROLLER_TOKEN");
    let said = world
        .env
        .run(&["controller", "--listen", "0.0.0.0:0"])
        .exits(64);
    assert!(
        said.stderr.contains("ESS_CALLBACKS_CONTROLLER_TOKEN"),
        "{said}"
    );
    let keeping = world.start(&[]);
    let send = |request: &str, host: &str| keeping.send(request, &[format!("host: {host}")], "").0;
    assert_eq!(send("GET /status", "localhost:1"), 200);
    assert_eq!(send("GET /status", "evil.example"), 403);
    assert_eq!(send("POST /reconcile", "localhost:1"), 403);
    keeping.stop();
}

#[test]
fn a_token_file_that_is_replaced_is_read_again() {
    let world = World::new(&[("acme", 1)]);
    world.env.write("token", format!("{TOKEN}\n"));
    let keeping = world.start(&["--token-file", "token"]);
    let status = |token: &str| {
        let bearer = format!("authorization: Bearer {token}");
        keeping.send("GET /status", &[bearer], "").0
    };
    assert_eq!(status(TOKEN), 200);
    let next = "canary-token-fedcba9876543210";
    world.env.write("token", next);
    eventually("the new one counts", || (status(next) == 200).then_some(()));
    assert_eq!(status(TOKEN), 401);
    let log = keeping.stop();
    assert!(
        log.contains("The token in `token` is another one now"),
        "{log}"
    );
    assert!(!log.contains("canary"), "{log}");
}

#[test]
fn events_of_esign_begin_a_round_and_are_told_once_and_a_message_that_is_refused_is_shown() {
    let mut world = World::new(&[("acme", 1)]);
    let chat = TcpListener::bind("127.0.0.1:0").unwrap();
    let bot = format!(
        "http://{}/services/T0/B0/canary-bot",
        chat.local_addr().unwrap()
    );
    world.env.set("BOT", &bot);
    let arguments = [
        "--esign-token-from",
        "env:TOKEN",
        "--esign-key-from",
        "env:KEY",
        "--notify",
        "slack=env:BOT",
        "--status-url",
        "https://callbacks.example/",
    ];
    let keeping = world.start(&arguments);
    world.has(1);
    let before = eventually("the first round ends", || {
        Some(keeping.rounds()).filter(|rounds| *rounds > 0)
    });
    let message = json!({
        "MsgId": "m1", "MsgType": "QuiteJob", "MsgVersion": "CustomApp",
        "MsgData": { "UserName": "张三" },
    });
    let body = encrypt(&Secret::new(KEY), &message.to_string()).unwrap();
    let signed = |token: &str| {
        let signature = content_signature(&Secret::new(token), body.as_bytes());
        format!("Content-Signature: {signature}")
    };
    let post = |headers: &[String]| keeping.send("POST /esign", headers, &body).0;
    assert_eq!(post(&[signed("another token")]), 403);
    assert_eq!(post(&[]), 403);
    for _ in 0..2 {
        assert_eq!(post(&[signed(SIGNING)]), 200);
    }
    eventually("a round begins", || {
        Some(keeping.rounds()).filter(|rounds| *rounds > before)
    });
    let (mut told, _) = chat.accept().unwrap();
    let mut text = vec![0; 8192];
    let length = told.read(&mut text).unwrap();
    let mut text = String::from_utf8(text[..length].to_vec()).unwrap();
    while !text.contains("|Details>") {
        let mut more = [0; 4096];
        let length = told.read(&mut more).unwrap();
        assert!(length > 0, "{text}");
        text += std::str::from_utf8(&more[..length]).unwrap();
    }
    assert!(
        text.starts_with("POST /services/T0/B0/canary-bot ")
            && text.contains("QuiteJob: an employee left")
            && text.contains("<https://callbacks.example/|Details>"),
        "{text}"
    );
    told.write_all(
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\nconnection: close\r\n\r\nno_service",
    )
    .unwrap();
    let target = keeping.until("the refusal is shown", |status| {
        let target = &status["notifications"][0];
        (target["failed"] == 1).then(|| target.clone())
    });
    let why = target["problem"].as_str().unwrap();
    assert!(
        target["name"] == "slack" && target["host"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{target}"
    );
    assert!(
        why.contains("no_service") && why.contains("set its current URL"),
        "{why}"
    );
    let (_, metrics) = keeping.send("GET /metrics", &[], "");
    let failed = "notifications_total{environment=\"test\",service=\"slack\",target=\"slack\",outcome=\"failed\"} 1";
    assert!(metrics.contains(failed), "{metrics}");
    let token = format!("authorization: Bearer {TOKEN}");
    let (_, page) = keeping.send("GET /", &[token], "");
    assert!(
        page.contains("A notification was not delivered to slack at 127.0.0.1"),
        "{page}"
    );
    for shown in [target.to_string(), metrics, page] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    let log = keeping.stop();
    assert!(
        log.contains("A notification was not delivered to slack at 127.0.0.1")
            && log.contains(" and is given up: "),
        "{log}"
    );
}

#[test]
fn what_is_wrong_at_the_start_is_said_at_once() {
    let mut world = World::new(&[("acme", 1)]);
    for name in ["BOT", "SAME"] {
        let bot = "https://hooks.slack.com/services/T0/B0/canary";
        world.env.set(name, bot);
    }
    for (arguments, what) in [
        (
            vec!["--notify", "slack=env:BOT slack=env:SAME"],
            "`slack` and `slack 2` have the same URL",
        ),
        (vec!["--interval", "1s"], "must be at least 10s"),
        (vec!["--heal-within", "1s"], "or `never`"),
        (vec!["--listen", ":8990"], "such as 127.0.0.1:8990"),
        (
            vec!["--interval", "10m", "--heal-within", "5m"],
            "--heal-within",
        ),
        (vec!["--notify", "wecom=https://x"], "env:NAME"),
        (vec!["--notify", "teams=env:X"], "unknown service `teams`"),
        (
            vec!["--status-url", "https://me:canary@callbacks.example"],
            "without user",
        ),
        (vec!["--token-file", "missing"], "missing"),
    ] {
        let said = world.env.run(&[&["controller"], &*arguments].concat());
        assert_eq!(said.code, Some(64), "{said}");
        assert!(said.stderr.contains(what), "{said}");
        assert!(!said.stderr.contains("canary"), "{said}");
    }
    world.env.set("ESS_CALLBACKS_CONTROLLER_TOKEN", "short");
    let said = world.env.run(&["controller"]).exits(64);
    assert!(said.stderr.contains("could be guessed"), "{said}");
}
