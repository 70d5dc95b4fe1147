//! The real requests, to servers on this machine that answer as they should not.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::{HttpWeb, Request, Web as _};

/// Answers each connection with this, and then closes it.
fn server(answer: Vec<u8>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut begin = [0; 512];
            let _some = stream.read(&mut begin).unwrap();
            // The client may have hung up.
            let _sent = stream.write_all(&answer);
        }
    });
    Url::parse(&format!("http://{address}/path?a=canary")).unwrap()
}

fn request(url: Url, is_metadata: bool) -> Request {
    Request {
        url,
        body: None,
        headers: vec![("authorization", "canary".to_owned())],
        patience: Duration::from_secs(1),
        is_metadata,
    }
}

async fn ask(answer: &[u8]) -> Vec<Result<(u16, String), String>> {
    let url = server(answer.to_vec());
    let mut said = Vec::new();
    for is_metadata in [true, false] {
        let answer = HttpWeb::default()
            .send(request(url.clone(), is_metadata))
            .await;
        said.push(answer.map(|answer| {
            (
                answer.status,
                String::from_utf8_lossy(&answer.body).into_owned(),
            )
        }));
    }
    said
}

#[tokio::test]
async fn an_answer_comes_back_and_a_redirect_is_not_followed() {
    let fine = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nrole").await;
    let role = || Ok((200, "role".to_owned()));
    assert_eq!(fine, [role(), role()]);
    let elsewhere =
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    for said in ask(elsewhere).await {
        assert_eq!(said, Ok((302, String::new())));
    }
}

#[tokio::test]
async fn what_is_too_large_or_broken_off_or_no_http_is_no_answer() {
    let mut large = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    large.resize(2 << 20, b'x');
    for said in ask(&large).await {
        assert_eq!(said, Err("its answer is too large".to_owned()));
    }
    for broken in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"[..],
        b"SSH-2.0-x\r\n",
        b"",
    ] {
        for said in ask(broken).await {
            let reason = said.unwrap_err();
            assert!(!reason.contains("canary"), "{reason}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_is_waited_for_a_second() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let begun = Instant::now();
    let reason = HttpWeb::default()
        .send(request(url, true))
        .await
        .unwrap_err();
    assert!(begun.elapsed() <= Duration::from_secs(2), "{reason}");
}

#[tokio::test]
async fn only_https_carries_a_token_to_another_machine() {
    let url = Url::parse("http://192.0.2.1/").unwrap();
    let reason = HttpWeb::default()
        .send(request(url, false))
        .await
        .unwrap_err();
    assert!(reason.contains("not https"), "{reason}");
}
