//! A running sandbox, and a client for it that is written by hand.

use ess_callbacks::model::Timestamp;
use ess_callbacks::sandbox::{Clock, Customer, Options, Running, Sandbox};
use ess_callbacks::sign::{Credential, Unsigned, sign};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

pub(super) const START: Timestamp = Timestamp(1_700_000_000);
pub(super) const OPERATOR: &str = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8";
pub(super) const KEY: &str = "0123456789ABCDEF0123456789ABCDEF";
pub(super) const TOKEN: &str = "5AF866900CA34D1A95382C48C678A085";
pub(super) const MODIFY: &str = "ModifyApplicationCallbackInfo";

/// A sandbox and the means to speak to it.
pub(super) struct Rig {
    pub(super) running: Running,
    pub(super) credential: Credential,
    begun: Instant,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) date: String,
    pub(super) body: String,
}

impl Got {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// `ok`, or the error's code.
    pub(super) fn code(&self) -> String {
        let response = &self.json()["Response"];
        assert_eq!(response["RequestId"].as_str().map(str::len), Some(36));
        let code = response["Error"]["Code"].as_str();
        code.unwrap_or("ok").to_owned()
    }
}

impl Rig {
    pub(super) async fn new(options: Options) -> Self {
        let customer: Customer = "default=AKIDtest:secret-key".parse().expect("a pair");
        let credential = customer.credential.clone();
        let options = Options {
            customers: vec![customer],
            ..options
        };
        let running = Sandbox::embedded(options, Clock::starting_at(START)).await;
        Self {
            running: running.expect("it starts"),
            credential,
            begun: Instant::now(),
        }
    }

    pub(super) async fn with(fault: &str, script: &str) -> Self {
        Self::new(Options {
            faults: fault.parse().expect("a fault specification"),
            script: script.parse().expect("a script"),
            ..Options::default()
        })
        .await
    }

    /// A signed call. `None` when the connection ended without an answer.
    pub(super) async fn call(&self, action: &str, body: &Value) -> Option<Got> {
        let body = body.to_string();
        self.send("POST", "/", &self.signed(action, &body), &body)
            .await
    }

    /// The headers of a signed call.
    pub(super) fn signed(&self, action: &str, body: &str) -> String {
        let host = self.running.address().to_string();
        let request = Unsigned {
            service: "ess",
            host: &host,
            content_type: "application/json",
            body: body.as_bytes(),
        };
        let passed = self.begun.elapsed().as_secs();
        let now = START.plus(i64::try_from(passed).expect("a short test"));
        let signed = sign(&request, &self.credential, now);
        format!(
            "Authorization: {}\r\nX-TC-Timestamp: {}\r\nX-TC-Action: {action}\r\n\
             X-TC-Version: 2020-11-11\r\nX-TC-Language: zh-CN\r\n",
            signed.authorization, signed.timestamp
        )
    }

    /// Adds (1) or deletes (2) a callback.
    pub(super) async fn modify(&self, operate: u8, url: &str) -> Option<Got> {
        let mut body = json!({
            "Operator": { "UserId": OPERATOR },
            "OperateType": operate,
            "CallbackInfo": { "CallbackUrl": url },
        });
        if operate == 1 {
            body["CallbackInfo"]["CallbackKey"] = json!(KEY);
            body["CallbackInfo"]["CallbackToken"] = json!(TOKEN);
        }
        self.call(MODIFY, &body).await
    }

    /// Adds a callback and gives the code of the answer.
    pub(super) async fn add(&self, url: &str) -> String {
        let got = self.modify(1, url).await;
        got.expect("an answer").code()
    }

    /// The sandbox's own API.
    pub(super) async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let got = self.send(method, path, "", &body.to_string()).await;
        got.expect("an answer").json()
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<Got> {
        let address = self.running.address();
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
            body.len()
        );
        let written = stream.write_all(request.as_bytes()).await;
        written.expect("it reads");
        answer(&mut stream).await
    }

    /// A connection on which this was sent.
    pub(super) async fn begin(&self, bytes: &[u8]) -> TcpStream {
        let address = self.running.address();
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(bytes).await.expect("it reads");
        stream
    }

    pub(super) fn urls(&self) -> Vec<String> {
        let all = self.running.sandbox().callbacks();
        all.into_iter().map(|callback| callback.url).collect()
    }
}

/// What comes until the connection ends.
pub(super) async fn answer(stream: &mut TcpStream) -> Option<Got> {
    let mut answer = Vec::new();
    // A cut connection may end in an error as well as in silence.
    stream.read_to_end(&mut answer).await.ok();
    parse(&String::from_utf8(answer).expect("answers are text"))
}

fn parse(answer: &str) -> Option<Got> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let date = head
        .lines()
        .find_map(|line| line.strip_prefix("date: "))
        .expect("every answer has a date");
    Some(Got {
        status,
        date: date.to_owned(),
        body: body.to_owned(),
    })
}
