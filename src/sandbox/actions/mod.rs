//! The actions that the sandbox supports: the one that changes callbacks, four that read, `GetCallerIdentity` of the
//! security token service and `DescribeEvents` of CloudAudit.

mod read;

pub(super) use read::describe;

use serde_json::{Map, Value};

use super::cloud::{Change, Held, Place, Secrets};
use super::enterprise::{Edition, Enterprise};
use super::failure::Failure;
use super::parameters::{MODIFY_FIELDS, parse, text};
use crate::envelope::KEY_LENGTH;
use crate::secret::Secret;
use crate::wire::{
    CALLER_IDENTITY, CLOUDAUDIT, DESCRIBE_EVENTS, EMPLOYEES, GROUP, MODIFY, OPERATE_ADD,
    OPERATE_DELETE, ROLES, STS, Service, VERIFY_STATUS,
};

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
    Roles,
    VerifyStatus,
    /// Of the security token service: returns the account of the credentials.
    CallerIdentity,
    /// Of CloudAudit: what arrived.
    AuditEvents,
}

impl Action {
    pub(super) fn named(service: &Service, name: &str) -> Option<Self> {
        if *service == STS {
            return (name == CALLER_IDENTITY).then_some(Self::CallerIdentity);
        }
        if *service == CLOUDAUDIT {
            return (name == DESCRIBE_EVENTS).then_some(Self::AuditEvents);
        }
        match name {
            MODIFY => Some(Self::Modify),
            GROUP => Some(Self::GroupOrganizations),
            EMPLOYEES => Some(Self::Employees),
            ROLES => Some(Self::Roles),
            VERIFY_STATUS => Some(Self::VerifyStatus),
            _ => None,
        }
    }
}

/// The change that a `ModifyApplicationCallbackInfo` asks for.
pub(super) fn modify(
    body: &[u8],
    account: &str,
    enterprise: &Enterprise,
) -> Result<Change, Failure> {
    let request = parse(body, MODIFY_FIELDS)?;
    let operator = check_operator(&request)?;
    let organization =
        organization(&request, enterprise).map_err(|_| Failure::not_joined_to_modify())?;
    if organization.is_some() && enterprise.edition == Edition::Basic {
        return Err(Failure::no_permission_feature());
    }
    enterprise
        .may_configure(operator, organization)
        .map_err(Failure::operator_barred)?;
    let url = text(&request, "/CallbackInfo/CallbackUrl")
        .ok_or_else(|| Failure::missing("CallbackInfo.CallbackUrl"))?;
    check_url(url, enterprise)?;
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

/// The operator's id, if it has the form of one.
fn check_operator(request: &Value) -> Result<&str, Failure> {
    let id =
        text(request, "/Operator/UserId").ok_or_else(|| Failure::missing("Operator.UserId"))?;
    let right = id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    right.then_some(id).ok_or_else(Failure::invalid_operator)
}

fn organization<'r>(
    request: &'r Value,
    enterprise: &Enterprise,
) -> Result<Option<&'r str>, Failure> {
    let acted_for = text(request, "/Agent/ProxyOrganizationId");
    match acted_for {
        Some(id) if !enterprise.has_joined(id) => Err(Failure::not_joined()),
        _ => Ok(acted_for),
    }
}

fn check_url(url: &str, enterprise: &Enterprise) -> Result<(), Failure> {
    let invalid = |why| Err(Failure::invalid_value("CallbackInfo.CallbackUrl", why));
    if url.len() > URL_LENGTH {
        return invalid((
            "的长度不能超过1000",
            "must not have more than 1000 characters",
        ));
    }
    match url::Url::parse(url) {
        Ok(parsed)
            if matches!(parsed.scheme(), "http" | "https")
                && !enterprise.refuses_host(parsed.host_str().unwrap_or_default()) =>
        {
            Ok(())
        }
        _ => invalid(("不是合法的URL", "is not an http or https URL")),
    }
}

#[cfg(test)]
mod tests;
