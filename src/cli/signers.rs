//! Whose credentials sign the calls, compared with what is recorded and kept for the next run.
//!
//! The state knows the `SecretId` of each account's last calls by a fingerprint. An account that has
//! the same one as another account with recorded callbacks is that account under another name.

use std::collections::BTreeMap;

use super::exit::Failure;
use crate::model::{AccountName, Fingerprint, Recorded, RecordedAccount};
use crate::plan::Plan;
use crate::secret::Fingerprinter;

/// The fingerprint of each account's `SecretId`.
pub(super) type Signers = BTreeMap<AccountName, Fingerprint>;

/// Of these `SecretId`s, within the state that the plan is for.
pub(super) fn of(plan: &Plan, ids: &BTreeMap<AccountName, String>) -> Signers {
    let fingerprinter = Fingerprinter::new(plan.salt);
    let made = |(name, id): (&AccountName, &String)| (name.clone(), fingerprinter.secret_id(id));
    ids.iter().map(made).collect()
}

/// Refuses an account that is another one's under a new name.
pub(super) fn check(plan: &Plan, signers: &Signers, recorded: &Recorded) -> Result<(), Failure> {
    let moved = |name: &AccountName| plan.moves.iter().any(|item| item.from.account == *name);
    let in_use = |name: &AccountName| recorded.scopes.keys().any(|scope| scope.account == *name);
    for (other, known) in &recorded.accounts {
        if moved(other) || !in_use(other) {
            continue;
        }
        let same = |(name, signer): &(&AccountName, &Fingerprint)| {
            *name != other && **signer == known.secret_id
        };
        if let Some((name, _)) = signers.iter().find(same) {
            let message = format!(
                "the account `{name}` has the SecretId that the callbacks of the account `{other}` were recorded with, \
                 so they are one account to eSign; nothing was called"
            );
            return Err(Failure::error(message).advice(format!(
                "If `{name}` is a new name of `{other}`, write `formerly: {other}` under it. Else correct the \
                 credentials of one."
            )));
        }
    }
    Ok(())
}

/// What the state has to keep of them. Accounts that nothing is recorded for are forgotten.
pub(super) fn accounts(
    plan: &Plan,
    signers: &Signers,
    recorded: &Recorded,
) -> BTreeMap<AccountName, RecordedAccount> {
    let moved = |name: &AccountName| plan.moves.iter().any(|item| item.from.account == *name);
    let in_use = |name: &AccountName| recorded.scopes.keys().any(|scope| scope.account == *name);
    let mut accounts = recorded.accounts.clone();
    accounts.retain(|name, _| in_use(name) && !moved(name));
    for (name, secret_id) in signers {
        if let Some(account) = plan.accounts.get(name) {
            let account = RecordedAccount {
                source: account.source.clone(),
                secret_id: *secret_id,
            };
            accounts.insert(name.clone(), account);
        }
    }
    accounts
}
