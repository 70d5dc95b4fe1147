//! The actions that the sandbox supports: the one that changes callbacks, three that read, and
//! `GetCallerIdentity` of the security token service.

use serde_json::{Map, Value, json};

use super::cloud::{Change, Cloud, Held, Place, Secrets};
use super::failure::Failure;
use super::options::Member;
use super::parameters::{
    EMPLOYEES_FIELDS, GROUP_FIELDS, MODIFY_FIELDS, STATUS_FIELDS, parse, text,
};
use super::random::Random;
use crate::envelope::KEY_LENGTH;
use crate::secret::Secret;
use crate::wire::{CALLER_IDENTITY, MODIFY, OPERATE_ADD, OPERATE_DELETE, STS, Service};

/// The length of eSign's ids.
const ID_LENGTH: usize = 32;
/// The limit that the vendor documents for a sibling parameter.
const URL_LENGTH: usize = 1000;
/// The sandbox's own limit where the vendor documents none: it keeps these in memory.
const TEXT_LENGTH: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Modify,
    GroupOrganizations,
    Employees,
    VerifyStatus,
    /// Of the security token service: returns the account of the credentials.
    CallerIdentity,
}

impl Action {
    pub(super) fn named(service: &Service, name: &str) -> Option<Self> {
        if *service == STS {
            return (name == CALLER_IDENTITY).then_some(Self::CallerIdentity);
        }
        match name {
            MODIFY => Some(Self::Modify),
            "DescribeOrganizationGroupOrganizations" => Some(Self::GroupOrganizations),
            "DescribeIntegrationEmployees" => Some(Self::Employees),
            "DescribeOrganizationVerifyStatus" => Some(Self::VerifyStatus),
            _ => None,
        }
    }
}

/// The change that a `ModifyApplicationCallbackInfo` asks for.
pub(super) fn modify(body: &[u8], account: &str, members: &[Member]) -> Result<Change, Failure> {
    let request = parse(body, MODIFY_FIELDS)?;
    check_operator(&request)?;
    let organization =
        organization(&request, members).map_err(|_| Failure::not_joined_to_modify())?;
    let url = text(&request, "/CallbackInfo/CallbackUrl")
        .ok_or_else(|| Failure::missing("CallbackInfo.CallbackUrl"))?;
    check_url(url)?;
    for (name, pointer) in [
        ("CallbackInfo.CallbackToken", "/CallbackInfo/CallbackToken"),
        ("Agent.ProxyOrganizationId", "/Agent/ProxyOrganizationId"),
        ("Agent.AppId", "/Agent/AppId"),
    ] {
        if text(&request, pointer).is_some_and(|it| it.len() > TEXT_LENGTH) {
            let why = (
                "的长度不能超过1024字节",
                "must not have more than 1024 bytes",
            );
            return Err(Failure::invalid_value(name, why));
        }
    }
    let secret = |pointer| text(&request, pointer).map(Secret::new);
    let key = secret("/CallbackInfo/CallbackKey");
    if key
        .as_ref()
        .is_some_and(|key| key.expose().len() != KEY_LENGTH)
    {
        let why = ("的长度必须为32字节", "must have exactly 32 bytes");
        return Err(Failure::invalid_value("CallbackInfo.CallbackKey", why));
    }
    let place = Place {
        account: account.to_owned(),
        organization: organization.map(str::to_owned),
        app_id: text(&request, "/Agent/AppId").map(str::to_owned),
        url: url.to_owned(),
    };
    let is = |operate: u8| request["OperateType"] == operate;
    if is(OPERATE_ADD) {
        let secrets = Secrets {
            key: Held::new(key),
            token: Held::new(secret("/CallbackInfo/CallbackToken")),
        };
        Ok(Change::Add(place, secrets))
    } else if is(OPERATE_DELETE) {
        Ok(Change::Delete(place))
    } else {
        let why = ("的取值必须为1或2", "must be 1 or 2");
        Err(Failure::invalid_value("OperateType", why))
    }
}

