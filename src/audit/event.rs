//! One event of the log, without its secrets.
//!
//! Its form is read from the vendor's documentation, which has no example of this action. So it is read leniently,
//! and what is not understood says nothing.

use serde_json::Value;

use crate::model::{
    AppId, Asked, Audited, AuditedAnswer, AuditedCaller, CallbackUrl, Nonce, OperatorId,
    OrganizationId, RequestId, Timestamp,
};
use crate::wire::{AuditEvent, NOT_CONFIGURED};

/// The other message that means something: the URL is there already.
const EXISTS: &str = "已存在";
/// How many characters of a foreign text are kept.
const KEPT: usize = 64;

/// Reads an event.
pub fn read(event: &AuditEvent) -> Audited {
    let AuditEvent {
        event_id: _,
        event_name: _,
        event_time,
        cloud_audit_event,
        error_code,
        username,
        secret_id,
        source_ip_address,
        request_id,
    } = event;
    let details = cloud_audit_event.as_deref();
    let details: Value = details
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let own = |name: &str| details[name].as_str().map(str::to_owned);
    let parameters = unwrapped(&details["requestParameters"]);
    let text = |pointer: &str| {
        let text = parameters.pointer(pointer)?.as_str()?;
        (!text.is_empty()).then_some(text)
    };
    let client = own("userAgent").filter(|client| !client.is_empty());
    let secret_id = secret_id.clone().or_else(|| {
        let id = details.pointer("/userIdentity/secretId")?;
        id.as_str().map(str::to_owned)
    });
    Audited {
        nonce: client.as_deref().and_then(Nonce::of_mark),
        at: seconds(event_time).or_else(|| seconds(&details["eventTime"])),
        request_id: request_id
            .clone()
            .or_else(|| own("requestID"))
            .filter(|id| is_id(id))
            .map(RequestId::new),
        caller: AuditedCaller {
            user: kept(username.clone()),
            secret_id: secret_id.filter(|id| is_id(id)).map(|id| beginning(&id)),
            source: kept(source_ip_address.clone().or_else(|| own("sourceIPAddress"))),
            kind: kept(own("eventType")),
            client: kept(client),
        },
        asked: Asked {
            operate_type: number(&parameters["OperateType"]),
            url: text("/CallbackInfo/CallbackUrl").map(CallbackUrl::new),
            organization: text("/Agent/ProxyOrganizationId").map(OrganizationId::new),
            app_id: text("/Agent/AppId").map(AppId::new),
            operator: text("/Operator/UserId").map(OperatorId::new),
        },
        answer: answer(error_code, &details),
        shows_secrets: ["CallbackKey", "CallbackToken"]
            .iter()
            .any(|name| text(&format!("/CallbackInfo/{name}")).is_some_and(is_clear)),
    }
}

/// Parameters may be an object, or its text.
fn unwrapped(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => serde_json::from_str(text).unwrap_or_default(),
        None => value.clone(),
    }
}

/// Success only if the log says so: the call passed the signature and the permission, and its own code is none.
fn answer(authorization: &Value, details: &Value) -> AuditedAnswer {
    let passed = [authorization, &details["errorCode"]];
    let code = &details["apiErrorCode"];
    match code.as_str() {
        Some(text) if !is_none(code) => {
            let message = details["apiErrorMessage"].as_str().unwrap_or_default();
            let known = [NOT_CONFIGURED, EXISTS];
            let known = known.into_iter().find(|known| message.contains(known));
            if is_code(text) {
                AuditedAnswer::Error(text.to_owned(), known.unwrap_or_default())
            } else {
                AuditedAnswer::Unclear
            }
        }
        _ if is_none(code)
            && passed
                .into_iter()
                .all(|code| code.is_null() || is_none(code)) =>
        {
            AuditedAnswer::Success
        }
        _ => AuditedAnswer::Unclear,
    }
}

/// Whether a code says that there was no error: 0, as a number or a text, or an empty text.
fn is_none(code: &Value) -> bool {
    code.as_u64() == Some(0) || matches!(code.as_str(), Some("" | "0"))
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn seconds(value: &Value) -> Option<Timestamp> {
    let seconds = number(value).and_then(|seconds| i64::try_from(seconds).ok())?;
    // To the end of the year 9999.
    (seconds > 0 && seconds <= 253_402_300_799).then_some(Timestamp(seconds))
}

fn is_code(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    text.len() <= 100 && text.chars().all(allowed)
}

fn is_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=100).contains(&text.len()) && text.chars().all(allowed)
}

/// Enough of a `SecretId` to find it in a list.
fn beginning(id: &str) -> String {
    const SHOWN: usize = 8;
    if id.len() <= SHOWN {
        return id.to_owned();
    }
    format!("{}…", &id[..SHOWN])
}

/// A foreign text of bounded length, without control characters.
fn kept(text: Option<String>) -> Option<String> {
    let text = text?;
    let text = text.chars().filter(|c| !c.is_control()).take(KEPT);
    let text: String = text.collect();
    (!text.is_empty()).then_some(text)
}

/// Whether a value is neither masked nor left out.
fn is_clear(value: &str) -> bool {
    !value.contains("**")
}
