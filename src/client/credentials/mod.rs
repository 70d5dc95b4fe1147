//! Where the credentials come from that sign calls.
//!
//! [`find`] asks the providers of the chain, one file each. A [`CredentialProvider`] fetches one. A [`CredentialCache`] keeps it for one account, is asked at each attempt,
//! and fetches the next one in time. What providers read is passed in as a [`Machine`].

mod cache;
mod candidate;
mod chain;
#[cfg(test)]
mod doubles;
mod environment;
mod fixed;
mod found;
mod ini;
mod machine;
mod metadata;
mod sts;
mod tccli;
pub mod tsign;
mod value;
mod web;
mod web_identity;
#[cfg(test)]
mod web_tests;

pub use cache::CredentialCache;
pub use candidate::Principal;
pub use chain::find;
pub use found::{Found, Origin, PassedOver};
pub use machine::{Clock, Machine, Variables};
pub use web::{Answer, HttpWeb, Request, Web};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::model::{AccountName, ApiError, Timestamp};
use crate::sign::{Credential, CredentialProblem};

/// The credentials of every account.
pub type Credentials = BTreeMap<AccountName, CredentialCache>;

/// A source of credentials, all of one Tencent Cloud account: whose they are is checked only before the first call.
pub trait CredentialProvider: Send + Sync {
    /// Fetches a credential once. The cache repeats it, limits its time, and runs one fetch at a time.
    fn fetch(&self) -> BoxFuture<'_, Result<Issued, CredentialError>>;
}

/// A credential and how long it is valid.
#[derive(Clone, Debug)]
pub struct Issued {
    credential: Credential,
    /// From the start of the fetch. `None` when it doesn't expire, or when no one knows when.
    life: Option<Duration>,
    /// What was asked of whom, in words. `None` for what was read on this machine.
    issuer: Option<String>,
}

impl Issued {
    /// A credential without a known expiry.
    pub const fn lasting(credential: Credential) -> Self {
        Self {
            credential,
            life: None,
            issuer: None,
        }
    }

    /// A credential that expires at `expires`, issued at `now`.
    ///
    /// Both are read on one clock: the issuer's, which its answer tells, else this machine's. Only their
    /// difference is kept, so a clock that is off does no harm.
    pub fn until(credential: Credential, expires: Timestamp, now: Timestamp) -> Self {
        let seconds = u64::try_from(expires.seconds_since(now)).unwrap_or(0);
        Self {
            credential,
            life: Some(Duration::from_secs(seconds)),
            issuer: None,
        }
    }

    /// The same as an answer to what was asked, which errors name.
    fn answered(self, tried: String) -> Self {
        Self {
            issuer: Some(tried),
            ..self
        }
    }
}

/// Why there is no credential to sign with. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CredentialError {
    #[error("{message}")]
    Provider {
        /// What was tried, on what, and what came of it.
        message: String,
        /// What to do next.
        advice: Cow<'static, str>,
    },
    /// No provider that was asked is set up.
    #[error("no provider has any ({})", NoneServes::reasons(.0).join("; "))]
    NoneServes(NoneServes),
    /// It can't sign anything.
    #[error("{0}")]
    Unusable(CredentialProblem),
    /// Its life was over before it arrived.
    #[error("the credential had expired before it arrived")]
    Expired,
    /// The one that eSign refused was fetched again.
    #[error("eSign refused the credential as expired, and there is no other")]
    Unchanged,
    /// The fetch took too long.
    #[error("no credential arrived within {} s", cache::LONGEST_FETCH.as_secs())]
    TimedOut,
    /// The fetch ended without a result: the provider panicked, or the program ends.
    #[error("the fetch of a credential was aborted")]
    Aborted,
    /// The fetch is not over.
    #[error("there is no valid credential yet; one is being fetched")]
    Pending,
}

/// What was asked for credentials, and what to do when nothing has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoneServes {
    /// In the order of the search.
    pub asked: Vec<PassedOver>,
    /// What to do next.
    pub advice: &'static str,
}

impl NoneServes {
    /// Why each does not serve.
    fn reasons(&self) -> Vec<String> {
        let reason = |PassedOver { provider, why }: &PassedOver| format!("{provider}: {why}");
        self.asked.iter().map(reason).collect()
    }
}

impl CredentialError {
    /// The message in lines: what is wrong, and why no provider serves, if that is it.
    pub fn lines(&self) -> (String, Vec<String>) {
        match self {
            Self::NoneServes(none) => ("no provider has any".to_owned(), none.reasons()),
            Self::Provider { .. }
            | Self::Unusable(_)
            | Self::Expired
            | Self::Unchanged
            | Self::TimedOut
            | Self::Aborted
            | Self::Pending => (self.to_string(), Vec::new()),
        }
    }

    /// The same of a credential that was the answer to what was tried.
    fn of_answer(self, tried: &str) -> Self {
        let (what, advice) = match &self {
            Self::Unusable(problem) => (
                format!("the answer has no credential that can sign: {problem}"),
                "run the command again; if it persists, check what is on the way: a proxy that changes answers",
            ),
            Self::Expired => (
                "the answer is a credential that had expired before it arrived".to_owned(),
                "run the command again; if it persists, set this machine's clock (NTP), and check how long the sessions of \
                 the role are valid",
            ),
            Self::Provider { .. }
            | Self::NoneServes(_)
            | Self::Unchanged
            | Self::TimedOut
            | Self::Aborted
            | Self::Pending => {
                return self;
            }
        };
        candidate::broken(format!("{tried}: {what}"), advice)
    }

    /// The same with the name of the provider, where the message has none.
    fn of_provider(self, name: &str) -> Self {
        match &self {
            Self::Unusable(_) | Self::Expired | Self::TimedOut | Self::Aborted => Self::Provider {
                message: format!("{name}: {self}"),
                advice: self.advice(),
            },
            Self::Provider { .. } | Self::NoneServes(_) | Self::Unchanged | Self::Pending => self,
        }
    }

    /// What to do next.
    pub fn advice(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Provider { advice, .. } => return advice.clone(),
            Self::NoneServes(none) => none.advice,
            Self::Unusable(_) => "copy the credential again, whole and without anything around it",
            Self::Expired => {
                "set this machine's clock (NTP), and check how long the credential is valid"
            }
            Self::Unchanged => {
                "get new temporary credentials; SecretId, SecretKey and token must come from the same set"
            }
            Self::TimedOut => {
                "check the network and the source of the credentials; then run apply again"
            }
            Self::Aborted | Self::Pending => "run apply again",
        })
    }

    /// The error of a call that was not made.
    pub fn of_call(&self, account: &AccountName) -> ApiError {
        ApiError {
            code: None,
            message: format!("no credential to sign calls of account `{account}`: {self}"),
            request_id: None,
            meaning: Cow::Borrowed(
                "the call could not be signed, so nothing was sent and nothing changed",
            ),
            advice: self.advice(),
        }
    }
}

/// What came of getting another credential after eSign refused one as expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// There is another one.
    Renewed,
    /// There is no other.
    Unchanged,
    /// None could be fetched; a later try may succeed.
    Failed {
        error: ApiError,
        /// How many fetches in a row have failed.
        times: u32,
    },
}
