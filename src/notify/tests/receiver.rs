//! A receiver on this machine that checks messages as the vendors document, and answers as they do. It computes
//! signatures by itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::notify::service::Service;
use crate::notify::service::tests::check;

/// What it does with a request.
#[derive(Clone, Debug)]
pub(super) enum Behaviour {
    /// Checks it, and answers as the service.
    Check,
    /// A status line and headers, and a body.
    Say(&'static str, String),
    /// Closes the connection without an answer.
    Close,
    Hang,
}

pub(super) struct Receiver {
    pub(super) origin: String,
    got: Arc<Mutex<Vec<Request>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Receiver {
    /// The behaviours are for one request each; after them it checks.
    pub(super) async fn start(
        service: Service,
        secret: Option<&'static str>,
        now: i64,
        behaviours: Vec<Behaviour>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let got: Arc<Mutex<Vec<Request>>> = Arc::default();
        let kept = Arc::clone(&got);
        let mut behaviours = VecDeque::from(behaviours);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                kept.lock().unwrap().push(request.clone());
                let (head, body) = match behaviours.pop_front().unwrap_or(Behaviour::Check) {
                    Behaviour::Check => answer(service, secret, now, &request),
                    Behaviour::Say(head, body) => (head, body),
                    Behaviour::Close => continue,
                    Behaviour::Hang => {
                        let _kept = stream;
                        return std::future::pending().await;
                    }
                };
                let text = format!(
                    "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(text.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { origin, got }
    }

    pub(super) fn got(&self) -> Vec<Request> {
        self.got.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "a request ends early");
        bytes.extend_from_slice(&part[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let path = lines.next().unwrap().strip_prefix("POST ").unwrap();
        let path = path.strip_suffix(" HTTP/1.1").unwrap().to_owned();
        let headers: BTreeMap<_, _> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        if bytes.len() < end + 4 + length {
            continue;
        }
        return Request {
            path,
            headers,
            body: bytes[end + 4..].to_vec(),
        };
    }
}

fn mac(key: &[u8], message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// What the service says, for what it checks.
fn answer(
    service: Service,
    secret: Option<&str>,
    now: i64,
    request: &Request,
) -> (&'static str, String) {
    let content_type = &request.headers["content-type"];
    assert_eq!(content_type, "application/json; charset=utf-8");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    check(service, &body);
    let url = Url::parse(&format!("http://host{}", request.path)).unwrap();
    let parameter = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    let near = |text: &str, unit: i64, most: i64| {
        let time = text.parse::<i64>().ok();
        time.is_some_and(|time| (time / unit - now).abs() <= most)
    };
    let json = |text: &str| ("200 OK", text.to_owned());
    match service {
        Service::Wecom if parameter("key").as_deref() == Some("CANARY-key-1") => {
            json(r#"{"errcode":0,"errmsg":"ok"}"#)
        }
        Service::Wecom => json(r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#),
        Service::Feishu => {
            let signed = secret.is_none_or(|secret| {
                let stamp = body["timestamp"].as_str().unwrap_or_default();
                let sign = mac(format!("{stamp}\n{secret}").as_bytes(), b"");
                near(stamp, 1, 3600) && body["sign"] == sign
            });
            json(if signed {
                r#"{"code":0,"data":{},"msg":"success"}"#
            } else {
                r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}"#
            })
        }
        Service::Dingtalk => {
            let signed = secret.is_none_or(|secret| {
                let stamp = parameter("timestamp").unwrap_or_default();
                let sign = mac(secret.as_bytes(), format!("{stamp}\n{secret}").as_bytes());
                near(&stamp, 1000, 3600) && parameter("sign") == Some(sign)
            });
            json(match (parameter("access_token").as_deref(), signed) {
                (Some("CANARY-token-1"), true) => r#"{"errcode":0,"errmsg":"ok"}"#,
                (Some("CANARY-token-1"), false) => {
                    r#"{"errcode":310000,"errmsg":"sign not match"}"#
                }
                _ => r#"{"errcode":300001,"errmsg":"token is not exist"}"#,
            })
        }
        Service::Slack if request.path == "/services/T00/B00/CANARY-path-1" => json("ok"),
        Service::Slack => ("404 Not Found", "no_service".to_owned()),
        Service::Webhook => {
            let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
            let (id, stamp) = (header("webhook-id"), header("webhook-timestamp"));
            let key = STANDARD.decode(&secret.unwrap()["whsec_".len()..]).unwrap();
            let mut message = format!("{id}.{stamp}.").into_bytes();
            message.extend_from_slice(&request.body);
            let sign = format!("v1,{}", mac(&key, &message));
            let signed =
                !id.contains('.') && near(&stamp, 1, 300) && header("webhook-signature") == sign;
            if signed {
                ("204 No Content", String::new())
            } else {
                ("401 Unauthorized", String::new())
            }
        }
    }
}
