//! eSign can't be reached, or only something else answers in its place: few calls, few lines, and the next run
//! finishes. And connections that look alive and are not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use insta::assert_snapshot;

use crate::support::{TestEnv, configuration};

fn hundred() -> Vec<String> {
    (0..100)
        .map(|n| format!("https://hooks.example/{n:02}"))
        .collect()
}

fn a_hundred_callbacks() -> TestEnv {
    let urls = hundred();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut env = TestEnv::new(&configuration(&[("acme", &urls)]));
    env.set("ESS_CALLBACKS_PARALLELISM", "100");
    env
}

#[test]
fn a_closed_port_costs_a_handful_of_calls_and_a_page() {
    let mut env = a_hundred_callbacks();
    let _served = env.serve(&[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    env.set("ESS_CALLBACKS_ENDPOINT", &format!("http://{address}"));
    let said = env.run(&["apply", "--auto-approve"]).exits(3);
    let (_, course) = said.stdout.split_once("about 5 s at 20/s.\n").unwrap();
    assert!(course.lines().count() < 40, "{course}");
    assert!(
        course.contains("Stopped. Account default: no more calls in this run: 6 calls in a row"),
        "{course}"
    );
    assert_snapshot!(said.err(), @"
        Apply incomplete! Resources: 0 added, 0 changed, 0 destroyed. 100 not attempted.

          100 changes: not attempted
              which:      acme/https://hooks.example/00, acme/https://hooks.example/01, acme/https://hooks.example/02 and 97 more, which `plan` shows
              why:        eSign does not answer the calls of account default: 6 calls in a row got no answer from eSign; the last: could not connect to 127.0.0.1:[PORT]: client error (Connect): tcp connect error: Connection refused (os error 111)
              what to do: check --endpoint, the network, the name server, HTTPS_PROXY and, for certificates, --ca-file; then run apply again
        ");
    let json = env.run(&["--json", "apply", "--auto-approve"]).exits(3);
    let calls = json
        .events()
        .into_iter()
        .find(|event| event["type"] == "apply_report");
    let calls = calls.unwrap()["report"]["calls"].as_u64().unwrap();
    assert!((6..=12).contains(&calls), "{calls} calls");

    let known = env.run(&["state", "list"]).exits(0);
    assert_eq!(known.stdout, "", "nothing left this machine");
}

/// Serves connections one by one, each in a thread. Gives the address.
fn serve(each: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let each = Arc::new(each);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = Arc::clone(&each);
            std::thread::spawn(move || each(stream));
        }
    });
    address
}

/// A request or an answer, head and body. `None` at the end.
fn message(from: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        head.extend_from_slice(line.as_bytes());
        let lower = line.to_ascii_lowercase();
        if let Some(text) = lower.strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    head.append(&mut body);
    Some(head)
}

#[test]
fn a_proxy_s_page_is_not_esign() {
    let mut env = a_hundred_callbacks();
    let _served = env.serve(&[]);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while message(&mut reader).is_some() {
            count.fetch_add(1, Ordering::Relaxed);
            let page = "<html>Sign in to the network</html>";
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            );
            (&stream).write_all(answer.as_bytes()).unwrap();
        }
    });
    env.set("ESS_CALLBACKS_ENDPOINT", &format!("http://{address}"));
    let said = env.run(&["apply", "--auto-approve"]).exits(4);
    let asked = asked.load(Ordering::Relaxed);
    assert!((6..=12).contains(&asked), "{asked} calls");
    assert!(said.stderr.lines().count() < 40, "{said}");
    assert!(said.stdout.contains("what answered is not eSign"), "{said}");
}

/// Passes a request on to the sandbox, and gives its answer.
fn passed_on(request: &[u8], sandbox: &str) -> Vec<u8> {
    let behind = TcpStream::connect(sandbox).unwrap();
    (&behind).write_all(request).unwrap();
    message(&mut BufReader::new(behind)).unwrap()
}

