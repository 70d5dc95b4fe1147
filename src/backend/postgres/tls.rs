//! TLS to a PostgreSQL server, by rustls.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use super::address::TlsMode;
use crate::client::ExtraRoots;

/// Which authorities to trust.
#[derive(Clone, Debug)]
pub(super) enum Authorities {
    /// Those of `sslrootcert` and no others.
    Only(ExtraRoots),
    /// Those of the system, and those of `--ca-file`.
    System(Option<ExtraRoots>),
}

/// How to begin TLS with one server.
#[derive(Clone)]
pub(super) struct Connector {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Connector {
    /// # Errors
    /// What is wrong with the certificates, or with the name of the host.
    pub(super) fn new(
        mode: TlsMode,
        host: &str,
        authorities: &Authorities,
    ) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match mode {
            TlsMode::VerifyFull => verifier(authorities, &provider)?,
            TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => {
                Arc::new(Anyone(Arc::clone(&provider)))
            }
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("`{}` is no name of a host", host.escape_debug()))?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn verifier(
    authorities: &Authorities,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    match authorities {
        Authorities::Only(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file, "sslrootcert")? {
                roots.add(certificate).map_err(|error| {
                    format!(
                        "the file {} of sslrootcert has a certificate that is not one of an authority: {error}",
                        file.file
                    )
                })?;
            }
            let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
                Arc::new(roots),
                Arc::clone(provider),
            );
            Ok(verifier.build().map_err(|error| error.to_string())?)
        }
        Authorities::System(extra) => {
            let roots = match extra {
                Some(file) => certificates(file, "--ca-file")?,
                None => Vec::new(),
            };
            let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(provider));
            Ok(Arc::new(verifier.map_err(|error| {
                format!(
                    "this system has no certificate authorities to trust ({error}); install the package \
                     ca-certificates, or name a file with sslrootcert"
                )
            })?))
        }
    }
}

fn certificates(file: &ExtraRoots, given_by: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let ExtraRoots { file, pem } = file;
    let unusable = |reason: &str| {
        format!("the file {file} of {given_by} has no usable PEM certificate: {reason}")
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| unusable(&error.to_string()))?;
    if found.is_empty() {
        return Err(unusable("there is none in it"));
    }
    Ok(found)
}

/// Why the server is not trusted, if that is why TLS failed, and what to do.
pub(super) fn mistrust(error: &io::Error) -> Option<(String, &'static str)> {
    let inner = error.get_ref()?.downcast_ref::<Error>()?;
    let Error::InvalidCertificate(invalid) = inner else {
        return None;
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum that may grow"
    )]
    Some(match invalid {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "the certificate of the server has expired".into(),
            "Renew it on the server; compare the clock of this machine.",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            "the certificate of the server is not valid yet".into(),
            "Compare the clock of this machine with that of the server.",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            "the certificate of the server is for another host".into(),
            "Write the host as the certificate names it.",
        ),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "the certificate of the server is not from a trusted authority".into(),
            "Name the file with the certificate of its authority: add &sslrootcert=FILE to the address. Managed \
             databases offer it for download.",
        ),
        other => (
            format!("the certificate of the server is not valid: {other}"),
            "Correct the certificate on the server.",
        ),
    })
}

/// Trusts every server, for the modes that only encrypt.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A connection inside TLS.
pub(super) struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl<S> TlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let stream = self.connector.connect(self.name, stream).await?;
            Ok(Encrypted(stream))
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    /// The certificate is verified instead.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
