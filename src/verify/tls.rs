//! TLS: whom to trust, and why a certificate is not trusted.

use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use thiserror::Error;
use webpki::EndEntityCert;

/// Why a TLS connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsProblem {
    Expired,
    NotYetValid,
    WrongName,
    SelfSigned,
    /// Only the server's own certificate was sent, and its issuer is not trusted.
    MissingIntermediate,
    UnknownIssuer,
    /// Something else; what the TLS library says.
    Other(String),
}

/// Whom to trust: the machine's authorities, and those of a file.
#[derive(Clone, Debug)]
pub struct Trust {
    verifier: Arc<dyn ServerCertVerifier>,
    provider: Arc<rustls::crypto::CryptoProvider>,
}

/// Why TLS can't be used.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file of `--ca-file` has no usable certificate.
    #[error("the file {file} given by --ca-file holds no usable PEM certificate: {reason}")]
    Roots {
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing to check certificates against.
    #[error("can't prepare TLS: {0}")]
    Unusable(String),
}

impl Trust {
    /// The machine's authorities, and those of the PEM file of this name.
    ///
    /// # Errors
    ///
    /// The file has no usable certificate, or TLS can't be used.
    pub fn new(extra: Option<(&str, &[u8])>) -> Result<Self, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = Vec::new();
        if let Some((file, pem)) = extra {
            let unusable = |reason: String| TrustError::Roots {
                file: file.to_owned(),
                reason,
            };
            for root in CertificateDer::pem_slice_iter(pem) {
                roots.push(root.map_err(|error| unusable(error.to_string()))?);
            }
            if roots.is_empty() {
                return Err(unusable("there is none in it".to_owned()));
            }
        }
        let verifier: Arc<dyn ServerCertVerifier> =
            match Verifier::new_with_extra_roots(roots.clone(), Arc::clone(&provider)) {
                Ok(verifier) => Arc::new(verifier),
                // A machine without authorities of its own still has those of the file.
                Err(error) if roots.is_empty() => Arc::new(Nobody(error.to_string())),
                Err(error) => return Err(TrustError::Unusable(error.to_string())),
            };
        Ok(Self { verifier, provider })
    }

    /// A configuration for one connection, and where it records the chain that it refused.
    pub(super) fn for_one_connection(&self) -> Result<(ClientConfig, Refusal), String> {
        let refusal = Refusal::default();
        let recording = Recording {
            inner: Arc::clone(&self.verifier),
            refusal: refusal.clone(),
        };
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(recording))
            .with_no_client_auth();
        Ok((config, refusal))
    }
}

/// Trusts nothing, because there is nothing to check a certificate against; why.
#[derive(Debug)]
struct Nobody(String);

/// Why a chain was refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusal(Arc<Mutex<Option<TlsProblem>>>);

impl Refusal {
    /// Why the handshake failed.
    pub(super) fn problem(&self, error: &std::io::Error) -> TlsProblem {
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        refused.unwrap_or_else(|| TlsProblem::Other(words(error)))
    }
}

/// What the TLS library says, without what the server may have said.
fn words(error: &std::io::Error) -> String {
    let inner = error.get_ref().map(|inner| inner as &dyn std::error::Error);
    match inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => format!("the server refused it ({alert:?})"),
        Some(Error::InvalidMessage(_)) => "the server does not speak TLS at this port".to_owned(),
        Some(error) => error.to_string(),
        None => error
            .source()
            .map_or_else(|| error.kind().to_string(), ToString::to_string),
    }
}

/// Asks the inner verifier, and records why it refused.
#[derive(Debug)]
struct Recording {
    inner: Arc<dyn ServerCertVerifier>,
    refusal: Refusal,
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        verified.inspect_err(|error| {
            let problem = classify(error, end_entity, intermediates);
            let mut refusal = self
                .refusal
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *refusal = Some(problem);
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Nobody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(Error::General(format!(
            "this machine has no certificate authorities to trust ({}); give them with --ca-file",
            self.0
        )))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::DecryptError)
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::DecryptError)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Why a chain was refused. `UnknownIssuer` has three causes, which the certificates tell apart.
fn classify(
    error: &Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> TlsProblem {
    let Error::InvalidCertificate(invalid) = error else {
        return TlsProblem::Other(error.to_string());
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum that may grow"
    )]
    match invalid {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsProblem::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsProblem::WrongName
        }
        // A certificate of an authority as that of a server is refused before its issuer is looked for.
        _ if is_self_signed(end_entity) => TlsProblem::SelfSigned,
        CertificateError::UnknownIssuer if intermediates.is_empty() => {
            TlsProblem::MissingIntermediate
        }
        // An authority has the name of a trusted one, but another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            TlsProblem::UnknownIssuer
        }
        other => TlsProblem::Other(other.to_string()),
    }
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}
