//! What callbacks.yaml declares, checked and free of its syntax.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Account, AccountName, CallbackUrl, Environment, Handle, OperatorId, Scope};
use crate::diag::{Code, Place};
use crate::secret::SecretReference;

/// A whole configuration. Valid: every check of `config` passed.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Chooses the host; must equal the state's.
    pub environment: Environment,
    /// Always holds `default`.
    pub accounts: BTreeMap<AccountName, Account>,
    /// Sorted by handle. No two have the same scope.
    pub organizations: Vec<Organization>,
    /// Every distinct secret reference, in order of first use.
    pub secrets: Vec<DeclaredSecret>,
}

#[derive(Clone, Debug)]
pub struct Organization {
    /// What people call it.
    pub handle: Handle,
    /// Where its callbacks live.
    pub scope: Arc<Scope>,
    /// In whose name its calls are made.
    pub operator: OperatorId,
    /// What a first contact proves.
    pub adoption: Adoption,
    /// Planned as "suspended": nothing is called for it.
    pub suspend: bool,
    /// Sorted by URL, each URL once.
    pub callbacks: Vec<Callback>,
    /// URLs that must not exist; sorted, disjoint from `callbacks`.
    pub absent: Vec<CallbackUrl>,
    /// Where the organization is in the file.
    pub place: Place,
}

#[derive(Clone, Debug)]
pub struct Callback {
    pub url: CallbackUrl,
    /// The `CallbackKey`, an index into [`Desired::secrets`].
    pub key: Option<SecretIndex>,
    pub token: Option<SecretIndex>,
    /// Whether anything may be called for it.
    pub enabled: bool,
    /// Never deleted by leaving it out of the file.
    pub protect: bool,
    pub description: Option<Arc<str>>,
    /// Where it is in the file.
    pub place: Place,
}

/// What to do at first contact with a URL that eSign may already have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Adoption {
    /// Add it. If it was there, it keeps its old key and token, and stays *assumed*.
    #[default]
    Keep,
    /// Delete it first, then add: *proven* at the price of a gap.
    Replace,
}

/// Points into [`Desired::secrets`] (or a plan's).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretIndex(pub u32);

/// A secret reference and where it was first used.
#[derive(Clone, Debug)]
pub struct DeclaredSecret {
    /// Where the value comes from.
    pub reference: SecretReference,
    /// The first use, for messages.
    pub place: Place,
    /// Warnings about its value that the file accepts, so they are not reported.
    pub accepted: Vec<Code>,
}
