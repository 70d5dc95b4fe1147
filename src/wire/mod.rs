//! What eSign's API says on the wire: request and answer bodies.
//!
//! Source: Tencent eSign API 2020-11-11, `ModifyApplicationCallbackInfo`
//! (cloud.tencent.com/document/api/1323/86752). Shared by the client, which speaks it, and the
//! sandbox, which answers it; nothing else is shared between the two but the signature.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "wire types are values"
)]

mod audit;
mod read;

pub use audit::{
    AuditEvent, CLOUDAUDIT, DESCRIBE_EVENTS, EVENT_NAME, EventsPage, EventsRequest,
    LookupAttribute, MOST_EVENTS,
};
pub use read::{
    EMPLOYEES, Employees, EmployeesRequest, Filter, GROUP, GroupPage, GroupRequest, MOST_EMPLOYEES,
    MOST_MEMBERS, MOST_OFFSET, MOST_ROLES, MOST_ROLES_OFFSET, Member, ROLES, Role, RoleOfEmployee,
    Roles, RolesRequest, Staff, VERIFY_STATUS, VerifyRequest, VerifyStatus,
};

use serde::{Deserialize, Serialize};

/// One of Tencent Cloud's services, as requests name it.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// In the signature.
    pub name: &'static str,
    /// `X-TC-Version`.
    pub version: &'static str,
    /// `X-TC-Region`, where the service needs one.
    pub region: Option<&'static str>,
}

/// eSign, in every environment.
pub const ESIGN: Service = Service {
    name: "ess",
    version: "2020-11-11",
    region: None,
};

/// The security token service, which returns the account of the credentials. Any region works.
pub const STS: Service = Service {
    name: "sts",
    version: "2018-08-13",
    region: Some("ap-guangzhou"),
};

/// `X-TC-Action` of the call that returns the account of the credentials.
pub const CALLER_IDENTITY: &str = "GetCallerIdentity";
/// `X-TC-Action` of the call that exchanges credentials for those of a role.
pub const ASSUME_ROLE: &str = "AssumeRole";
/// `X-TC-Action` of the same with a token of an identity provider; it is not signed.
pub const ASSUME_ROLE_WITH_WEB_IDENTITY: &str = "AssumeRoleWithWebIdentity";
/// `X-TC-Action` of the one call that changes callbacks.
pub const MODIFY: &str = "ModifyApplicationCallbackInfo";
/// The header that names the client of a request. At most 128 characters of `0-9a-zA-Z-_,;.`.
pub const REQUEST_CLIENT: &str = "X-TC-RequestClient";
/// `Content-Type`, byte-equal on the wire and in the signature.
pub const CONTENT_TYPE: &str = "application/json";
/// What eSign says when a delete finds nothing. Only together with `FailedOperation`.
pub const NOT_CONFIGURED: &str = "当前配置不存在";

/// `OperateType`.
pub const OPERATE_ADD: u8 = 1;
/// `OperateType`.
pub const OPERATE_DELETE: u8 = 2;

/// The body of `ModifyApplicationCallbackInfo`. `S` is how the two secrets are held: borrowed when
/// sent, owned when received.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ModifyRequest<S> {
    /// The employee in whose name the call is made.
    pub operator: UserInfo,
    /// 1 add, 2 delete.
    pub operate_type: u8,
    pub callback_info: CallbackInfo<S>,
    /// Set when the call is not for the account's own organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

/// `UserInfo`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct UserInfo {
    /// 32 characters.
    pub user_id: String,
}

/// `CallbackInfo`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct CallbackInfo<S> {
    pub callback_url: String,
    /// Encrypts the messages.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub callback_key: Option<S>,
    /// Signs them.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub callback_token: Option<S>,
}

/// `Agent`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Agent {
    /// A group's member organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_organization_id: Option<String>,
    /// An application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
}

/// Every answer, success and failure alike, with HTTP status 200.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    pub response: Response,
}

/// The inside of an [`Answer`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    /// Only in a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
    /// Identifies the call for the vendor's support.
    pub request_id: String,
}

/// An error as eSign returns it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorBody {
    /// Like `AuthFailure.SignatureFailure`.
    pub code: String,
    /// In Chinese or English.
    pub message: String,
}

fn none<S>() -> Option<S> {
    None
}

impl<S> std::fmt::Debug for ModifyRequest<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModifyRequest")
            .field("operator", &self.operator)
            .field("operate_type", &self.operate_type)
            .field("callback_info", &self.callback_info)
            .field("agent", &self.agent)
            .finish()
    }
}

impl<S> std::fmt::Debug for CallbackInfo<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallbackInfo")
            .field("callback_url", &self.callback_url)
            .finish_non_exhaustive()
    }
}
