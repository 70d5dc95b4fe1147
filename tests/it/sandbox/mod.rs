//! The sandbox over real sockets. Time is paused: it moves only when everybody waits.

mod hostile;
mod rig;
mod sdk;

use std::time::Duration;

use ess_callbacks::envelope::{decrypt, verify};
use ess_callbacks::sandbox::{CloudFile, Effect, OnExists, Options, SandboxError, bind};
use ess_callbacks::secret::Secret;
use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use rig::{KEY, OPERATOR, Rig, TOKEN};

#[tokio::test(start_paused = true)]
async fn add_and_delete_answer_as_documented() {
    let rig = Rig::with("", "").await;
    let added = rig.modify(1, "https://a.example/x").await.unwrap();
    assert_eq!((added.status, added.code().as_str()), (200, "ok"));
    assert_eq!(added.date, "Tue, 14 Nov 2023 22:13:20 GMT");
    let members = added.json()["Response"].as_object().unwrap().len();
    assert_eq!(members, 1, "only the RequestId: {}", added.body);

    assert_eq!(rig.add("https://a.example/x").await, "ok");
    let delete = || rig.modify(2, "https://a.example/x");
    assert_eq!(delete().await.unwrap().code(), "ok");
    let missing = delete().await.unwrap().json();
    let error = &missing["Response"]["Error"];
    assert_eq!(error["Code"], "FailedOperation");
    assert_eq!(error["Message"], "当前配置不存在");
}

#[tokio::test(start_paused = true)]
async fn an_existing_url_may_be_an_error_by_choice() {
    let exists = OnExists::Error;
    let rig = Rig::new(Options {
        exists,
        ..Options::default()
    })
    .await;
    assert_eq!(rig.add("https://a.example/x").await, "ok");
    let again = rig.modify(1, "https://a.example/x").await.unwrap().json();
    let error = &again["Response"]["Error"];
    assert_eq!(error["Code"], "FailedOperation");
    assert!(error["Message"].as_str().unwrap().contains("已存在"));
    let path = "/_sandbox/exists";
    let shown = rig.control("GET", path, &json!(null)).await;
    assert_eq!(shown, json!({ "answer": "error" }));
    let wish = json!({ "answer": "success" });
    assert_eq!(rig.control("POST", path, &wish).await, wish);
    assert_eq!(rig.add("https://a.example/x").await, "ok");
    let wrong = rig
        .control("POST", path, &json!({ "answer": "maybe" }))
        .await;
    assert!(
        wrong["error"].as_str().unwrap().contains("maybe"),
        "{wrong}"
    );
    assert_eq!(rig.control("GET", path, &json!(null)).await, wish);
}

#[tokio::test(start_paused = true)]
async fn what_the_gateway_refuses() {
    let rig = Rig::with("", "").await;
    let status = json!({ "Operator": { "UserId": OPERATOR } });
    let verify = "DescribeOrganizationVerifyStatus";
    assert_eq!(rig.call(verify, &status).await.unwrap().code(), "ok");
    assert_eq!(
        rig.call("DescribeFlowBriefs", &status)
            .await
            .unwrap()
            .code(),
        "InvalidAction"
    );
    for (method, headers, code) in [
        ("POST", "", "MissingParameter"),
        ("POST", "X-TC-Action: A\r\n", "MissingParameter"),
        (
            "POST",
            "X-TC-Action: A\r\nX-TC-Version: v\r\n",
            "MissingParameter",
        ),
        (
            "POST",
            "X-TC-Action: A\r\nX-TC-Version: v\r\nX-TC-Timestamp: 1700000000\r\nAuthorization: SKIP\r\n",
            "AuthFailure.InvalidAuthorization",
        ),
        ("GET", "", "UnsupportedProtocol"),
    ] {
        let got = rig.send(method, "/", headers, "{}").await.unwrap();
        assert_eq!((got.status, got.code().as_str()), (200, code), "{headers}");
    }
}

