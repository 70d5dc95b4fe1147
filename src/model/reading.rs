//! What comes of asking: reaching eSign at all, and reading something from it. Neither changes anything.

use super::{ApiError, Timestamp};

/// Whether eSign was reached, by a request that is no action and is not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It answered.
    Answered {
        /// Its `Date`, to the second.
        date: Option<Timestamp>,
    },
    /// It did not.
    Failed {
        /// How far the request got.
        stage: Stage,
        /// Why, without secrets and in one line.
        reason: String,
    },
}

/// The steps to an answer, of which each needs the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The name has no address.
    Name,
    /// Nothing accepted the connection.
    Connect,
    /// The proxy did not connect.
    Proxy,
    Tls(TlsProblem),
    /// There was a connection, and no answer on it.
    Answer,
}

/// What is wrong with the other side's certificate, or with its TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsProblem {
    Expired,
    /// No authority that this machine trusts has signed it.
    UnknownIssuer,
    /// It is for another name.
    WrongName,
    /// The other side does not speak TLS.
    NotTls,
    Other,
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    pub kind: ReadFailure,
    pub error: ApiError,
}

/// What a failed read says about further reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFailure {
    /// No answer, or one that can't be read.
    NoAnswer,
    /// eSign is busy or broken, also after repetitions.
    Busy,
    /// The credentials can't be used for any call.
    Credentials,
    /// The credentials are good, and may not be used for this action.
    NotAllowed,
    /// The action was refused.
    Refused,
}
