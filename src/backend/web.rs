//! HTTP clients for stores: one request is one attempt, and every one of them ends.

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::Once;
use std::time::Duration;

use reqwest::{Certificate, Client, redirect, retry};
use url::{Host, Url};

use crate::client::ExtraRoots;
use crate::state::{Place, StateError};

/// For name resolution, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a request may take at least, and what its body adds: a slow line carries a megabyte in eight seconds.
const TIMEOUT: Duration = Duration::from_secs(20);
const BYTES_PER_SECOND: u64 = 128 << 10;

/// More than any state has.
const LARGEST_ANSWER: usize = 1 << 30;

/// How long a request with a body of this size may take.
pub(crate) const fn timeout(bytes: u64) -> Duration {
    TIMEOUT.saturating_add(Duration::from_secs(bytes / BYTES_PER_SECOND))
}

/// A client for this address.
pub(crate) fn client(
    url: &Url,
    place: &Place,
    extra: Option<&ExtraRoots>,
) -> Result<Client, StateError> {
    install_crypto();
    let mut builder = Client::builder()
        .user_agent(concat!("ess-callbacks/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT);
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() != "https" {
        // No certificate will be looked at; a machine without any is fine.
        builder = builder.tls_certs_only([]);
    } else if let Some(ExtraRoots { file, pem }) = extra {
        let roots = Certificate::from_pem_bundle(pem).map_err(|error| reasons(&error));
        let roots = roots.and_then(|roots| {
            if roots.is_empty() {
                Err("there is none in it".to_owned())
            } else {
                Ok(roots)
            }
        });
        let roots = roots.map_err(|reason| StateError::Remote {
            doing: "opening",
            place: place.clone(),
            problem: format!(
                "the file {file} of --ca-file has no usable PEM certificate: {reason}"
            ),
            advice: "Correct --ca-file.".into(),
            passing: false,
        })?;
        builder = builder.tls_certs_merge(roots);
    }
    builder.build().map_err(|error| StateError::Remote {
        doing: "opening",
        place: place.clone(),
        problem: format!("can't prepare TLS: {}", reasons(&error)),
        advice: "Install a CA bundle (package ca-certificates), or give one with --ca-file.".into(),
        passing: false,
    })
}

/// Whether it names this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The body of an answer.
pub(crate) async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reasons(&error))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err("its answer is larger than 1 GiB".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with its causes, without the URL, which may hold a signature.
pub(crate) fn reasons(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            let separator = if text.is_empty() { "" } else { ": " };
            let _infallible = write!(text, "{separator}{words}");
        }
        source = cause.source();
    }
    if error.is_timeout() && !text.contains("timed out") {
        return "no answer in time".into();
    }
    if text.is_empty() {
        return "the request failed".into();
    }
    text
}

/// Makes sure that TLS has an implementation. The process may have chosen one already.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    });
}
