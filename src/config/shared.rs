//! What all files of a configuration share by name: accounts and variables.

use std::borrow::Cow;

use super::code;
use super::merge::{DeclaredAccount, Merge};
use super::name::shown;
use super::raw::{self, Fields, Loose, Verbatim};
use super::report::Reader;
use super::secret::is_variable;
use super::source::At;
use super::variables::literal;
use crate::model::AccountName;

impl Merge<'_> {
    pub(super) fn account(
        &mut self,
        file: u32,
        text: &str,
        name: &At<Cow<'_, str>>,
        value: At<Loose<Fields<'_, raw::Account<'_>>>>,
    ) {
        let mut reader = Reader {
            report: &mut self.report,
            file,
            text,
        };
        let place = reader.place(name.span);
        let (account, formerly) = reader.account(value);
        let Some(name) = reader.name("the name of an account", name) else {
            return;
        };
        let length = u32::try_from(name.chars().count()).unwrap_or(u32::MAX);
        let name = AccountName::new(name);
        let declared = DeclaredAccount {
            account,
            place,
            formerly,
        };
        match self.accounts.get(&name) {
            None => {
                self.accounts.insert(name, declared);
            }
            Some(earlier) if earlier.place.file == file => {
                let message = format!("duplicate account `{name}`");
                let help = Some("remove one of the two".to_owned());
                self.report
                    .error(place, length, code::DUPLICATE_KEY, message, help);
            }
            Some(earlier) if earlier.account != declared.account => {
                let earlier = earlier.place;
                self.conflict(&format!("the account `{name}`"), place, earlier);
            }
            Some(_) => {}
        }
    }

    /// Checks a variable. Its value was read before everything else.
    pub(super) fn variable(
        &mut self,
        file: u32,
        text: &str,
        name: &At<Cow<'_, str>>,
        value: At<Loose<Verbatim<'_>>>,
    ) {
        let mut reader = Reader {
            report: &mut self.report,
            file,
            text,
        };
        let place = reader.place(name.span);
        if !is_variable(&name.value) {
            let message = format!("a variable can't have the name `{}`", shown(&name.value));
            let help = "use letters, digits and `_`, not beginning with a digit".to_owned();
            reader.error(name.span, code::NAME, message, Some(help));
            return;
        }
        let Some(value) = reader.expect(format_args!("a variable's value"), value) else {
            return;
        };
        if literal(&value.value.0).is_none() {
            let message = "the value of a variable can't use another variable".to_owned();
            let help = "write the value out, or `$${` for a `${` that stays as it is".to_owned();
            reader.error(value.span, code::UNKNOWN_VARIABLE, message, Some(help));
            return;
        }
        let value = value.value.0.into_owned();
        // `ESS_CALLBACKS_VAR_…` could not tell them apart.
        let known = self
            .variables
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name.value));
        match known {
            None => {
                self.variables
                    .insert(name.value.to_string(), (value, place));
            }
            Some((known, (_, earlier))) if earlier.file == file || *known != name.value => {
                let message = format!("duplicate variable `{}`", name.value);
                let help = if *known == name.value {
                    "remove one of the two".to_owned()
                } else {
                    format!("`{known}` differs in case only; rename one of the two")
                };
                let length = name.span.length;
                self.report
                    .error(place, length, code::DUPLICATE_KEY, message, Some(help));
            }
            Some((_, (before, _))) if *before == value => {}
            Some((_, (_, earlier))) => {
                let earlier = *earlier;
                self.conflict(&format!("the variable `{}`", name.value), place, earlier);
            }
        }
    }
}
