//! Accounts: sets of credentials, and where they come from. No credential is in them, only names and places.

use serde::{Deserialize, Serialize};

use super::{AccountId, AccountName, Region};

/// A set of credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// `X-TC-Region` of the account's calls, left out when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The most calls a second, for when others use the same credentials at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
}

impl Account {
    /// An account of which nothing but its source is said.
    pub const fn of(source: AccountSource) -> Self {
        Self {
            source,
            formerly: None,
            expect_account_id: None,
            region: None,
            rate: None,
        }
    }
}

/// Where an account's credentials come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountSource {
    /// The default chain: environment, then the vendor's files.
    Default {},
    /// A named profile of the vendor's tools.
    Profile(String),
    /// Environment variables of these names.
    Env(CredentialVariables),
    /// A profile of the vendor's eSign tools; `default` is the file's own credentials.
    Tsign(String),
    /// A role, for whoever has the token of an identity provider.
    WebIdentity(WebIdentity),
    /// A role, assumed with other credentials.
    AssumeRole(AssumeRole),
}

/// Names of environment variables that hold a set of credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A role, and the credentials that assume it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssumeRole {
    pub role: AssumedRole,
    pub with: Box<AccountSource>,
}

/// A role of CAM and the session that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssumedRole {
    /// `qcs::cam::uin/NUMBER:roleName/NAME`.
    pub role_arn: String,
    /// `ess-callbacks` when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// How long the credentials are valid, in seconds; 7200 when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// What the role's owner asks third parties for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

impl AssumedRole {
    /// Whether this is the ARN of a role, in one of the forms that the vendor documents.
    ///
    /// Source: `RoleArn` of `AssumeRole`, cloud.tencent.com/document/api/1312/48197.
    pub fn is_arn(text: &str) -> bool {
        let Some((uin, role)) = text
            .strip_prefix("qcs::cam::uin/")
            .and_then(|rest| rest.split_once(':'))
        else {
            return false;
        };
        let name = role
            .strip_prefix("roleName/")
            .or_else(|| role.strip_prefix("role/"));
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&byte);
        (1..=20).contains(&uin.len())
            && uin.bytes().all(|byte| byte.is_ascii_digit())
            && name.is_some_and(|name| !name.is_empty() && name.bytes().all(allowed))
    }
}

/// A role and the token that is exchanged for its credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebIdentity {
    /// The name of the identity provider in CAM.
    pub provider_id: String,
    pub role: AssumedRole,
    pub token: IdentityToken,
}

/// Where the token of an identity provider comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum IdentityToken {
    /// An environment variable.
    Env(String),
    /// A file, relative to the configuration's folder.
    File(String),
    /// GitHub Actions, asked for a token for this audience.
    Github {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
    },
}
