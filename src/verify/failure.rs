//! Why a probe has no answer.

use std::time::Duration;

use super::address::{Forbidden, Refused};
use super::code::{self, Code};
use super::tls::TlsProblem;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The URL has no host to connect to.
    NotAUrl,
    /// The key can't encrypt; why.
    Key(String),
    /// The name resolves to nothing; what the resolver said.
    NoAddress(String),
    /// The host must not be connected to.
    Forbidden(Forbidden),
    /// Nothing listens there.
    Refused,
    /// No answer within this time.
    Timeout(Duration),
    /// The body did not end within this time.
    Endless(Duration),
    /// The body has more bytes than this.
    TooLong(usize),
    /// The connection could not be made, or ended; why.
    Connection(String),
    /// What came is not HTTP; what is wrong with it.
    NotHttp(String),
    Tls(TlsProblem),
}

impl Failure {
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::NotAUrl | Self::Key(_) | Self::Connection(_) => code::CONNECTION,
            Self::NoAddress(_) => code::NO_ADDRESS,
            Self::Forbidden(Forbidden::Address(_, Refused::Private(_))) => code::PRIVATE,
            Self::Forbidden(
                Forbidden::Address(_, Refused::NotThisMachine) | Forbidden::Name(_),
            ) => code::NOT_THIS_MACHINE,
            Self::Refused => code::REFUSED,
            Self::Timeout(_) => code::TIMEOUT,
            Self::Endless(_) | Self::TooLong(_) => code::ENDLESS,
            Self::NotHttp(_) => code::NOT_HTTP,
            Self::Tls(problem) => match problem {
                TlsProblem::Expired => code::EXPIRED,
                TlsProblem::NotYetValid => code::NOT_YET_VALID,
                TlsProblem::WrongName => code::WRONG_NAME,
                TlsProblem::SelfSigned => code::SELF_SIGNED,
                TlsProblem::MissingIntermediate => code::MISSING_INTERMEDIATE,
                TlsProblem::UnknownIssuer => code::UNKNOWN_ISSUER,
                TlsProblem::Other(_) => code::TLS,
            },
        }
    }
}
