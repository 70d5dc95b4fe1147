//! Whether the way to eSign works, and where it ends if it does not.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::http::HttpApi;
use super::redact::Redactor;
use super::transport;
use crate::model::{Reached, Stage, TlsProblem};

/// For the connection and the answer together.
const PATIENCE: Duration = Duration::from_secs(15);

impl HttpApi {
    /// Sends a request that is neither signed nor an action, over a new connection.
    pub async fn reach(&self) -> Reached {
        match self.unsigned().timeout(PATIENCE).send().await {
            Ok(response) => Reached::Answered {
                date: transport::server_time(&response),
            },
            Err(error) => Reached::Failed {
                stage: stage(&error),
                reason: Redactor::default().clean(&transport::reasons(&error)),
            },
        }
    }
}

fn stage(error: &reqwest::Error) -> Stage {
    let mut source = error.source();
    let mut texts = Vec::new();
    while let Some(cause) = source {
        if let Some(problem) = tls_problem(cause) {
            return Stage::Tls(problem);
        }
        texts.push(cause.to_string());
        source = cause.source();
    }
    let says = |words: &str| texts.iter().any(|text| text.contains(words));
    if says("dns error") {
        Stage::Name
    } else if says("tls handshake") {
        Stage::Tls(TlsProblem::Other)
    } else if says("tunnel") || says("proxy") {
        Stage::Proxy
    } else if error.is_connect() {
        Stage::Connect
    } else {
        Stage::Answer
    }
}

/// The TLS library's error, which may be inside of several of the system's.
fn tls_problem(cause: &(dyn Error + 'static)) -> Option<TlsProblem> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(problem_of(error));
    }
    tls_problem(cause.downcast_ref::<io::Error>()?.get_ref()?)
}

fn problem_of(error: &rustls::Error) -> TlsProblem {
    use rustls::{CertificateError, InvalidMessage};
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "foreign enums that may grow"
    )]
    match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                TlsProblem::Expired
            }
            CertificateError::UnknownIssuer => TlsProblem::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsProblem::WrongName
            }
            _ => TlsProblem::Other,
        },
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsProblem::NotTls,
        _ => TlsProblem::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{CertificateError, InvalidMessage};

    #[test]
    fn a_tls_error_is_found_inside_the_systems() {
        let of = |error: rustls::Error| {
            let wrapped = io::Error::other(io::Error::other(error));
            tls_problem(&wrapped)
        };
        for (error, problem) in [
            (
                rustls::Error::InvalidCertificate(CertificateError::Expired),
                TlsProblem::Expired,
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
                TlsProblem::UnknownIssuer,
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::NotValidForName),
                TlsProblem::WrongName,
            ),
            (
                rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
                TlsProblem::NotTls,
            ),
            (rustls::Error::DecryptError, TlsProblem::Other),
        ] {
            assert_eq!(of(error), Some(problem));
        }
        assert_eq!(tls_problem(&io::Error::other("refused")), None);
    }
}
