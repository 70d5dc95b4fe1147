//! Compares the `SecretId`s that sign the calls with the recorded ones.
//!
//! The state has a fingerprint of the `SecretId` of each account's last calls. An account with the fingerprint of
//! another account that has recorded callbacks is that account under another name.

use std::collections::BTreeMap;

use crate::cli::exit::Failure;
use crate::model::{AccountName, Fingerprint, Recorded, RecordedAccount};
use crate::plan::Plan;
use crate::secret::Fingerprinter;

/// The fingerprint of each account's `SecretId`.
pub(crate) type Signers = BTreeMap<AccountName, Fingerprint>;

/// The fingerprints of these `SecretId`s, in the state that the plan is for.
pub(crate) fn of(plan: &Plan, ids: &BTreeMap<AccountName, String>) -> Signers {
    let fingerprinter = Fingerprinter::new(plan.salt);
    let made = |(name, id): (&AccountName, &String)| (name.clone(), fingerprinter.secret_id(id));
    ids.iter().map(made).collect()
}

/// What is recorded of the plan's accounts that have recorded callbacks, by their current names.
pub(crate) fn known(plan: &Plan, recorded: &Recorded) -> BTreeMap<AccountName, RecordedAccount> {
    let in_use = |name: &AccountName| recorded.scopes.keys().any(|scope| scope.account == *name);
    let renamed = |name: &AccountName| {
        let mut moves = plan.moves.iter();
        moves
            .find(|item| item.to.account == *name)
            .map(|item| &item.from.account)
    };
    let of = |name: &AccountName| {
        let recorded_as = renamed(name).unwrap_or(name);
        let known = recorded
            .accounts
            .get(recorded_as)
            .filter(|_| in_use(recorded_as))?;
        Some((name.clone(), known.clone()))
    };
    plan.accounts.keys().filter_map(of).collect()
}

/// The accounts whose `SecretId` differs from the one of their recorded callbacks.
pub(crate) fn changed<'a>(
    signers: &'a Signers,
    known: &'a BTreeMap<AccountName, RecordedAccount>,
) -> impl Iterator<Item = &'a AccountName> {
    let other = |(name, account): &(&AccountName, &RecordedAccount)| {
        signers
            .get(*name)
            .is_some_and(|signer| *signer != account.secret_id)
    };
    known.iter().filter(other).map(|(name, _)| name)
}

/// Refuses an account that is another account under a new name.
pub(crate) fn check(plan: &Plan, signers: &Signers, recorded: &Recorded) -> Result<(), Failure> {
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
                "If `{name}` is the new name of `{other}`, write `formerly: {other}` under it. Otherwise correct the \
                 credentials of one."
            )));
        }
    }
    Ok(())
}
