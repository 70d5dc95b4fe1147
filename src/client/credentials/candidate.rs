//! What looking at one provider gives, and whose the credentials are.

use super::{CredentialError, CredentialProvider};
use crate::model::AccountName;

/// Whom credentials belong to, as far as it is known without asking. Two accounts with one principal are one
/// account to eSign.
///
/// The `SecretId` of temporary credentials is new with each fetch, so it identifies nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// Permanent credentials, by their `SecretId`.
    SecretId(String),
    /// Temporary credentials of a role or a person, by a name that is the same everywhere.
    Session(String),
    /// Temporary credentials of someone that only the token service can name. The text is the same for two accounts of
    /// one run that have the same ones.
    Unknown(String),
}

impl Principal {
    /// What the state knows the account's credentials by: the same in the next run, unless they are another
    /// principal's.
    pub fn identity(&self, account: &AccountName) -> String {
        match self {
            Self::SecretId(id) => id.clone(),
            // A SecretId has no spaces.
            Self::Session(name) => format!("session of {name}"),
            Self::Unknown(_) => format!("temporary credentials of account {account}"),
        }
    }

    /// Whether only asking in each run tells whose the credentials are.
    pub const fn is_unknown(&self) -> bool {
        match self {
            Self::SecretId(_) | Self::Session(_) => false,
            Self::Unknown(_) => true,
        }
    }
}

/// A provider that serves.
pub(super) struct Candidate {
    /// In words.
    pub(super) name: String,
    pub(super) provider: Box<dyn CredentialProvider>,
    pub(super) principal: Principal,
}

/// What looking at one provider gave.
pub(super) enum Looked {
    Serves(Candidate),
    /// It is not set up here. In words.
    NotHere(String),
}

/// An error of a provider that is set up, but wrongly: the search ends, because the next one may be another
/// principal's.
pub(super) fn broken(message: String, advice: impl Into<String>) -> CredentialError {
    CredentialError::Provider {
        message,
        advice: advice.into().into(),
    }
}
