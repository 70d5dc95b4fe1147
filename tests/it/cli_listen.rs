//! `listen` from end to end: with the sandbox as the sender, and with senders that are not eSign.

use ess_callbacks::envelope::{content_signature, encrypt};
use ess_callbacks::receiver::Receipt;
use ess_callbacks::secret::Secret;
use serde_json::{Value, json};

use crate::receivers::{post, send};
use crate::support::{KEY, OTHER_KEY, Running, Served, TOKEN, TestEnv, configuration, eventually};

fn listening(env: &TestEnv, arguments: &[&str]) -> (Running, String) {
    let base = ["listen", "--listen", "127.0.0.1:0"];
    let running = env.start(&[&base, arguments].concat());
    let begin = "Listening on http://";
    let address = eventually("it listens", || {
        let said = running.so_far();
        assert!(!said.stderr.contains("error"), "{said}");
        let at = said.stdout.find(begin)? + begin.len();
        let rest = &said.stdout[at..];
        rest.find(['\n', '"']).map(|end| rest[..end].to_owned())
    });
    (running, address)
}

fn signed(token: &str, body: &str) -> Vec<String> {
    let signature = content_signature(&Secret::new(token), body.as_bytes());
    vec![format!("Content-Signature: {signature}")]
}

/// What is left of its output after a signal, when it has ended.
fn ended(running: Running, signal: &str) -> crate::support::Said {
    running.signal(signal);
    running.wait().exits(0)
}

#[test]
fn what_the_sandbox_sends_is_verified_decrypted_and_shown_without_personal_data() {
    // The port is known only when it listens; the path tells what a request is for.
    let mut env = TestEnv::new("");
    let (running, address) = {
        env.write(
            "callbacks.yaml",
            configuration(&[("acme", &["http://hooks.example/esign"])]),
        );
        listening(&env, &["--receipts", "receipts.jsonl"])
    };
    let real = format!("http://{address}/esign");
    env.write("callbacks.yaml", configuration(&[("acme", &[&real])]));
    let served: Served = env.serve(&[]);
    env.run(&["apply", "--auto-approve", "--quiet"]).exits(0);
    let message = json!({
        "MsgId": "m1", "MsgType": "FlowStatusChange", "MsgVersion": "CustomApp",
        "MsgData": { "FlowId": "yDw1", "Approvers": [{ "ApproverName": "张三", "ApproverMobile": "13812345678" }] },
    });
    for _ in 0..2 {
        let report = served.emit(&json!({ "message": message }));
        assert_eq!(report["deliveries"][0]["status"], 200, "{report}");
        assert_eq!(report["deliveries"][0]["encrypted"], true);
    }
    let said = ended(running, "TERM");
    insta::assert_snapshot!(said.out(), @r#"
    Listening on http://127.0.0.1:[PORT]
      /esign for http://hooks.example/esign (key and token)
    [CLOCK] UTC #1 POST /esign -> 200
        acme/http://hooks.example/esign
        FlowStatusChange, MsgId m1, CustomApp; encrypted, signature valid
        {
          "Approvers": [
            {
              "ApproverMobile": "***",
              "ApproverName": "***"
            }
          ],
          "FlowId": "yDw1"
        }
    [CLOCK] UTC #2 POST /esign -> 200
        acme/http://hooks.example/esign
        duplicate of #1: FlowStatusChange, MsgId m1, CustomApp; encrypted, signature valid
    "#);
    let receipts: Vec<Receipt> = env
        .read("receipts.jsonl")
        .lines()
        .map(|line| Receipt::parse(line).unwrap())
        .collect();
    assert_eq!(receipts.len(), 2);
    assert_eq!(receipts[0].url.as_str(), "http://hooks.example/esign");
}

#[test]
fn each_request_is_an_event_that_says_what_came() {
    let env = TestEnv::new(&configuration(&[(
        "acme",
        &["https://hooks.example/a", "https://hooks.example/b?x=1"],
    )]));
    let (running, address) = listening(&env, &["--json", "--show-personal", "--status", "503"]);
    let body = encrypt(
        &Secret::new(KEY),
        r#"{"FlowId":"f","FlowName":"张三\u202e"}"#,
    )
    .unwrap();
    assert_eq!(
        post(&address, "/a", &signed(TOKEN, &body), body.as_bytes()).status,
        503
    );
    assert_eq!(
        post(&address, "/b?x=1", &signed("other", "{}"), b"{}").status,
        403
    );
    assert_eq!(post(&address, "/b", &[], b"{}").status, 404);
    assert_eq!(send(&address, "GET /a", &[], b"").status, 405);
    let said = ended(running, "INT");
    let events = said.events();
    let received: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "received")
        .map(|event| &event["received"])
        .collect();
    assert_eq!(received.len(), 4, "{said}");
    assert_eq!(
        *received[0],
        json!({
            "number": 1, "method": "POST", "path": "/a", "url": "https://hooks.example/a",
            "addresses": ["acme/https://hooks.example/a"], "status": 503, "outcome": "message",
            "encrypted": true, "signature": "valid", "format": "V1",
            "data": { "FlowId": "f", "FlowName": "张三\u{202e}" },
        })
    );
    assert!(!said.stdout.contains('\u{202e}'));
    assert_eq!(
        (&received[1]["outcome"], &received[1]["reason"]),
        (&json!("rejected"), &json!("wrong_signature"))
    );
    assert_eq!(
        (&received[2]["outcome"], &received[2]["url"]),
        (&json!("refused"), &Value::Null)
    );
}

