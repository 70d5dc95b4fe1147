//! The actions that read: the group, its employees and roles, and whether the enterprise is verified.

use serde_json::{Map, Value, json};

use super::{Action, ID_LENGTH, check_operator, organization};
use crate::sandbox::cloud::Cloud;
use crate::sandbox::enterprise::{Bar, Enterprise, Member, Verified};
use crate::sandbox::failure::Failure;
use crate::sandbox::parameters::{
    EMPLOYEES_FIELDS, GROUP_FIELDS, ROLES_FIELDS, STATUS_FIELDS, parse, text,
};
use crate::sandbox::random::Random;

/// The members of a read action's answer, but for its id.
pub(in crate::sandbox) fn describe(
    action: Action,
    body: &[u8],
    account: &str,
    enterprise: &Enterprise,
    cloud: &Cloud,
) -> Result<Map<String, Value>, Failure> {
    let answer = match action {
        Action::GroupOrganizations => group(body, account, enterprise, cloud)?,
        Action::Employees => employees(body, enterprise)?,
        Action::Roles => roles(body, enterprise)?,
        Action::VerifyStatus | Action::Modify | Action::CallerIdentity | Action::AuditEvents => {
            let request = parse(body, STATUS_FIELDS)?;
            check_operator(&request)?;
            organization(&request, enterprise)?;
            let status = match enterprise.verified {
                Verified::No => 0,
                Verified::UnderWay => 1,
                Verified::Yes => 2,
            };
            json!({ "VerifyStatus": status })
        }
    };
    let Value::Object(answer) = answer else {
        return Err(Failure::internal());
    };
    Ok(answer)
}

/// The employee in whose name is asked.
fn reader<'r>(request: &'r Value, enterprise: &Enterprise) -> Result<&'r str, Failure> {
    let operator = check_operator(request)?;
    match enterprise.may_read(operator) {
        Ok(()) => Ok(operator),
        Err(Bar::NotVerified) => Err(Failure::operator_not_verified()),
        Err(Bar::Unknown | Bar::Left | Bar::NoPermission) => Err(Failure::unknown_operator()),
    }
}

fn page(request: &Value, largest: i64, furthest: i64) -> Result<(usize, usize), Failure> {
    let number = |name: &str, most: i64, or: i64| {
        let number = request[name].as_i64().unwrap_or(or);
        let in_range = (0..=most).contains(&number);
        let why = ("的取值超出范围", "is out of range");
        in_range
            .then(|| usize::try_from(number).unwrap_or(0))
            .ok_or_else(|| Failure::invalid_value(name, why))
    };
    Ok((
        number("Limit", largest, largest)?,
        number("Offset", furthest, 0)?,
    ))
}

fn group(
    body: &[u8],
    account: &str,
    enterprise: &Enterprise,
    cloud: &Cloud,
) -> Result<Value, Failure> {
    let members = &enterprise.members;
    let request = parse(body, GROUP_FIELDS)?;
    reader(&request, enterprise)?;
    let (limit, offset) = page(&request, 200, 20_000)?;
    let mut all = vec![(main_organization(account), true)];
    all.extend(members.iter().cloned().map(|member| (member, false)));
    if members.is_empty() {
        // No members are configured: then the group is the organizations that were acted for.
        let mut seen: Vec<&String> = cloud
            .iter()
            .filter(|(place, _)| place.account == account)
            .filter_map(|(place, _)| place.organization.as_ref())
            .collect();
        seen.dedup();
        all.extend(seen.into_iter().map(|id| {
            let (id, name) = (id.clone(), format!("沙箱成员企业 {id}"));
            (
                Member {
                    id,
                    name,
                    status: 5,
                    licence_expires: 0,
                },
                false,
            )
        }));
    }
    let total = |status| {
        all.iter()
            .filter(|(member, _)| member.status == status)
            .count()
    };
    let (authorized, joined) = (total(2), total(5));
    all.retain(|(member, _)| {
        text(&request, "/Name").is_none_or(|name| member.name.contains(name))
            && text(&request, "/Id").is_none_or(|id| member.id == id)
            && request["Status"]
                .as_i64()
                .is_none_or(|status| i64::from(member.status) == status)
    });
    let list: Vec<Value> = all
        .iter()
        .skip(offset)
        .take(limit)
        .map(|(member, is_main)| {
            json!({
                "Name": member.name,
                "Alias": member.name,
                "OrganizationId": member.id,
                "Status": member.status,
                "IsMainOrganization": is_main,
                "UpdateTime": 1_700_000_000,
                "JoinTime": 1_700_000_000,
                "FlowEngineEnable": false,
                "IdCardNumber": "",
                "AdminInfo": { "Name": "沙箱管理员", "Mobile": "138****0000" },
                "License": if member.licence_expires > 0 { "SANDBOX" } else { "" },
                "LicenseExpireTime": member.licence_expires,
            })
        })
        .collect();
    Ok(json!({
        "Total": all.len(),
        "JoinedTotal": authorized,
        "ActivatedTotal": joined,
        "ExportUrl": "",
        "List": list,
    }))
}

