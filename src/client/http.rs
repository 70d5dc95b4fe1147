//! [`HttpApi`]: eSign over HTTP.
//!
//! One attempt is one request: no redirects are followed, nothing is sent again. What is known after
//! a failure depends on how far it got: only when no connection could be made did certainly nothing
//! arrive.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, InvalidHeaderValue,
};
use reqwest::{Client, RequestBuilder};

use super::classify::{classify, no_credentials};
use super::redact::Redactor;
use super::transport::{self, HttpError, HttpOptions, Idle, LARGEST_ANSWER, TIMEOUT, Unread};
use super::{
    Api, CredentialCache, Credentials, Endpoint, Random, Renewal, Reply, ServerTime, body,
};
use crate::model::{
    AccountName, ApiError, Call, Nonce, Operation, Outcome, Region, Timestamp, credentials,
};
use crate::secret::Secret;
use crate::sign::{Credential, Unsigned, sign};
use crate::wire;

/// eSign's API, for all accounts.
#[derive(Debug)]
pub struct HttpApi {
    client: Client,
    /// Keeps no connection.
    fresh: Client,
    endpoint: Endpoint,
    /// Of the accounts that have one.
    regions: BTreeMap<AccountName, HeaderValue>,
    credentials: Credentials,
    /// The halves of nonces.
    nonces: OnceLock<[Random; 2]>,
}

/// Which service a request is for, and where that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination<'a> {
    pub(super) service: &'static wire::Service,
    pub(super) endpoint: &'a Endpoint,
}

impl HttpApi {
    /// Prepares to call this endpoint; opens no connection.
    pub fn new(
        endpoint: Endpoint,
        credentials: Credentials,
        options: &HttpOptions,
    ) -> Result<Self, HttpError> {
        let region = |(account, region): (&AccountName, &Region)| {
            Ok((account.clone(), transport::region(region.as_str())?))
        };
        let regions = options
            .regions
            .iter()
            .map(region)
            .collect::<Result<_, HttpError>>()?;
        let client = |idle| transport::client(&endpoint, options.extra_roots.as_ref(), idle);
        Ok(Self {
            client: client(Idle::Kept(options.most_idle.unwrap_or(usize::MAX)))?,
            fresh: client(Idle::Closed)?,
            endpoint,
            regions,
            credentials,
            nonces: OnceLock::new(),
        })
    }

    /// Marks each call from now on with a nonce that is drawn from these, unless calls are marked already.
    pub fn mark_calls(&self, seeds: [u64; 2]) {
        self.nonces.get_or_init(|| seeds.map(Random::new));
    }

    pub(super) fn credentials_of(&self, account: &AccountName) -> Option<&CredentialCache> {
        self.credentials.get(account)
    }

