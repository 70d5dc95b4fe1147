//! Whose credentials sign the calls, compared with what is recorded.
//!
//! The state knows the `SecretId` of each account's last calls by a fingerprint. An account that has
//! the same one as another account with recorded callbacks is that account under another name.

use std::collections::BTreeMap;

use crate::model::{AccountName, Fingerprint, Recorded, RecordedAccount};
use crate::plan::Plan;
use crate::secret::Fingerprinter;

/// A fingerprint of each account's `SecretId`.
pub type Signers = BTreeMap<AccountName, Fingerprint>;

/// The fingerprints of these `SecretId`s, in the state that the plan is for.
pub fn signers<'a>(
    plan: &Plan,
    ids: impl IntoIterator<Item = (&'a AccountName, &'a str)>,
) -> Signers {
    let fingerprinter = Fingerprinter::new(plan.salt);
    let ids = ids.into_iter();
    ids.map(|(name, id)| (name.clone(), fingerprinter.secret_id(id)))
        .collect()
}

/// What is recorded of the plan's accounts that have recorded callbacks, by the names they have now.
pub fn known(plan: &Plan, recorded: &Recorded) -> BTreeMap<AccountName, RecordedAccount> {
    let renamed = |name: &AccountName| {
        let mut moves = plan.moves.iter();
        moves
            .find(|item| item.to.account == *name)
            .map(|item| &item.from.account)
    };
    let of = |name: &AccountName| {
        let recorded_as = renamed(name).unwrap_or(name);
        let known = recorded.accounts.get(recorded_as);
        let known = known.filter(|_| is_in_use(recorded, recorded_as))?;
        Some((name.clone(), known.clone()))
    };
    plan.accounts.keys().filter_map(of).collect()
}

/// The accounts whose `SecretId` is another one than that of their recorded callbacks.
pub fn changed<'a>(
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

/// An account that is another one, with recorded callbacks, under a new name; and that other one.
pub(super) fn same(
    plan: &Plan,
    signers: &Signers,
    recorded: &Recorded,
) -> Option<(AccountName, AccountName)> {
    let moved = |name: &AccountName| plan.moves.iter().any(|item| item.from.account == *name);
    let stay = recorded.accounts.iter();
    let mut stay = stay.filter(|(name, _)| !moved(name) && is_in_use(recorded, name));
    stay.find_map(|(other, known)| {
        let same = |(name, signer): &(&AccountName, &Fingerprint)| {
            *name != other && **signer == known.secret_id
        };
        let (name, _) = signers.iter().find(same)?;
        Some((name.clone(), other.clone()))
    })
}

fn is_in_use(recorded: &Recorded, account: &AccountName) -> bool {
    recorded
        .scopes
        .keys()
        .any(|scope| scope.account == *account)
}
