//! The sandbox's CloudAudit: the changes that arrived, for `DescribeEvents`.
//!
//! It is made from the vendor's documentation of CloudAudit. Whether the real one logs this action at all, and what it
//! has of its parameters, is not known; this one keeps them as they were sent, secrets in clear, which is the worst
//! that it may do.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::auth::RawRequest;
use super::failure::Failure;
use crate::wire::{
    AuditEvent, EVENT_NAME, EventsPage, EventsRequest, MODIFY, MOST_EVENTS, REQUEST_CLIENT,
};

/// How many events are remembered.
const REMEMBERED: usize = 10_000;
const DAY: i64 = 86_400;

/// How the log behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Habits {
    /// How long after its arrival an event can be read, in seconds of the clock that the sandbox shows.
    delay: i64,
    /// Whether what arrives from now on is left out.
    drop: bool,
}

/// What arrived.
#[derive(Debug, Default)]
pub(super) struct AuditLog {
    pub(super) habits: Habits,
    /// With the customer's account and the time, the oldest first.
    events: VecDeque<(String, i64, AuditEvent)>,
}

/// A change that was answered, though the answer may be lost.
pub(super) struct Answered<'a> {
    pub(super) account: &'a str,
    pub(super) secret_id: &'a str,
    /// By the clock that the sandbox shows.
    pub(super) at: i64,
    pub(super) request_id: &'a str,
    pub(super) failure: Option<&'a Failure>,
}

impl AuditLog {
    pub(super) fn push(&mut self, request: &RawRequest, answered: &Answered<'_>) {
        if self.habits.drop {
            return;
        }
        let Answered {
            account,
            secret_id,
            at,
            request_id,
            failure,
        } = *answered;
        let parameters: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let code = failure.map_or_else(|| json!(0), |failure| json!(failure.code));
        let message = failure.map(|failure| failure.message(request.language()));
        let details = json!({
            "actionType": "Write",
            "apiErrorCode": code,
            "apiErrorMessage": message.unwrap_or_default(),
            "apiVersion": "3.0",
            "errorCode": 0,
            "errorMessage": "",
            "eventName": MODIFY,
            "eventTime": at,
            "eventType": "ApiCall",
            "requestID": request_id,
            "requestParameters": parameters,
            "resourceType": "ess",
            "sourceIPAddress": "127.0.0.1",
            "userAgent": request.header(REQUEST_CLIENT).unwrap_or_default(),
            "userIdentity": { "secretId": secret_id, "userName": account },
        });
        let event = AuditEvent {
            event_id: Some(format!("event-{request_id}")),
            event_name: Some(MODIFY.to_owned()),
            event_time: Value::String(at.to_string()),
            cloud_audit_event: Some(details.to_string()),
            error_code: json!(0),
            username: Some(account.to_owned()),
            secret_id: Some(secret_id.to_owned()),
            source_ip_address: Some("127.0.0.1".to_owned()),
            request_id: Some(request_id.to_owned()),
        };
        if self.events.len() == REMEMBERED {
            self.events.pop_front();
        }
        self.events.push_back((account.to_owned(), at, event));
    }

    /// The answer to `DescribeEvents` at `now`: the newest first, as the vendor's console shows them.
    pub(super) fn page(
        &self,
        body: &[u8],
        account: &str,
        now: i64,
    ) -> Result<Map<String, Value>, Failure> {
        let invalid = Failure::invalid_value;
        let request: EventsRequest = serde_json::from_slice(body)
            .map_err(|_| invalid("Body", ("不是合法的请求", "is not a valid request")))?;
        let EventsRequest {
            start_time,
            end_time,
            max_results,
            next_token,
            lookup_attributes,
        } = request;
        if start_time < now - 90 * DAY {
            let why = ("不能早于90天前", "must not be more than 90 days ago");
            return Err(invalid("StartTime", why));
        }
        if end_time < start_time || end_time - start_time >= 30 * DAY {
            let why = (
                "查询区间必须小于30天",
                "must be less than 30 days after StartTime",
            );
            return Err(invalid("EndTime", why));
        }
        if !(1..=MOST_EVENTS).contains(&max_results) {
            return Err(invalid("MaxResults", ("必须为1到50", "must be 1 to 50")));
        }
        let chosen = |event: &AuditEvent| {
            lookup_attributes.iter().all(|one| {
                one.attribute_key == EVENT_NAME
                    && Some(&one.attribute_value) == event.event_name.as_ref()
            })
        };
        let matching: Vec<_> = self
            .events
            .iter()
            .rev()
            .filter(|(whose, at, event)| {
                whose == account
                    && (start_time..=end_time).contains(at)
                    && at.saturating_add(self.habits.delay) <= now
                    && chosen(event)
            })
            .collect();
        let begin = usize::try_from(next_token.unwrap_or(0)).unwrap_or(usize::MAX);
        let size = usize::try_from(max_results).unwrap_or(usize::MAX);
        let page: Vec<_> = matching.iter().skip(begin).take(size).collect();
        let end = begin.saturating_add(page.len());
        let list_over = end >= matching.len();
        let answer = EventsPage {
            list_over,
            next_token: (!list_over).then_some(end as u64),
            events: Some(page.iter().map(|(_, _, event)| event.clone()).collect()),
        };
        match serde_json::to_value(answer) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) | Err(_) => Err(Failure::internal()),
        }
    }
}
