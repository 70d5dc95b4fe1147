//! How one attempt at a call ended, as far as can be known.

use std::borrow::Cow;

use super::RequestId;

/// The end of one attempt. What matters is what it says about eSign: *it happened*, *it certainly
/// did not happen*, or *it is unknown*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Applied(RequestId),
    /// An add found the URL there already; nothing changed.
    AlreadyThere(RequestId),
    /// A delete found no such URL; nothing changed.
    NotThere(RequestId),
    /// Over the rate limit. Not applied; costs no retry.
    Throttled(ApiError),
    /// Nothing left this machine, or nothing reached the gateway. Not applied; try again.
    NotSent(ApiError),
    /// There was no credential to sign it with, so nothing left this machine. Not applied; get one and try again.
    NotSigned(ApiError),
    /// The signature's time was off by more than five minutes. Not applied; sign again with the
    /// server's clock.
    ClockOff(ApiError),
    /// Temporary credentials ran out. Not applied; refresh them and sign again.
    TokenExpired(ApiError),
    /// eSign said no. Not applied, and the same call would be refused again.
    Rejected(Blast, ApiError),
    /// It may have happened, and it may still happen until its signature expires.
    Unknown(ApiError),
}

/// How much a rejection rules out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blast {
    /// This callback only.
    Call,
    /// Every call for this organization.
    Organization,
    /// Every call signed with these credentials.
    Account,
}

/// An error in eSign's words, and in ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// eSign's code (`AuthFailure.SecretIdNotFound`); `None` when no well-formed answer came.
    pub code: Option<String>,
    /// eSign's message, or what went wrong on the way.
    pub message: String,
    /// To quote to eSign's support.
    pub request_id: Option<RequestId>,
    pub meaning: Cow<'static, str>,
    /// What to do next.
    pub advice: Cow<'static, str>,
}

impl Outcome {
    /// The error, where there is one.
    pub const fn error(&self) -> Option<&ApiError> {
        match self {
            Self::Applied(_) | Self::AlreadyThere(_) | Self::NotThere(_) => None,
            Self::Throttled(error)
            | Self::NotSent(error)
            | Self::NotSigned(error)
            | Self::ClockOff(error)
            | Self::TokenExpired(error)
            | Self::Rejected(_, error)
            | Self::Unknown(error) => Some(error),
        }
    }

    /// The id of the answer, if there was one that has it.
    pub const fn request_id(&self) -> Option<&RequestId> {
        match self {
            Self::Applied(id) | Self::AlreadyThere(id) | Self::NotThere(id) => Some(id),
            Self::Throttled(error)
            | Self::NotSent(error)
            | Self::NotSigned(error)
            | Self::ClockOff(error)
            | Self::TokenExpired(error)
            | Self::Rejected(_, error)
            | Self::Unknown(error) => error.request_id.as_ref(),
        }
    }
}
