//! Where eSign is called, and what must be called nowhere else.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;
use url::{Host, Url};

use crate::model::Environment;

/// An address that may be given signed calls: https, or http on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    host: String,
    loopback: bool,
}

/// Why a text is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Not a URL at all.
    #[error("`{0}` is not an endpoint: write a URL like https://ess.tencentcloudapi.com/")]
    NotAUrl(String),
    /// Secrets would cross the network in clear.
    #[error(
        "the endpoint {0} is not https; plain http would show keys and tokens to everybody on the way, so it is allowed to this machine only (http://127.0.0.1:PORT/)"
    )]
    NotSecure(String),
    /// The signature covers `/` and nothing else.
    #[error(
        "the endpoint `{0}` may hold only a scheme, a host and a port: the API lives at `/` and the signature covers just that"
    )]
    TooMuch(String),
}

impl Endpoint {
    /// eSign's own address.
    pub fn of(environment: Environment) -> Self {
        Self::parse(&format!("https://{}/", environment.host()))
            .expect("the environments' hosts make valid endpoints")
    }

    /// The address of Tencent Cloud's security token service.
    pub fn sts() -> Self {
        Self::parse("https://sts.tencentcloudapi.com/").expect("a valid endpoint")
    }

    /// The address of Tencent Cloud's CloudAudit.
    pub fn cloudaudit() -> Self {
        Self::parse("https://cloudaudit.tencentcloudapi.com/").expect("a valid endpoint")
    }

    /// What to do when something else answers in place of the token service at this address.
    pub(super) fn advice_of_token_service(&self) -> &'static str {
        if *self == Self::sts() {
            "check what answers in place of the token service: a proxy (HTTPS_PROXY), a firewall or a login page; then run \
             the command again"
        } else {
            "check --endpoint, which must answer for the token service too, and the proxy (HTTPS_PROXY); then run the \
             command again"
        }
    }

    /// The address of a CVM instance's metadata service. It has no TLS; what it says is checked to come from a
    /// link-local address.
    pub fn metadata() -> Self {
        let host = "metadata.tencentyun.com";
        Self {
            url: Url::parse(&format!("http://{host}/")).expect("a valid URL"),
            host: host.to_owned(),
            loopback: false,
        }
    }

    /// Checks an address that the user gave.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let not_a_url = || EndpointError::NotAUrl(without_userinfo(text));
        let url = Url::parse(text).map_err(|_| not_a_url())?;
        let host = url.host().ok_or_else(not_a_url)?;
        // `http://127.0.0.1:$PORT` without a port would be one of another server.
        if text.trim_end_matches('/').ends_with(':') {
            return Err(not_a_url());
        }
        // Checked after parsing, which turns `0x7f.1` into 127.0.0.1.
        let loopback = match host {
            Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name == "localhost" || name.ends_with(".localhost")
            }
            Host::Ipv4(address) => IpAddr::V4(address).is_loopback(),
            Host::Ipv6(address) => IpAddr::V6(address).is_loopback(),
        };
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(EndpointError::NotSecure(without_userinfo(text))),
            _ => return Err(not_a_url()),
        }
        if !bare {
            return Err(EndpointError::TooMuch(without_userinfo(text)));
        }
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        Ok(Self {
            url,
            host,
            loopback,
        })
    }

    /// The `Host` header, as it is signed: with the port when it is not the default one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is on this machine.
    pub const fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether calls to it are encrypted.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }
}

/// A password before an `@` is not repeated in a message.
fn without_userinfo(text: &str) -> String {
    let rest = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    rest.chars()
        .take(200)
        .flat_map(char::escape_default)
        .collect()
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.url.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_have_endpoints() {
        assert_eq!(
            Endpoint::of(Environment::Production).to_string(),
            "https://ess.tencentcloudapi.com/"
        );
        assert_eq!(
            Endpoint::of(Environment::Test).host(),
            "ess.test.ess.tencent.cn"
        );
    }

    #[test]
    fn https_anywhere_and_http_to_this_machine() {
        for (text, host, loopback) in [
            (
                "https://ess.internal.example",
                "ess.internal.example",
                false,
            ),
            ("https://ess.example:443/", "ess.example", false),
            ("https://ess.example:8443/", "ess.example:8443", false),
            ("http://127.0.0.1:8901", "127.0.0.1:8901", true),
            ("http://127.8.9.10/", "127.8.9.10", true),
            ("http://0x7f.1:80/", "127.0.0.1", true),
            ("http://[::1]:8901/", "[::1]:8901", true),
            ("http://localhost:1/", "localhost:1", true),
            ("http://LOCALHOST./", "localhost.", true),
            ("https://127.0.0.1:1/", "127.0.0.1:1", true),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.host(), endpoint.is_loopback()), (host, loopback));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        use EndpointError::{NotAUrl, NotSecure, TooMuch};
        for (text, error) in [
            ("", NotAUrl(String::new())),
            ("ess.example", NotAUrl("ess.example".into())),
            ("ftp://ess.example/", NotAUrl("ftp://ess.example/".into())),
            (
                "http://ess.example/",
                NotSecure("http://ess.example/".into()),
            ),
            ("http://10.0.0.1/", NotSecure("http://10.0.0.1/".into())),
            (
                "http://127.0.0.1.example/",
                NotSecure("http://127.0.0.1.example/".into()),
            ),
            (
                "http://localhost.example/",
                NotSecure("http://localhost.example/".into()),
            ),
            (
                "http://notlocalhost/",
                NotSecure("http://notlocalhost/".into()),
            ),
            (
                "https://ess.example/v3",
                TooMuch("https://ess.example/v3".into()),
            ),
            (
                "https://ess.example/?a=b",
                TooMuch("https://ess.example/?a=b".into()),
            ),
            (
                "https://me:password@ess.example/",
                TooMuch("ess.example/".into()),
            ),
            (
                "http://127.0.0.1@ess.example/",
                NotSecure("ess.example/".into()),
            ),
        ] {
            assert_eq!(Endpoint::parse(text), Err(error), "{text}");
        }
    }
}
