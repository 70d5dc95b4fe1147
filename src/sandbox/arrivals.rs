//! What arrived at the sandbox, for tests to look at.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

use super::auth::RawRequest;
use super::fault::Fault;
use super::parameters::text;
use crate::wire::{OPERATE_ADD, OPERATE_DELETE};

/// How many arrivals are remembered; older ones are forgotten.
const REMEMBERED: usize = 100_000;

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
    /// What the fault script did to it; `ok` when nothing.
    pub fault: String,
    /// What it did to the cloud.
    pub effect: Effect,
    /// The error's code, when it ended in one.
    pub code: Option<&'static str>,
    /// The answer's id, sent or not.
    pub request_id: Option<String>,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It never reached the service.
    Lost,
    /// It was looked at, and changed nothing: a read, a refusal, or an add of what was there.
    Nothing,
    /// It changed the cloud.
    Changed,
}

impl Arrival {
    /// What can be seen of a request from outside, before anything is believed of it.
    pub(super) fn of(request: &RawRequest, sequence: u64, at_micros: i64, fault: Fault) -> Self {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let owned = |pointer| text(&body, pointer).map(str::to_owned);
        let operation = match body["OperateType"].as_u64() {
            Some(it) if it == u64::from(OPERATE_ADD) => Some("add"),
            Some(it) if it == u64::from(OPERATE_DELETE) => Some("delete"),
            _ => None,
        };
        let secret_id = request
            .header("authorization")
            .and_then(|text| text.split_once("Credential="))
            .and_then(|(_, rest)| rest.split_once('/'))
            .map(|(id, _)| id.to_owned());
        Self {
            sequence,
            at_micros,
            action: request.header("x-tc-action").map(str::to_owned),
            secret_id,
            signed_at: request
                .header("x-tc-timestamp")
                .and_then(|text| text.parse().ok()),
            operation,
            organization: owned("/Agent/ProxyOrganizationId"),
            app_id: owned("/Agent/AppId"),
            url: owned("/CallbackInfo/CallbackUrl"),
            has_key: text(&body, "/CallbackInfo/CallbackKey").is_some(),
            has_token: text(&body, "/CallbackInfo/CallbackToken").is_some(),
            fault: fault.to_string(),
            effect: Effect::Lost,
            code: None,
            request_id: None,
        }
    }
}

/// The last arrivals, in the order in which they were dealt with.
#[derive(Debug, Default)]
pub(super) struct Arrivals(VecDeque<Arrival>);

impl Arrivals {
    pub(super) fn push(&mut self, arrival: Arrival) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(arrival);
    }

    /// Those with a sequence number greater than `after`.
    pub(super) fn after(&self, after: u64) -> Vec<Arrival> {
        let later = self.0.iter().filter(|arrival| arrival.sequence > after);
        later.cloned().collect()
    }
}
