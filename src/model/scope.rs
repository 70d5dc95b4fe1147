//! Where a callback lives: environment, account, organization and application.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AccountName, AppId, OrganizationId};

/// One of eSign's two isolated worlds. They have separate hosts and separate keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// `ess.tencentcloudapi.com`: contracts signed here are binding.
    Production,
    /// `ess.test.ess.tencent.cn`: the vendor's joint-debugging environment.
    Test,
}

impl Environment {
    /// The API host of this environment.
    pub const fn host(self) -> &'static str {
        match self {
            Self::Production => "ess.tencentcloudapi.com",
            Self::Test => "ess.test.ess.tencent.cn",
        }
    }

    /// Its word in callbacks.yaml and in the state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The first half of a callback's identity; its URL is the other half.
///
/// Ordered by account, then organization, then application, so that everything printed or saved in
/// scope order is deterministic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Never mixed: one state holds one environment.
    pub environment: Environment,
    /// Whose credentials sign the calls.
    pub account: AccountName,
    /// The member organization acted for; `None` is the account's own (main) organization.
    pub organization: Option<OrganizationId>,
    /// The application, where one is named.
    pub app_id: Option<AppId>,
}
