//! What callbacks.yaml declares, checked and free of its syntax.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AccountId, AccountName, CallbackUrl, Environment, Handle, OperatorId, Scope};
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

/// A set of credentials.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Where they come from.
    pub source: AccountSource,
    /// An earlier name of the same account: what is recorded under it belongs to this one now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formerly: Option<AccountName>,
    /// The Tencent Cloud account that they must belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_account_id: Option<AccountId>,
}

impl Account {
    /// An account of which nothing but its source is said.
    pub const fn of(source: AccountSource) -> Self {
        Self {
            source,
            formerly: None,
            expect_account_id: None,
        }
    }
}

/// Where an account's credentials come from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountSource {
    /// The default chain: environment, then the vendor's files.
    Default {},
    /// A named profile of the vendor's tools.
    Profile(String),
    /// Environment variables of these names.
    Env(CredentialVariables),
}

/// Names of environment variables that hold a set of credentials.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialVariables {
    /// The variable with the `SecretId`.
    pub secret_id: String,
    /// The variable with the `SecretKey`.
    pub secret_key: String,
    /// The variable with the session token of temporary credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
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
