//! [`Web`]: the one request that a provider makes, and its bounds. [`HttpWeb`] is the real one.
//!
//! No redirect is followed, an answer has a bounded length, and every request has a time limit.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, redirect, retry};
use url::Url;

use crate::client::transport::{self, Idle, Unread};
use crate::client::{Endpoint, ExtraRoots};
use crate::model::Timestamp;

/// How long the connection to the metadata service may take. It is on the same machine.
const METADATA_CONNECTS: Duration = Duration::from_secs(1);

/// A request for credentials. Its headers and body hold secrets.
#[derive(Clone)]
pub struct Request {
    pub url: Url,
    /// A POST when there is one.
    pub body: Option<Vec<u8>>,
    pub headers: Vec<(&'static str, String)>,
    /// For connection and answer together.
    pub patience: Duration,
    /// To the machine's own metadata service: no proxy, and only to a link-local address.
    pub is_metadata: bool,
}

/// Anything that was answered.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// The server's clock.
    pub date: Option<Timestamp>,
}

/// Sends requests.
pub trait Web: Send + Sync {
    /// Sends it once. The error is the reason why there is no answer.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, String>>;
}

/// HTTP, with the certificates of `--ca-file`.
#[derive(Clone, Debug, Default)]
pub struct HttpWeb {
    pub extra_roots: Option<ExtraRoots>,
}

impl HttpWeb {
    fn client(&self, request: &Request) -> Result<Client, String> {
        if request.is_metadata {
            transport::install_crypto();
            return Client::builder()
                .user_agent(concat!("ess-callbacks/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .retry(retry::never())
                .no_proxy()
                .tls_certs_only([])
                .connect_timeout(METADATA_CONNECTS)
                .build()
                .map_err(|error| transport::reasons(&error));
        }
        let origin = request.url.origin().ascii_serialization();
        let endpoint = Endpoint::parse(&origin).map_err(|error| error.to_string())?;
        transport::client(&endpoint, self.extra_roots.as_ref(), Idle::Closed)
            .map_err(|error| error.to_string())
    }
}

impl Web for HttpWeb {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, String>> {
        async move {
            let client = self.client(&request)?;
            let Request {
                url,
                body,
                headers,
                patience,
                is_metadata,
            } = request;
            let mut sending = match body {
                Some(body) => client.post(url).body(body),
                None => client.get(url),
            };
            for (name, value) in headers {
                let mut value = HeaderValue::from_str(&value)
                    .map_err(|_| format!("the header {name} has invalid characters"))?;
                value.set_sensitive(true);
                sending = sending.header(HeaderName::from_static(name), value);
            }
            let response = sending.timeout(patience).send().await;
            let response = response.map_err(|error| transport::reasons(&error.without_url()))?;
            let address = response.remote_addr().map(|address| address.ip());
            if is_metadata && !address.is_some_and(is_own) {
                return Err("its address is not link-local, so it is another server".to_owned());
            }
            let status = response.status().as_u16();
            let date = transport::server_time(&response);
            let body = match transport::read(response).await {
                Ok(body) => body,
                Err(Unread::TooLarge) => return Err("its answer is too large".to_owned()),
                Err(Unread::Lost(error)) => return Err(transport::reasons(&error.without_url())),
            };
            Ok(Answer { status, body, date })
        }
        .boxed()
    }
}

/// Whether the address is this machine's: link-local, or loopback in tests.
fn is_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unicast_link_local() || address.is_loopback(),
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever answers under the name of the metadata service elsewhere is not it.
    #[test]
    fn the_metadata_service_is_link_local() {
        for own in ["169.254.0.23", "127.0.0.1", "::1", "fe80::1"] {
            assert!(is_own(own.parse().unwrap()), "{own}");
        }
        for other in ["10.0.0.1", "192.0.2.1", "2001:db8::1"] {
            assert!(!is_own(other.parse().unwrap()), "{other}");
        }
    }
}
