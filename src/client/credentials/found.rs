//! What the search for an account's credentials found, and whose they are.

use super::{CredentialCache, Principal};

/// The credentials of one account, the first of which is fetched.
#[derive(Clone, Debug)]
pub struct Found {
    pub cache: CredentialCache,
    /// The `SecretId` of the first credential.
    pub secret_id: String,
    pub principal: Principal,
    pub origin: Origin,
}

/// Which provider serves an account, and why the ones before it don't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// In words: "the role `callbacks` of this CVM instance".
    pub provider: String,
    /// In the order of the chain. Empty when the account names its source.
    pub passed_over: Vec<PassedOver>,
}

/// A provider that does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    pub provider: String,
    pub why: String,
}
