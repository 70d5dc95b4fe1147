//! Writes the document, change by change.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::layout::{Digesting, Lines};
use super::lists::{BookkeepingRow, MoveRow, TrippedRow};
use super::rows::{ChangeRow, OrganizationRow};
use super::{CHECKSUM_LINE, FORMAT_VERSION, calls_digest};
use crate::diag::{Diagnostic, Severity};
use crate::model::{Account, AccountName, Environment, Lineage, Salt};
use crate::plan::{Change, Destination, Plan, SourceChange, Summary};
use crate::secret::{Check, SecretReference};

/// Writes the plan and the diagnostics of the run that made it. Memory does not grow with the plan;
/// `out` should be buffered.
pub fn write_document(plan: &Plan, diagnostics: &[Diagnostic], out: impl Write) -> io::Result<()> {
    write_sealed(&Document::new(plan, calls_digest(plan), diagnostics), out)
}

/// Like [`write_document`], for display: URLs with a credential are masked, so it can't be read back. Its digest
/// is still that of the calls.
pub fn write_shown(plan: &Plan, diagnostics: &[Diagnostic], out: impl Write) -> io::Result<()> {
    let digest = calls_digest(plan);
    write_sealed(&Document::new(&plan.shown(), digest, diagnostics), out)
}

/// Writes an object with its checksum as the last member.
pub(super) fn write_sealed(document: &impl Serialize, out: impl Write) -> io::Result<()> {
    let mut digesting = Digesting::new(out);
    let mut serializer = serde_json::Serializer::with_formatter(&mut digesting, Lines::default());
    document
        .serialize(&mut serializer)
        .map_err(io::Error::from)?;
    let (mut out, checksum) = digesting.finish();
    out.write_all(b",")?;
    out.write_all(CHECKSUM_LINE.as_bytes())?;
    out.write_all(checksum.as_bytes())?;
    out.write_all(b"\"\n}\n")?;
    out.flush()
}

/// Whether `apply` has something to do and may do it: no guard refuses the plan, and the secrets of its calls
/// were resolved.
pub fn applyable(plan: &Plan) -> bool {
    let something_to_do =
        !plan.is_empty() || !plan.moves.is_empty() || !plan.bookkeeping.is_empty();
    something_to_do && plan.tripped.is_empty() && plan.changes().all(is_resolved)
}

fn is_resolved(change: &Change) -> bool {
    change.adds().is_none_or(|after| after.same.is_some())
}

#[derive(Serialize)]
struct Document<'a> {
    format_version: &'static str,
    environment: Environment,
    destination: &'a Destination,
    lineage: Option<Lineage>,
    serial: u64,
    fingerprint_salt: Salt,
    summary: Summary,
    applyable: bool,
    errored: bool,
    #[serde(serialize_with = "tripped")]
    tripped: &'a Plan,
    accounts: &'a BTreeMap<AccountName, Account>,
    secrets: &'a [SecretReference],
    checks: BTreeMap<u32, Check>,
    #[serde(serialize_with = "organizations")]
    organizations: &'a Plan,
    #[serde(serialize_with = "changes")]
    changes: &'a Plan,
    sources: &'a [SourceChange],
    #[serde(serialize_with = "moves")]
    moves: &'a Plan,
    #[serde(serialize_with = "bookkeeping")]
    bookkeeping: &'a Plan,
    diagnostics: &'a [Diagnostic],
    digest: String,
}

impl<'a> Document<'a> {
    fn new(plan: &'a Plan, digest: String, diagnostics: &'a [Diagnostic]) -> Self {
        let errored = diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error);
        Self {
            format_version: FORMAT_VERSION,
            environment: plan.environment,
            destination: &plan.destination,
            lineage: plan.lineage,
            serial: plan.serial,
            fingerprint_salt: plan.salt,
            summary: plan.summary,
            applyable: !errored && applyable(plan),
            errored,
            tripped: plan,
            accounts: &plan.accounts,
            secrets: &plan.secrets,
            checks: plan.checks.iter().map(|(i, c)| (i.0, *c)).collect(),
            organizations: plan,
            changes: plan,
            sources: &plan.sources,
            moves: plan,
            bookkeeping: plan,
            diagnostics,
            digest,
        }
    }
}

fn tripped<S: Serializer>(plan: &Plan, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(plan.tripped.iter().map(TrippedRow::from))
}

fn organizations<S: Serializer>(plan: &Plan, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(plan.organizations.iter().map(OrganizationRow::from))
}

fn changes<S: Serializer>(plan: &Plan, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(plan.organizations.iter().flat_map(|organization| {
        organization
            .changes
            .iter()
            .map(|change| ChangeRow::new(organization, change))
    }))
}

fn moves<S: Serializer>(plan: &Plan, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(plan.moves.iter().map(MoveRow::from))
}

fn bookkeeping<S: Serializer>(plan: &Plan, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(plan.bookkeeping.iter().map(BookkeepingRow::from))
}
