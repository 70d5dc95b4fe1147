//! From all files to one configuration: one environment, one set of defaults and accounts, every organization.
//!
//! A field at the top may be in any file. If it is in several, the values must be equal; `accounts` and
//! `organizations` are united, and an organization is in one file. `version`, `environment` and `organizations` must
//! be in at least one file.

mod accounts;
mod inherit;
mod locations;
mod owners;
mod resolve;
mod vars;

use std::collections::{BTreeMap, BTreeSet};

use super::code;
use super::file::File;
use super::raw::{self, Document, Fields, Kind, Value};
use super::read::{Reader, SecretTable, UnresolvedOrganization, mistyped};
use super::report::Report;
use super::source::Source;
use super::yaml::Spanned;
use crate::diag::Place;
use crate::model::{AccountName, Adoption, Desired, Environment, OperatorId};
use accounts::Accounts;
use inherit::Inherited;
use locations::Locations;
use owners::Owners;
use resolve::Resolver;
use vars::DeclaredVariables;

/// The only version of the format.
const VERSION: f64 = 1.0;

/// What the files so far declare.
#[derive(Debug)]
pub(super) struct Merge<'s> {
    locations: Locations<'s>,
    report: Report,
    /// Every file could be read, so that what was not found is missing.
    is_complete: bool,
    /// Where the first file begins.
    first: Option<Place>,
    /// The fields that some file has, with or without an error: required ones, and `operator`.
    seen: BTreeSet<&'static str>,
    environment: Option<(Environment, Place)>,
    operator: Option<(OperatorId, Place)>,
    adoption: Option<(Adoption, Place)>,
    inherited: Option<Inherited<'s>>,
    variables: DeclaredVariables,
    accounts: Accounts,
    /// No `accounts` of a file had an error.
    accounts_known: bool,
    default_account: AccountName,
    organizations: Vec<UnresolvedOrganization>,
    secrets: SecretTable,
}

impl<'s> Merge<'s> {
    pub(super) fn new(sources: &'s [Source]) -> Self {
        Self {
            locations: Locations(sources),
            report: Report::default(),
            is_complete: true,
            first: None,
            seen: BTreeSet::new(),
            environment: None,
            operator: None,
            adoption: None,
            inherited: None,
            variables: BTreeMap::new(),
            accounts: BTreeMap::new(),
            accounts_known: true,
            default_account: AccountName::default_account(),
            organizations: Vec::new(),
            secrets: SecretTable::default(),
        }
    }

    /// What all files share.
    pub(super) const fn shared(&mut self) -> (&AccountName, &mut SecretTable) {
        (&self.default_account, &mut self.secrets)
    }

    /// Adds the file with this number.
    pub(super) fn add(&mut self, number: u32, file: File<'s>) {
        let File {
            text,
            root,
            organizations,
            report,
        } = file;
        self.report.append(report);
        self.organizations.extend(organizations);
        let Some(root) = root else {
            self.is_complete = false;
            return;
        };
        let start = Place {
            file: number,
            line: root.span.line.max(1),
            column: root.span.column.max(1),
        };
        self.first.get_or_insert(start);
        // A file of a directory may be empty.
        if matches!(root.value, Value::WrongType(Kind::Null)) {
            return;
        }
        let mut reader = Reader {
            report: &mut self.report,
            file: number,
            text,
        };
        let Some(root) = reader.expect(format_args!("a configuration"), root) else {
            self.is_complete = false;
            return;
        };
        let required = ["version", "environment", "organizations"];
        let is_mistyped = |name: &&str| mistyped(&root.value.unexpected, name);
        self.seen.extend(required.into_iter().filter(is_mistyped));
        let document = reader.fields("a configuration", root.value);
        self.document(number, text, document);
    }

    fn document(&mut self, file: u32, text: &'s str, document: Document<'s>) {
        let Document {
            version,
            environment,
            vars,
            defaults,
            accounts,
            organizations,
        } = document;
        let is_set = [
            ("version", version.is_some()),
            ("environment", environment.is_some()),
            ("organizations", organizations.is_some()),
        ];
        let set = is_set.into_iter().filter(|(_, is_set)| *is_set);
        self.seen.extend(set.map(|(name, _)| name));
        let mut reader = Reader {
            report: &mut self.report,
            file,
            text,
        };
        if let Some(version) = reader.field("version", version)
            && (version.value.0 - VERSION).abs() > f64::EPSILON
        {
            reader.error(
                version.span,
                code::VERSION,
                "unknown version of the format; this program reads version 1",
                Some("write `version: 1`, or use a newer ess-callbacks".to_owned()),
            );
        }
        let environment = reader.environment(environment);
        let vars = reader.field("vars", vars);
        for (name, value) in vars.map(|vars| vars.value.0).unwrap_or_default() {
            vars::add(
                &mut self.variables,
                &mut reader,
                self.locations,
                &name,
                value,
            );
        }
        let has_accounts = accounts.is_some();
        let accounts = reader.field("accounts", accounts);
        self.accounts_known &= accounts.is_some() || !has_accounts;
        for (name, account) in accounts.map(|all| all.value.0).unwrap_or_default() {
            accounts::add(
                &mut self.accounts,
                &mut reader,
                self.locations,
                &name,
                account,
            );
        }
        // Each of them was read with the file.
        drop(reader.field("organizations", organizations));
        self.agree("environment", environment, |merge| &mut merge.environment);
        self.defaults(file, text, defaults);
    }