/// The account's own organization, whose id is made from the account's name.
fn main_organization(account: &str) -> Member {
    let mut random = Random::keyed(0, account.as_bytes(), 0);
    Member {
        id: format!("yD{}", random.letters(ID_LENGTH - 2)),
        name: format!("沙箱集团主企业 {account}"),
        status: 5,
        licence_expires: 0,
    }
}

/// Without a list of employees, every well-formed `UserId` that is asked for is a verified one who has not left.
fn employees(body: &[u8], enterprise: &Enterprise) -> Result<Value, Failure> {
    let request = parse(body, EMPLOYEES_FIELDS)?;
    let operator = reader(&request, enterprise)?;
    let organization = organization(&request, enterprise)?;
    let (limit, offset) = page(&request, 20, 20_000)?;
    let filters = request["Filters"].as_array();
    let asked_for = filters
        .into_iter()
        .flatten()
        .find(|it| it["Key"] == "UserId");
    let ids: Vec<&str> = match asked_for {
        Some(filter) => filter["Values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|id| id.len() == ID_LENGTH)
            .collect(),
        None if enterprise.employees.is_empty() => vec![operator],
        None => enterprise
            .employees
            .iter()
            .map(|one| one.user_id.as_str())
            .collect(),
    };
    let found: Vec<Value> = ids
        .into_iter()
        .filter_map(|id| {
            if enterprise.employees.is_empty() {
                return Some(staff(id, true, false, &["sandbox".to_owned()]));
            }
            let one = enterprise.employee(id)?;
            let here = one.organization.is_none() || one.organization.as_deref() == organization;
            here.then(|| staff(id, one.verified, one.left, &one.roles))
        })
        .collect();
    Ok(json!({
        "Employees": found.iter().skip(offset).take(limit).collect::<Vec<_>>(),
        "Offset": offset,
        "Limit": limit,
        "TotalCount": found.len(),
    }))
}

fn staff(id: &str, verified: bool, left: bool, roles: &[String]) -> Value {
    let role = |id: &String| json!({ "RoleId": id, "RoleName": "沙箱角色" });
    json!({
        "UserId": id,
        "DisplayName": "沙箱员工",
        "Mobile": "13800000000",
        "Email": "sandbox@example.com",
        "OpenId": "",
        "Roles": roles.iter().map(role).collect::<Vec<_>>(),
        "Verified": verified,
        "CreatedOn": 1_700_000_000,
        "VerifiedOn": 1_700_000_000,
        "QuiteJob": i32::from(left),
    })
}

/// Without a list of roles, one that covers everything.
fn roles(body: &[u8], enterprise: &Enterprise) -> Result<Value, Failure> {
    let request = parse(body, ROLES_FIELDS)?;
    reader(&request, enterprise)?;
    organization(&request, enterprise)?;
    let (limit, offset) = page(&request, 200, 2000)?;
    let role = |id: &str, name: &str, enabled: bool, members: Option<&Vec<String>>| {
        json!({
            "RoleId": id,
            "RoleName": name,
            "RoleStatus": if enabled { 1 } else { 2 },
            "IsGroupRole": members.is_some(),
            "SubOrgIdList": members.cloned().unwrap_or_default(),
            "PermissionGroups": [],
        })
    };
    let all: Vec<Value> = if enterprise.roles.is_empty() {
        vec![role("sandbox", "超级管理员", true, None)]
    } else {
        let roles = enterprise.roles.iter();
        roles
            .map(|one| role(&one.id, &one.name, one.enabled, one.members.as_ref()))
            .collect()
    };
    Ok(json!({
        "IntegrateRoles": all.iter().skip(offset).take(limit).collect::<Vec<_>>(),
        "Offset": offset,
        "Limit": limit,
        "TotalCount": all.len(),
    }))
}
