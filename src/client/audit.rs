//! [`AuditLog`]: what CloudAudit says arrived at Tencent Cloud's APIs, for one account. It changes nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::codes::{Says, look_up};
use super::http::Destination;
use super::transport::TIMEOUT;
use super::{Endpoint, HttpApi, Pace, retry};
use crate::model::{AccountName, ApiError, Timestamp};
use crate::wire::{
    AuditEvent, CLOUDAUDIT, DESCRIBE_EVENTS, EVENT_NAME, EventsPage, EventsRequest,
    LookupAttribute, MODIFY, MOST_EVENTS,
};

/// How long a span of time may be that is asked for, in seconds.
pub const SPAN: i64 = 29 * 86_400;

/// How often a page is asked for at most.
const ATTEMPTS: u32 = 4;
/// How many pages of a span are read at most: 20,000 events.
const PAGES: usize = 400;

/// After so many pages without an event, no more are asked for.
const EMPTY_PAGES: u32 = 20;

/// Reads the log of one account.
#[derive(Debug)]
pub struct AuditLog<'a> {
    api: &'a HttpApi,
    endpoint: &'a Endpoint,
    account: &'a AccountName,
    pace: Pace,
    now: fn() -> Timestamp,
}

/// What the log has of a span of time.
#[derive(Debug, Default)]
pub struct Logged {
    pub events: Vec<AuditEvent>,
    /// CloudAudit's clock when it answered, to the second.
    pub server_time: Option<Timestamp>,
    /// Whether there is more than is read at most.
    pub incomplete: bool,
}

impl<'a> AuditLog<'a> {
    /// Reads at this pace from `endpoint`; `now` is the time of day, to sign with.
    pub const fn new(
        api: &'a HttpApi,
        (endpoint, account): (&'a Endpoint, &'a AccountName),
        pace: Pace,
        now: fn() -> Timestamp,
    ) -> Self {
        Self {
            api,
            endpoint,
            account,
            pace,
            now,
        }
    }

    /// The calls that change callbacks, from `start` to `end`. A longer time than [`SPAN`] is asked for in pieces. `seen` gets
    /// the number of events after each page.
    ///
    /// # Errors
    /// What CloudAudit said, or that it did not answer.
    pub async fn writes(
        &self,
        (start, end): (Timestamp, Timestamp),
        mut seen: impl FnMut(usize) + Send,
    ) -> Result<Logged, ApiError> {
        let mut logged = Logged::default();
        let mut from = start;
        while from < end {
            let to = end.min(from.plus(SPAN));
            self.span((from, to), &mut logged, &mut seen).await?;
            from = to;
        }
        Ok(logged)
    }

    async fn span(
        &self,
        (start, end): (Timestamp, Timestamp),
        logged: &mut Logged,
        seen: &mut (impl FnMut(usize) + Send),
    ) -> Result<(), ApiError> {
        let mut request = EventsRequest {
            start_time: start.0,
            end_time: end.0,
            max_results: MOST_EVENTS,
            next_token: None,
            lookup_attributes: vec![LookupAttribute {
                attribute_key: EVENT_NAME.to_owned(),
                attribute_value: MODIFY.to_owned(),
            }],
        };
        let mut tokens = BTreeSet::new();
        let mut empty = 0;
        loop {
            let (page, server_time) = self.page(&request).await?;
            let EventsPage {
                list_over,
                next_token,
                events,
            } = page;
            let events = events.unwrap_or_default();
            empty = if events.is_empty() { empty + 1 } else { 0 };
            logged.events.extend(events);
            seen(logged.events.len());
            logged.server_time = server_time.or(logged.server_time);
            // A token that comes again would never end.
            let next = next_token.filter(|token| !list_over && tokens.insert(*token));
            if next.is_none() || tokens.len() >= PAGES || empty >= EMPTY_PAGES {
                logged.incomplete |= !list_over;
                return Ok(());
            }
            request.next_token = next;
        }
    }

    async fn page(
        &self,
        request: &EventsRequest,
    ) -> Result<(EventsPage, Option<Timestamp>), ApiError> {
        let to = Destination {
            service: &CLOUDAUDIT,
            endpoint: self.endpoint,
        };
        let mut attempt = 1;
        loop {
            let sent = self.pace.acquire().await.start().await;
            let action = DESCRIBE_EVENTS;
            let asked =
                self.api
                    .ask_dated(to, self.account, action, request, (self.now)(), TIMEOUT);
            let error = match asked.await {
                Ok(answer) => {
                    self.pace.answered(sent);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let says = error.code.as_deref().and_then(look_up);
            let says = says.map(|known| known.says);
            if says == Some(Says::Throttled) {
                self.pace.throttled(sent);
            }
            if attempt == ATTEMPTS || !matches!(says, Some(Says::Throttled | Says::Unknown)) {
                return Err(of_cloudaudit(error, self.endpoint));
            }
            tokio::time::sleep(retry::delay(attempt, 0.5)).await;
            attempt += 1;
        }
    }
}

/// A refusal of CloudAudit, which eSign's tables of codes take for eSign's.
fn of_cloudaudit(error: ApiError, endpoint: &Endpoint) -> ApiError {
    let Some(code) = &error.code else {
        return error;
    };
    let forbidden = code.contains("UnauthorizedOperation");
    let (meaning, advice) = if forbidden {
        (
            "CAM does not allow these credentials to read the audit log",
            Cow::Borrowed("allow `cloudaudit:DescribeEvents` in the CAM policy of the sub-account"),
        )
    } else if code.starts_with("AuthFailure") {
        (
            "the audit log was not read, and nothing was changed",
            error.advice,
        )
    } else {
        (
            "the audit log was not read, and nothing was changed",
            Cow::Borrowed(
                "run the command again; if it persists, give the request id to Tencent Cloud's support",
            ),
        )
    };
    ApiError {
        // Its own words are not shown: they could quote what the log holds.
        message: format!(
            "the answer of CloudAudit {} to {DESCRIBE_EVENTS}",
            endpoint.host(),
        ),
        meaning: Cow::Borrowed(meaning),
        advice,
        code: error.code,
        request_id: error.request_id,
    }
}