/// The members of the answer to `GetCallerIdentity`, for the customer at this position.
pub(super) fn identity(position: usize) -> Map<String, Value> {
    let number = 100_000_000_001 + position;
    let mut members = Map::new();
    for (name, value) in [
        ("AccountId", number.to_string()),
        ("Arn", format!("qcs::cam::uin/{number}:uin/{number}")),
        ("PrincipalId", number.to_string()),
        ("Type", "CAMUser".to_owned()),
        ("UserId", number.to_string()),
    ] {
        members.insert(name.to_owned(), Value::String(value));
    }
    members
}

/// The members of a read action's answer, without its id.
pub(super) fn describe(
    action: Action,
    body: &[u8],
    account: &str,
    members: &[Member],
    cloud: &Cloud,
) -> Result<Map<String, Value>, Failure> {
    let answer = match action {
        Action::GroupOrganizations => group(body, account, members, cloud)?,
        Action::Employees => employees(body, members)?,
        Action::VerifyStatus | Action::Modify | Action::CallerIdentity => {
            let request = parse(body, STATUS_FIELDS)?;
            check_operator(&request)?;
            organization(&request, members)?;
            json!({ "VerifyStatus": 2 })
        }
    };
    let Value::Object(answer) = answer else {
        return Err(Failure::internal());
    };
    Ok(answer)
}

fn check_operator(request: &Value) -> Result<(), Failure> {
    let id =
        text(request, "/Operator/UserId").ok_or_else(|| Failure::missing("Operator.UserId"))?;
    let right = id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    right.then_some(()).ok_or_else(Failure::invalid_operator)
}

fn organization<'r>(request: &'r Value, members: &[Member]) -> Result<Option<&'r str>, Failure> {
    let acted_for = text(request, "/Agent/ProxyOrganizationId");
    let joined = |id: &str| {
        members
            .iter()
            .any(|member| member.id == id && member.status == 5)
    };
    match acted_for {
        Some(id) if !members.is_empty() && !joined(id) => Err(Failure::not_joined()),
        _ => Ok(acted_for),
    }
}

fn check_url(url: &str) -> Result<(), Failure> {
    let invalid = |why| Err(Failure::invalid_value("CallbackInfo.CallbackUrl", why));
    if url.len() > URL_LENGTH {
        return invalid((
            "的长度不能超过1000",
            "must not have more than 1000 characters",
        ));
    }
    match url::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(()),
        _ => invalid(("不是合法的URL", "is not an http or https URL")),
    }
}

fn page(request: &Value, largest: i64) -> Result<(usize, usize), Failure> {
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
        number("Offset", 20_000, 0)?,
    ))
}

fn group(body: &[u8], account: &str, members: &[Member], cloud: &Cloud) -> Result<Value, Failure> {
    let request = parse(body, GROUP_FIELDS)?;
    check_operator(&request)?;
    let (limit, offset) = page(&request, 200)?;
    let mut all = vec![(main_organization(account), true)];
    all.extend(members.iter().cloned().map(|member| (member, false)));
    if members.is_empty() {
        // Without configured members, the group has the organizations that calls have named.
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
    }
}

/// Every well-formed `UserId` that is asked for is a verified employee who has not left.
fn employees(body: &[u8], members: &[Member]) -> Result<Value, Failure> {
    let request = parse(body, EMPLOYEES_FIELDS)?;
    check_operator(&request)?;
    organization(&request, members)?;
    let (limit, offset) = page(&request, 20)?;
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
        None => text(&request, "/Operator/UserId").into_iter().collect(),
    };
    let list: Vec<Value> = ids
        .iter()
        .skip(offset)
        .take(limit)
        .map(|id| {
            json!({
                "UserId": id,
                "DisplayName": "沙箱员工",
                "Mobile": "",
                "Email": "",
                "OpenId": "",
                "Roles": [{ "RoleId": "sandbox", "RoleName": "超级管理员" }],
                "Verified": true,
                "CreatedOn": 1_700_000_000,
                "VerifiedOn": 1_700_000_000,
                "QuiteJob": 0,
            })
        })
        .collect();
    Ok(json!({
        "Employees": list,
        "Offset": offset,
        "Limit": limit,
        "TotalCount": ids.len(),
    }))
}

#[cfg(test)]
mod tests;
