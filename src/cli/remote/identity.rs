//! Checks before the first call which Tencent Cloud accounts the credentials belong to.
//!
//! Two accounts with credentials of one Tencent Cloud account are one account to eSign, also with different
//! `SecretId`s. `expect_account_id` and the state say which one it must be. The service (STS) answers only for the
//! credentials of production.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::client::{Endpoint, HttpApi};
use crate::model::{AccountId, AccountName, ApiError, Environment, RecordedAccount};
use crate::plan::Plan;
use crate::run::Signers;

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The Tencent Cloud accounts behind those of a plan, as far as they are known.
pub(crate) type Owners = BTreeMap<AccountName, AccountId>;

/// Checks the accounts that calls are made for. The calls go to `endpoint`. `known` is what the state has of the
/// accounts with recorded callbacks.
pub(crate) async fn check(
    api: &HttpApi,
    plan: &Plan,
    endpoint: &Endpoint,
    signers: &Signers,
    known: &BTreeMap<AccountName, RecordedAccount>,
) -> Result<Owners, Failure> {
    let (accounts, environment) = (&plan.accounts, plan.environment);
    let expected = accounts
        .values()
        .any(|account| account.expect_account_id.is_some());
    // Asks once for each new set of credentials, and not in later runs.
    let new = |name: &AccountName| {
        let before = known.get(name).map(|account| &account.secret_id);
        before.is_none() || before != signers.get(name)
    };
    let asks = expected || accounts.len() > 1 || accounts.keys().any(new);
    if environment != Environment::Production || !asks {
        return Ok(Owners::new());
    }
    let sts = sts(endpoint, environment);
    let asked = accounts.iter().map(|(name, account)| {
        let sts = &sts;
        async move {
            let answer = timeout(PATIENCE, api.account_id(sts, name, SystemClock.now())).await;
            (name, account, answer.ok())
        }
    });
    let mut names: BTreeMap<AccountId, &AccountName> = BTreeMap::new();
    let mut owners = Owners::new();
    for (name, account, answer) in join_all(asked).await {
        let expected = account.expect_account_id.as_ref();
        let Some(id) = checked(name, expected, answer)? else {
            continue;
        };
        if let Some(other) = names.insert(id.clone(), name) {
            return Err(same(other, name, &id));
        }
        let before = known
            .get(name)
            .and_then(|account| account.account_id.as_ref());
        if let Some(before) = before.filter(|before| **before != id) {
            return Err(elsewhere(name, before, &id));
        }
        owners.insert(name.clone(), id);
    }
    Ok(owners)
}

/// Where the security token service is for calls to `endpoint`: a sandbox answers for it too.
pub(super) fn sts(endpoint: &Endpoint, environment: Environment) -> Endpoint {
    if *endpoint == Endpoint::of(environment) {
        Endpoint::sts()
    } else {
        endpoint.clone()
    }
}

/// The recorded callbacks belong to another enterprise than the calls.
fn elsewhere(name: &AccountName, before: &AccountId, now: &AccountId) -> Failure {
    Failure::error(format!(
        "the credentials of the account `{name}` belong to the Tencent Cloud account {now}, but its callbacks were \
         recorded with those of {before}, which is another enterprise; nothing was called"
    ))
    .advice(format!(
        "Use credentials of {before}, or declare {now} as a separate account. To leave the callbacks of `{name}` at \
         eSign as they are, forget them with `ess-callbacks state rm`."
    ))
}

/// The ID of an account, if it is known. An unknown ID is an error only if one is expected.
fn checked(
    name: &AccountName,
    expected: Option<&AccountId>,
    answer: Option<Result<AccountId, ApiError>>,
) -> Result<Option<AccountId>, Failure> {
    match (answer, expected) {
        (Some(Ok(id)), Some(expected)) if id != *expected => Err(Failure::error(format!(
            "the credentials of the account `{name}` belong to the Tencent Cloud account {id}, but `expect_account_id` \
             says {expected}; nothing was called"
        ))
        .advice("Use the credentials of that account, or correct `expect_account_id`.")),
        (Some(Ok(id)), _) => Ok(Some(id)),
        (trouble, Some(expected)) => {
            let why = trouble.and_then(Result::err).map_or_else(
                || format!("no answer within {} s", PATIENCE.as_secs()),
                |ApiError { code, message, request_id, .. }| {
                    let code = code.map(|code| format!("{code}: ")).unwrap_or_default();
                    let id = request_id.map(|id| format!(" [request id {id}]")).unwrap_or_default();
                    format!("{code}{message}{id}")
                },
            );
            Err(Failure::error(format!(
                "can't check that the credentials of the account `{name}` belong to the Tencent Cloud account {expected}, \
                 as `expect_account_id` says: {why}; nothing was called"
            ))
            .advice("Try again. If it persists, check that sts.tencentcloudapi.com can be reached, or remove `expect_account_id`."))
        }
        (trouble, None) => {
            tracing::info!(account = %name, ?trouble, "the owner of the credentials is unknown");
            Ok(None)
        }
    }
}

fn same(one: &AccountName, other: &AccountName, id: &AccountId) -> Failure {
    Failure::error(format!(
        "the credentials of the accounts `{one}` and `{other}` belong to one Tencent Cloud account ({id}), so they are \
         one account to eSign, and a callback deleted for one would be deleted for the other; nothing was called"
    ))
    .advice(
        "Use one account for both, or correct the credentials of one. If one is the new name of the other, write the old \
         name under `formerly:` of the new one.",
    )
}
