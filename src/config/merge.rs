//! All files together: one environment, one set of defaults and accounts, and every organization.
//!
//! A key at the top may stand in any file. What stands in several must be equal; `accounts` and
//! `organizations` are united, an organization lives in one file. `version`, `environment` and
//! `organizations` must be in at least one file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::file::File;
use super::inherit::Inherited;
use super::keys::{listed, mistyped};
use super::name::{closest, shown};
use super::names::Names;
use super::organization::{Defaults, Draft, Organizations, Secrets, Written};
use super::raw::{self, Document, Kind, Loose};
use super::report::{Reader, Report};
use super::source::Span;
use super::{Source, code};
use crate::diag::Place;
use crate::model::{
    Account, AccountName, AccountSource, Desired, Environment, Handle, OperatorId, Organization,
    OrganizationId, Scope,
};

/// The version of the format this program reads.
const VERSION: f64 = 1.0;

/// What the files have said so far.
#[derive(Debug)]
pub(super) struct Merge<'s> {
    sources: &'s [Source],
    pub(super) report: Report,
    /// Every file could be read, so that what was not found is not there.
    complete: bool,
    /// Where the first file begins.
    first: Option<Place>,
    /// Keys that some file has, right or wrong: those that must be there, and `operator`.
    seen: BTreeSet<&'static str>,
    /// Every `accounts` could be read.
    accounts_known: bool,
    environment: Option<(Environment, Place)>,
    defaults: Defaults,
    /// The callbacks of `defaults`.
    pub(super) inherited: Option<Inherited<'s>>,
    /// Their values and the places of their names.
    pub(super) variables: BTreeMap<String, (String, Place)>,
    pub(super) accounts: BTreeMap<AccountName, DeclaredAccount>,
    organizations: Vec<Organizations>,
}

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

impl<'s> Merge<'s> {
    pub(super) const fn new(sources: &'s [Source]) -> Self {
        Self {
            sources,
            report: Report::EMPTY,
            complete: true,
            first: None,
            seen: BTreeSet::new(),
            accounts_known: true,
            environment: None,
            defaults: Defaults {
                operator: None,
                adoption: None,
            },
            inherited: None,
            variables: BTreeMap::new(),
            accounts: BTreeMap::new(),
            organizations: Vec::new(),
        }
    }

    /// Takes in the file with this number.
    pub(super) fn add(&mut self, number: u32, file: File<'s>) {
        let File {
            text,
            root,
            organizations,
            report,
        } = file;
        self.report.absorb(report);
        let Some(root) = root else {
            self.complete = false;
            return;
        };
        let start = Place {
            file: number,
            line: root.span.line.max(1),
            column: root.span.column.max(1),
        };
        self.first.get_or_insert(start);
        let mut reader = Reader {
            report: &mut self.report,
            file: number,
            text,
        };
        // An empty file has nothing to say, which is no mistake in a directory.
        if matches!(root.value, Loose::Not(Kind::Nothing)) {
            return;
        }
        let Some(root) = reader.expect(format_args!("a configuration"), root) else {
            self.complete = false;
            return;
        };
        // One that is mistyped is not missing as well.
        let needed = ["version", "environment", "organizations"];
        let mistyped = |key: &&str| mistyped(&root.value.strays, key);
        self.seen.extend(needed.into_iter().filter(mistyped));
        let document = reader.fields("a configuration", root.value);
        if !organizations.is_empty() {
            self.seen.insert("organizations");
        }
        self.organizations.extend(organizations);
        self.document(number, text, document);
    }

