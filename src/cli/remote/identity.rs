//! Whose credentials the accounts have, checked before the first call.
//!
//! Two accounts with the credentials of one Tencent Cloud account are one account to eSign, whatever
//! their `SecretId`s are. `expect_account_id` says which one it must be, and so does what
//! the state knows of the callbacks that were recorded with them. Only production's credentials are
//! known to the service that tells.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::signers::Signers;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::client::{Endpoint, HttpApi};
use crate::model::{AccountId, AccountName, ApiError, Environment, RecordedAccount};
use crate::plan::Plan;

/// What it may take: it is a check before the work.
const PATIENCE: Duration = Duration::from_secs(5);

/// The accounts of Tencent Cloud behind those of a plan, as far as they could be told.
pub(crate) type Owners = BTreeMap<AccountName, AccountId>;

/// Checks the accounts that calls are made for. `endpoint` is where those go. `known` is what the state
/// has of those with recorded callbacks.
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
    // A question for each new set of credentials, and none in the runs after that.
    let new = |name: &AccountName| {
        let before = known.get(name).map(|account| &account.secret_id);
        before.is_none() || before != signers.get(name)
    };
    let asks = expected || accounts.len() > 1 || accounts.keys().any(new);
    if environment != Environment::Production || !asks {
        return Ok(Owners::new());
    }
    let sts = if *endpoint == Endpoint::of(environment) {
        Endpoint::sts()
    } else {
        endpoint.clone()
    };
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
        let Some(id) = told(name, expected, answer)? else {
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

/// What is recorded is of another enterprise than the calls would be for.
fn elsewhere(name: &AccountName, before: &AccountId, now: &AccountId) -> Failure {
    Failure::error(format!(
        "the credentials of the account `{name}` belong to the Tencent Cloud account {now}, and what is recorded of it \
         was called with those of {before}, which is another enterprise; nothing was called"
    ))
    .advice(format!(
        "Use credentials of {before}, or declare {now} as an account of its own. `ess-callbacks state rm` forgets what \
         is recorded of `{name}`, if it is to stay at eSign as it is."
    ))
}

/// The number of an account, when it could be told. Not to know it is a failure only when one is
/// expected.
fn told(
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
                "it can't be checked that the credentials of the account `{name}` belong to the Tencent Cloud account \
                 {expected}, as `expect_account_id` says: {why}; nothing was called"
            ))
            .advice("Try again. If it persists, check that sts.tencentcloudapi.com can be reached, or remove `expect_account_id`."))
        }
        (trouble, None) => {
            tracing::info!(account = %name, ?trouble, "whose credentials these are is not known");
            Ok(None)
        }
    }
}

fn same(one: &AccountName, other: &AccountName, id: &AccountId) -> Failure {
    Failure::error(format!(
        "the credentials of the accounts `{one}` and `{other}` belong to one Tencent Cloud account ({id}), so they are \
         one account to eSign, and what is deleted for one would be gone for the other; nothing was called"
    ))
    .advice(
        "Use one of them for both, or correct the credentials of one. After a change of name, write the old name as \
         `formerly:` of the new one.",
    )
}