/// What somebody who means ill, or a broken middlebox, answers in eSign's place. The connection is closed
/// after each.
fn hostile_answers() -> Vec<Vec<u8>> {
    let whole = |head: &str, body: &[u8]| {
        let length = body.len();
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    };
    let json = |body: &str| whole("200 OK\r\nContent-Type: application/json", body.as_bytes());
    let error = |code: &str, message: &str| {
        json(&format!(
            r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"{message}"}},"RequestId":"r"}}}}"#
        ))
    };
    let mut endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    endless.extend(b"100000\r\n".iter().chain(&vec![b'['; 0x10_0000]));
    vec![
        Vec::new(),
        b"\0\x01\xff\xfe".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Response\":{\"RequestId\":\"r\"}}"
            .to_vec(),
        b"HTTP/1.1 100 Continue\r\n\r\n".repeat(50),
        endless,
        whole("200 OK", b"\xff\xfe\0{"),
        whole(
            "200 OK\r\nContent-Encoding: gzip",
            b"\x1f\x8b\x08\0\0\0\0\0",
        ),
        whole("301 Moved\r\nLocation: http://127.0.0.1:1/", b""),
        whole("307 Moved\r\nLocation: file:///etc/passwd", b""),
        whole("401 Unauthorized\r\nWWW-Authenticate: Basic", b"log in"),
        whole("407 Proxy Authentication Required", b""),
        whole(
            "502 Bad Gateway",
            b"<html>\x1b]0;owned\x07::set-output name=a::b</html>",
        ),
        json(""),
        json("null"),
        json("[]"),
        json("{}"),
        json(r#"{"Response":null}"#),
        json(r#"{"Response":{}}"#),
        json(r#"{"Response":{"RequestId":7}}"#),
        json(r#"{"Response":{"Error":null}}"#),
        json(&"[".repeat(200_000)),
        json(&format!(
            "{}{}",
            r#"{"a":"#.repeat(5_000),
            "}".repeat(5_000)
        )),
        error("Unheard.Of", "\\u001b[2J\\r::error::x"),
        error("FailedOperation", "\\ud83d"),
        error("", ""),
        error("InternalError", &"x".repeat(100_000)),
    ]
}

/// Half of the calls get such an answer, though eSign has carried them out. What is open then is settled
/// by the next run.
#[test]
fn an_impostor_of_esign_leaves_nothing_wrong() {
    let hostile = hostile_answers();
    let urls: Vec<String> = (0..2 * hostile.len())
        .map(|n| format!("https://hooks.example/{n:02}"))
        .collect();
    let declared: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut env = TestEnv::new(&configuration(&[("acme", &declared)]));
    let served = env.serve(&["--limit", "0"]);
    let sandbox = served.endpoint().replace("http://", "");
    let (asked, honest) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let is_honest = Arc::clone(&honest);
    let count = hostile.len();
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = message(&mut reader) {
            let answer = passed_on(&request, &sandbox);
            let number = asked.fetch_add(1, Ordering::Relaxed);
            if is_honest.load(Ordering::Relaxed) || number % 2 == 0 {
                (&stream).write_all(&answer).unwrap();
                continue;
            }
            // A reader that has seen enough closes the connection.
            drop((&stream).write_all(&hostile[number / 2 % hostile.len()]));
            return;
        }
    });
    env.set("ESS_CALLBACKS_ENDPOINT", &format!("http://{address}"));
    let apply = [
        "apply",
        "--auto-approve",
        "--rate=0",
        "--parallelism=1",
        "--max-retries=0",
    ];
    let said = env.run(&apply).exits(4);
    let unknown = said.stdout.matches("Unknown").count();
    assert!(unknown > 0, "{said}");
    assert!(
        !said.stdout.contains('\u{1b}') && !said.stderr.contains('\u{1b}'),
        "{said}"
    );
    assert!(said.stderr.contains(&format!("{count} unknown")), "{said}");
    let longest = said.stderr.lines().map(str::len).max();
    assert!(
        longest.is_some_and(|length| length < 2_000),
        "{longest:?}: {said}"
    );
    assert_eq!(served.urls(), urls);
    honest.store(true, Ordering::Relaxed);
    env.run(&apply).exits(0);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(served.urls(), urls);
}

/// Before a replace's delete eSign is asked what time it is. Where nobody answers that, it is given up, and
/// whoever wants to leave need not wait for it.
#[cfg(unix)]
#[test]
fn a_question_for_the_time_without_an_answer_is_given_up() {
    let one = ["https://hooks.example/one"];
    let keeps = configuration(&[("acme", &one)]);
    let replaces = keeps.replace("defaults: {", "defaults: { adoption: replace,");
    let mut env = TestEnv::new(&replaces);
    let served = env.serve(&[]);
    let sandbox = served.endpoint().replace("http://", "");
    let (asked, silent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, unanswered) = (Arc::clone(&asked), Arc::clone(&silent));
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = message(&mut reader) {
            count.fetch_add(1, Ordering::Relaxed);
            if request.starts_with(b"GET ") {
                unanswered.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            (&stream).write_all(&passed_on(&request, &sandbox)).unwrap();
        }
    });
    env.set("ESS_CALLBACKS_ENDPOINT", &format!("http://{address}"));
    let running = env.start(&["apply", "--auto-approve"]);
    crate::support::eventually("the question", || {
        (silent.load(Ordering::Relaxed) > 0).then_some(())
    });
    running.signal("TERM");
    running.wait().exits(130);
    assert_eq!(asked.load(Ordering::Relaxed), 1, "nothing was called");
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(served.urls(), one);
}

/// A connection is answered once, and then looks alive until the next request closes it.
#[test]
fn a_stale_connection_costs_no_fence() {
    let urls = hundred();
    let urls: Vec<&str> = urls.iter().take(4).map(String::as_str).collect();
    let mut env = TestEnv::new(&configuration(&[("acme", &urls)]));
    let served = env.serve(&[]);
    let sandbox = served.endpoint().replace("http://", "");
    let closed = Arc::new(AtomicUsize::new(0));
    let stale = Arc::new(AtomicBool::new(false));
    let (count, is_stale) = (Arc::clone(&closed), Arc::clone(&stale));
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut answered = false;
        while let Some(request) = message(&mut reader) {
            if answered && is_stale.load(Ordering::Relaxed) {
                count.fetch_add(1, Ordering::Relaxed);
                return;
            }
            answered = true;
            (&stream).write_all(&passed_on(&request, &sandbox)).unwrap();
        }
    });
    env.set("ESS_CALLBACKS_ENDPOINT", &format!("http://{address}"));
    env.run(&["apply", "--auto-approve"]).exits(0);
    stale.store(true, Ordering::Relaxed);
    let said = env
        .run(&["apply", "--auto-approve", "--replace", "acme/*"])
        .exits(0);
    assert!(!said.stdout.contains("Waiting until"), "{said}");
    assert!(
        closed.load(Ordering::Relaxed) > 0,
        "no connection was stale"
    );
    for url in urls {
        let operations = served.operations(url);
        assert_eq!(operations, ["add", "delete", "add"], "{url}");
    }
}
