//! Which accounts of Tencent Cloud the credentials belong to, compared with what must be so.
//!
//! Two accounts with credentials of one Tencent Cloud account are one account to eSign, also with different
//! `SecretId`s. `expect_account_id` and the state say which one it must be. Only the credentials of production
//! have an owner that can be asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::Refusal;
use super::accounts::{Signers, changed};
use crate::model::{AccountId, AccountName, ApiError, Destination, Environment, RecordedAccount};
use crate::plan::Plan;

/// For each account that was asked for: the account of Tencent Cloud that its credentials belong to, or why that
/// is not known.
pub type Owners = BTreeMap<AccountName, Result<AccountId, ApiError>>;

/// Whether to ask whose credentials they are: for each new set of credentials, until their owner is recorded, and not
/// in later runs. Of the `unidentified`, no fingerprint tells whether they are new.
pub(super) fn asks(
    plan: &Plan,
    signers: &Signers,
    unidentified: &BTreeSet<AccountName>,
    known: &BTreeMap<AccountName, RecordedAccount>,
) -> bool {
    let new = |name: &AccountName| {
        let before = known.get(name);
        let same = |before: &RecordedAccount| {
            before.account_id.is_some() && Some(&before.secret_id) == signers.get(name)
        };
        unidentified.contains(name) || !before.is_some_and(same)
    };
    let accounts = &plan.accounts;
    let expected = || accounts.values().any(|one| one.expect_account_id.is_some());
    plan.environment == Environment::Production
        && plan.destination != Destination::Sandbox
        && (accounts.len() > 1 || expected() || accounts.keys().any(new))
}

/// Why these owners must not make the calls. `known` is what the state has of the accounts with recorded callbacks.
///
/// An owner that could not be found out passes only if nothing depends on it, or the credentials are provably those of
/// the recorded calls.
pub(super) fn refusal(
    plan: &Plan,
    signers: &Signers,
    unidentified: &BTreeSet<AccountName>,
    owners: &Owners,
    known: &BTreeMap<AccountName, RecordedAccount>,
) -> Option<Refusal> {
    let unchanged = |name: &AccountName| {
        let before = known.get(name).map(|account| &account.secret_id);
        !unidentified.contains(name) && before.is_some() && before == signers.get(name)
    };
    let mut names: BTreeMap<&AccountId, &AccountName> = BTreeMap::new();
    let mut unknown: BTreeMap<&AccountName, &ApiError> = BTreeMap::new();
    for (name, owner) in owners {
        let Some(account) = plan.accounts.get(name) else {
            continue;
        };
        let before = known.get(name).and_then(|one| one.account_id.as_ref());
        let id = match (owner, &account.expect_account_id) {
            (Ok(id), Some(expected)) if id != expected => {
                return Some(Refusal::UnexpectedOwner {
                    account: name.clone(),
                    expected: expected.clone(),
                    owner: id.clone(),
                });
            }
            (Ok(id), _) => Some(id),
            (Err(why), Some(expected)) => {
                return Some(Refusal::OwnerUnknown {
                    account: name.clone(),
                    expected: expected.clone(),
                    why: Box::new(why.clone()),
                });
            }
            (Err(_), None) if unchanged(name) => before,
            (Err(why), None) => {
                if let Some(before) = before {
                    return Some(Refusal::RecordedOwnerUnknown {
                        account: name.clone(),
                        before: before.clone(),
                        why: Box::new(why.clone()),
                    });
                }
                unknown.insert(name, why);
                None
            }
        };
        let Some(id) = id else { continue };
        if let Some(other) = names.insert(id, name) {
            return Some(Refusal::SameOwner {
                accounts: (other.clone(), name.clone()),
                owner: id.clone(),
            });
        }
        if let Some(before) = before.filter(|before| *before != id) {
            return Some(Refusal::OtherOwner {
                account: name.clone(),
                before: before.clone(),
                owner: id.clone(),
            });
        }
    }
    let (accounts, why) = perhaps_one(plan, &unknown)?;
    Some(Refusal::PerhapsSameOwner {
        accounts,
        why: Box::new(why.clone()),
    })
}

/// An account whose owner is unknown, and another that has one of its URLs: if both belong to one Tencent Cloud
/// account, the callback is one at eSign.
fn perhaps_one<'e>(
    plan: &Plan,
    unknown: &BTreeMap<&AccountName, &'e ApiError>,
) -> Option<((AccountName, AccountName), &'e ApiError)> {
    let mut users: BTreeMap<_, BTreeSet<&AccountName>> = BTreeMap::new();
    for one in &plan.organizations {
        let scope = &one.scope;
        for change in &one.changes {
            let place = (&scope.organization, &scope.app_id, &change.address.url);
            users.entry(place).or_default().insert(&scope.account);
        }
    }
    users.values().find_map(|accounts| {
        let mut those = accounts.iter();
        let (name, why) = those.find_map(|name| Some((*name, *unknown.get(name)?)))?;
        let other = accounts.iter().find(|other| **other != name)?;
        Some(((name.clone(), (*other).clone()), why))
    })
}

