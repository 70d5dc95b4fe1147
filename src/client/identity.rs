//! Whose credentials these are.

use std::borrow::Cow;

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

const UNKNOWN: &str = "the owner of the credentials is unknown";

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
    /// No answer, a refusal, or an answer that is not a number.
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
            .await
            .map_err(|error| of_token_service(error, sts))?;
        // It is compared, recorded and shown. What it is instead is foreign text.
        let Identity { account_id } = identity;
        if is_account_id(&account_id) {
            return Ok(AccountId::new(account_id));
        }
        Err(ApiError {
            code: None,
            message: format!(
                "the answer to {action} from {} has an AccountId that is not a number of 1 to 20 digits",
                sts.host()
            ),
            request_id: None,
            meaning: Cow::Borrowed(UNKNOWN),
            advice: Cow::Borrowed(sts.advice_of_token_service()),
        })
    }
}

fn is_account_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A refusal of the token service, which eSign's tables of codes take for eSign's.
fn of_token_service(error: ApiError, sts: &Endpoint) -> ApiError {
    let Some(code) = &error.code else {
        return error;
    };
    let advice = if code.starts_with("AuthFailure") {
        error.advice
    } else {
        Cow::Borrowed(
            "run the command again; if it persists, give the request id to Tencent Cloud's support",
        )
    };
    ApiError {
        message: format!(
            "{} (the answer of the token service {} to {})",
            error.message,
            sts.host(),
            wire::CALLER_IDENTITY
        ),
        meaning: Cow::Borrowed(UNKNOWN),
        advice,
        code: error.code,
        request_id: error.request_id,
    }
}

#[cfg(test)]
mod tests {
    use super::is_account_id;

    #[test]
    fn an_account_is_a_number() {
        for good in ["1", "100000000001", &"9".repeat(20)] {
            assert!(is_account_id(good), "{good}");
        }
        for bad in ["", " 1", "1\n", "-1", "\u{1b}[2J", "１２", &"9".repeat(21)] {
            assert!(!is_account_id(bad), "{bad:?}");
        }
    }
}
