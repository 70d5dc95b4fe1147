//! From a URL to a connection: the name is resolved once, every address is checked, and only those are connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::address::{Forbidden, Reach};
use super::failure::Failure;
use super::tls::{TlsProblem, Trust};

/// More addresses of one name are not tried.
const MOST_ADDRESSES: usize = 8;

/// Finds the addresses of a name.
pub trait Resolve: Sync {
    /// The addresses of this host name, the best first.
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// The resolver of the system.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl Resolve for System {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Where the requests of one receiver go.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) url: Url,
    /// The name that the certificate must be for; `None` for http.
    tls: Option<ServerName<'static>>,
    /// Checked. There is at least one.
    addresses: Vec<SocketAddr>,
}

impl Target {
    /// Resolves the host of a URL. One address that is refused is enough: eSign may take any of them.
    pub(super) async fn find<R: Resolve>(
        url: &str,
        reach: Reach,
        resolver: &R,
    ) -> Result<Self, Failure> {
        let url = Url::parse(url).map_err(|_| Failure::NotAUrl)?;
        let port = url.port_or_known_default().ok_or(Failure::NotAUrl)?;
        let (found, name) = match url.host().ok_or(Failure::NotAUrl)? {
            Host::Ipv4(address) => (vec![IpAddr::V4(address)], IpAddr::V4(address).into()),
            Host::Ipv6(address) => (vec![IpAddr::V6(address)], IpAddr::V6(address).into()),
            Host::Domain(domain) => {
                reach.allows_lookup(domain).map_err(Failure::Forbidden)?;
                let found = resolver.resolve(domain).await;
                let found = found.map_err(|error| Failure::NoAddress(error.to_string()))?;
                let name = ServerName::try_from(domain.to_owned());
                (found, name.map_err(|_| Failure::NotAUrl)?)
            }
        };
        if found.is_empty() {
            return Err(Failure::NoAddress("the resolver found none".to_owned()));
        }
        for address in &found {
            let forbidden = |why| Failure::Forbidden(Forbidden::Address(*address, why));
            reach.allows(*address).map_err(forbidden)?;
        }
        let addresses = found.into_iter().take(MOST_ADDRESSES);
        Ok(Self {
            tls: (url.scheme() == "https").then_some(name),
            addresses: addresses
                .map(|address| SocketAddr::new(address, port))
                .collect(),
            url,
        })
    }

    /// Connects, with TLS where the URL has it.
    pub(super) async fn connect(&self, trust: &Trust, end: Instant) -> Result<Line, Failure> {
        let stream = self.tcp(end).await?;
        let Some(name) = &self.tls else {
            return Line::over(stream).await;
        };
        let (config, refusal) = trust
            .for_one_connection()
            .map_err(|error| Failure::Tls(TlsProblem::Other(error)))?;
        let connector = TlsConnector::from(std::sync::Arc::new(config));
        let stream = connector.connect(name.clone(), stream).await;
        Line::over(stream.map_err(|error| Failure::Tls(refusal.problem(&error)))?).await
    }

    /// Tries the addresses in their order; each gets an equal part of what is left of the time.
    async fn tcp(&self, end: Instant) -> Result<TcpStream, Failure> {
        let mut first = None;
        for (number, address) in self.addresses.iter().enumerate() {
            let left = end.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(self.addresses.len() - number).unwrap_or(1);
            match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Only slower without it.
                    let _ignored = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => first = first.or(Some(Some(error))),
                Err(_) => first = first.or(Some(None)),
            }
        }
        match first.flatten() {
            Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Err(Failure::Refused)
            }
            Some(error) => Err(Failure::Connection(error.to_string())),
            // The time limit of the request ends this wait.
            None => std::future::pending().await,
        }
    }
}

/// A connection to a receiver. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Line {
    async fn over<S>(stream: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Failure::Connection(error.to_string()))?;
        // Its errors are those of the request too.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, driver })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Refused;
    use super::*;
    use std::sync::Mutex;

    /// Gives other addresses each time it is asked.
    struct Changing(Mutex<Vec<Vec<&'static str>>>);

    impl Resolve for Changing {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            let next = self.0.lock().unwrap().remove(0);
            Ok(next.iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    async fn found(
        url: &str,
        reach: Reach,
        answers: Vec<Vec<&'static str>>,
    ) -> Result<Target, Failure> {
        Target::find(url, reach, &Changing(Mutex::new(answers))).await
    }

    #[tokio::test]
    async fn one_private_address_among_public_ones_is_enough() {
        let found = found(
            "https://a.example/",
            Reach::Public,
            vec![vec!["8.8.8.8", "::ffff:10.0.0.1"]],
        );
        assert!(matches!(
            found.await,
            Err(Failure::Forbidden(Forbidden::Address(
                _,
                Refused::Private("a private address")
            )))
        ));
    }

    #[tokio::test]
    async fn what_was_checked_is_what_is_connected_to() {
        // A second question would get the private address.
        let answers = vec![vec!["8.8.8.8"], vec!["127.0.0.1"]];
        let target = found("https://a.example:8443/", Reach::Public, answers)
            .await
            .unwrap();
        assert_eq!(target.addresses, ["8.8.8.8:8443".parse().unwrap()]);
    }

    #[tokio::test]
    async fn addresses_in_urls_are_checked_without_a_resolver() {
        for url in [
            "http://0x7f.1/",
            "http://[::1]:80/",
            "http://[::ffff:169.254.169.254]/",
            "http://2130706433/",
        ] {
            let found = found(url, Reach::Public, Vec::new()).await;
            assert!(
                matches!(found, Err(Failure::Forbidden(..))),
                "{url}: {found:?}"
            );
        }
        assert_eq!(
            found("nonsense", Reach::Public, Vec::new())
                .await
                .unwrap_err(),
            Failure::NotAUrl
        );
    }

    #[tokio::test]
    async fn with_the_sandbox_only_localhost_is_looked_up() {
        for url in ["http://a.example/", "https://localhost.example/"] {
            // A lookup would panic.
            let found = found(url, Reach::ThisMachine, Vec::new()).await;
            assert!(
                matches!(&found, Err(Failure::Forbidden(Forbidden::Name(name))) if url.contains(name)),
                "{url}: {found:?}"
            );
        }
        for url in ["http://localhost:1/", "http://LOCALHOST./"] {
            let found = found(url, Reach::ThisMachine, vec![vec!["127.0.0.1"]]).await;
            found.unwrap();
        }
        let found = found(
            "http://localhost/",
            Reach::ThisMachine,
            vec![vec!["8.8.8.8"]],
        );
        assert!(matches!(
            found.await,
            Err(Failure::Forbidden(Forbidden::Address(..)))
        ));
    }

    #[tokio::test]
    async fn a_name_without_addresses() {
        let found = found("http://a.example/", Reach::Anywhere, vec![Vec::new()]).await;
        assert!(matches!(found, Err(Failure::NoAddress(_))));
    }
}
