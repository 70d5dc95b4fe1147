//! One call to eSign's API, and what of it is recorded.

use std::sync::Arc;

use super::{CallbackUrl, Fingerprints, Nonce, OperatorId, Scope};
use crate::secret::Secret;

/// A call as it is sent: it holds the secrets themselves and is never stored.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where the callback lives; chooses account, organization and application.
    pub scope: Arc<Scope>,
    pub operator: OperatorId,
    pub url: CallbackUrl,
    pub operation: Operation,
    /// What the request carries for a witness; already recorded with the intent.
    pub nonce: Option<Nonce>,
    /// Over a new connection. One that was idle may be about to be closed by the other side, and a
    /// call that leaves on it then is lost.
    pub new_connection: bool,
}

/// What a call does, with everything eSign needs for it.
#[derive(Clone, Debug)]
pub enum Operation {
    /// `OperateType` 1.
    Add {
        /// `CallbackKey`: encrypts the messages.
        key: Option<Secret>,
        /// `CallbackToken`: signs them.
        token: Option<Secret>,
    },
    /// `OperateType` 2.
    Delete,
}

impl Operation {
    /// The key and the token that it carries.
    pub const fn secrets(&self) -> (Option<&Secret>, Option<&Secret>) {
        match self {
            Self::Add { key, token } => (key.as_ref(), token.as_ref()),
            Self::Delete => (None, None),
        }
    }
}

/// What a call does, as far as it is recorded: the secrets by their fingerprints only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// Add the URL with these secrets.
    Add(Fingerprints),
    Delete,
}

/// Numbers the calls of one state, so that an outcome in the journal finds its intent.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct CallId(pub u64);
