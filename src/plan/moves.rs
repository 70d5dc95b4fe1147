//! Moves: what is recorded under one account and belongs to another now.
//!
//! A callback has one owner. When its account is only called something else, or another account
//! makes the calls for the same member organization, eSign holds the same callback as before: an add
//! under one name and a delete under the other would erase it. So nothing is called; the record
//! changes its account, and planning goes on with that.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Plan, SourceChange};
use crate::model::{AccountName, AppId, Desired, Handle, OrganizationId, Recorded, Scope};

/// A recorded scope that belongs to another account now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub handle: Handle,
    pub from: Arc<Scope>,
    /// The same with its account of now.
    pub to: Arc<Scope>,
    /// How many callbacks are recorded in it.
    pub callbacks: usize,
    /// Whether `formerly:` says that the two accounts are one under two names. Else another account makes
    /// the calls for the member organization, and what is known of the two accounts stays apart.
    pub renamed: bool,
}

/// What has to be moved, in the order of the recorded scopes.
pub(super) fn moves(desired: &Desired, recorded: &Recorded) -> Vec<Move> {
    let renamed: BTreeMap<&AccountName, &AccountName> = desired
        .accounts
        .iter()
        .filter_map(|(name, account)| Some((account.formerly.as_ref()?, name)))
        .collect();
    let mut accounts = desired.organizations.iter().map(|one| &one.scope.account);
    let first = accounts.next();
    let one_account = accounts.all(|account| Some(account) == first)
        && recorded
            .scopes
            .keys()
            .all(|scope| Some(&scope.account) == first);
    if renamed.is_empty() && one_account {
        return Vec::new();
    }
    let members: BTreeMap<(&OrganizationId, Option<&AppId>), _> = desired
        .organizations
        .iter()
        .filter_map(|one| {
            let member = one.scope.organization.as_ref()?;
            Some(((member, one.scope.app_id.as_ref()), one))
        })
        .collect();
    let mut moves = Vec::new();
    for (from, urls) in &recorded.scopes {
        let declared = from
            .organization
            .as_ref()
            .and_then(|member| members.get(&(member, from.app_id.as_ref())));
        let account = declared.map_or_else(
            || renamed.get(&from.account).copied(),
            |organization| Some(&organization.scope.account),
        );
        let Some(account) = account.filter(|account| **account != from.account) else {
            continue;
        };
        let to = Arc::new(Scope {
            account: account.clone(),
            ..Scope::clone(from)
        });
        let handle = declared
            .map(|organization| &organization.handle)
            .or_else(|| Some(&urls.values().next()?.handle));
        let renamed = renamed.get(&from.account) == Some(&account);
        moves.push(Move {
            handle: handle.cloned().unwrap_or_else(|| Handle::new("")),
            from: Arc::clone(from),
            to,
            callbacks: urls.len(),
            renamed,
        });
    }
    moves
}

/// The accounts whose credentials come from elsewhere than those of their last calls. An account
/// with a new name is compared with what it was before.
pub(super) fn sources(desired: &Desired, recorded: &Recorded) -> Vec<SourceChange> {
    let changed = desired.accounts.iter().filter_map(|(name, account)| {
        let known = |name: &AccountName| recorded.accounts.get(name);
        let before = known(name).or_else(|| known(account.formerly.as_ref()?))?;
        (before.source != account.source).then(|| SourceChange {
            account: name.clone(),
            before: before.source.clone(),
            after: account.source.clone(),
        })
    });
    changed.collect()
}

/// What is recorded once everything is moved.
pub(super) fn moved<'r>(recorded: &'r Recorded, moves: &[Move]) -> Cow<'r, Recorded> {
    if moves.is_empty() {
        return Cow::Borrowed(recorded);
    }
    let mut recorded = recorded.clone();
    for Move { from, to, .. } in moves {
        recorded.move_scope(from, to);
    }
    Cow::Owned(recorded)
}

impl Plan {
    /// The accounts under whose names something is recorded once everything is moved.
    pub fn accounts_in_use<'r>(&self, recorded: &'r Recorded) -> BTreeSet<&'r AccountName> {
        let moved: BTreeSet<&Scope> = self.moves.iter().map(|item| &*item.from).collect();
        let scopes = recorded.scopes.keys();
        let stay = scopes.filter(|scope| !moved.contains(&***scope));
        stay.map(|scope| &scope.account).collect()
    }

    /// The accounts that have another name now: the old and the new one.
    pub fn renamed_accounts(&self) -> BTreeMap<&AccountName, &AccountName> {
        let renamed = self.moves.iter().filter(|item| item.renamed);
        renamed
            .map(|item| (&item.from.account, &item.to.account))
            .collect()
    }
}
