//! Clients and receivers that never end, and absurd sizes: all are bounded and answered,
//! and good clients are served meanwhile.

use std::time::Duration;

use ess_callbacks::sandbox::{Limits, Options};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::rig::{MODIFY, OPERATOR, Rig, START, answer};

const MEGABYTE: usize = 1 << 20;

async fn limited(limits: Limits) -> Rig {
    Rig::new(Options {
        limits,
        limit: 0,
        ..Options::default()
    })
    .await
}

/// A receiver that answers every request with `head` and then with `more` until the client leaves.
async fn endless_receiver(head: &'static [u8], more: &'static [u8]) -> String {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/esign", receiver.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = receiver.accept().await {
            tokio::spawn(async move {
                stream.write_all(head).await.ok();
                while stream.write_all(more).await.is_ok() && !more.is_empty() {}
                // Says nothing more, until the client leaves.
                stream.read_to_end(&mut Vec::new()).await.ok();
            });
        }
    });
    url
}

#[tokio::test(start_paused = true)]
async fn heads_that_never_end_make_room_and_good_clients_are_served() {
    let rig = limited(Limits {
        connections: 8,
        ..Limits::default()
    })
    .await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        slow.push(rig.begin(b"POST / HTTP/1.1\r\nX-Endless: ").await);
    }
    for n in 0..10 {
        let url = format!("https://a.example/{n}");
        assert_eq!(rig.add(&url).await, "ok");
    }
    let mut made_room = 0;
    for stream in &mut slow {
        let got = answer(stream).await.expect("an answer");
        assert!(matches!(got.status, 408 | 503), "{got:?}");
        assert!(got.json()["error"].is_string(), "{got:?}");
        made_room += usize::from(got.status == 503);
    }
    assert!(made_room >= 32, "{made_room}");
}

#[tokio::test(start_paused = true)]
async fn a_head_or_a_body_that_does_not_come_is_a_timeout() {
    let rig = limited(Limits::default()).await;
    let host = rig.running.address();
    for path in [
        "/",
        "/_sandbox/emit",
        "/_sandbox/clock",
        "/_sandbox/callbacks",
    ] {
        for rest in [
            "",
            "Content-Length: 9\r\n\r\n{",
            "Transfer-Encoding: chunked\r\n\r\n9\r\n{",
        ] {
            let begun = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{rest}");
            let got = answer(&mut rig.begin(begun.as_bytes()).await).await;
            let got = got.expect("an answer");
            assert_eq!(got.status, 408, "{begun}");
            assert!(got.json()["error"].as_str().unwrap().contains("in time"));
        }
    }
    // An answer to no request could be taken for that of the next one.
    let idle = answer(&mut rig.begin(b"").await).await;
    assert!(idle.is_none(), "{idle:?}");
    assert_eq!(rig.add("https://a.example/x").await, "ok");
}

#[tokio::test(start_paused = true)]
async fn large_unsigned_bodies_are_read_without_keeping_them() {
    // Not one may be kept: with room for none, one that is kept is a 503.
    let rig = limited(Limits {
        large_bodies: 0,
        ..Limits::default()
    })
    .await;
    let body = "x".repeat(10 * MEGABYTE);
    let sending = (0..6).map(|_| rig.send("POST", "/", "X-TC-Action: A\r\n", &body));
    let (answers, good) = futures_util::future::join(
        futures_util::future::join_all(sending),
        rig.add("https://a.example/x"),
    )
    .await;
    assert_eq!(good, "ok");
    for got in answers {
        let got = got.expect("an answer");
        assert_eq!((got.status, got.code().as_str()), (200, "MissingParameter"));
    }
    assert_eq!(rig.running.sandbox().arrivals().len(), 7);
    // A claim that could be true is kept, if there is room.
    let headers = rig.signed(MODIFY, "another");
    let got = rig.send("POST", "/", &headers, &body).await.unwrap();
    assert_eq!(got.status, 503, "{got:?}");
    // Small ones need no room.
    assert_eq!(rig.add("https://a.example/y").await, "ok");
}

