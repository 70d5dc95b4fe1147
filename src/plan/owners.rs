//! The guard against erasing a callback under another name of its account.
//!
//! Whether two accounts' own organizations are one organization at eSign can't be seen from the file
//! and the record. As long as it is possible, a callback that stays for the one is not deleted for the
//! other, nor replaced: a replace deletes first, and puts its own key in the place of the other's. See [`Tripped::PerhapsShared`]. What settles it is `formerly:`, or `expect_account_id:` of
//! both.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, OrganizationPlan, Plan, Tripped, guards};
use crate::model::{AccountName, AppId, CallbackUrl, Calls, Desired, Handle, Recorded, Scope};

type Place<'a> = (Option<&'a AppId>, &'a CallbackUrl);

/// The deletes that are refused, counted by organization and accounts.
pub(super) fn perhaps_shared(desired: &Desired, recorded: &Recorded, plan: &Plan) -> Vec<Tripped> {
    if !several_accounts(desired, recorded) {
        return Vec::new();
    }
    if deletes(plan).next().is_none() {
        return Vec::new();
    }
    // What is replaced is there afterwards.
    let deleting: BTreeSet<(&AccountName, Place<'_>)> = deletes(plan)
        .filter(|(_, change)| change.calls() == Calls::Delete)
        .map(|(organization, change)| {
            let scope = &organization.scope;
            (&scope.account, place(scope, &change.address.url))
        })
        .collect();
    let mut staying: BTreeMap<Place<'_>, BTreeSet<&AccountName>> = BTreeMap::new();
    let mut stays = |scope, url| {
        let (account, place) = (account_of(scope), place(scope, url));
        if !deleting.contains(&(account, place)) {
            staying.entry(place).or_default().insert(account);
        }
    };
    for organization in desired
        .organizations
        .iter()
        .filter(|one| is_own(&one.scope))
    {
        for callback in &organization.callbacks {
            stays(&organization.scope, &callback.url);
        }
    }
    for (scope, url, entry) in recorded.iter() {
        if is_own(scope) && guards::counts(entry.belief.presence()) {
            stays(scope, url);
        }
    }
    let mut counts: BTreeMap<(&Handle, &AccountName, &AccountName), usize> = BTreeMap::new();
    for (organization, change) in deletes(plan) {
        let url = &change.address.url;
        let account = &organization.scope.account;
        let others = staying.get(&place(&organization.scope, url));
        for other in others.into_iter().flatten() {
            if *other != account && !are_distinct(desired, account, other) {
                *counts
                    .entry((&organization.handle, account, other))
                    .or_default() += 1;
            }
        }
    }
    counts
        .into_iter()
        .map(
            |((handle, account, other), callbacks)| Tripped::PerhapsShared {
                handle: handle.clone(),
                account: account.clone(),
                other: other.clone(),
                callbacks,
            },
        )
        .collect()
}

/// Every change of an account's own organization that deletes, if only to add again.
fn deletes(plan: &Plan) -> impl Iterator<Item = (&OrganizationPlan, &Change)> {
    let own = plan.organizations.iter().filter(|one| is_own(&one.scope));
    own.flat_map(|organization| {
        let deletes = organization
            .changes
            .iter()
            .filter(|change| matches!(change.calls(), Calls::Delete | Calls::Replace));
        deletes.map(move |change| (organization, change))
    })
}

/// Whether more than one account has callbacks for its own organization.
fn several_accounts(desired: &Desired, recorded: &Recorded) -> bool {
    let declared = desired.organizations.iter().map(|one| &*one.scope);
    let recorded = recorded.scopes.keys().map(|scope| &**scope);
    let mut own = declared
        .chain(recorded)
        .filter(|scope| is_own(scope))
        .map(account_of);
    let first = own.next();
    own.any(|account| Some(account) != first)
}

const fn is_own(scope: &Scope) -> bool {
    scope.organization.is_none()
}

const fn account_of(scope: &Scope) -> &AccountName {
    &scope.account
}

const fn place<'a>(scope: &'a Scope, url: &'a CallbackUrl) -> Place<'a> {
    (scope.app_id.as_ref(), url)
}

/// Whether the file says that the two belong to different accounts of Tencent Cloud.
fn are_distinct(desired: &Desired, one: &AccountName, other: &AccountName) -> bool {
    let id = |name| desired.accounts.get(name)?.expect_account_id.as_ref();
    match (id(one), id(other)) {
        (Some(one), Some(other)) => one != other,
        (Some(_), None) | (None, Some(_) | None) => false,
    }
}
