//! One owner for each callback: no two organizations of the files are the same organization to eSign, and no two
//! accounts have the same credentials.
//!
//! Otherwise an add under one name and a delete under the other would remove the callback. Credentials
//! themselves are compared before the first call.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use super::accounts::{Accounts, DeclaredAccount};
use super::locations::Locations;
use crate::config::code;
use crate::config::report::Report;
use crate::diag::{Code, Place};
use crate::model::{Account, AccountName, AccountSource, Organization, Scope};

/// All organizations and accounts, and where problems are reported.
#[derive(Debug)]
pub(super) struct Owners<'o> {
    pub(super) organizations: &'o [Organization],
    pub(super) accounts: &'o Accounts,
    pub(super) locations: Locations<'o>,
    pub(super) report: &'o mut Report,
}

impl Owners<'_> {
    pub(super) fn check(mut self) {
        self.distinct_scopes();
        self.distinct_accounts();
        self.former_names();
    }

    fn distinct_scopes(&mut self) {
        // An organization without an operator has an error, perhaps in what distinguishes it.
        let is_valid = |one: &&Organization| !one.operator.as_str().is_empty();
        // Numbers are sorted ten times faster than scopes.
        let mut by_hash: Vec<_> = self
            .organizations
            .iter()
            .filter(is_valid)
            .map(|organization| {
                let mut hasher = DefaultHasher::new();
                identity(&organization.scope).hash(&mut hasher);
                (hasher.finish(), organization)
            })
            .collect();
        by_hash.sort_by_key(|(hash, organization)| (*hash, organization.place));
        let mut shared = Vec::new();
        for alike in by_hash.chunk_by(|(one, _), (other, _)| one == other) {
            for (at, (_, second)) in alike.iter().enumerate() {
                let same = |it: &Organization| identity(&it.scope) == identity(&second.scope);
                let first = alike[..at].iter().find(|(_, it)| same(it));
                shared.extend(first.map(|(_, first)| (*second, *first)));
            }
        }
        for (second, first) in shared {
            let (though, help) = if second.scope.account == first.scope.account {
                (
                    "",
                    "merge the two, or set a different `proxy_organization_id`, \
                     `app_id` or `account`",
                )
            } else {
                (
                    ", whichever account makes the calls",
                    "merge the two under one account, or set a different \
                     `proxy_organization_id` or `app_id`",
                )
            };
            let message = format!(
                "`{}` and `{}` ({}) are the same organization to eSign{though}",
                second.handle,
                first.handle,
                self.locations.of(first.place)
            );
            let length = width(second.handle.as_str());
            self.report.error(
                second.place,
                length,
                code::SAME_SCOPE,
                message,
                Some(help.to_owned()),
            );
        }
    }

    /// Two accounts with the same source of credentials are one account. `default` is only checked when it is
    /// declared or used.
    fn distinct_accounts(&mut self) {
        let mut sources: Vec<(&AccountName, &Account, Place)> = self
            .accounts
            .iter()
            .filter_map(|(name, declared)| Some((name, declared.account.as_ref()?, declared.place)))
            .collect();
        let default = AccountName::default_account();
        let implicit = Account::of(AccountSource::Default {});
        if !self.accounts.contains_key(&default)
            && let Some(user) = user_of(&default, self.organizations)
        {
            sources.push((&default, &implicit, user.place));
        }
        sources.sort_by_key(|(_, _, place)| *place);
        let mut errors = Vec::new();
        for (at, (name, account, place)) in sources.iter().enumerate() {
            let same =
                |(_, other, _): &&(&AccountName, &Account, Place)| other.source == account.source;
            let expected = account.expect_account_id.as_ref();
            let alike = |(_, other, _): &&(&AccountName, &Account, Place)| {
                expected.is_some() && other.expect_account_id.as_ref() == expected
            };
            if let (Some(id), Some((first, _, _))) = (expected, sources[..at].iter().find(alike)) {
                errors.push((
                    *place,
                    width(name.as_str()),
                    code::SAME_CREDENTIALS,
                    format!("the accounts `{first}` and `{name}` are both expected to be the Tencent Cloud account {id}"),
                    "use one account for both, or correct the `expect_account_id` of one".to_owned(),
                ));
            } else if let Some((first, _, _)) = sources[..at].iter().find(same) {
                errors.push((
                    *place,
                    width(name.as_str()),
                    code::SAME_CREDENTIALS,
                    format!("the accounts `{first}` and `{name}` have the same credentials"),
                    "use one account for both; if you renamed it, set `formerly:` of the new \
                     account to the old name and remove the old account"
                        .to_owned(),
                ));
            }
        }
        self.report_all(errors);
    }

    /// A former name belongs to one account, and is not an account itself.
    fn former_names(&mut self) {
        let mut former: Vec<(&AccountName, &AccountName, Place)> = self
            .accounts
            .iter()
            .filter_map(|(name, declared)| {
                let DeclaredAccount {
                    account,
                    place: _,
                    formerly,
                } = declared;
                let old = account.as_ref()?.formerly.as_ref()?;
                Some((name, old, (*formerly)?))
            })
            .collect();
        former.sort_by_key(|(_, _, place)| *place);
        let mut errors = Vec::new();
        for (at, (name, old, place)) in former.iter().enumerate() {
            let (message, help) = if let Some((first, _, _)) =
                former[..at].iter().find(|(_, other, _)| other == old)
            {
                (
                    format!("`{old}` is the former name of both `{first}` and `{name}`"),
                    "keep one of the two",
                )
            } else if self.accounts.contains_key(*old) {
                (
                    format!("`{old}` is both a declared account and the former name of `{name}`"),
                    "remove its declaration, or this line",
                )
            } else if let Some(user) = user_of(old, self.organizations) {
                (
                    format!(
                        "`{old}` is the former name of `{name}`, but `{}` ({}) uses it",
                        user.handle,
                        self.locations.of(user.place)
                    ),
                    "set `account:` of that organization to the new name",
                )
            } else {
                continue;
            };
            errors.push((
                *place,
                width(old.as_str()),
                code::FORMER_NAME,
                message,
                help.to_owned(),
            ));
        }
        self.report_all(errors);
    }

    fn report_all(&mut self, errors: Vec<(Place, u32, Code, String, String)>) {
        for (place, length, code, message, help) in errors {
            self.report.error(place, length, code, message, Some(help));
        }
    }
}

/// What identifies an organization at eSign. A member organization is the same for every account; whether two accounts
/// have the same own organization is not known from the file.
fn identity(scope: &Scope) -> impl Eq + Hash + '_ {
    let Scope {
        environment,
        account,
        organization,
        app_id,
    } = scope;
    let account = organization.is_none().then_some(account);
    (environment, account, organization, app_id)
}

fn user_of<'o>(
    account: &AccountName,
    organizations: &'o [Organization],
) -> Option<&'o Organization> {
    organizations
        .iter()
        .find(|organization| organization.scope.account == *account)
}

fn width(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}