#[tokio::test(start_paused = true)]
async fn a_large_body_with_a_good_claim_is_checked() {
    let rig = limited(Limits {
        large_bodies: 1,
        ..Limits::default()
    })
    .await;
    let body = json!({ "Operator": { "UserId": "x".repeat(9 * MEGABYTE) } });
    for _ in 0..2 {
        let got = rig.call(MODIFY, &body).await.unwrap();
        assert_eq!((got.status, got.code().as_str()), (200, "MissingParameter"));
    }
    let wrong = rig.signed(MODIFY, "another");
    let got = rig.send("POST", "/", &wrong, &body.to_string()).await;
    assert_eq!(got.unwrap().code(), "AuthFailure.SignatureFailure");
    let long = "U".repeat(MEGABYTE);
    let body = json!({
        "Operator": { "UserId": OPERATOR },
        "OperateType": 1,
        "CallbackInfo": { "CallbackUrl": long, (long.as_str()): 1 },
    });
    let got = rig.call(MODIFY, &body).await.unwrap();
    assert_eq!(got.code(), "UnknownParameter");
    assert!(got.body.len() < 1000, "{}", got.body.len());
    let arrivals = rig.running.sandbox().arrivals();
    let logged = arrivals.last().unwrap().url.as_deref().unwrap();
    assert!(logged.len() < 1100, "{}", logged.len());
}

#[rstest]
#[case::declared("Content-Length: 999999999\r\n\r\n", 0)]
#[case::chunked("Transfer-Encoding: chunked\r\n\r\nB00000\r\n", 11)]
#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_large_is_refused(#[case] rest: &str, #[case] megabytes: usize) {
    let rig = limited(Limits::default()).await;
    let host = rig.running.address();
    let body = vec![b'x'; megabytes * MEGABYTE];
    for (path, is_api) in [
        ("/", true),
        ("/_sandbox/emit", false),
        ("/_sandbox/faults", false),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{rest}");
        let mut stream = rig.begin(head.as_bytes()).await;
        stream.write_all(&body).await.expect("it reads");
        let got = answer(&mut stream).await.expect("an answer");
        assert_eq!(got.status, 413, "{path}");
        if is_api {
            assert_eq!(got.code(), "RequestSizeLimitExceeded");
        } else {
            assert!(got.json()["error"].is_string());
        }
    }
}

#[rstest]
#[case::one_header("GET / HTTP/1.1\r\nX-Long: LONG\r\n\r\n", 431)]
#[case::endless_header("GET / HTTP/1.1\r\nX-Long: LONG", 431)]
#[case::many_headers("GET / HTTP/1.1\r\nMANY\r\n", 431)]
#[case::query(
    "GET /_sandbox/log?after=LONG HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    431
)]
#[case::no_http("\u{1}\u{2}\u{3} / \r\n\r\n", 400)]
#[case::no_chunk("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400)]
#[case::no_length("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400)]
#[tokio::test(start_paused = true)]
async fn a_head_that_makes_no_sense_is_refused(#[case] request: &str, #[case] status: u16) {
    let rig = limited(Limits::default()).await;
    let request = request
        .replace("LONG", &"1".repeat(100 * 1024))
        .replace("MANY", &"A: b\r\n".repeat(200));
    let got = answer(&mut rig.begin(request.as_bytes()).await).await;
    assert_eq!(got.expect("an answer").status, status);
    assert_eq!(rig.add("https://a.example/x").await, "ok");
}

#[tokio::test(start_paused = true)]
async fn one_connection_too_many_is_refused_with_a_reason() {
    let rig = Rig::new(Options {
        limits: Limits {
            connections: 1,
            ..Limits::default()
        },
        faults: "slow=20s".parse().unwrap(),
        ..Options::default()
    })
    .await;
    let extra = async {
        while rig.running.sandbox().arrivals().is_empty() {
            tokio::task::yield_now().await;
        }
        let request = b"GET /_sandbox/callbacks HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
        answer(&mut rig.begin(request).await).await
    };
    let (busy, extra) = futures_util::future::join(rig.add("https://a.example/x"), extra).await;
    assert_eq!(busy, "ok");
    assert_eq!(extra.expect("an answer").status, 503);
}

