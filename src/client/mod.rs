//! The one API: adding and deleting a callback at eSign, one attempt at a time.
//!
//! [`Api`] is what the applier calls. It never repeats a call by itself, because only the applier
//! knows what was recorded before; it says for each attempt what is known afterwards.

mod ask;
mod audit;
mod body;
mod classify;
pub mod codes;
pub mod credentials;
mod endpoint;
mod http;
mod identity;
pub mod pace;
mod random;
mod reach;
mod read;
mod redact;
pub mod retry;
pub(crate) mod transport;

pub use audit::{AuditLog, Logged, SPAN};
pub use classify::outcome_of;
pub use credentials::{
    CredentialCache, CredentialError, CredentialProvider, Credentials, Issued, Renewal,
};
pub use endpoint::{Endpoint, EndpointError};
pub use http::HttpApi;
pub use pace::{Earlier, Pace, Rate, SentAt};
pub use random::Random;
pub use read::Reader;
pub(crate) use redact::Redactor;
pub use transport::{ExtraRoots, HttpError, HttpOptions};

use std::sync::Arc;

use crate::model::{AccountName, ApiError, Call, Nonce, Outcome, Timestamp};

/// eSign, or a double of it.
pub trait Api: Send + Sync {
    /// Sends the call once, signed with this timestamp, and says how it ended.
    fn attempt(&self, call: &Call, signed_at: Timestamp) -> impl Future<Output = Reply> + Send;

    /// Asks for the server's clock without changing anything.
    fn server_time(&self, account: &AccountName) -> impl Future<Output = ServerTime> + Send;

    /// What marks the next call for a witness: new each time. `None` if calls are not marked.
    fn nonce(&self) -> Option<Nonce> {
        None
    }

    /// Waits for another credential than the one that eSign refused as expired, or that has expired.
    fn renew(&self, account: &AccountName) -> impl Future<Output = Renewal> + Send;
}

impl<T: Api> Api for Arc<T> {
    fn attempt(&self, call: &Call, signed_at: Timestamp) -> impl Future<Output = Reply> + Send {
        T::attempt(self, call, signed_at)
    }

    fn server_time(&self, account: &AccountName) -> impl Future<Output = ServerTime> + Send {
        T::server_time(self, account)
    }

    fn nonce(&self) -> Option<Nonce> {
        T::nonce(self)
    }

    fn renew(&self, account: &AccountName) -> impl Future<Output = Renewal> + Send {
        T::renew(self, account)
    }
}

/// What came of asking for the server's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerTime {
    /// Its `Date`, to the second.
    Known(Timestamp),
    /// It answers without a usable `Date`.
    NotTold,
    /// It does not answer.
    NoAnswer(ApiError),
}

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What is known of the call.
    pub outcome: Outcome,
    /// The answer's `Date`: the server's clock when it answered, to the second.
    pub server_time: Option<Timestamp>,
}
