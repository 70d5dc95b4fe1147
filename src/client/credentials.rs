//! Whose name calls are signed in.

use std::collections::BTreeMap;

use crate::model::AccountName;
use crate::sign::Credential;

/// Where an account's credential comes from while the program runs. New kinds (a machine's role, an
/// identity token) are new variants.
#[derive(Clone, Debug)]
pub enum CredentialSource {
    /// Read once; can't be renewed.
    Static(Credential),
}

/// The credentials of every account.
pub type Credentials = BTreeMap<AccountName, CredentialSource>;

impl CredentialSource {
    /// The credential to sign with now.
    pub const fn current(&self) -> &Credential {
        match self {
            Self::Static(credential) => credential,
        }
    }

    /// Gets a new one. `false` when this can't be done.
    pub const fn refresh(&self) -> bool {
        match self {
            Self::Static(_) => false,
        }
    }
}
