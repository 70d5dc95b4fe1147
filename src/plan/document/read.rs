//! Reads the document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use super::lists::{BookkeepingRow, MoveRow, TrippedRow};
use super::rows::{ChangeRow, OrganizationRow};
use super::{CHECKSUM_LINE, FORMAT_VERSION};
use crate::model::{Account, AccountName, Environment, Lineage, Salt, Scope, SecretIndex};
use crate::plan::{
    Bookkeeping, Destination, Move, OrganizationPlan, Plan, Reason, SourceChange, Summary, Tripped,
};
use crate::secret::{Check, SecretReference};

/// Why a text is not a plan that can be applied. The caller adds the name of the file.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The text ends too early.
    #[error("the plan is cut off: it ends in the middle. Make a new one with `plan --out`")]
    CutOff,
    /// It is not JSON, or not a plan.
    #[error("this is not a plan document (line {line}, column {column}). `plan --out` makes one")]
    NotAPlan {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        #[source]
        source: serde_json::Error,
    },
    /// Another version of the program made it.
    #[error(
        "the plan has format version `{found}`, and this program reads `{FORMAT_VERSION}` only. \
         Make a new one with `plan --out`, or use the program that made it"
    )]
    Version {
        /// The version in the document.
        found: String,
    },
    /// It has only errors, because there was no plan.
    #[error(
        "it holds no plan, because the configuration had errors when it was made. Fix them and \
         make a new one with `plan --out`"
    )]
    Errored,
    /// Its checksum does not match.
    #[error(
        "the plan was changed after it was written (edited, reformatted, or its line ends \
         converted): its checksum does not match. What is applied must be what was reviewed, so make \
         a new one with `plan --out`"
    )]
    Changed,
    /// It is for display: credentials in URLs are masked.
    #[error(
        "it shows the URL of `{address}` with `***` in place of a credential, as \
         `plan --format json` prints it. `plan --out` saves a plan that can be applied"
    )]
    Masked {
        /// The first such change.
        address: String,
    },
    /// The checksum matches, but its parts contradict each other.
    #[error("the plan contradicts itself: {what}. Make a new one with `plan --out`")]
    Inconsistent { what: String },
}

/// Reads a plan that [`write_document`](super::write_document) wrote.
///
/// # Errors
/// If the text is cut off, edited, of another version, or not a plan.
pub fn read_document(text: &str) -> Result<Plan, DocumentError> {
    // The version first: for a newer document, an error about its checksum would mislead.
    let version: Version = serde_json::from_str(text).map_err(broken)?;
    if version.format_version != FORMAT_VERSION {
        return Err(DocumentError::Version {
            found: version.format_version,
        });
    }
    if version.errored {
        return Err(DocumentError::Errored);
    }
    if !is_as_written(text) {
        return Err(DocumentError::Changed);
    }
    let document: Document = serde_json::from_str(text).map_err(broken)?;
    let plan = document.into_plan()?;
    plan.masked()
        .map_or(Ok(plan), |address| Err(DocumentError::Masked { address }))
}

fn broken(source: serde_json::Error) -> DocumentError {
    if source.is_eof() {
        return DocumentError::CutOff;
    }
    DocumentError::NotAPlan {
        line: source.line(),
        column: source.column(),
        source,
    }
}

fn is_as_written(text: &str) -> bool {
    let Some((digested, end)) = text.rsplit_once(CHECKSUM_LINE) else {
        return false;
    };
    let Some(digested) = digested.strip_suffix(',') else {
        return false;
    };
    let checksum = hex::encode(Sha256::digest(digested.as_bytes()));
    // Some editors and mailers remove the last line break, which changes nothing.
    end.strip_prefix(checksum.as_str()).map(str::trim_end) == Some("\"\n}")
}

#[derive(Deserialize)]
struct Version {
    format_version: String,
    #[serde(default)]
    errored: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "format_version")]
    _format_version: IgnoredAny,
    environment: Environment,
    destination: Destination,
    lineage: Option<Lineage>,
    serial: u64,
    fingerprint_salt: Salt,
    summary: Summary,
    #[serde(rename = "applyable")]
    _applyable: IgnoredAny,
    #[serde(rename = "errored")]
    _errored: IgnoredAny,
    tripped: Vec<TrippedRow>,
    accounts: BTreeMap<AccountName, Account>,
    secrets: Vec<SecretReference>,
    checks: BTreeMap<u32, Check>,
    organizations: Vec<OrganizationRow>,
    changes: Vec<ChangeRow>,
    sources: Vec<SourceChange>,
    moves: Vec<MoveRow>,
    bookkeeping: Vec<BookkeepingRow>,
    #[serde(rename = "diagnostics")]
    _diagnostics: IgnoredAny,
    #[serde(rename = "digest")]
    _digest: IgnoredAny,
    #[serde(rename = "checksum")]
    _checksum: IgnoredAny,
}

impl Document {
    fn into_plan(self) -> Result<Plan, DocumentError> {
        let organizations = organizations(self.organizations, self.changes, self.secrets.len())
            .map_err(|what| DocumentError::Inconsistent { what })?;
        Ok(Plan {
            environment: self.environment,
            destination: self.destination,
            lineage: self.lineage,
            serial: self.serial,
            salt: self.fingerprint_salt,
            accounts: self.accounts,
            secrets: self.secrets,
            checks: self
                .checks
                .into_iter()
                .map(|(i, c)| (SecretIndex(i), c))
                .collect(),
            organizations,
            sources: self.sources,
            moves: self.moves.into_iter().map(Move::from).collect(),
            bookkeeping: self
                .bookkeeping
                .into_iter()
                .map(Bookkeeping::from)
                .collect(),
            summary: self.summary,
            tripped: self.tripped.into_iter().map(Tripped::from).collect(),
        })
    }
}

/// Assigns the changes to the organizations, which are in the same order.
fn organizations(
    rows: Vec<OrganizationRow>,
    changes: Vec<ChangeRow>,
    secrets: usize,
) -> Result<Vec<OrganizationPlan>, String> {
    let mut rest = changes.into_iter();
    let mut organizations = Vec::with_capacity(rows.len());
    let mut scopes = BTreeSet::new();
    for row in rows {
        let own = rest
            .by_ref()
            .take(row.changes)
            .map(|change| change.into_change(&row, secrets))
            .collect::<Result<Vec<_>, _>>()?;
        if own.len() != row.changes {
            return Err(format!(
                "`{}` has {} changes, but {} are listed",
                row.organization,
                row.changes,
                own.len()
            ));
        }
        // Only the calls of one change wait for each other, so a URL must not be in two changes.
        let mut urls = BTreeSet::new();
        for change in &own {
            if !urls.insert(&change.address.url) {
                return Err(format!("`{}` is listed twice", change.address));
            }
        }
        let scope = Arc::new(Scope::from(row.scope));
        if !scopes.insert(Arc::clone(&scope)) {
            return Err(format!(
                "the organization `{}` is listed twice",
                row.organization
            ));
        }
        organizations.push(OrganizationPlan {
            handle: row.organization,
            scope,
            successor: row.successor.map(|scope| Arc::new(Scope::from(scope))),
            left: own
                .iter()
                .any(|change| change.reason == Reason::OrganizationNotDeclared),
            suspended: row.suspended,
            changes: own,
        });
    }
    match rest.len() {
        0 => Ok(organizations),
        left => Err(format!("{left} changes have no organization")),
    }
}
