//! One signed request and its answer, each with bounds of time and size. Nothing here sends anything twice.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, Method, Response};
use tokio::time::{Instant, timeout, timeout_at};

use super::address::Target;
use super::credentials::Keys;
use super::signature::{Unsigned, sign};
use crate::client::credentials::Clock;
use crate::client::transport::{self, Idle};
use crate::client::{CredentialError, ExtraRoots};
use crate::model::Timestamp;
use crate::sign::Credential;

/// How long a connection and an answer may take, beside the time for the bytes.
const PATIENCE: Duration = Duration::from_secs(10);
/// A link that carries fewer bytes a second counts as broken.
const SLOWEST: u64 = 32 << 10;
/// For `reqwest`, whose limit covers the bodies too. The limits here end a request before.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Connections kept for later requests.
const IDLE: usize = 8;

/// Sends requests to one store.
pub(super) struct Sender {
    pub(super) target: Target,
    pub(super) credentials: Keys,
    pub(super) clock: Clock,
    pub(super) extra_roots: Option<ExtraRoots>,
    client: OnceLock<Client>,
    patience: Duration,
}

/// A request to sign.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Encoded, without what the target puts before it.
    pub(super) path: String,
    /// Encoded.
    pub(super) query: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// A longer answer is refused.
    pub(super) largest: usize,
}

/// Anything that was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The store's clock.
    pub(super) date: Option<Timestamp>,
    /// The region of the bucket, of an answer that redirects.
    pub(super) region: Option<String>,
    pub(super) request_id: Option<String>,
    /// Of what was written or read. Every store sends it with the answer to a PUT.
    pub(super) etag: Option<String>,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    Credentials(CredentialError),
    /// No request can be made at all.
    Unusable(String),
    /// It was certainly not sent: there was no connection.
    Unsent(String),
    /// It may have arrived.
    Lost(String),
    TooLarge,
}

impl NoAnswer {
    /// Whether the same request may be answered later.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Unsent(_) | Self::Lost(_) => true,
            Self::Credentials(_) | Self::Unusable(_) | Self::TooLarge => false,
        }
    }
}

impl Sender {
    pub(super) fn new(
        target: Target,
        credentials: Keys,
        clock: Clock,
        extra_roots: Option<ExtraRoots>,
    ) -> Self {
        Self {
            target,
            credentials,
            clock,
            extra_roots,
            client: OnceLock::new(),
            patience: PATIENCE,
        }
    }

    #[cfg(test)]
    pub(super) const fn impatient(&mut self, patience: Duration) {
        self.patience = patience;
    }

    fn client(&self) -> Result<&Client, NoAnswer> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let extra = self.extra_roots.as_ref();
        let client = transport::client(&self.target.endpoint, extra, Idle::Kept(IDLE))
            .map_err(|error| NoAnswer::Unusable(error.to_string()))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Signs it with the credential of now and sends it once.
    pub(super) async fn send(
        &self,
        request: &Request,
    ) -> Result<(Answer, Arc<Credential>), NoAnswer> {
        let credential = self
            .credentials
            .get()
            .await
            .map_err(NoAnswer::Credentials)?;
        let answer = self.send_signed(request, &credential).await?;
        Ok((answer, credential))
    }

    async fn send_signed(
        &self,
        request: &Request,
        credential: &Credential,
    ) -> Result<Answer, NoAnswer> {
        let Request {
            method,
            path,
            query,
            headers,
            body,
            largest,
        } = request;
        let path = format!("{}{path}", self.target.prefix);
        let unsigned = Unsigned {
            method: method.as_str(),
            host: self.target.endpoint.host(),
            path: &path,
            query,
            headers,
            body,
        };
        let signed = sign(&unsigned, credential, &self.target.region, (self.clock)());
        let origin = self.target.endpoint.to_string();
        let mut url = format!("{}{path}", origin.trim_end_matches('/'));
        if !query.is_empty() {
            url = format!("{url}?{query}");
        }
        let mut sending = self.client()?.request(method.clone(), url).timeout(LONGEST);
        for (name, value) in signed {
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
                NoAnswer::Unusable(format!("the header {name} has invalid characters"))
            })?;
            value.set_sensitive(true);
            sending = sending.header(HeaderName::from_static(name), value);
        }
        if *method == Method::PUT {
            sending = sending.body(body.clone());
        }
        let patience = self.patience + for_bytes(body.len());
        let response = match timeout(patience, sending.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let unsent = error.is_connect();
                let reason = transport::reasons(&error.without_url());
                return Err(if unsent {
                    NoAnswer::Unsent(reason)
                } else {
                    NoAnswer::Lost(reason)
                });
            }
            Err(_) => {
                return Err(NoAnswer::Lost(format!(
                    "nothing within {} s",
                    patience.as_secs()
                )));
            }
        };
        self.read(response, *largest).await
    }

    async fn read(&self, mut response: Response, largest: usize) -> Result<Answer, NoAnswer> {
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let mut answer = Answer {
            status: response.status().as_u16(),
            body: Vec::new(),
            date: transport::server_time(&response),
            region: header("x-amz-bucket-region"),
            request_id: header("x-amz-request-id").or_else(|| header("x-cos-request-id")),
            etag: header("etag"),
        };
        let begun = Instant::now();
        loop {
            // Every byte earns the time for the next one, so neither a slow nor an endless answer holds us for ever.
            let until = begun + self.patience + for_bytes(answer.body.len());
            let chunk = match timeout_at(until, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(answer),
                Ok(Err(error)) => {
                    return Err(NoAnswer::Lost(transport::reasons(&error.without_url())));
                }
                Err(_) => return Err(NoAnswer::Lost("it was cut off, or too slow".into())),
            };
            if answer.body.len() + chunk.len() > largest {
                return Err(NoAnswer::TooLarge);
            }
            answer.body.extend_from_slice(&chunk);
        }
    }
}

fn for_bytes(bytes: usize) -> Duration {
    Duration::from_millis((bytes as u64).saturating_mul(1000) / SLOWEST)
}