#[tokio::test(start_paused = true)]
async fn pipelined_and_half_closed_requests_are_answered() {
    let rig = Rig::with("slow=5s", "").await;
    let host = rig.running.address();
    let body = json!({
        "Operator": { "UserId": OPERATOR },
        "OperateType": 1,
        "CallbackInfo": { "CallbackUrl": "https://a.example/x" },
    })
    .to_string();
    let call = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{}\r\n{body}",
        body.len(),
        rig.signed(MODIFY, &body),
    );
    let mut stream = rig.begin(call.repeat(3).as_bytes()).await;
    stream.shutdown().await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(
        answers.matches("HTTP/1.1 200 OK\r\n").count(),
        3,
        "{answers}"
    );
    assert_eq!(answers.matches("\"RequestId\"").count(), 3, "{answers}");
    assert_eq!(rig.running.sandbox().arrivals().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_frees_its_connection() {
    let rig = limited(Limits {
        connections: 1,
        ..Limits::default()
    })
    .await;
    for n in 0..20 {
        drop(
            rig.begin(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n")
                .await,
        );
        assert_eq!(rig.add(&format!("https://a.example/{n}")).await, "ok");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_let_go_and_the_log_comes_whole() {
    let rig = limited(Limits::default()).await;
    for n in 0..1200 {
        let body = json!({ "CallbackInfo": { "CallbackUrl": format!("https://a.example/{n}") } });
        let got = rig.send("POST", "/", "", &body.to_string()).await;
        assert_eq!(got.unwrap().code(), "MissingParameter");
    }
    let request = "GET /_sandbox/log HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let mut stalled = rig.begin(request.repeat(200).as_bytes()).await;
    for after in [0, 1, 700, 1200, 5000] {
        let path = format!("/_sandbox/log?after={after}");
        let mut stream = rig
            .begin(request.replace("/_sandbox/log", &path).as_bytes())
            .await;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let log: Vec<Value> = serde_json::from_str(&dechunked(body)).unwrap();
        let numbers: Vec<u64> = log
            .iter()
            .map(|it| it["sequence"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, (after + 1..=1200).collect::<Vec<u64>>());
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    // Whatever is left of it in the sockets, it ends.
    stalled.read_to_end(&mut Vec::new()).await.ok();
}

fn dechunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        text += &rest[..length];
        body = &rest[length + 2..];
    }
    text
}

#[rstest]
#[case(i64::MIN, "Thu, 01 Jan 1970 00:00:00 GMT")]
#[case(-1_800_000_000, "Thu, 01 Jan 1970 00:00:00 GMT")]
#[case(251_702_300_800, "Fri, 31 Dec 9999 23:59:59 GMT")]
#[case(i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT")]
#[tokio::test(start_paused = true)]
async fn a_skew_at_either_end_is_shown_as_well_as_can_be(#[case] skew: i64, #[case] date: &str) {
    for how in ["option", "clock", "faults"] {
        let spec = format!("skew={skew:+}");
        let rig = Rig::with(if how == "option" { &spec } else { "" }, "").await;
        match how {
            "clock" => {
                let wish = json!({ "skew": skew });
                let shown = rig.control("POST", "/_sandbox/clock", &wish).await;
                assert_eq!(shown["shown"], START.0.saturating_add(skew));
            }
            "faults" => {
                let wish = json!({ "fault": spec });
                let shown = rig.control("POST", "/_sandbox/faults", &wish).await;
                assert_eq!(shown["fault"], spec);
            }
            _ => {}
        }
        let got = rig.modify(1, "https://a.example/x").await.unwrap();
        assert_eq!(got.code(), "AuthFailure.SignatureExpire", "{how}");
        assert_eq!(got.date, date, "{how}");
        let emitted = rig.control("POST", "/_sandbox/emit", &json!({})).await;
        assert_eq!(emitted["deliveries"], json!([]));
        let host = rig.running.address();
        let begun = format!("POST / HTTP/1.1\r\nHost: {host}\r\n");
        let late = answer(&mut rig.begin(begun.as_bytes()).await).await;
        assert_eq!(late.unwrap().date, date);
    }
}

#[rstest]
#[case("/_sandbox/clock", r#"{"skew": 9223372036854775808}"#)]
#[case("/_sandbox/clock", r#"{"skew": -1e300}"#)]
#[case("/_sandbox/clock", r#"{"skew": 1.5}"#)]
#[case("/_sandbox/clock", "{}")]
#[case("/_sandbox/clock", "DEEP")]
#[case("/_sandbox/faults", "DEEP")]
#[case("/_sandbox/emit", "DEEP")]
#[case("/_sandbox/emit", r#"{"message": DEEP"#)]
#[case("/_sandbox/exists", "DEEP")]
#[case("/_sandbox/faults", r#"{"fault": "skew=9223372036854775808"}"#)]
#[case("/_sandbox/faults", r#"{"script": "ok*18446744073709551615"}"#)]
#[case("/_sandbox/faults", r#"{"script": "late@99999999999999999999s"}"#)]
#[case("/_sandbox/faults", r#"{"seed": -1}"#)]
#[case("/_sandbox/log?after=-1", "")]
#[case("/_sandbox/log?after=99999999999999999999", "")]
#[case("/_sandbox/log?before=1", "")]
#[tokio::test(start_paused = true)]
async fn what_the_control_api_can_t_use_is_named(#[case] path: &str, #[case] body: &str) {
    let rig = Rig::with("", "").await;
    let body = body.replace("DEEP", &"[".repeat(100_000));
    let method = if body.is_empty() { "GET" } else { "POST" };
    let got = rig.send(method, path, "", &body).await.unwrap();
    assert_eq!(got.status, 400, "{got:?}");
    let why = got.json()["error"].as_str().unwrap().to_owned();
    assert!(!why.is_empty() && why.len() < 500, "{why}");
}

// The rest in real time, because the HTTP client has a time-out.
#[rstest]
#[case::silent(b"", b"", None)]
#[case::endless_head(b"HTTP/1.1 200 OK\r\nX-Endless: ", b"xxxxxxxxxxxxxxxx", None)]
#[case::endless_body(b"HTTP/1.1 200 OK\r\n\r\n", b"xxxxxxxxxxxxxxxx", Some(200))]
#[case::redirect(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"", Some(302))]
#[tokio::test]
async fn a_receiver_that_never_ends_is_left(
    #[case] head: &'static [u8],
    #[case] more: &'static [u8],
    #[case] status: Option<u16>,
) {
    let rig = limited(Limits {
        receiver: Duration::from_millis(500),
        ..Limits::default()
    })
    .await;
    let url = endless_receiver(head, more).await;
    assert_eq!(rig.add(&url).await, "ok");
    let report = rig.control("POST", "/_sandbox/emit", &json!({})).await;
    let delivery = &report["deliveries"][0];
    assert_eq!(delivery["status"], json!(status));
    assert_eq!(
        delivery["error"].is_string(),
        status.is_none(),
        "{delivery}"
    );
}

#[tokio::test]
async fn a_callback_that_leads_back_to_emit_ends() {
    let rig = limited(Limits::default()).await;
    let url = format!("{}/_sandbox/emit", rig.running.endpoint());
    let body = json!({
        "Operator": { "UserId": OPERATOR },
        "OperateType": 1,
        "CallbackInfo": { "CallbackUrl": url },
    });
    assert_eq!(rig.call(MODIFY, &body).await.unwrap().code(), "ok");
    let wish = json!({ "message": { "message": { "message": {
        "message": { "message": { "message": {} } } } } } });
    let report = rig.control("POST", "/_sandbox/emit", &wish).await;
    assert_eq!(report["deliveries"][0]["status"], 200);
    // Four are under way at most: the fifth was refused, and nothing is left of them.
    let again = rig
        .control("POST", "/_sandbox/emit", &json!({ "url": "x" }))
        .await;
    assert_eq!(again["deliveries"], json!([]));
    let connected = TcpStream::connect(rig.running.address()).await;
    assert!(connected.is_ok());
}
