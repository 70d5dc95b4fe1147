//! Events as JSON.

use serde::Serialize;

use super::text::event_text;
use crate::facts::{DriftWord, ErrorJson, ResourceJson, WhyJson};
use crate::model::{AccountName, Action, Event, RequestId, Timestamp};
use crate::render::escape::Clean;
use crate::render::json_line::{Level, line};
use crate::render::style::Style;
use crate::render::why::not_attempted;

#[derive(Serialize)]
struct HookPayload<'a> {
    hook: Hook<'a>,
}

/// The payload of an event. Each type has some of these members.
#[derive(Default, Serialize)]
struct Hook<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<ResourceJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a AccountName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    was_there: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<WhyJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<DriftWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight: Option<usize>,
}

/// The JSON of an event that happened at `at`: one line, without a line end.
pub fn event_json(event: &Event, at: Timestamp) -> String {
    let (level, kind) = class(event);
    line(
        (level, kind),
        &message(event, at),
        at,
        HookPayload { hook: hook(event) },
    )
}

const fn class(event: &Event) -> (Level, &'static str) {
    match event {
        Event::Started { .. } => (Level::Info, "apply_start"),
        Event::Completed { .. } => (Level::Info, "apply_complete"),
        Event::Failed { .. } => (Level::Error, "apply_errored"),
        Event::Unknown { .. } => (Level::Error, "apply_unknown"),
        Event::NotAttempted { .. } => (Level::Warn, "not_attempted"),
        Event::Retrying { .. } => (Level::Warn, "retry"),
        Event::Throttled { .. } => (Level::Warn, "throttled"),
        Event::FenceWait { .. } => (Level::Info, "fence_wait"),
        Event::Drifted { .. } => (Level::Warn, "drift"),
        Event::ClockOffset { .. } => (Level::Warn, "clock_offset"),
        Event::AccountStopped { .. } => (Level::Error, "account_stopped"),
        Event::Interrupted { .. } => (Level::Warn, "interrupted"),
    }
}

fn message(event: &Event, at: Timestamp) -> String {
    match event {
        Event::NotAttempted {
            address,
            action,
            why,
        } => format!(
            "{}: Not attempted ({action}): {}",
            Clean(address),
            not_attempted(why, at).0
        ),
        Event::Started { .. }
        | Event::Completed { .. }
        | Event::Failed { .. }
        | Event::Unknown { .. }
        | Event::Retrying { .. }
        | Event::Throttled { .. }
        | Event::FenceWait { .. }
        | Event::Drifted { .. }
        | Event::ClockOffset { .. }
        | Event::AccountStopped { .. }
        | Event::Interrupted { .. } => event_text(event, &Style::plain(at)).unwrap_or_default(),
    }
}

fn hook(event: &Event) -> Hook<'_> {
    let of = |address, action: &Action| Hook {
        resource: Some(ResourceJson::from(address)),
        action: Some(*action),
        ..Hook::default()
    };
    match event {
        Event::Started {
            address,
            action,
            calls: _,
        } => of(address, action),
        Event::Completed {
            address,
            action,
            calls: _,
            request_id,
            elapsed_ms,
            was_there,
        } => Hook {
            was_there: was_there.then_some(true),
            request_id: Some(request_id),
            elapsed_ms: Some(*elapsed_ms),
            ..of(address, action)
        },
        Event::Failed {
            address,
            action,
            error,
        }
        | Event::Unknown {
            address,
            action,
            error,
        } => Hook {
            error: Some(ErrorJson::from(error)),
            ..of(address, action)
        },
        Event::NotAttempted {
            address,
            action,
            why,
        } => Hook {
            why: Some(WhyJson::from(why)),
            ..of(address, action)
        },
        Event::Retrying {
            address,
            error,
            attempt,
            delay_ms,
        } => Hook {
            resource: Some(ResourceJson::from(address)),
            error: Some(ErrorJson::from(error)),
            attempt: Some(*attempt),
            delay_ms: Some(*delay_ms),
            ..Hook::default()
        },
        Event::Throttled {
            account,
            rate_per_minute,
        } => Hook {
            account: Some(account),
            rate_per_minute: Some(*rate_per_minute),
            ..Hook::default()
        },
        Event::FenceWait {
            address,
            until,
            seconds,
        } => Hook {
            resource: Some(ResourceJson::from(address)),
            until: Some(*until),
            seconds: i64::try_from(*seconds).ok(),
            ..Hook::default()
        },
        Event::Drifted { address, drift } => Hook {
            resource: Some(ResourceJson::from(address)),
            drift: Some(DriftWord::from(*drift)),
            ..Hook::default()
        },
        Event::ClockOffset { account, seconds } => Hook {
            account: Some(account),
            seconds: Some(*seconds),
            ..Hook::default()
        },
        Event::AccountStopped { account, error } => Hook {
            account: Some(account),
            error: Some(ErrorJson::from(error)),
            ..Hook::default()
        },
        Event::Interrupted { in_flight } => Hook {
            in_flight: Some(*in_flight),
            ..Hook::default()
        },
    }
}
