//! Requests for credentials: once, without redirects, with bounds of time and size.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, Method, redirect, retry};
use url::Url;

use crate::client::transport::{self, Idle};
use crate::client::{Endpoint, ExtraRoots};
use crate::model::Timestamp;
use crate::secret::Secret;

const LARGEST: usize = 64 << 10;

pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) headers: Vec<(&'static str, Secret)>,
    pub(super) body: Option<String>,
    pub(super) patience: Duration,
    /// The machine's own service, which has no TLS: no proxy, and only its address.
    pub(super) is_local: bool,
    pub(super) extra_roots: Option<&'a ExtraRoots>,
}

pub(super) struct Got {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The server's clock.
    pub(super) date: Option<Timestamp>,
}

/// The error is the reason why there is no answer.
pub(super) async fn ask(ask: Ask<'_>) -> Result<Got, String> {
    let url = Url::parse(ask.url).map_err(|_| "its address is not a URL".to_owned())?;
    let client = client(&ask, &url)?;
    let mut request = client.request(ask.method, url).timeout(ask.patience);
    for (name, value) in ask.headers {
        let mut value = reqwest::header::HeaderValue::from_str(value.expose())
            .map_err(|_| format!("the header {name} has invalid characters"))?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    if let Some(body) = ask.body {
        request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
    }
    let lost = |error: reqwest::Error| transport::reasons(&error.without_url());
    let mut response = request.send().await.map_err(lost)?;
    let status = response.status().as_u16();
    let date = transport::server_time(&response);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > LARGEST {
            return Err("its answer is too large".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Got { status, body, date })
}

fn client(ask: &Ask<'_>, url: &Url) -> Result<Client, String> {
    if ask.is_local {
        transport::install_crypto();
        return Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .tls_certs_only([])
            .build()
            .map_err(|error| transport::reasons(&error));
    }
    let origin = url.origin().ascii_serialization();
    let endpoint = Endpoint::parse(&origin).map_err(|error| error.to_string())?;
    transport::client(&endpoint, ask.extra_roots, Idle::Closed).map_err(|error| error.to_string())
}

/// Whether plain http to it stays on this machine: loopback, link-local, or EKS's address for pods.
pub(super) fn is_own(url: &Url) -> bool {
    let address: IpAddr = match url.host() {
        Some(url::Host::Ipv4(address)) => address.into(),
        Some(url::Host::Ipv6(address)) => address.into(),
        Some(url::Host::Domain(_)) | None => return false,
    };
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unicast_link_local()
                || address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]
                || address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        }
    }
}
