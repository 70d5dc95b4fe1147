//! Asks which Tencent Cloud accounts the credentials belong to. The answer is compared by [`run`](crate::run).

use std::borrow::Cow;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::client::{Endpoint, HttpApi};
use crate::model::ApiError;
use crate::plan::Plan;
use crate::run::Owners;

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks `sts`, for all accounts of a plan at once.
pub(crate) async fn ask(api: &HttpApi, plan: &Plan, sts: &Endpoint) -> Owners {
    let asked = plan.accounts.keys().map(|name| async move {
        let answer = timeout(PATIENCE, api.account_id(sts, name, SystemClock.now())).await;
        let owner = answer.unwrap_or_else(|_| Err(silence(sts)));
        if let Err(why) = &owner {
            tracing::info!(account = %name, ?why, "the owner of the credentials is unknown");
        }
        (name.clone(), owner)
    });
    join_all(asked).await.into_iter().collect()
}

fn silence(sts: &Endpoint) -> ApiError {
    ApiError {
        code: None,
        message: format!(
            "no answer from the token service {} within {} s",
            sts.host(),
            PATIENCE.as_secs()
        ),
        request_id: None,
        meaning: Cow::Borrowed("the owner of the credentials is unknown"),
        advice: Cow::Owned(format!("check that {} can be reached", sts.host())),
    }
}
