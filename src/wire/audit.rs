//! CloudAudit (操作审计), which logs what arrives at Tencent Cloud's APIs. Source: CloudAudit API 2019-03-19,
//! `DescribeEvents` (cloud.tencent.com/document/api/629/56311). Nobody documents whether it logs the calls that
//! change callbacks.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Service;

/// CloudAudit. Any of its regions has the events of all.
pub const CLOUDAUDIT: Service = Service {
    name: "cloudaudit",
    version: "2019-03-19",
    region: Some("ap-guangzhou"),
};

/// `X-TC-Action` of the call that reads the log.
pub const DESCRIBE_EVENTS: &str = "DescribeEvents";
/// How many events a page has at most.
pub const MOST_EVENTS: u32 = 50;
/// The `AttributeKey` that chooses events by their action.
pub const EVENT_NAME: &str = "EventName";

/// The body of `DescribeEvents`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct EventsRequest {
    /// In seconds since 1970, at most 90 days ago.
    pub start_time: i64,
    /// Less than 30 days later.
    pub end_time: i64,
    pub max_results: u32,
    /// Of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_token: Option<u64>,
    pub lookup_attributes: Vec<LookupAttribute>,
}

/// What chooses events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct LookupAttribute {
    pub attribute_key: String,
    pub attribute_value: String,
}

/// The answer to `DescribeEvents`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventsPage {
    /// Whether it is the last page.
    pub list_over: bool,
    #[serde(default)]
    pub next_token: Option<u64>,
    #[serde(default)]
    pub events: Option<Vec<AuditEvent>>,
}

/// One request that arrived, as far as it is used here. Texts are foreign, and the details may hold secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AuditEvent {
    pub event_id: Option<String>,
    pub event_name: Option<String>,
    /// Seconds since 1970, as a text.
    pub event_time: Value,
    /// JSON with `requestParameters`, `apiErrorCode`, `userAgent`, …
    pub cloud_audit_event: Option<String>,
    /// Of the signature or the permission; 0 if there was none.
    pub error_code: Value,
    pub username: Option<String>,
    pub secret_id: Option<String>,
    #[serde(rename = "SourceIPAddress")]
    pub source_ip_address: Option<String>,
    #[serde(rename = "RequestID")]
    pub request_id: Option<String>,
}

impl fmt::Debug for AuditEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditEvent")
            .field("event_id", &self.event_id)
            .field("event_time", &self.event_time)
            .finish_non_exhaustive()
    }
}
