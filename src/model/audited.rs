//! What an audit log says of calls that change callbacks.

use serde::Serialize;

use super::{AppId, CallbackUrl, Nonce, OperatorId, OrganizationId, RequestId, Timestamp};

/// A change that arrived at eSign, as an audit log has it. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Of a call that this program marked.
    pub nonce: Option<Nonce>,
    pub at: Option<Timestamp>,
    pub request_id: Option<RequestId>,
    pub caller: AuditedCaller,
    pub asked: Asked,
    pub answer: AuditedAnswer,
    /// Whether the log shows a callback's key or token in clear.
    pub shows_secrets: bool,
}

/// Who made a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditedCaller {
    pub user: Option<String>,
    /// Its first characters.
    pub secret_id: Option<String>,
    /// An IP address.
    pub source: Option<String>,
    /// `ApiCall` or `ConsoleCall`.
    pub kind: Option<String>,
    /// What its program calls itself.
    pub client: Option<String>,
}

/// What a call asked for. A log may leave out any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub operate_type: Option<u64>,
    pub url: Option<CallbackUrl>,
    pub organization: Option<OrganizationId>,
    pub app_id: Option<AppId>,
    pub operator: Option<OperatorId>,
}

/// How eSign answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditedAnswer {
    Success,
    /// With this code, and what of the message matters.
    Error(String, &'static str),
    /// The log does not say it in a known form.
    Unclear,
}