    /// eSign, where this client calls it.
    pub(super) const fn esign(&self) -> Destination<'_> {
        Destination {
            service: &wire::ESIGN,
            endpoint: &self.endpoint,
        }
    }

    /// A request that can be sent as it is.
    pub(super) fn signed(
        &self,
        (to, account): (Destination<'_>, &AccountName),
        action: &'static str,
        body: Vec<u8>,
        credential: &Credential,
        at: Timestamp,
    ) -> Result<RequestBuilder, InvalidHeaderValue> {
        let headers = self.headers((to, account), action, &body, credential, at)?;
        let request = self.client.post(to.endpoint.url().clone());
        Ok(request.headers(headers).body(body))
    }

    /// A request that is neither signed nor an action, over a new connection: it can change nothing.
    pub(super) fn unsigned(&self) -> RequestBuilder {
        self.fresh.get(self.endpoint.url().clone())
    }

    /// The connections for this call.
    const fn connections(&self, call: &Call) -> &Client {
        if call.new_connection {
            &self.fresh
        } else {
            &self.client
        }
    }

    /// The headers of a signed request.
    fn headers(
        &self,
        (to, account): (Destination<'_>, &AccountName),
        action: &'static str,
        body: &[u8],
        credential: &Credential,
        at: Timestamp,
    ) -> Result<HeaderMap, InvalidHeaderValue> {
        let request = Unsigned {
            service: to.service.name,
            host: to.endpoint.host(),
            content_type: wire::CONTENT_TYPE,
            body,
        };
        let signed = sign(&request, credential, at);
        let sensitive = |value: &str| {
            HeaderValue::from_str(value).map(|mut value| {
                value.set_sensitive(true);
                value
            })
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(to.endpoint.host())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(wire::CONTENT_TYPE));
        headers.insert(AUTHORIZATION, sensitive(&signed.authorization)?);
        headers.insert("X-TC-Action", HeaderValue::from_static(action));
        headers.insert("X-TC-Version", HeaderValue::from_static(to.service.version));
        headers.insert("X-TC-Timestamp", HeaderValue::from_str(&signed.timestamp)?);
        // Keeps the one message that is understood, "not configured", in one language.
        headers.insert("X-TC-Language", HeaderValue::from_static("zh-CN"));
        let region = to.service.region.map(HeaderValue::from_static);
        if let Some(region) = region.or_else(|| self.regions.get(account).cloned()) {
            headers.insert("X-TC-Region", region);
        }
        if let Some(token) = &credential.token {
            headers.insert("X-TC-Token", sensitive(token.expose())?);
        }
        Ok(headers)
    }
}

/// How long an answer may take that is asked for its date alone. Without one it is waited longer for lost
/// calls.
const TIME_ANSWERED: Duration = Duration::from_secs(5);

impl Api for HttpApi {
    async fn attempt(&self, call: &Call, signed_at: Timestamp) -> Reply {
        let account = &call.scope.account;
        let unsent = |outcome| Reply {
            outcome,
            server_time: None,
        };
        let Some(credentials) = self.credentials_of(account) else {
            return unsent(no_credentials(account));
        };
        let credential = match credentials.current() {
            Ok(credential) => credential,
            Err(error) => return unsent(Outcome::NotSigned(error.of_call(account))),
        };
        let redactor = redactor(call, &credential);
        let body = body::modify(call);
        let to = (self.esign(), account);
        let Ok(request) = self.signed(to, wire::MODIFY, body, &credential, signed_at) else {
            // The cache has checked that the credential fits into headers.
            return unsent(no_credentials(account));
        };
        let request = match call.nonce {
            Some(nonce) => request.header(wire::REQUEST_CLIENT, nonce.mark()),
            None => request,
        };
        let sent = match request.build() {
            Ok(request) => self.connections(call).execute(request).await,
            Err(error) => Err(error),
        };
        match sent {
            Err(error) => unsent(self.lost(&error, &redactor)),
            Ok(response) => {
                let server_time = transport::server_time(&response);
                let status = response.status().as_u16();
                let outcome = match transport::read(response).await {
                    Ok(body) => {
                        tell(call, status, &body, &redactor);
                        classify(status, &body, &call.operation, &redactor)
                    }
                    Err(Unread::TooLarge) => Outcome::Unknown(too_large(status)),
                    Err(Unread::Lost(error)) => self.lost(&error, &redactor),
                };
                if matches!(outcome, Outcome::TokenExpired(_)) {
                    credentials.refuse(&credential);
                }
                Reply {
                    // A proxy has its own clock.
                    server_time: server_time.filter(|_| is_esigns(&outcome)),
                    outcome,
                }
            }
        }
    }

    async fn server_time(&self, _account: &AccountName) -> ServerTime {
        // Neither signed nor an action: it can change nothing, and any answer has a date.
        let request = self.client.get(self.endpoint.url().clone());
        let request = request.timeout(TIME_ANSWERED);
        match request.send().await {
            Ok(response) => {
                transport::server_time(&response).map_or(ServerTime::NotTold, ServerTime::Known)
            }
            Err(error) => {
                let (_, error) = self.no_answer(&error, &Redactor::default(), TIME_ANSWERED);
                ServerTime::NoAnswer(ApiError {
                    meaning: Cow::Borrowed("eSign did not tell its time, which changes nothing"),
                    advice: Cow::Borrowed("run apply again"),
                    ..error
                })
            }
        }
    }

    fn nonce(&self) -> Option<Nonce> {
        let [high, low] = self.nonces.get()?.each_ref().map(Random::next);
        let bits = u128::from(high) << 64 | u128::from(low);
        Some(Nonce(bits.to_be_bytes()))
    }

    async fn renew(&self, account: &AccountName) -> Renewal {
        match self.credentials_of(account) {
            Some(credentials) => credentials.renew(account).await,
            None => Renewal::Unchanged,
        }
    }
}

impl HttpApi {
    /// What is known when no whole answer came.
    fn lost(&self, error: &reqwest::Error, redactor: &Redactor) -> Outcome {
        match self.no_answer(error, redactor, TIMEOUT) {
            (true, error) => Outcome::NotSent(error),
            (false, error) => Outcome::Unknown(error),
        }
    }

    /// Whether certainly nothing was sent, and the error of a call in words; `timeout` is what it was allowed.
    fn no_answer(
        &self,
        error: &reqwest::Error,
        redactor: &Redactor,
        timeout: Duration,
    ) -> (bool, ApiError) {
        let host = self.endpoint.host();
        let reason = redactor.clean(&transport::reasons(error));
        if error.is_connect() {
            let error = ApiError {
                code: None,
                message: format!("could not connect to {host}: {reason}"),
                request_id: None,
                meaning: Cow::Borrowed(
                    "no connection could be made, so nothing was sent and nothing changed",
                ),
                advice: Cow::Borrowed(
                    "check the network, the name server, HTTPS_PROXY and, for certificates, --ca-file; then run apply again",
                ),
            };
            return (true, error);
        }
        let message = if error.is_timeout() {
            format!(
                "no answer from {host} within {} s: {reason}",
                timeout.as_secs()
            )
        } else {
            format!("the connection to {host} was lost before its answer: {reason}")
        };
        let error = ApiError {
            code: None,
            message,
            request_id: None,
            meaning: Cow::Borrowed("the call may have arrived and been carried out"),
            advice: Cow::Borrowed("run apply again: it settles the open call before anything else"),
        };
        (false, error)
    }
}

/// Logs an answer word for word: the outcome does not tell an add that found its URL from one that
/// did not, when eSign calls both a success.
fn tell(call: &Call, status: u16, body: &[u8], redactor: &Redactor) {
    if tracing::enabled!(tracing::Level::INFO) {
        let operation = match &call.operation {
            Operation::Add { key: _, token: _ } => "add",
            Operation::Delete => "delete",
        };
        let answer = redactor.clean(&String::from_utf8_lossy(body));
        tracing::info!(operation, url = %call.url, status, %answer, "eSign answered");
    }
}

/// Whether the answer is eSign's own: it has a `RequestId`.
fn is_esigns(outcome: &Outcome) -> bool {
    outcome
        .error()
        .is_none_or(|error| error.request_id.is_some())
}

fn too_large(status: u16) -> ApiError {
    ApiError {
        code: None,
        message: format!("HTTP status {status} with a body of more than {LARGEST_ANSWER} bytes"),
        request_id: None,
        meaning: Cow::Borrowed(
            "an answer that is not eSign's; the call may have been carried out all the same",
        ),
        advice: Cow::Borrowed(
            "check --endpoint and the proxy; then run apply again: it settles the open call",
        ),
    }
}

/// Knows everything secret that an answer to this call could echo.
fn redactor(call: &Call, credential: &Credential) -> Redactor {
    let (key, token) = call.operation.secrets();
    let url = call.url.as_str();
    let in_url: Vec<_> = credentials(url)
        .into_iter()
        .map(|part| Secret::new(&url[part]))
        .collect();
    Redactor::new(
        [
            Some(&credential.secret_key),
            credential.token.as_ref(),
            key,
            token,
        ]
        .into_iter()
        .flatten()
        .chain(&in_url),
    )
}
