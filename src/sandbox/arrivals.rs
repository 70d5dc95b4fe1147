//! What arrived at the sandbox, for tests to look at.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::auth::RawRequest;
use super::fault::Fault;
use crate::wire::{OPERATE_ADD, OPERATE_DELETE};

/// The number of arrivals that are kept; older ones are dropped.
const REMEMBERED: usize = 100_000;
/// The number of characters of a text that are kept.
const EXCERPT: usize = 1000;

/// One request and what became of it. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrival {
    /// Counts all arrivals, from 1.
    pub sequence: u64,
    /// The sandbox's true time in microseconds since 1970, whatever clock it shows.
    pub at_micros: i64,
    /// `X-TC-Action`.
    pub action: Option<String>,
    /// From `Authorization`, verified or not.
    pub secret_id: Option<String>,
    /// `X-TC-Timestamp`.
    pub signed_at: Option<i64>,
    /// `add` or `delete`.
    pub operation: Option<&'static str>,
    /// `Agent.ProxyOrganizationId`.
    pub organization: Option<String>,
    /// `Agent.AppId`.
    pub app_id: Option<String>,
    /// `CallbackInfo.CallbackUrl`.
    pub url: Option<String>,
    /// Whether a key was sent.
    pub has_key: bool,
    /// Whether a token was sent.
    pub has_token: bool,
    /// Its fault; `ok` if it had none.
    pub fault: String,
    /// Its effect on the cloud.
    pub effect: Effect,
    /// The error's code, when it ended in one.
    pub code: Option<&'static str>,
    /// The answer's id, sent or not.
    pub request_id: Option<String>,
}

/// The effect of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It never reached the service.
    Lost,
    /// It was processed and changed nothing: a read, a refusal, or an add of an existing callback.
    Nothing,
    /// It changed the cloud.
    Changed,
}

impl Arrival {
    /// What a request says of itself, before it is verified.
    pub(super) fn of(request: &RawRequest, sequence: u64, at_micros: i64, fault: Fault) -> Self {
        // Only the members that are logged: as a `Value`, a body of brackets would take many times its size.
        let Seen {
            operate_type,
            agent,
            callback_info,
        } = serde_json::from_slice(&request.body).unwrap_or_default();
        let agent = agent.unwrap_or_default();
        let callback = callback_info.unwrap_or_default();
        let operation = match operate_type {
            Some(it) if it == u64::from(OPERATE_ADD) => Some("add"),
            Some(it) if it == u64::from(OPERATE_DELETE) => Some("delete"),
            _ => None,
        };
        let secret_id = request
            .header("authorization")
            .and_then(|text| text.split_once("Credential="))
            .and_then(|(_, rest)| rest.split_once('/'))
            .map(|(id, _)| excerpt(id));
        Self {
            sequence,
            at_micros,
            action: request.header("x-tc-action").map(excerpt),
            secret_id,
            signed_at: request
                .header("x-tc-timestamp")
                .and_then(|text| text.parse().ok()),
            operation,
            organization: shown(agent.proxy_organization_id),
            app_id: shown(agent.app_id),
            url: shown(callback.url),
            has_key: shown(callback.key).is_some(),
            has_token: shown(callback.token).is_some(),
            fault: fault.to_string(),
            effect: Effect::Lost,
            code: None,
            request_id: None,
        }
    }
}

/// The members of a body that the log shows; others are ignored. If one of them has the wrong type, the log
/// shows none.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Seen {
    operate_type: Option<u64>,
    agent: Option<SeenAgent>,
    callback_info: Option<SeenCallback>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SeenAgent {
    proxy_organization_id: Option<String>,
    app_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SeenCallback {
    #[serde(rename = "CallbackUrl")]
    url: Option<String>,
    #[serde(rename = "CallbackKey")]
    key: Option<String>,
    #[serde(rename = "CallbackToken")]
    token: Option<String>,
}

fn shown(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
        .map(|text| excerpt(&text))
}

/// The text, shortened for the log: those of a refused request may have any length.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The last arrivals, in the order of processing.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    remembered: VecDeque<Arrival>,
    forgotten: usize,
}

impl Arrivals {
    pub(super) fn push(&mut self, arrival: Arrival) {
        if self.remembered.len() == REMEMBERED {
            self.remembered.pop_front();
            self.forgotten += 1;
        }
        self.remembered.push_back(arrival);
    }

    pub(super) fn all(&self) -> Vec<Arrival> {
        self.remembered.iter().cloned().collect()
    }

    /// The place of the first one and the place after the last, counted from the first arrival
    /// ever.
    pub(super) fn bounds(&self) -> (usize, usize) {
        (self.forgotten, self.forgotten + self.remembered.len())
    }

    /// At most `most` from the place `from` on and before `end`, and the place of the next page.
    pub(super) fn page(
        &self,
        from: usize,
        end: usize,
        most: usize,
    ) -> (Vec<Arrival>, Option<usize>) {
        let from = from.max(self.forgotten);
        let until = from.saturating_add(most).min(end);
        let page = self.remembered.iter().skip(from - self.forgotten);
        let page = page.take(until.saturating_sub(from)).cloned().collect();
        (page, (until < end).then_some(until))
    }
}