/// The owners that are known.
pub(super) fn known_owners(owners: Owners) -> BTreeMap<AccountName, AccountId> {
    let owners = owners.into_iter();
    owners
        .filter_map(|(name, owner)| Some((name, owner.ok()?)))
        .collect()
}

/// The accounts with another `SecretId` than that of their recorded callbacks, of which it is not known that both
/// belong to one enterprise.
pub(super) fn unproven(
    signers: &Signers,
    owners: &Owners,
    known: &BTreeMap<AccountName, RecordedAccount>,
) -> Vec<AccountName> {
    let proven = |name: &AccountName| {
        matches!(owners.get(name), Some(Ok(_))) && known[name].account_id.is_some()
    };
    let changed = changed(signers, known);
    changed.filter(|name| !proven(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::model::{Account, AccountSource, Desired, Fingerprint, Recorded, Salt};
    use crate::plan::{Options, Secrets};

    const ONE: &str = "one";
    const TWO: &str = "two";

    fn name(text: &str) -> AccountName {
        AccountName::new(text)
    }

    /// A plan for these accounts, with the owner that each must have.
    fn plan(accounts: &[(&str, Option<&str>)]) -> Plan {
        let desired = Desired {
            environment: Environment::Production,
            accounts: BTreeMap::new(),
            organizations: Vec::new(),
            secrets: Vec::new(),
        };
        let recorded = Recorded::nothing(Environment::Production);
        let secrets = Secrets {
            salt: Salt([0; 16]),
            fingerprints: None,
        };
        let mut plan = crate::plan::plan(&desired, &recorded, secrets, &Options::default());
        let account = |expected: Option<&str>| Account {
            expect_account_id: expected.map(AccountId::new),
            ..Account::of(AccountSource::Default {})
        };
        let accounts = accounts.iter();
        plan.accounts = accounts
            .map(|(one, expected)| (name(one), account(*expected)))
            .collect();
        plan
    }

    fn recorded(accounts: &[(&str, u8, Option<&str>)]) -> BTreeMap<AccountName, RecordedAccount> {
        let account = |secret_id: u8, owner: Option<&str>| RecordedAccount {
            source: AccountSource::Default {},
            secret_id: Fingerprint([secret_id; 16]),
            account_id: owner.map(AccountId::new),
            last_calls: None,
        };
        let accounts = accounts.iter();
        accounts
            .map(|(one, id, owner)| (name(one), account(*id, *owner)))
            .collect()
    }

    fn signers(accounts: &[(&str, u8)]) -> Signers {
        let accounts = accounts.iter();
        accounts
            .map(|(one, id)| (name(one), Fingerprint([*id; 16])))
            .collect()
    }

    fn silence() -> ApiError {
        ApiError {
            code: None,
            message: "no answer".to_owned(),
            request_id: None,
            meaning: Cow::Borrowed(""),
            advice: Cow::Borrowed(""),
        }
    }

    fn owners(accounts: &[(&str, Option<&str>)]) -> Owners {
        let owner = |owner: Option<&str>| owner.map(AccountId::new).ok_or_else(silence);
        let accounts = accounts.iter();
        accounts.map(|(one, id)| (name(one), owner(*id))).collect()
    }

    /// With other credentials than those that are recorded.
    fn of(
        plan: &Plan,
        these: &[(&str, Option<&str>)],
        known: &BTreeMap<AccountName, RecordedAccount>,
    ) -> Option<Refusal> {
        let signers = signers(&[(ONE, 8), (TWO, 9)]);
        refusal(plan, &signers, &BTreeSet::new(), &owners(these), known)
    }

    #[test]
    fn each_set_of_credentials_is_asked_for_until_its_owner_is_known() {
        let known = recorded(&[(ONE, 1, Some("100"))]);
        let one = plan(&[(ONE, None)]);
        let unidentified = BTreeSet::from([name(ONE)]);
        assert!(asks(&one, &signers(&[(ONE, 1)]), &unidentified, &known));
        let asks = |plan: &Plan, signers: &Signers, known: &_| {
            asks(plan, signers, &BTreeSet::new(), known)
        };
        assert!(!asks(&one, &signers(&[(ONE, 1)]), &known));
        assert!(asks(&one, &signers(&[(ONE, 2)]), &known));
        assert!(asks(&one, &signers(&[(ONE, 1)]), &BTreeMap::new()));
        // There was no answer when they were new.
        let unanswered = recorded(&[(ONE, 1, None)]);
        assert!(asks(&one, &signers(&[(ONE, 1)]), &unanswered));
        let expected = plan(&[(ONE, Some("100"))]);
        assert!(asks(&expected, &signers(&[(ONE, 1)]), &known));
        let two = plan(&[(ONE, None), (TWO, None)]);
        assert!(asks(&two, &signers(&[(ONE, 1), (TWO, 2)]), &known));
    }

    #[test]
    fn only_credentials_of_production_have_an_owner() {
        let mut plan = plan(&[(ONE, Some("100"))]);
        let none = BTreeMap::new();
        let asks = |plan: &Plan| asks(plan, &signers(&[(ONE, 1)]), &BTreeSet::new(), &none);
        assert!(asks(&plan));
        plan.destination = Destination::Sandbox;
        assert!(!asks(&plan));
        plan.destination = Destination::Esign;
        plan.environment = Environment::Test;
        assert!(!asks(&plan));
    }

    #[test]
    fn an_owner_must_be_the_expected_one() {
        let plan = plan(&[(ONE, Some("100"))]);
        let refused = |owner| of(&plan, &[(ONE, owner)], &BTreeMap::new());
        assert_eq!(refused(Some("100")), None);
        assert!(matches!(
            refused(Some("200")),
            Some(Refusal::UnexpectedOwner { .. })
        ));
        assert!(matches!(refused(None), Some(Refusal::OwnerUnknown { .. })));
    }

    #[test]
    fn without_an_expectation_an_unknown_owner_refuses_nothing() {
        let plan = plan(&[(ONE, None)]);
        assert_eq!(of(&plan, &[(ONE, None)], &BTreeMap::new()), None);
    }

    #[test]
    fn two_accounts_must_not_have_one_owner() {
        let plan = plan(&[(ONE, None), (TWO, None)]);
        let refused = |two| of(&plan, &[(ONE, Some("100")), (TWO, two)], &BTreeMap::new());
        assert_eq!(refused(Some("200")), None);
        assert!(matches!(
            refused(Some("100")),
            Some(Refusal::SameOwner { .. })
        ));
    }

    #[test]
    fn an_account_keeps_its_owner() {
        let plan = plan(&[(ONE, None)]);
        let known = recorded(&[(ONE, 1, Some("100"))]);
        let refused = |owner| of(&plan, &[(ONE, Some(owner))], &known);
        assert_eq!(refused("100"), None);
        assert!(matches!(refused("200"), Some(Refusal::OtherOwner { .. })));
    }

    #[test]
    fn an_unknown_owner_passes_only_with_the_recorded_credentials() {
        let plan = plan(&[(ONE, None)]);
        let refused = |signer, unidentified: &[&str], owner| {
            let unidentified = unidentified.iter().map(|one| name(one)).collect();
            refusal(
                &plan,
                &signers(&[(ONE, signer)]),
                &unidentified,
                &owners(&[(ONE, None)]),
                &recorded(&[(ONE, 1, owner)]),
            )
        };
        assert_eq!(refused(1, &[], Some("100")), None);
        assert_eq!(refused(2, &[], None), None);
        for (signer, unidentified) in [(2, &[][..]), (1, &[ONE]), (2, &[ONE])] {
            let why = refused(signer, unidentified, Some("100"));
            let Some(Refusal::RecordedOwnerUnknown { before, .. }) = why else {
                panic!("{why:?}");
            };
            assert_eq!(before, AccountId::new("100"));
        }
    }

    /// The recorded owner of unchanged credentials is theirs, also when no one says so again.
    #[test]
    fn a_recorded_owner_counts_for_unchanged_credentials() {
        let plan = plan(&[(ONE, None), (TWO, None)]);
        let refused = |two| {
            refusal(
                &plan,
                &signers(&[(ONE, 1), (TWO, 2)]),
                &BTreeSet::new(),
                &owners(&[(ONE, None), (TWO, Some(two))]),
                &recorded(&[(ONE, 1, Some("100"))]),
            )
        };
        assert_eq!(refused("200"), None);
        assert!(matches!(refused("100"), Some(Refusal::SameOwner { .. })));
    }

    #[test]
    fn another_secret_id_is_proven_by_its_owner_alone() {
        let unproven = |owner, before| {
            let known = recorded(&[(ONE, 1, before)]);
            unproven(&signers(&[(ONE, 2)]), &owners(&[(ONE, owner)]), &known)
        };
        assert!(unproven(Some("100"), Some("100")).is_empty());
        assert_eq!(unproven(None, Some("100")), [name(ONE)]);
        assert_eq!(unproven(Some("100"), None), [name(ONE)]);
    }
}