    fn defaults(
        &mut self,
        file: u32,
        text: &'s str,
        defaults: Option<Spanned<Value<Fields<'s, raw::Defaults<'s>>>>>,
    ) {
        let mut reader = Reader {
            report: &mut self.report,
            file,
            text,
        };
        let is_set = defaults.is_some();
        let Some(defaults) = reader.field("defaults", defaults) else {
            // A wrong value may have been meant to set the operator.
            if is_set {
                self.seen.insert("operator");
            }
            return;
        };
        let is_mistyped = mistyped(&defaults.value.unexpected, "operator");
        let raw::Defaults {
            operator,
            adoption,
            callbacks,
            accept,
        } = reader.fields("`defaults`", defaults.value);
        if operator.is_some() || is_mistyped {
            self.seen.insert("operator");
        }
        let operator = reader.operator(operator);
        let adoption = reader.adoption(adoption);
        let accepted = reader.accept(accept);
        reader.report.acceptances.apply_everywhere(&accepted);
        self.agree("operator", operator, |merge| &mut merge.operator);
        self.agree("adoption", adoption, |merge| &mut merge.adoption);
        if let Some(callbacks) = callbacks {
            let inherited = Inherited::read(file, text, callbacks, &mut self.report);
            self.inherited(inherited);
        }
    }

    /// Keeps a value, or reports that another file has another value.
    fn agree<T: PartialEq>(
        &mut self,
        name: &str,
        value: Option<(T, Place)>,
        slot: impl FnOnce(&mut Self) -> &mut Option<(T, Place)>,
    ) {
        let Some((value, place)) = value else {
            return;
        };
        let slot = slot(self);
        let earlier = match slot {
            None => {
                *slot = Some((value, place));
                return;
            }
            Some((earlier, _)) if *earlier == value => return,
            Some((_, earlier)) => *earlier,
        };
        let what = format!("`{name}`");
        self.locations
            .conflict(&mut self.report, &what, place, earlier);
    }

    fn inherited(&mut self, inherited: Inherited<'s>) {
        if let Some(earlier) = &self.inherited {
            let earlier = self.locations.of(earlier.place);
            let message = format!("`defaults.callbacks` is also set in {earlier}");
            let help = Some("put all of them into one file".to_owned());
            self.report
                .error(inherited.place, 1, code::CONFLICT, message, help);
            return;
        }
        self.inherited = Some(inherited);
    }

    /// The whole configuration, after every file was added. It is only valid when the report has no errors.
    pub(super) fn finish(mut self) -> (Desired, Report) {
        self.missing_fields();
        let Self {
            locations,
            mut report,
            is_complete,
            first: _,
            seen,
            environment,
            operator,
            adoption,
            inherited,
            variables: _,
            accounts,
            accounts_known,
            default_account: _,
            organizations,
            mut secrets,
        } = self;
        let environment =
            environment.map_or(Environment::Production, |(environment, _)| environment);
        let mut resolver = Resolver {
            locations,
            report: &mut report,
            environment,
            operator: operator.map(|(operator, _)| operator),
            operator_expected: is_complete && !seen.contains("operator"),
            adoption: adoption.map(|(adoption, _)| adoption),
            inherited: inherited.as_ref(),
            accounts: &accounts,
            accounts_known: is_complete && accounts_known,
            secrets: &mut secrets,
        };
        let mut organizations = resolver.resolve(organizations);
        Owners {
            organizations: &organizations,
            accounts: &accounts,
            locations,
            report: &mut report,
        }
        .check();
        let secrets = secrets.renumber(&mut organizations);
        let desired = Desired {
            environment,
            accounts: accounts::finish(accounts),
            organizations,
            secrets,
        };
        (desired, report)
    }

    fn missing_fields(&mut self) {
        let Some(first) = self.first.filter(|_| self.is_complete) else {
            return;
        };
        let required = [
            ("version", "write `version: 1`"),
            (
                "environment",
                "write `environment: production` or `environment: test`",
            ),
            ("organizations", "write `organizations: {}` for none"),
        ];
        for (name, help) in required {
            if !self.seen.contains(name) {
                let message = format!("missing field `{name}`");
                let help = Some(help.to_owned());
                self.report
                    .error(first, 1, code::MISSING_KEY, message, help);
            }
        }
    }
}
