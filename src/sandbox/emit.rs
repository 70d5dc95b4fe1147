//! Sends callbacks as eSign sends them: encrypted and signed as configured, without
//! following redirects.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cloud::{Held, Place, Secrets};
use super::service::Service;
use crate::envelope::{SIGNATURE_HEADER, content_signature, encrypt};
use crate::wire::CONTENT_TYPE;

/// How many receivers are called at the same time.
const AT_ONCE: usize = 16;

/// `POST /_sandbox/emit`: what to send to which callbacks. An omitted member matches everything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Emission {
    account: Option<String>,
    /// Empty: the account's own organization only.
    organization: Option<String>,
    /// Empty: those without an application only.
    app_id: Option<String>,
    url: Option<String>,
    /// A text goes out byte for byte, anything else as JSON. Left out: a sample with a fresh `MsgId`.
    message: Option<Value>,
}

/// What was sent, and the answer of each receiver.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    message: String,
    deliveries: Vec<Delivery>,
}

#[derive(Debug, Serialize)]
struct Delivery {
    account: String,
    organization: Option<String>,
    app_id: Option<String>,
    url: String,
    encrypted: bool,
    signed: bool,
    /// The receiver's HTTP status; for eSign, only 200 means delivered.
    status: Option<u16>,
    delivered: bool,
    milliseconds: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Why nothing could be sent at all.
#[derive(Debug, thiserror::Error)]
#[error(
    "can't create an HTTP client to send callbacks: {}. Usually this machine has no CA \
     certificates; install the package ca-certificates",
    .0
)]
pub(super) struct EmitError(reqwest::Error);

pub(super) async fn emit(service: &Service, emission: Emission) -> Result<Report, EmitError> {
    let client = client(service.limits.receiver).map_err(EmitError)?;
    let (message, targets) = prepare(service, emission);
    let deliveries = futures_util::stream::iter(targets)
        .map(|(place, secrets)| deliver(&client, &message, place, secrets))
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(Report {
        message,
        deliveries,
    })
}

fn client(patience: Duration) -> Result<reqwest::Client, reqwest::Error> {
    // If the process has installed a provider already, that one is used.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(patience)
        .no_proxy()
        .build()
}

fn prepare(service: &Service, emission: Emission) -> (String, Vec<(Place, Secrets)>) {
    let Emission {
        account,
        organization,
        app_id,
        url,
        message,
    } = emission;
    let same = |wanted: &Option<String>, given: Option<&String>| {
        wanted
            .as_ref()
            .is_none_or(|wanted| *wanted == given.map_or("", String::as_str))
    };
    let mut inner = service.inner();
    let targets = inner
        .cloud
        .iter()
        .filter(|(place, _)| {
            same(&account, Some(&place.account))
                && same(&organization, place.organization.as_ref())
                && same(&app_id, place.app_id.as_ref())
                && same(&url, Some(&place.url))
        })
        .map(|(place, secrets)| (place.clone(), secrets.clone()))
        .collect();
    let message = match message {
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
        None => sample(&inner.ids.uuid(), service.clock.shown().0),
    };
    (message, targets)
}

/// A message like those of the vendor's documentation.
fn sample(id: &str, now: i64) -> String {
    let message = json!({
        "MsgId": id,
        "MsgType": "FlowStatusChange",
        "MsgVersion": "CustomApp",
        "MsgData": {
            "FlowId": "yDSandboxFlow0000000000000000001",
            "FlowName": "沙箱合同",
            "FlowType": "沙箱",
            "FlowCallbackStatus": 4,
            "CreateOn": now,
            "Deadline": now.saturating_add(86_400),
        },
    });
    message.to_string()
}

async fn deliver(
    client: &reqwest::Client,
    message: &str,
    place: Place,
    secrets: Secrets,
) -> Delivery {
    let begun = tokio::time::Instant::now();
    let sent = send(client, message, &place.url, &secrets).await;
    let (status, error) = match sent {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(error)),
    };
    Delivery {
        account: place.account,
        organization: place.organization,
        app_id: place.app_id,
        url: place.url,
        encrypted: secrets.key.is_set(),
        signed: secrets.token.is_set(),
        status,
        delivered: status == Some(200),
        milliseconds: begun.elapsed().as_millis(),
        error,
    }
}

async fn send(
    client: &reqwest::Client,
    message: &str,
    url: &str,
    Secrets { key, token }: &Secrets,
) -> Result<u16, String> {
    let forgotten = |what: &str| {
        format!(
            "its {what} is unknown: the cloud file was written without secrets. \
             Delete the callback and add it again"
        )
    };
    let body = match key {
        Held::Nothing => message.to_owned(),
        Held::Value(key) => encrypt(key, message).map_err(|error| error.to_string())?,
        Held::Forgotten => return Err(forgotten("key")),
    };
    let mut request = client.post(url).header("Content-Type", CONTENT_TYPE);
    match token {
        Held::Nothing => {}
        Held::Value(token) => {
            let signature = content_signature(token, body.as_bytes());
            request = request.header(SIGNATURE_HEADER, signature);
        }
        Held::Forgotten => return Err(forgotten("token")),
    }
    let answer = request
        .body(body)
        .send()
        .await
        .map_err(|error| reasons(&error))?;
    Ok(answer.status().as_u16())
}

/// The error with its causes.
fn reasons(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
