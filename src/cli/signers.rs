//! Whose credentials sign the calls, compared with what is recorded and kept for the next run.
//!
//! The state knows the `SecretId` of each account's last calls by a fingerprint. An account that has
//! the same one as another account with recorded callbacks is that account under another name.

use std::collections::BTreeMap;

use super::exit::Failure;
use crate::model::{AccountName, Fingerprint, Recorded};
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
