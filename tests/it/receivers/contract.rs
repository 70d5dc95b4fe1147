//! What a receiver has to do, whatever it is written in.

use std::process::Command;

use ess_callbacks::envelope::{content_signature, encrypt};
use ess_callbacks::receiver::{Content, Receipt, Receiver, Secrets};
use ess_callbacks::secret::Secret;

use super::{post, send};
use crate::support::{KEY, OTHER_KEY, Running, TOKEN, TestEnv};

pub(super) const URL: &str = "https://hooks.acme.example/esign";
const OLD_KEY: &str = "old-key-old-key-old-key-old-key-";

/// A receiver under test, and what it prints for a message.
pub(super) struct Subject {
    pub(super) command: Command,
    pub(super) message: &'static str,
    pub(super) v1: &'static str,
}

impl Subject {
    pub(super) fn example(command: Command) -> Self {
        Self {
            command,
            message: "message \"Unheard\"",
            v1: "message in the format V1",
        }
    }
}

fn sealed(key: &str, message: &str) -> String {
    encrypt(&Secret::new(key), message).unwrap()
}

fn signature(token: &str, body: &str) -> String {
    content_signature(&Secret::new(token), body.as_bytes())
}

fn started(env: &TestEnv, mut command: Command) -> (Running, String) {
    command
        .envs([
            ("CALLBACK_KEY", KEY),
            ("CALLBACK_TOKEN", TOKEN),
            ("CALLBACK_KEY_OLD", OLD_KEY),
        ])
        .envs([
            ("CALLBACK_URL", URL),
            ("RECEIPTS", "receipts.jsonl"),
            ("LISTEN", "127.0.0.1:0"),
        ]);
    let running = Running::start(command, &env.path(""));
    let begin = "Listening on http://";
    let line = crate::support::eventually("it listens", || {
        let said = running.so_far();
        let line = said
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix(begin));
        line.filter(|_| said.stdout.contains('\n'))
            .map(str::to_owned)
    });
    (running, line)
}

