//! The checks of one account, the cheapest first, up to the first that makes the others pointless.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::probe::send;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::remote::group;
use crate::cli::remote::inspect::Inspection;
use crate::client::{Pace, Rate, Reader};
use crate::doctor::{
    self, Check, CheckName, Finding, Identity, Next, Probe, Tried, enterprise, not_sampled,
    operator, permission, sample, suspended,
};
use crate::group::Completeness;
use crate::model::{
    AccountName, Call, CallbackUrl, Operation, OperatorId, Organization, OrganizationId, ReadError,
    RecordedAccount, Scope,
};
use crate::wire;

/// How many probes of an account may be under way.
const AT_ONCE: usize = 8;

/// An account and what is known of it before its checks.
#[derive(Debug)]
pub(super) struct Patient<'a> {
    pub(super) name: &'a AccountName,
    pub(super) account: Option<&'a crate::model::Account>,
    /// Those that are checked, by handle.
    pub(super) organizations: Vec<&'a Organization>,
    pub(super) recorded: Option<&'a RecordedAccount>,
    /// An account of the configuration with the same credentials.
    pub(super) twin: Option<&'a AccountName>,
    pub(super) identity: Identity,
}

/// How to probe.
#[derive(Debug)]
pub(super) struct Probing<'a> {
    pub(super) probe: Probe,
    /// Whose hosts may be used when the reserved one is refused.
    pub(super) own: Option<&'a CallbackUrl>,
    pub(super) all: bool,
    pub(super) rate: u32,
}

/// All checks of an account after that of its credentials, which has passed.
pub(super) async fn check(
    inspection: &Inspection,
    patient: &Patient<'_>,
    probing: &Probing<'_>,
) -> Vec<Check> {
    let mut report = Report {
        account: patient.name,
        checks: Vec::new(),
    };
    let owner = doctor::account(
        &patient.identity,
        patient
            .account
            .and_then(|account| account.expect_account_id.as_ref()),
        patient
            .recorded
            .and_then(|account| account.account_id.as_ref()),
        patient.twin,
    );
    if report.add(CheckName::Account, None, owner) {
        report.skip(
            CheckName::Account,
            &[CheckName::Enterprise, CheckName::Permission],
        );
        return report.checks;
    }
    let reader = inspection.reader(patient.name);
    let (resting, active): (Vec<&Organization>, Vec<&Organization>) = patient
        .organizations
        .iter()
        .partition(|organization| organization.suspend);
    let main = active.iter().find(|one| one.scope.organization.is_none());
    let Some(first) = main.or(active.first()).copied() else {
        report.rest(&resting);
        if resting.is_empty() {
            let nothing = "no organization of the configuration uses this account";
            report.add(CheckName::Permission, None, Finding::skipped(nothing));
        }
        return report.checks;
    };
    let request = wire::VerifyRequest {
        operator: user(&first.operator),
        agent: agent(&first.scope),
    };
    let answer = reader.verify_status(&request).await;
    if report.add(CheckName::Enterprise, None, enterprise(&answer)) {
        report.skip(CheckName::Enterprise, &[CheckName::Permission]);
        return report.checks;
    }
    let chosen = sample(&active, probing.all);
    let left_out = active.len() - chosen.len();
    let barred = members(&reader, &first.operator, &active, &chosen, &mut report).await;
    let probed: Vec<&Organization> = chosen
        .into_iter()
        .filter(|one| !barred.contains(one.handle.as_str()))
        .collect();
    permissions(inspection, &reader, &probed, probing, &mut report).await;
    report.rest(&resting);
    if left_out > 0 {
        report.add(CheckName::Permission, None, not_sampled(left_out));
    }
    report.checks
}

/// The checks that were made so far.
struct Report<'a> {
    account: &'a AccountName,
    checks: Vec<Check>,
}

impl Report<'_> {
    /// Adds a check, and says whether it failed.
    fn add(&mut self, name: CheckName, of: Option<&Organization>, finding: Finding) -> bool {
        let failed = finding.has_failed();
        self.checks.push(Check {
            name,
            account: Some(self.account.clone()),
            organization: of.map(|organization| organization.handle.clone()),
            finding,
        });
        failed
    }

    fn skip(&mut self, failed: CheckName, rest: &[CheckName]) {
        let skipped = doctor::skipped_after(failed, rest, Some(self.account));
        self.checks.extend(skipped);
    }

    fn rest(&mut self, suspended_ones: &[&Organization]) {
        for one in suspended_ones {
            self.add(CheckName::Permission, Some(one), suspended());
        }
    }
}

/// Checks whether the members have joined, and gives the handles of those that have not. The whole group costs one
/// call for 200 members, so those outside the sample are looked at too and reported if something is wrong.
async fn members(
    reader: &Reader<'_>,
    operator: &OperatorId,
    active: &[&Organization],
    chosen: &[&Organization],
    report: &mut Report<'_>,
) -> BTreeSet<String> {
    let mut barred = BTreeSet::new();
    if active.iter().all(|one| one.scope.organization.is_none()) {
        return barred;
    }
    let group = match group::read(reader, operator).await {
        Ok(group) => group,
        Err(error) => {
            report.add(CheckName::Member, None, doctor::group_unknown(&error));
            return barred;
        }
    };
    let complete = group.completeness == Completeness::All;
    let listed: BTreeMap<&OrganizationId, _> = group
        .members
        .iter()
        .map(|member| (&member.id, member))
        .collect();
    for one in active {
        let Some(id) = &one.scope.organization else {
            continue;
        };
        let finding = doctor::member(listed.get(id).copied(), complete, SystemClock.now());
        let is_chosen = chosen.iter().any(|other| other.handle == one.handle);
        let is_bad = finding.result != doctor::CheckResult::Ok;
        if finding.has_failed() {
            barred.insert(one.handle.as_str().to_owned());
        }
        if is_chosen || is_bad {
            report.add(CheckName::Member, Some(one), finding);
        }
    }
    barred
}