#[rstest]
#[case::lost_before("lost-before", None, "", 0)]
#[case::lost_after("lost-after", None, "", 1)]
#[case::bad_gateway("502", Some(502), "", 0)]
#[case::bad_gateway_after("502-after", Some(502), "", 1)]
#[case::garbage("garbage", Some(200), "", 0)]
#[case::garbage_after("garbage-after", Some(200), "", 1)]
#[case::internal_error("internal-error", Some(200), "InternalError.System", 0)]
#[case::internal_error_after("internal-error-after", Some(200), "InternalError.System", 1)]
#[case::throttle("throttle", Some(200), "RequestLimitExceeded", 0)]
#[tokio::test(start_paused = true)]
async fn each_fault_looks_and_works_as_it_is_called(
    #[case] name: &str,
    #[case] status: Option<u16>,
    #[case] code: &str,
    #[case] applied: usize,
) {
    let rig = Rig::with("", &format!("ok,{name}")).await;
    assert_eq!(rig.add("https://a.example/before").await, "ok");
    let got = rig.modify(1, "https://a.example/x").await;
    assert_eq!(got.as_ref().map(|got| got.status), status);
    if let Some(got) = got {
        let is_answer = serde_json::from_str::<serde_json::Value>(&got.body).is_ok();
        assert_eq!(is_answer, !code.is_empty(), "{}", got.body);
        assert!(code.is_empty() || got.code() == code, "{}", got.body);
    }
    assert_eq!(rig.urls().len(), 1 + applied);
    let arrivals = rig.running.sandbox().arrivals();
    assert_eq!(arrivals[1].fault, name);
    assert_eq!(arrivals[1].effect == Effect::Changed, applied == 1);
    // The script is used up, and the same call goes through.
    assert_eq!(rig.add("https://a.example/x").await, "ok");
    assert_eq!(rig.urls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_call_arrives_until_its_signature_expires() {
    let rig = Rig::with("", "late@299s,late@302s").await;
    assert!(rig.modify(1, "https://a.example/in-time").await.is_none());
    assert!(rig.modify(1, "https://a.example/too-late").await.is_none());
    assert!(rig.urls().is_empty());
    tokio::time::sleep(Duration::from_secs(310)).await;
    assert_eq!(rig.urls(), ["https://a.example/in-time"]);
    let arrivals = rig.running.sandbox().arrivals();
    let last = arrivals.last().unwrap();
    assert_eq!(last.code, Some("AuthFailure.SignatureExpire"));
    assert_eq!(last.url.as_deref(), Some("https://a.example/too-late"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_late_but_its_effect_is_not() {
    let rig = Rig::with("slow=800ms±50%", "").await;
    let begun = tokio::time::Instant::now();
    assert_eq!(rig.add("https://a.example/x").await, "ok");
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(400) && took <= Duration::from_millis(1201),
        "{took:?}"
    );
    let arrival = &rig.running.sandbox().arrivals()[0];
    assert!(arrival.at_micros < (rig::START.0 * 1_000_000) + 400_000);
}

#[tokio::test(start_paused = true)]
async fn a_spike_holds_up_one_answer_and_no_effect() {
    let rig = Rig::with("slow=50ms", "slow@5s").await;
    for (url, least) in [("https://a.example/x", 5_050), ("https://a.example/y", 50)] {
        let begun = tokio::time::Instant::now();
        assert_eq!(rig.add(url).await, "ok");
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(least) && took <= Duration::from_millis(least + 1),
            "{took:?}"
        );
    }
    let arrivals = rig.running.sandbox().arrivals();
    assert_eq!(
        (arrivals[0].fault.as_str(), arrivals[0].effect),
        ("slow@5s", Effect::Changed)
    );
    assert!(arrivals[0].at_micros < (rig::START.0 * 1_000_000) + 50_000);
}

#[tokio::test(start_paused = true)]
async fn a_skewed_clock_shows_in_the_date_and_refuses_what_is_right() {
    let rig = Rig::with("skew=+400", "").await;
    let got = rig.modify(1, "https://a.example/x").await.unwrap();
    assert_eq!(got.code(), "AuthFailure.SignatureExpire");
    assert_eq!(got.date, "Tue, 14 Nov 2023 22:20:00 GMT");
    let shown = rig
        .control("POST", "/_sandbox/clock", &json!({ "skew": -300 }))
        .await;
    assert_eq!(shown["shown"], rig::START.0 - 300);
    assert_eq!(rig.add("https://a.example/x").await, "ok");
}

#[tokio::test(start_paused = true)]
async fn the_twenty_first_call_in_a_second_is_throttled() {
    let rig = Rig::with("", "").await;
    let mut codes = Vec::new();
    for n in 0..25 {
        codes.push(rig.add(&format!("https://a.example/{n}")).await);
    }
    let throttled = codes.iter().filter(|code| *code == "RequestLimitExceeded");
    assert_eq!(throttled.count(), 5, "{codes:?}");
    assert_eq!(rig.urls().len(), 20);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.add("https://a.example/24").await, "ok");
}

#[tokio::test(start_paused = true)]
async fn the_log_and_the_list_tell_tests_everything_but_secrets() {
    let rig = Rig::with("", "").await;
    assert_eq!(rig.add("https://a.example/x").await, "ok");
    assert_eq!(rig.add("https://a.example/y").await, "ok");
    let list = rig
        .control("GET", "/_sandbox/callbacks", &json!(null))
        .await;
    assert_eq!(list[0]["account"], "default");
    assert_eq!(list[0]["has_key"], true);
    // What sha256sum says of the key.
    let digest = "cd6c1f7d1dc6717d6371d2647910ca71ba3bf0b611083d322466b8843b4285b6";
    assert_eq!(list[0]["key_sha256"], digest);
    let log = rig
        .control("GET", "/_sandbox/log?after=1", &json!(null))
        .await;
    assert_eq!(log.as_array().unwrap().len(), 1);
    assert_eq!(log[0]["url"], "https://a.example/y");
    assert_eq!(log[0]["operation"], "add");
    assert_eq!(log[0]["signed_at"], rig::START.0);
    assert_eq!(log[0]["effect"], "changed");
    for shown in [list.to_string(), log.to_string()] {
        assert!(!shown.contains(KEY) && !shown.contains(TOKEN), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn faults_can_be_changed_while_it_runs() {
    let rig = Rig::with("", "").await;
    let wish = json!({ "fault": "skew=+10", "script": "502", "seed": 3 });
    let shown = rig.control("POST", "/_sandbox/faults", &wish).await;
    assert_eq!(shown, wish);
    assert_eq!(
        rig.modify(1, "https://a.example/x").await.unwrap().status,
        502
    );
    let wrong = rig
        .control("POST", "/_sandbox/faults", &json!({ "script": "502,oops" }))
        .await;
    assert!(
        wrong["error"]
            .as_str()
            .unwrap()
            .contains("unknown fault `oops`")
    );
    let shown = rig.control("POST", "/_sandbox/faults", &json!({})).await;
    assert_eq!(shown, json!({ "fault": "", "script": "", "seed": 3 }));
}

#[tokio::test(start_paused = true)]
async fn a_browser_is_kept_out_of_the_sandbox_s_own_api() {
    let rig = Rig::with("", "").await;
    let origin = "Origin: http://evil.example\r\n";
    let got = rig.send("POST", "/_sandbox/emit", origin, "{}").await;
    assert_eq!(got.unwrap().status, 403);
    let got = rig.send("GET", "/_sandbox/nothing", "", "").await;
    assert_eq!(got.unwrap().status, 404);
}

#[tokio::test(start_paused = true)]
async fn answered_calls_survive_the_end_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options {
        cloud: Some(CloudFile {
            path: directory.path().join("cloud.json"),
            keep_secrets: false,
        }),
        ..Options::default()
    };
    let rig = Rig::new(options()).await;
    assert_eq!(rig.add("https://a.example/x").await, "ok");
    assert_eq!(rig.add("https://a.example/y").await, "ok");
    assert_eq!(
        rig.modify(2, "https://a.example/x").await.unwrap().code(),
        "ok"
    );
    let at_kill = std::fs::read(directory.path().join("cloud.json")).unwrap();
    rig.running.shutdown().await.unwrap();
    std::fs::write(directory.path().join("cloud.json"), at_kill).unwrap();
    let rig = Rig::new(options()).await;
    assert_eq!(rig.urls(), ["https://a.example/y"]);
    let refused = rig.control("GET", "/_sandbox/emit", &json!(null)).await;
    assert!(
        refused["error"].as_str().unwrap().contains("method"),
        "{refused}"
    );
    let emitted = rig.control("POST", "/_sandbox/emit", &json!({})).await;
    let error = emitted["deliveries"][0]["error"].as_str().unwrap();
    assert!(error.contains("key is unknown"), "{error}");
}

// In real time, because the HTTP client has a time-out.
#[tokio::test]
async fn an_emitted_callback_is_encrypted_and_signed() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/esign", receiver.local_addr().unwrap());
    let rig = Rig::with("", "").await;
    assert_eq!(rig.add(&url).await, "ok");
    let received = tokio::spawn(async move {
        let (mut stream, _) = receiver.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\"}") {
            stream.read_buf(&mut request).await.unwrap();
        }
        let answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    let wish = json!({ "organization": "", "message": "{\"MsgId\":\"合同\"}" });
    let report = rig.control("POST", "/_sandbox/emit", &wish).await;
    assert_eq!(report["deliveries"][0]["status"], 503);
    assert_eq!(report["deliveries"][0]["delivered"], false);

    let received = received.await.unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /esign HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let signature = head
        .lines()
        .find_map(|line| line.strip_prefix("content-signature: "));
    assert!(verify(
        &Secret::new(TOKEN),
        body.as_bytes(),
        signature.unwrap()
    ));
    let message = decrypt(&Secret::new(KEY), body.as_bytes()).unwrap();
    assert_eq!(message, "{\"MsgId\":\"合同\"}");
    let nobody = rig
        .control("POST", "/_sandbox/emit", &json!({ "organization": "o" }))
        .await;
    assert_eq!(nobody["deliveries"], json!([]));
}

#[tokio::test]
async fn it_listens_on_loopback_only_unless_allowed() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = bind(address, false).await.unwrap_err();
        assert!(matches!(refused, SandboxError::NotLoopback(_)), "{refused}");
    }
    assert!(bind("0.0.0.0:0", true).await.is_ok());
    assert!(bind("127.0.0.1:0", false).await.is_ok());
    let taken = bind("127.0.0.1:0", false).await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = bind(&address, false).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Listen { .. }), "{refused}");
}
