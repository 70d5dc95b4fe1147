//! Making and reading HTTP requests: how the connection is prepared, and what can go wrong with it.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::Once;
use std::time::Duration;

use reqwest::header::{DATE, HeaderValue};
use reqwest::{Certificate, Client, Response, redirect, retry};
use thiserror::Error;

use super::Endpoint;
use crate::model::{AccountName, Region, Timestamp};

/// The gateway gives up after 30 s; whatever comes later is lost anyway.
pub(super) const TIMEOUT: Duration = Duration::from_secs(40);
/// For name resolution, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection is dropped before the gateway is likely to: a call on one that the gateway is
/// just closing is lost, and its outcome unknown.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// An answer has a few hundred bytes. More is not eSign's.
pub(super) const LARGEST_ANSWER: usize = 1 << 20;

/// What is seldom needed.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// `X-TC-Region` of the accounts that have one.
    pub regions: BTreeMap<AccountName, Region>,
    /// Certificates to trust beside the machine's own.
    pub extra_roots: Option<ExtraRoots>,
    /// At most so many connections are kept for later calls.
    pub most_idle: Option<usize>,
}

/// The file of `--ca-file`.
#[derive(Clone, Debug)]
pub struct ExtraRoots {
    /// Its name, for messages.
    pub file: String,
    pub pem: Vec<u8>,
}

/// Why eSign can't be called at all.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The file of `--ca-file` can't be used.
    #[error("the file {file} given by --ca-file holds no usable PEM certificate: {reason}")]
    ExtraRoots {
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing to check eSign's certificate against.
    #[error(
        "can't prepare TLS for {endpoint}: {reason}; is there a CA bundle on this machine (package ca-certificates)? Otherwise give one with --ca-file"
    )]
    Tls {
        endpoint: String,
        /// What the TLS library says.
        reason: String,
    },
    /// It would not fit into a header.
    #[error("`{0}` is not a region: write one like ap-guangzhou, or leave it out")]
    Region(String),
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Idle {
    /// It is kept for the next call, unless so many are kept already.
    Kept(usize),
    /// Each call has its own connection.
    Closed,
}

pub(crate) fn client(
    endpoint: &Endpoint,
    extra: Option<&ExtraRoots>,
    idle: Idle,
) -> Result<Client, HttpError> {
    install_crypto();
    let mut builder = Client::builder()
        .user_agent(concat!("ess-callbacks/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .http1_only()
        .tcp_nodelay(true)
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(match idle {
            Idle::Kept(most) => most,
            Idle::Closed => 0,
        });
    if endpoint.is_loopback() {
        builder = builder.no_proxy();
    }
    if !endpoint.is_https() {
        // No certificate will be looked at; a machine without any is fine.
        builder = builder.tls_certs_only([]);
    } else if let Some(ExtraRoots { file, pem }) = extra {
        let roots = Certificate::from_pem_bundle(pem)
            .map_err(|error| reasons(&error))
            .and_then(|roots| {
                if roots.is_empty() {
                    Err("there is none in it".to_owned())
                } else {
                    Ok(roots)
                }
            })
            .map_err(|reason| HttpError::ExtraRoots {
                file: file.clone(),
                reason,
            })?;
        builder = builder.tls_certs_merge(roots);
    }
    builder.build().map_err(|error| HttpError::Tls {
        endpoint: endpoint.to_string(),
        reason: reasons(&error),
    })
}

/// Makes sure that TLS has an implementation. The process may have chosen one already.
pub(crate) fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    });
}
pub(super) fn region(text: &str) -> Result<HeaderValue, HttpError> {
    let plausible = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    HeaderValue::from_str(text)
        .ok()
        .filter(|_| plausible)
        .ok_or_else(|| HttpError::Region(text.escape_debug().to_string()))
}

/// Why an answer has no body.
pub(super) enum Unread {
    TooLarge,
    Lost(reqwest::Error),
}

pub(super) async fn read(mut response: Response) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Unread::Lost)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(crate) fn server_time(response: &Response) -> Option<Timestamp> {
    let date = response.headers().get(DATE)?.to_str().ok()?;
    let since_1970 = httpdate::parse_http_date(date)
        .ok()?
        .duration_since(std::time::UNIX_EPOCH)
        .ok()?;
    i64::try_from(since_1970.as_secs()).ok().map(Timestamp)
}

/// An error with its causes; the outer ones alone say little.
pub(crate) fn reasons(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        // Some repeat what their cause says.
        if !text.contains(&words) {
            let separator = if text.is_empty() { "" } else { ": " };
            let _infallible = write!(text, "{separator}{words}");
        }
        source = cause.source();
    }
    if text.is_empty() {
        error.to_string()
    } else {
        text
    }
}