async fn permissions(
    inspection: &Inspection,
    reader: &Reader<'_>,
    probed: &[&Organization],
    probing: &Probing<'_>,
    report: &mut Report<'_>,
) {
    let rate = Rate::per_second(f64::from(probing.rate)).unwrap_or(Rate::ESIGN);
    let pace = Pace::new(rate);
    let Some((first, rest)) = probed.split_first() else {
        return;
    };
    let (finding, next) = probe(inspection, first, probing, &pace).await;
    let is_proven = finding.result == doctor::CheckResult::Ok;
    report.add(CheckName::Permission, Some(first), finding);
    if next == Next::StopAccount {
        if !rest.is_empty() {
            report.skip(CheckName::Permission, &[CheckName::Permission]);
        }
        return;
    }
    let mut refused = Vec::new();
    // Someone who may read, to ask about those who may not.
    let mut trusted = is_proven.then_some(&first.operator);
    if next == Next::Explain {
        refused.push(*first);
    }
    let others = rest.iter().map(|one| {
        let pace = &pace;
        async move { (*one, probe(inspection, one, probing, pace).await) }
    });
    let found: Vec<_> = stream::iter(others).buffered(AT_ONCE).collect().await;
    for (one, (finding, next)) in found {
        if finding.result == doctor::CheckResult::Ok {
            trusted = trusted.or(Some(&one.operator));
        }
        report.add(CheckName::Permission, Some(one), finding);
        if next == Next::Explain {
            refused.push(one);
        }
    }
    for one in refused {
        explain(reader, one, trusted.unwrap_or(&one.operator), report).await;
    }
}

/// Tries to delete a URL that no one has.
async fn probe(
    inspection: &Inspection,
    organization: &Organization,
    probing: &Probing<'_>,
    pace: &Pace,
) -> (Finding, Next) {
    let call = |url: CallbackUrl| Call {
        scope: Arc::clone(&organization.scope),
        operator: organization.operator.clone(),
        url,
        operation: Operation::Delete,
        nonce: None,
        new_connection: false,
    };
    let outcome = send(&inspection.api, &call(probing.probe.reserved()), pace).await;
    let (finding, next) = permission(&outcome, Tried::Reserved);
    if next != Next::OtherUrl {
        return (finding, next);
    }
    let own = organization.callbacks.first().map(|callback| &callback.url);
    let own = own.or(probing.own);
    let Some(url) = own.and_then(|url| probing.probe.on_host_of(url)) else {
        return (finding, Next::Explain);
    };
    let outcome = send(&inspection.api, &call(url), pace).await;
    permission(&outcome, Tried::OwnHost)
}

/// Asks for the operator and its roles, in the name of `asker`.
async fn explain(
    reader: &Reader<'_>,
    organization: &Organization,
    asker: &OperatorId,
    report: &mut Report<'_>,
) {
    let id = &organization.operator;
    let place = agent(&organization.scope);
    // An operator of the main organization may act for a member, so it may be an employee of either.
    let mut answer = employees(reader, id, asker, None).await;
    let here = |answer: &Result<wire::Employees, ReadError>| {
        answer
            .as_ref()
            .is_ok_and(|found| found.employees.iter().any(|one| one.user_id == id.as_str()))
    };
    if !here(&answer) && place.is_some() {
        let there = employees(reader, id, asker, place.clone()).await;
        if here(&there) {
            answer = there;
        }
    }
    if report.add(
        CheckName::Operator,
        Some(organization),
        operator(id, &answer),
    ) {
        return;
    }
    let Ok(found) = answer else {
        return;
    };
    let roles = all_roles(reader, asker).await;
    let member = organization.scope.organization.as_ref();
    let finding = doctor::roles(id, member, &found, &roles);
    report.add(CheckName::Roles, Some(organization), finding);
}

async fn employees(
    reader: &Reader<'_>,
    id: &OperatorId,
    asker: &OperatorId,
    agent: Option<wire::Agent>,
) -> Result<wire::Employees, ReadError> {
    let request = wire::EmployeesRequest {
        operator: user(asker),
        agent,
        limit: wire::MOST_EMPLOYEES,
        filters: vec![wire::Filter {
            key: "UserId",
            values: vec![id.as_str().to_owned()],
        }],
    };
    reader.employees(&request).await
}

async fn all_roles(reader: &Reader<'_>, asker: &OperatorId) -> Result<Vec<wire::Role>, ReadError> {
    let mut all = Vec::new();
    let mut offset = 0;
    while offset <= wire::MOST_ROLES_OFFSET {
        let request = wire::RolesRequest {
            operator: user(asker),
            agent: None,
            limit: wire::MOST_ROLES,
            offset,
        };
        let page = reader.roles(&request).await?;
        let length = u32::try_from(page.integrate_roles.len()).unwrap_or(u32::MAX);
        all.extend(page.integrate_roles);
        offset = offset.saturating_add(length);
        if length == 0 || u64::from(offset) >= page.total_count {
            break;
        }
    }
    Ok(all)
}

fn user(id: &OperatorId) -> wire::UserInfo {
    wire::UserInfo {
        user_id: id.as_str().to_owned(),
    }
}

fn agent(scope: &Scope) -> Option<wire::Agent> {
    scope.organization.as_ref().map(|id| wire::Agent {
        proxy_organization_id: Some(id.as_str().to_owned()),
        app_id: None,
    })
}