#[test]
fn only_the_same_message_at_the_same_callback_is_a_duplicate() {
    let env = TestEnv::new(&configuration(&[(
        "acme",
        &["https://hooks.example/a", "https://hooks.example/b"],
    )]));
    let (running, address) = listening(&env, &["--json"]);
    let message =
        |state: &str| format!(r#"{{"MsgId":"m","MsgType":"X","MsgData":{{"Status":"{state}"}}}}"#);
    for (path, message) in [
        ("/a", message("INIT")),
        ("/b", message("INIT")),
        ("/a", message("ALL")),
        ("/a", message("INIT")),
        ("/a", message("ALL").replace(':', ": ")),
    ] {
        let body = encrypt(&Secret::new(KEY), &message).unwrap();
        let answer = post(&address, path, &signed(TOKEN, &body), body.as_bytes());
        assert_eq!(answer.status, 200);
    }
    let said = ended(running, "TERM");
    let events = said.events();
    let shown: Vec<String> = events
        .iter()
        .filter(|event| event["type"] == "received")
        .map(|event| {
            let received = &event["received"];
            format!(
                "{} {} {}",
                received["data"]["Status"], received["duplicate_of"], received["differs_from"]
            )
        })
        .collect();
    let expected = [
        "\"INIT\" null null",
        "\"INIT\" null null",
        "\"ALL\" null 1",
        "null 1 null",
        "null 3 null",
    ];
    assert_eq!(shown, expected);
    let differs = "another content than #1 with the same MsgId";
    assert!(said.stdout.contains(differs), "{said}");
}

#[cfg(unix)]
#[test]
fn it_ends_when_no_one_reads_what_it_prints() {
    use std::io::{BufRead as _, BufReader};
    let env = TestEnv::new(&configuration(&[("acme", &["http://127.0.0.1:1/a"])]));
    let mut child = env
        .other(&env.program)
        .args(["listen", "--listen", "127.0.0.1:0"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
    let note = notes.find(|line| line.as_ref().unwrap().starts_with("Note: "));
    let note = note.expect("a note").unwrap();
    assert!(
        note.contains("`http://127.0.0.1:1/a` has another port than"),
        "{note}"
    );
    drop(reader);
    let address = line.trim().strip_prefix("Listening on http://").unwrap();
    assert_eq!(post(address, "/a", &[], b"{}").status, 200);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn during_a_rotation_the_key_before_is_accepted_besides_the_declared_one() {
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/a"])]));
    env.set("OLD", OTHER_KEY);
    let (running, address) = listening(&env, &["acme", "--key-from", "env:OLD"]);
    let message = r#"{"MsgId":"m","MsgType":"X","MsgData":{}}"#;
    for key in [KEY, OTHER_KEY] {
        let body = encrypt(&Secret::new(key), message).unwrap();
        assert_eq!(
            post(&address, "/a", &signed(TOKEN, &body), body.as_bytes()).status,
            200
        );
        // The declared token is needed in any case.
        assert_eq!(post(&address, "/a", &[], body.as_bytes()).status, 403);
    }
    let said = ended(running, "TERM");
    assert!(said.stdout.contains("duplicate of #1"), "{said}");
    assert!(
        said.stdout
            .contains("signature valid, with a key or token from the command line"),
        "{said}"
    );
}

#[test]
fn what_can_not_be_received_is_an_error_before_it_listens() {
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/a"])]));
    env.set("SHORT", "short").write("other.txt", "version: 1\n");
    for (arguments, code, expected) in [
        (
            &["nobody"][..],
            1,
            "no declared callback that is enabled matches `nobody`",
        ),
        (
            &["--key-from", KEY],
            64,
            "--key-from needs `env:NAME` or `file:PATH`",
        ),
        (
            &["--key-from", "env:SHORT"],
            1,
            "--key-from: the key has 5 bytes",
        ),
        (
            &["--key-from", "env:KEY", "--receipts", "r"],
            64,
            "--receipts needs --url",
        ),
        (
            &["--url", "ftp://x"],
            64,
            "--url: `ftp://x` is not an http or https URL",
        ),
        (
            &["acme", "--url", "https://hooks.example/b"],
            64,
            "no declared callback that is listened for has the URL",
        ),
        (
            &["--receipts", "other.txt"],
            1,
            "does not begin with a receipt",
        ),
        (&["--listen", "0.0.0.0:0"], 64, "is not a loopback address"),
        (&["--status", "100"], 64, "--status"),
        (&["--delay", "11m"], 64, "at most 10m"),
    ] {
        let said = env.run(&[&["listen"], arguments].concat()).exits(code);
        assert!(said.stderr.contains(expected), "{said}");
        assert!(!said.stderr.contains(KEY), "{said}");
    }
    assert_eq!(env.read("other.txt"), "version: 1\n");
}

#[test]
fn a_new_secret_goes_to_a_file_or_a_shell() {
    let env = TestEnv::new("");
    let said = env.run(&["secret", "new", "--file", "acme.key"]).exits(0);
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));
    let key = env.read("acme.key");
    assert_eq!(key.trim_end().len(), 32);
    let again = env.run(&["secret", "new", "--file", "acme.key"]).exits(1);
    assert!(
        again.stderr.contains("exists; nothing was written"),
        "{again}"
    );
    assert_eq!(env.read("acme.key"), key);
    let script = "eval \"$(\"$0\" secret new --export acme)\"; echo ${#ACME_CALLBACK_KEY} ${#ACME_CALLBACK_TOKEN}";
    let said = env.said(env.other("/bin/sh").args(["-c", script]).arg(&env.program));
    assert_eq!(said.stdout, "32 32\n");
    for wrong in [["--export", "a;b"], ["--export", "PATH"]] {
        env.run(&[&["secret", "new"], &wrong[..]].concat())
            .exits(64);
    }
    let said = env.run(&["secret", "new", "--file", "-"]).exits(0);
    assert_eq!(said.stdout.len(), 33);
    let said = env.run(&["secret", "new", "--json"]).exits(64);
    assert!(said.stdout.contains("has no JSON output"), "{said}");
}
