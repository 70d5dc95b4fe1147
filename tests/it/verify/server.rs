//! Receivers made for the tests: real servers on loopback addresses.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use ess_callbacks::envelope;
use ess_callbacks::secret::Secret;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use crate::support::{KEY, TOKEN};

/// What a receiver got.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// A receiver that answers what a function says.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    pub(super) got: Arc<Mutex<Vec<Got>>>,
    /// The most requests that were answered at the same time.
    pub(super) most: Arc<AtomicUsize>,
}

impl Receiver {
    pub(super) async fn start(
        address: &str,
        answer: impl Fn(&Got) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::clone(&got),
            most: Arc::clone(&most),
        };
        let handle = move |method: Method, headers: HeaderMap, body: Bytes| async move {
            assert_eq!(method, Method::POST);
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let one = Got {
                headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            };
            got.lock().unwrap().push(one.clone());
            let response = answer(&one);
            now.fetch_sub(1, Ordering::SeqCst);
            response
        };
        let router = Router::new().fallback(handle);
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/esign", self.address)
    }

    pub(super) fn bodies(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter().map(|one| one.body.clone()).collect()
    }
}

pub(super) fn status(code: u16) -> Response {
    Response::builder()
        .status(code)
        .body(Body::from("{}"))
        .unwrap()
}

pub(super) fn with_header(code: u16, name: &str, value: &str) -> Response {
    let builder = Response::builder().status(code).header(name, value);
    builder.body(Body::empty()).unwrap()
}

/// A receiver without a mistake: it refuses what is not eSign's.
pub(super) fn good(got: &Got) -> Response {
    let signature = got.headers.get("content-signature");
    let valid = signature.map(|header| {
        let header = header.to_str().unwrap();
        envelope::verify(&Secret::new(TOKEN), got.body.as_bytes(), header)
    });
    if got.body == "{}" && valid != Some(false) {
        return status(200);
    }
    if valid != Some(true) {
        return status(403);
    }
    match envelope::decrypt(&Secret::new(KEY), got.body.as_bytes()) {
        Ok(_) => status(200),
        Err(_) => status(400),
    }
}

/// Writes these bytes to each connection, whatever it sends, and ends it or not.
pub(super) async fn raw(bytes: &'static [u8], ends: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _read = stream.read(&mut buffer).await;
                let _written = stream.write_all(bytes).await;
                if !ends {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

/// Sends a body without end, as fast as it is read.
pub(super) async fn flood() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _read = stream.read(&mut buffer).await;
        let _head = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    address
}

/// A certificate authority of a test.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn root() -> Self {
        Self::named("root")
    }

    pub(super) fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(authority(name), key).unwrap())
    }

    pub(super) fn below(other: &Self) -> Self {
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'_, KeyPair> = &other.0;
        Self(CertifiedIssuer::signed_by(authority("intermediate"), key, issuer).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for this name, changed by `change`.
    pub(super) fn issue(&self, name: &str, change: impl Fn(&mut CertificateParams)) -> Server {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let issuer: &Issuer<'_, KeyPair> = &self.0;
        let certificate = params.signed_by(&key, issuer).unwrap();
        Server {
            chain: vec![certificate.der().clone()],
            key: key.serialize_der(),
        }
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// What a server shows.
pub(super) struct Server {
    pub(super) chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Server {
    pub(super) fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            chain: vec![certificate.der().clone()],
            key: key.serialize_der(),
        }
    }

    /// Answers 200 to everything, over TLS.
    pub(super) async fn serve(self) -> SocketAddr {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key));
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        let _written = stream.write_all(answer).await;
                    }
                });
            }
        });
        address
    }
}
