//! Whose credentials these are.

use serde::Deserialize;

use super::Endpoint;
use super::http::{Destination, HttpApi};
use super::transport::TIMEOUT;
use crate::model::{AccountId, AccountName, ApiError, Timestamp};
use crate::wire;

/// `GetCallerIdentity` answers more; only this is needed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identity {
    account_id: String,
}

/// It takes no parameters.
#[derive(serde::Serialize)]
struct Nothing {}

impl HttpApi {
    /// The number of the Tencent Cloud account that these credentials belong to. `sts` is where the
    /// security token service is. The test environment's credentials are unknown to it.
    ///
    /// Source: `GetCallerIdentity`, cloud.tencent.com/document/api/1312/59472. It needs no permission.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn account_id(
        &self,
        sts: &Endpoint,
        account: &AccountName,
        signed_at: Timestamp,
    ) -> Result<AccountId, ApiError> {
        let to = Destination {
            service: &wire::STS,
            endpoint: sts,
        };
        let action = wire::CALLER_IDENTITY;
        let identity: Identity = self
            .ask_of(to, account, action, &Nothing {}, signed_at, TIMEOUT)
            .await?;
        Ok(AccountId::new(identity.account_id))
    }
}
