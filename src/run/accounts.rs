//! Whose credentials sign the calls, compared with what is recorded.
//!
//! The state knows the `SecretId` of each account's last calls by a fingerprint; of temporary credentials, whose
//! `SecretId` is new with each fetch, the role or login instead. An account that has the same one as another account
//! with recorded callbacks, or belongs to the same Tencent Cloud account, is that account under another name.

use std::collections::BTreeMap;

use crate::model::{AccountId, AccountName, Fingerprint, Recorded, RecordedAccount};
use crate::plan::Plan;
use crate::secret::Fingerprinter;

/// A fingerprint of each account's `SecretId`, or of the role or login that its temporary credentials are of.
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
///
/// Of a member organization that another account has now, nothing follows for that account.
pub(super) fn known(plan: &Plan, recorded: &Recorded) -> BTreeMap<AccountName, RecordedAccount> {
    let in_use = plan.accounts_in_use(recorded);
    let renamed = plan.renamed_accounts();
    let of = |name: &AccountName| {
        let own = recorded.accounts.get(name);
        let own = own.filter(|_| in_use.contains(name));
        let before = || {
            let (old, _) = renamed.iter().find(|(_, new)| **new == name)?;
            recorded.accounts.get(*old)
        };
        Some((name.clone(), own.or_else(before)?.clone()))
    };
    plan.accounts.keys().filter_map(of).collect()
}

/// The accounts whose `SecretId` is another one than that of their recorded callbacks.
pub(super) fn changed<'a>(
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
    owners: &BTreeMap<AccountName, AccountId>,
    recorded: &Recorded,
) -> Option<(AccountName, AccountName)> {
    let in_use = plan.accounts_in_use(recorded);
    let renamed = plan.renamed_accounts();
    let stay = recorded.accounts.iter();
    let mut stay = stay.filter(|(name, _)| in_use.contains(name) && !renamed.contains_key(name));
    stay.find_map(|(other, known)| {
        let same = |name: &&AccountName| {
            let signer = signers.get(*name);
            let owner = owners.get(*name).filter(|_| known.account_id.is_some());
            *name != other
                && (signer == Some(&known.secret_id)
                    || owner.is_some() && owner == known.account_id.as_ref())
        };
        let name = plan.accounts.keys().find(same)?;
        Some((name.clone(), other.clone()))
    })
}
