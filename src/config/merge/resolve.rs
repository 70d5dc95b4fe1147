//! An organization of a file becomes a declared one: with defaults, inherited callbacks and a known account.

use std::sync::Arc;

use super::accounts::Accounts;
use super::inherit::Inherited;
use super::locations::Locations;
use crate::config::code;
use crate::config::name::{closest, listed, shown};
use crate::config::read::{SecretTable, UnresolvedOrganization};
use crate::config::report::Report;
use crate::config::yaml::Span;
use crate::diag::Place;
use crate::model::{AccountName, Adoption, Environment, Handle, OperatorId, Organization, Scope};

/// What all files together say about each organization.
#[derive(Debug)]
pub(super) struct Resolver<'m, 's> {
    pub(super) locations: Locations<'s>,
    pub(super) report: &'m mut Report,
    pub(super) environment: Environment,
    pub(super) operator: Option<OperatorId>,
    /// An organization without an operator is an error that is not reported yet.
    pub(super) operator_expected: bool,
    pub(super) adoption: Option<Adoption>,
    pub(super) inherited: Option<&'m Inherited<'s>>,
    pub(super) accounts: &'m Accounts,
    /// All accounts could be read, so that others don't exist.
    pub(super) accounts_known: bool,
    pub(super) secrets: &'m mut SecretTable,
}

impl Resolver<'_, '_> {
    /// The organizations without errors, sorted by handle.
    pub(super) fn resolve(&mut self, mut all: Vec<UnresolvedOrganization>) -> Vec<Organization> {
        all.sort_by(|one, other| (&one.handle, one.place).cmp(&(&other.handle, other.place)));
        let mut resolved = Vec::with_capacity(all.len());
        let mut last: Option<(Handle, Place)> = None;
        for organization in all {
            match &last {
                Some((handle, earlier)) if *handle == organization.handle => {
                    self.duplicate(&organization, *earlier);
                    continue;
                }
                Some(_) | None => {
                    last = Some((organization.handle.clone(), organization.place));
                }
            }
            resolved.extend(self.organization(organization));
        }
        resolved
    }

    fn duplicate(&mut self, organization: &UnresolvedOrganization, earlier: Place) {
        let UnresolvedOrganization {
            handle,
            place,
            span,
            ..
        } = organization;
        let (code, message, help) = if earlier.file == place.file {
            (
                code::DUPLICATE_KEY,
                format!("duplicate organization `{handle}`"),
                "merge the two, or rename one",
            )
        } else {
            (
                code::ORGANIZATION_TWICE,
                format!(
                    "the organization `{handle}` is also declared in {}",
                    self.locations.of(earlier)
                ),
                "an organization must be in one file; move its callbacks there",
            )
        };
        self.report
            .error(*place, span.length, code, message, Some(help.to_owned()));
    }

    fn organization(&mut self, mut unresolved: UnresolvedOrganization) -> Option<Organization> {
        if unresolved.inherit
            && let Some(inherited) = self.inherited
        {
            let inherited =
                inherited.callbacks_of(&unresolved, self.secrets, self.locations, self.report);
            unresolved.callbacks.extend(inherited);
            unresolved
                .callbacks
                .sort_by(|one, other| one.url.cmp(&other.url));
        }
        let UnresolvedOrganization {
            handle,
            place,
            span,
            account,
            account_span,
            organization,
            app_id,
            operator,
            has_operator,
            adoption,
            suspend,
            inherit: _,
            callbacks,
            absent,
        } = unresolved;
        let is_known = self.is_known_account(&account, account_span, place);
        if !has_operator && self.operator_expected {
            self.report.error(
                place,
                span.length,
                code::NO_OPERATOR,
                format!("`{handle}` has no operator"),
                Some(
                    "set `operator:` to the UserId of an employee, here or under `defaults:`"
                        .to_owned(),
                ),
            );
        }
        let operator = operator.or_else(|| self.operator.clone());
        // After an error the organization is only needed for its warnings.
        let invalid = || self.report.has_errors().then(|| OperatorId::new(""));
        let operator = operator.or_else(invalid)?;
        is_known.then_some(())?;
        Some(Organization {
            handle,
            scope: Arc::new(Scope {
                environment: self.environment,
                account,
                organization,
                app_id,
            }),
            operator,
            adoption: adoption.or(self.adoption).unwrap_or_default(),
            suspend,
            callbacks,
            absent: absent.into_iter().map(|(url, _)| url).collect(),
            place,
        })
    }

    fn is_known_account(
        &mut self,
        account: &AccountName,
        span: Option<Span>,
        place: Place,
    ) -> bool {
        let Some(span) = span else {
            return true;
        };
        if account.as_str() == AccountName::DEFAULT
            || self.accounts.contains_key(account)
            || !self.accounts_known
        {
            return true;
        }
        let mut known: Vec<_> = self.accounts.keys().map(AccountName::as_str).collect();
        known.push(AccountName::DEFAULT);
        known.sort_unstable();
        known.dedup();
        let help = closest(account.as_str(), &known).map_or_else(
            || {
                format!(
                    "declare it under `accounts:`; known accounts are {}",
                    listed(&known)
                )
            },
            |close| format!("did you mean `{close}`?"),
        );
        let place = Place {
            file: place.file,
            line: span.line,
            column: span.column,
        };
        self.report.error(
            place,
            span.length,
            code::UNKNOWN_ACCOUNT,
            format!("unknown account `{}`", shown(account.as_str())),
            Some(help),
        );
        false
    }
}
