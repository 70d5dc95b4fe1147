//! One attempt to deliver a message.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response};
use serde_json::Value;
use url::Url;

use super::failure::{Answer, Failure};
use super::sign;
use super::target::{Key, Target};
use crate::client::transport::{self, Idle};
use crate::client::{ExtraRoots, HttpError};
use crate::model::Timestamp;

/// For one attempt, from the connection to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer has a few bytes.
const LARGEST_ANSWER: usize = 64 << 10;
/// The longest `Retry-After` that is respected.
const LONGEST_RETRY: u64 = 3_600;

/// A message to one target. It is the same in each attempt.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Different for each message, and the same from each replica that sends it.
    pub(super) id: String,
    pub(super) body: Value,
}

/// A request as it leaves: with the signature of this moment. It has no `Debug`, because it holds the target's URL.
pub(super) struct Request {
    pub(super) url: Url,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// Signs a message. `None` if the URL is none, which [`Target::parse`] rules out.
pub(super) fn request(target: &Target, message: &Message, now: Timestamp) -> Option<Request> {
    let Message { id, body } = message;
    let mut url = Url::parse(target.url().expose()).ok()?;
    let mut headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    let seconds = now.0.to_string();
    let mut json = body.clone();
    match (target.service(), target.key()) {
        (super::Service::Feishu, Key::Secret(secret)) => {
            let sign = sign::feishu(&seconds, secret);
            if let Value::Object(fields) = &mut json {
                fields.insert("timestamp".into(), seconds.into());
                fields.insert("sign".into(), sign.into());
            }
        }
        (_, Key::Secret(secret)) => {
            let milliseconds = now.0.saturating_mul(1000).to_string();
            let sign = sign::dingtalk(&milliseconds, secret);
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair("timestamp", &milliseconds);
            pairs.append_pair("sign", &sign);
        }
        (_, Key::Bytes(key)) => {
            let bytes = json.to_string();
            let signature = sign::webhook(id, &seconds, bytes.as_bytes(), key);
            headers.push(("webhook-id", id.clone()));
            headers.push(("webhook-timestamp", seconds));
            headers.push(("webhook-signature", signature));
        }
        (_, Key::None) => {}
    }
    Some(Request {
        url,
        headers,
        body: json.to_string().into_bytes(),
    })
}

/// Sends a request, once.
pub(super) trait Post: Send + Sync + 'static {
    fn post(&self, request: Request) -> impl Future<Output = Result<Answer, Failure>> + Send;
}

/// Over the network.
#[derive(Debug)]
pub(super) struct Http(Client);

impl Http {
    /// Prepares the connections to one target; opens none.
    pub(super) fn new(target: &Target, extra: Option<&ExtraRoots>) -> Result<Self, HttpError> {
        transport::client(target.endpoint(), extra, Idle::Closed).map(Self)
    }
}

impl Post for Http {
    async fn post(&self, request: Request) -> Result<Answer, Failure> {
        let Request { url, headers, body } = request;
        let mut builder = self.0.post(url).timeout(TIMEOUT).body(body);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        let response = builder.send().await.map_err(unanswered)?;
        let status = response.status().as_u16();
        let retry_after = retry_after(&response);
        let body = read(response).await.map_err(unanswered)?;
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_RETRY)))
}

/// The beginning of the answer; what is longer is no answer of a service.
async fn read(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = LARGEST_ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == LARGEST_ANSWER {
            break;
        }
    }
    Ok(body)
}

fn unanswered(error: reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::passing(
            format!("it did not answer within {} s", TIMEOUT.as_secs()),
            "check that this machine can reach it",
        );
    }
    // The URL is a secret.
    let reasons = transport::reasons(&error.without_url());
    Failure::passing(
        "it can't be reached",
        "check the network and the proxy (HTTPS_PROXY)",
    )
    .saying(reasons)
}