/// Starts it, sends everything that eSign and others may send, and checks its answers, output and receipts.
pub(super) fn fulfils(env: &TestEnv, subject: Subject) {
    // A line that was torn by a crash.
    env.write("receipts.jsonl", "{\"received_at\":\"2026");
    let (running, address) = started(env, subject.command);
    let mut receipts = Vec::new();
    let mut expect = |what: &str, signature: Option<&str>, body: &str, status: u16| {
        let header = signature.map(|value| format!("Content-Signature: {value}"));
        let headers: Vec<String> = header.into_iter().collect();
        let answer = post(&address, "/esign", &headers, body.as_bytes());
        assert_eq!(
            answer.status,
            status,
            "{what}: {}\n{}",
            answer.body,
            running.so_far()
        );
        receipts.push((body.to_owned(), signature.map(str::to_owned)));
    };

    let signed = |body: &str| signature(TOKEN, body);
    expect("the probe", None, "{}", 200);
    expect("the probe, signed", Some(&signed("{}")), "{}", 200);
    expect(
        "the probe, forged",
        Some(&signature("other", "{}")),
        "{}",
        403,
    );
    expect(
        "the vendor's check",
        None,
        r#"{"encrypt":"62KE4r5Wz0yHzEpMOwVRbM1KV0"}"#,
        200,
    );

    let message = r#"{"MsgId":"m1","MsgType":"Unheard","MsgVersion":"CustomApp","MsgData":{"Name":"canary"}}"#;
    let body = sealed(KEY, message);
    expect("not signed", None, &body, 403);
    expect("forged", Some(&signature("other", &body)), &body, 403);
    expect(
        "in capitals",
        Some(&signed(&body).to_uppercase()),
        &body,
        403,
    );
    expect(
        "a signature of another body",
        Some(&signed("{}")),
        &body,
        403,
    );
    expect("a message", Some(&signed(&body)), &body, 200);
    expect("the same again", Some(&signed(&body)), &body, 200);

    let other = message.replace("m1", "m2");
    let spaced = sealed(KEY, &other)
        .replace("{\"encrypt\":", "\n{ \"encrypt\"\t: ")
        .replace('/', "\\/");
    expect("unusual spacing", Some(&signed(&spaced)), &spaced, 200);
    let wrong = sealed(OTHER_KEY, message);
    expect("another key", Some(&signed(&wrong)), &wrong, 400);
    let old = sealed(OLD_KEY, &message.replace("m1", "m3"));
    expect("the key before", Some(&signed(&old)), &old, 200);
    expect("in clear text", Some(&signed(message)), message, 403);
    expect(
        "damaged",
        Some(&signed(r#"{"encrypt":"AAAA"}"#)),
        r#"{"encrypt":"AAAA"}"#,
        400,
    );
    expect("not JSON", Some(&signed("hello")), "hello", 400);
    let v1 = r#"{"FlowId":"f","FlowCallbackStatus":2,"UserId":"u","Operate":"sign"}"#;
    let body = sealed(KEY, v1);
    expect("V1", Some(&signed(&body)), &body, 200);
    let again = sealed(KEY, &v1.replace('}', r#", "FlowName": "x"}"#));
    expect("V1 again", Some(&signed(&again)), &again, 200);

    let get = send(&address, "GET /esign", &[], b"");
    assert_eq!(get.status, 405, "{}", get.body);
    let large = ["Content-Length: 99999999".to_owned()];
    assert_eq!(send(&address, "POST /esign", &large, b"").status, 413);
    let twice = [
        format!("Content-Signature: {}", signed("{}")),
        "Content-Signature: sha256=00".to_owned(),
    ];
    assert_eq!(post(&address, "/esign", &twice, b"{}").status, 403);

    // The probe at the end is answered after everything else was.
    expect("the probe", None, "{}", 200);
    check_output(&running, subject.message, subject.v1);
    receipts.insert(receipts.len() - 1, ("{}".to_owned(), Some(signed("{}"))));
    check_receipts(env, &receipts);
}

fn check_output(running: &Running, message: &str, v1: &str) {
    let said = crate::support::eventually("it prints everything", || {
        let said = running.so_far();
        (said.stdout.contains(v1)).then_some(said)
    });
    // m1, m2 and m3 once each; `listen` also names the duplicate.
    let duplicates = said.stdout.matches("duplicate of #").count();
    let kind = message.split(',').next().unwrap();
    let messages = said
        .stdout
        .lines()
        .filter(|line| line.contains(kind))
        .count();
    assert_eq!(messages, 3 + duplicates.min(1), "{said}");
    assert!(said.stdout.contains(message), "{said}");
    for secret in ["canary", KEY, OLD_KEY, TOKEN] {
        assert!(
            !said.stdout.contains(secret) && !said.stderr.contains(secret),
            "{said}"
        );
    }
}

/// The receipts of everything, in order, after the torn line; and what they prove.
fn check_receipts(env: &TestEnv, expected: &[(String, Option<String>)]) {
    let text = env.read("receipts.jsonl");
    let (_torn, lines) = text.split_once('\n').unwrap();
    let read: Vec<Receipt> = lines
        .lines()
        .map(|line| Receipt::parse(line).unwrap())
        .collect();
    let found: Vec<_> = read
        .iter()
        .map(|receipt| (receipt.body.clone(), receipt.content_signature.clone()))
        .collect();
    assert_eq!(found, expected);
    assert!(read.iter().all(|receipt| receipt.url.as_str() == URL));
    let secrets = Secrets::new(Some(Secret::new(KEY)), Some(Secret::new(TOKEN))).unwrap();
    let receiver = Receiver::new(secrets);
    let proof = |receipt: &&Receipt| {
        let signature = receipt
            .content_signature
            .as_deref()
            .map(|value| ("Content-Signature", value.as_bytes()));
        let opened = receiver.open(signature, receipt.body.as_bytes());
        opened.is_ok_and(|opened| matches!(opened.content, Content::Message(_)))
    };
    assert_eq!(read.iter().filter(proof).count(), 5);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // It was there before, so its mode is that of its owner's choice.
        assert!(
            std::fs::metadata(env.path("receipts.jsonl"))
                .unwrap()
                .permissions()
                .mode()
                & 0o600
                == 0o600
        );
    }
}
