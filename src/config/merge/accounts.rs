//! `accounts` of all files.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::locations::Locations;
use crate::config::code;
use crate::config::raw::{self, Fields, Value};
use crate::config::read::Reader;
use crate::config::yaml::Spanned;
use crate::diag::Place;
use crate::model::{Account, AccountName, AccountSource};

/// The accounts by name.
pub(super) type Accounts = BTreeMap<AccountName, DeclaredAccount>;

/// An account under `accounts`.
#[derive(Debug)]
pub(super) struct DeclaredAccount {
    /// `None` when it has an error.
    pub(super) account: Option<Account>,
    /// Of its name.
    pub(super) place: Place,
    /// Of its `formerly`.
    pub(super) formerly: Option<Place>,
}

/// Adds an account of one file.
pub(super) fn add(
    accounts: &mut Accounts,
    reader: &mut Reader<'_>,
    locations: Locations<'_>,
    key: &Spanned<Cow<'_, str>>,
    value: Spanned<Value<Fields<'_, raw::Account<'_>>>>,
) {
    let place = reader.place(key.span);
    let (account, formerly) = reader.account(value);
    let Some(name) = reader.name("the name of an account", key) else {
        return;
    };
    let length = u32::try_from(name.chars().count()).unwrap_or(u32::MAX);
    let name = AccountName::new(name);
    let declared = DeclaredAccount {
        account,
        place,
        formerly,
    };
    match accounts.get(&name) {
        None => {
            accounts.insert(name, declared);
        }
        Some(earlier) if earlier.place.file == place.file => {
            let message = format!("duplicate account `{name}`");
            let help = Some("remove one of the two".to_owned());
            reader
                .report
                .error(place, length, code::DUPLICATE_KEY, message, help);
        }
        Some(earlier) if earlier.account != declared.account => {
            let what = format!("the account `{name}`");
            locations.conflict(reader.report, &what, place, earlier.place);
        }
        Some(_) => {}
    }
}

/// The accounts without an error, with the account `default`, which need not be declared.
pub(super) fn finish(accounts: Accounts) -> BTreeMap<AccountName, Account> {
    let mut finished: BTreeMap<_, _> = accounts
        .into_iter()
        .map(|(name, declared)| (name, declared.account))
        .collect();
    finished
        .entry(AccountName::default_account())
        .or_insert_with(|| Some(Account::of(AccountSource::Default {})));
    finished
        .into_iter()
        .filter_map(|(name, account)| Some((name, account?)))
        .collect()
}