    fn document(&mut self, file: u32, text: &'s str, document: Document<'s>) {
        let Document {
            version,
            environment,
            vars,
            defaults,
            accounts,
            // Read with the file.
            organizations: _,
        } = document;
        let present = [
            ("version", version.is_some()),
            ("environment", environment.is_some()),
        ];
        let present = present.into_iter().filter(|(_, present)| *present);
        self.seen.extend(present.map(|(key, _)| key));
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
                "this version of the format is not known; this program reads version 1",
                Some("write `version: 1`, or use a newer ess-callbacks".to_owned()),
            );
        }
        let environment = reader.environment(environment);
        let defaults = match defaults {
            None => raw::Defaults::default(),
            Some(defaults) => match reader.field("defaults", Some(defaults)) {
                None => {
                    // What it says of the operator is unknown, so none is missed.
                    self.seen.insert("operator");
                    raw::Defaults::default()
                }
                Some(defaults) => {
                    if mistyped(&defaults.value.strays, "operator") {
                        self.seen.insert("operator");
                    }
                    reader.fields("`defaults`", defaults.value)
                }
            },
        };
        if defaults.operator.is_some() {
            self.seen.insert("operator");
        }
        let operator = reader.operator(defaults.operator);
        let adoption = reader.adoption(defaults.adoption);
        let accepted = reader.accept(defaults.accept);
        reader.report.acceptances.hold_everywhere(&accepted);
        let vars = reader.field("vars", vars);
        let vars = vars.map(|at| at.value.0).unwrap_or_default();
        let names_accounts = accounts.is_some();
        let accounts = reader.field("accounts", accounts);
        self.accounts_known &= accounts.is_some() || !names_accounts;

        self.agree("environment", environment, |merge| &mut merge.environment);
        self.agree("operator", operator, |merge| &mut merge.defaults.operator);
        self.agree("adoption", adoption, |merge| &mut merge.defaults.adoption);
        self.inherits(file, text, defaults.callbacks);
        for (name, value) in vars {
            self.variable(file, text, &name, value);
        }
        for (name, account) in accounts.map(|at| at.value.0).unwrap_or_default() {
            self.account(file, text, &name, account);
        }
    }

    /// Keeps a value, or reports that another file has another.
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
        self.conflict(&format!("`{name}`"), place, earlier);
    }

    pub(super) fn conflict(&mut self, what: &str, place: Place, earlier: Place) {
        self.report.error(
            place,
            1,
            code::CONFLICT,
            format!("{what} is different in {}", self.name_of(earlier)),
            Some("say it in one file only, or the same in all".to_owned()),
        );
    }

    /// `file:line`, for messages.
    pub(super) fn name_of(&self, place: Place) -> String {
        let source = self.sources.get(place.file as usize);
        let name = source.map_or("", |source| &source.name);
        format!("{name}:{}", place.line)
    }

    /// The whole configuration, once every file was added. What it lacks is reported; it is only
    /// good when the report has no errors.
    pub(super) fn finish(mut self) -> (Desired, Report) {
        self.missing_keys();
        let default_account = AccountName::default_account();
        let mut secrets = Secrets::default();
        let mut written = Vec::new();
        for Organizations {
            written: mut of_part,
            secrets: of_them,
        } in std::mem::take(&mut self.organizations)
        {
            secrets.absorb(of_them, &mut of_part);
            written.append(&mut of_part);
        }
        written.sort_by(|one, other| (&one.handle, one.place).cmp(&(&other.handle, other.place)));
        let mut organizations = Vec::with_capacity(written.len());
        let mut last: Option<(Handle, Place)> = None;
        for Written {
            handle,
            place,
            span,
            draft,
        } in written
        {
            match &last {
                Some((known, earlier)) if *known == handle => {
                    self.organization_twice(&handle, place, span, *earlier);
                    continue;
                }
                Some(_) | None => last = Some((handle.clone(), place)),
            }
            organizations.extend(self.complete(handle, place, span, draft, &mut secrets));
        }
        self.owners(&organizations);
        let secrets = secrets.renumber(&mut organizations);
        self.accounts
            .entry(default_account)
            .or_insert_with(|| DeclaredAccount {
                account: Some(Account::of(AccountSource::Default {})),
                place: Place::default(),
                formerly: None,
            });
        let desired = Desired {
            environment: self.environment(),
            accounts: self
                .accounts
                .into_iter()
                .filter_map(|(name, declared)| Some((name, declared.account?)))
                .collect(),
            organizations,
            secrets,
        };
        (desired, self.report)
    }

    fn environment(&self) -> Environment {
        self.environment
            .map_or(Environment::Production, |(environment, _)| environment)
    }

    fn missing_keys(&mut self) {
        let Some(first) = self.first.filter(|_| self.complete) else {
            return;
        };
        let keys = [
            ("version", "write `version: 1`"),
            (
                "environment",
                "write `environment: production` or `environment: test`",
            ),
            (
                "organizations",
                "write `organizations: {}` if there shall be none",
            ),
        ];
        for (key, help) in keys {
            if !self.seen.contains(key) {
                let message = format!("the configuration needs the field `{key}`");
                let help = Some(help.to_owned());
                self.report
                    .error(first, 1, code::MISSING_KEY, message, help);
            }
        }
    }

    fn organization_twice(&mut self, handle: &Handle, place: Place, span: Span, earlier: Place) {
        let (code, message, help) = if earlier.file == place.file {
            (
                code::DUPLICATE_KEY,
                format!("the organization `{handle}` stands here for the second time"),
                "put its callbacks together, or give one of the two another handle",
            )
        } else {
            (
                code::ORGANIZATION_TWICE,
                format!(
                    "the organization `{handle}` is also in {}",
                    self.name_of(earlier)
                ),
                "an organization lives in one file; move its callbacks together",
            )
        };
        self.report
            .error(place, span.length, code, message, Some(help.to_owned()));
    }

    /// Adds to an organization what the others say.
    fn complete(
        &mut self,
        handle: Handle,
        place: Place,
        span: Span,
        draft: Draft,
        secrets: &mut Secrets,
    ) -> Option<Organization> {
        let Draft {
            account,
            account_span,
            organization,
            app_id,
            operator,
            names_operator,
            adoption,
            suspend,
            inherit,
            mut callbacks,
            absent,
        } = draft;
        if inherit {
            let names = Names {
                handle: handle.as_str(),
                member: organization.as_ref().map(OrganizationId::as_str),
            };
            let inherited = self.inherit(names, (place, span), &callbacks, &absent, secrets);
            callbacks.extend(inherited);
            callbacks.sort_by(|one, other| one.url.cmp(&other.url));
        }
        let known = self.known_account(&account, account_span, place);
        if !names_operator && !self.seen.contains("operator") && self.complete {
            self.report.error(
                place,
                span.length,
                code::NO_OPERATOR,
                format!("nobody is named to make the calls for `{handle}`"),
                Some(
                    "write `operator:` with an employee's UserId here or under `defaults:`"
                        .to_owned(),
                ),
            );
        }
        let default = self.defaults.operator.as_ref();
        let operator = operator.or_else(|| default.map(|(operator, _)| operator.clone()));
        // With an error nothing comes of the organization, but its warnings are told as well.
        let nobody = || self.report.has_errors().then(|| OperatorId::new(""));
        let operator = operator.or_else(nobody)?;
        let default = self.defaults.adoption.map(|(adoption, _)| adoption);
        known.then_some(())?;
        Some(Organization {
            handle,
            scope: Arc::new(Scope {
                environment: self.environment(),
                account,
                organization,
                app_id,
            }),
            operator,
            adoption: adoption.or(default).unwrap_or_default(),
            suspend,
            callbacks,
            absent: absent.into_iter().map(|(url, _)| url).collect(),
            place,
        })
    }

    fn known_account(&mut self, account: &AccountName, span: Option<Span>, place: Place) -> bool {
        let Some(span) = span else {
            return true;
        };
        if account.as_str() == AccountName::DEFAULT
            || self.accounts.contains_key(account)
            || !self.complete
            || !self.accounts_known
        {
            return true;
        }
        let mut known: Vec<_> = self.accounts.keys().map(AccountName::as_str).collect();
        known.push(AccountName::DEFAULT);
        known.sort_unstable();
        known.dedup();
        let help = closest(account.as_str(), &known).map_or_else(
            || format!("declare it under `accounts:`; known are {}", listed(&known)),
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
            format!("there is no account `{}`", shown(account.as_str())),
            Some(help),
        );
        false
    }
}
