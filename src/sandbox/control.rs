//! `/_sandbox/`: the sandbox's own API, for tests and trials. eSign has no such API.
//!
//! It is for programs on this machine: a browser's requests are refused, so that no web page can
//! read the log or send callbacks.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::audit::Habits;
use super::cloud::Held;
use super::emit::{self, Emission};
use super::fault::SpecError;
use super::faults::Faults;
use super::options::OnExists;
use super::service::Service;
use super::spec::{FaultSpec, Script};
use crate::serving::intake;
use crate::serving::line::Line;
use crate::wire::CONTENT_TYPE as JSON;

/// A configured callback, as the sandbox shows it. The digests are SHA-256 in hexadecimal, to
/// compare with; they are missing when the callback has no such secret or the cloud file does not keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallbackView {
    /// Whose credentials it was configured with.
    pub account: String,
    /// The member organization acted for.
    pub organization: Option<String>,
    pub app_id: Option<String>,
    pub url: String,
    /// Whether messages to it are encrypted.
    pub has_key: bool,
    /// Whether they are signed.
    pub has_token: bool,
    /// Of the key.
    pub key_sha256: Option<String>,
    /// Of the token.
    pub token_sha256: Option<String>,
}

/// The faults to inject from now on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultsRequest {
    #[serde(default)]
    fault: String,
    #[serde(default)]
    script: String,
    seed: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockRequest {
    skew: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExistsRequest {
    answer: OnExists,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    #[serde(default)]
    after: u64,
}

/// The largest body of a request, in bytes.
const LARGEST_BODY: usize = 1024 * 1024;
/// How many log entries are made into text at a time.
const PAGE: usize = 500;

type Shared = State<Arc<Service>>;
type Body<T> = Result<Json<T>, JsonRejection>;

pub(super) fn router(service: Arc<Service>) -> Router<Arc<Service>> {
    Router::new()
        .route("/callbacks", get(show_callbacks))
        .route("/log", get(show_log))
        .route("/faults", get(show_faults).post(post_faults))
        .route("/clock", get(show_clock).post(set_clock))
        .route("/exists", get(show_exists).post(set_exists))
        .route("/audit", get(show_audit).post(set_audit))
        .route("/emit", post(emit_to))
        .method_not_allowed_fallback(async || {
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method; the header Allow has those that it takes",
            )
        })
        .fallback(async || problem(StatusCode::NOT_FOUND, "no such path in the sandbox's API"))
        .layer(from_fn_with_state(service, take_body_in))
        .layer(from_fn(refuse_browsers))
}

async fn refuse_browsers(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|it| it.to_str().ok());
    let known = host.is_some_and(is_no_name);
    if request.headers().contains_key(ORIGIN) || !known {
        let why = "the sandbox's API is for programs on this machine; address it by IP address or `localhost`";
        return problem(StatusCode::FORBIDDEN, why);
    }
    next.run(request).await
}

/// Reads the whole body before a handler runs.
async fn take_body_in(
    State(service): Shared,
    Extension(line): Extension<Line>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    match intake::read(&*service, &line, body, LARGEST_BODY, || true).await {
        Ok(intake) => {
            let answer = next.run(Request::from_parts(parts, intake.bytes.into()));
            let answer = answer.await;
            drop(intake.place);
            answer
        }
        Err(refusal) => problem(refusal.status(), refusal.why()),
    }
}

/// A web page can make its own host name resolve to this machine, but not an IP address.
fn is_no_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let number = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || number.parse::<IpAddr>().is_ok()
}

fn problem(status: StatusCode, what: &str) -> Response {
    (status, Json(json!({ "error": what }))).into_response()
}

fn bad_request(what: &impl ToString) -> Response {
    problem(StatusCode::BAD_REQUEST, &what.to_string())
}

/// Every configured callback, in order.
pub(super) fn callbacks(service: &Service) -> Vec<CallbackView> {
    let digest = |held: &Held| match held {
        Held::Value(secret) => Some(hex::encode(Sha256::digest(secret.expose().as_bytes()))),
        Held::Nothing | Held::Forgotten => None,
    };
    let inner = service.inner();
    let all = inner.cloud.iter();
    all.map(|(place, secrets)| CallbackView {
        account: place.account.clone(),
        organization: place.organization.clone(),
        app_id: place.app_id.clone(),
        url: place.url.clone(),
        has_key: secrets.key.is_set(),
        has_token: secrets.token.is_set(),
        key_sha256: digest(&secrets.key),
        token_sha256: digest(&secrets.token),
    })
    .collect()
}

async fn show_callbacks(State(service): Shared) -> Json<Vec<CallbackView>> {
    Json(callbacks(&service))
}

/// The log is streamed: there is one copy of it, however many clients read it slowly.
async fn show_log(
    State(service): Shared,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Response {
    let after = match query {
        Ok(Query(LogQuery { after })) => after,
        Err(rejection) => return bad_request(&rejection),
    };
    let (start, end) = service.inner().arrivals.bounds();
    if end - start <= PAGE {
        let (page, _) = service.inner().arrivals.page(start, end, PAGE);
        let later = page.into_iter().filter(|arrival| arrival.sequence > after);
        return Json(later.collect::<Vec<_>>()).into_response();
    }
    let pages = stream::unfold((Some(start), "["), move |(from, separator)| {
        let service = Arc::clone(&service);
        async move {
            let (page, next) = service.inner().arrivals.page(from?, end, PAGE);
            let mut text = String::new();
            let mut separator = separator;
            for arrival in page.iter().filter(|arrival| arrival.sequence > after) {
                text.push_str(separator);
                text.push_str(&json!(arrival).to_string());
                separator = ",";
            }
            if next.is_none() {
                text.push_str(if separator == "[" { "[]" } else { "]" });
            }
            Some((Ok::<_, Infallible>(text), (next, separator)))
        }
    });
    let json = [(CONTENT_TYPE, JSON)];
    (json, axum::body::Body::from_stream(pages)).into_response()
}

async fn show_faults(State(service): Shared) -> Json<Value> {
    Json(faults_shown(&service))
}

fn faults_shown(service: &Service) -> Value {
    let inner = service.inner();
    json!({
        "fault": inner.faults.spec().to_string(),
        "script": inner.faults.script().to_string(),
        "seed": inner.faults.seed(),
    })
}

/// Replaces all faults, and the skew with them. Without a seed, the current one is kept.
pub(super) fn set_faults(service: &Service, spec: FaultSpec, script: Script, seed: Option<u64>) {
    let mut inner = service.inner();
    let seed = seed.unwrap_or(inner.faults.seed());
    service.clock.set_skew(spec.skew);
    inner.faults = Faults::new(spec, script, seed);
}

/// An omitted member means none.
fn replace_faults(service: &Service, request: &FaultsRequest) -> Result<(), SpecError> {
    let spec = request.fault.parse()?;
    let script = request.script.parse()?;
    set_faults(service, spec, script, request.seed);
    Ok(())
}

async fn post_faults(State(service): Shared, request: Body<FaultsRequest>) -> Response {
    let request = match request {
        Ok(Json(request)) => request,
        Err(rejection) => return bad_request(&rejection),
    };
    match replace_faults(&service, &request) {
        Ok(()) => Json(faults_shown(&service)).into_response(),
        Err(error) => bad_request(&error),
    }
}

fn clock_shown(service: &Service) -> Json<Value> {
    Json(json!({
        "skew": service.clock.skew(),
        "shown": service.clock.shown().0,
        "true_micros": service.clock.micros(),
    }))
}

async fn show_clock(State(service): Shared) -> Json<Value> {
    clock_shown(&service)
}

async fn set_clock(State(service): Shared, request: Body<ClockRequest>) -> Response {
    match request {
        Ok(Json(ClockRequest { skew })) => {
            service.clock.set_skew(skew);
            clock_shown(&service).into_response()
        }
        Err(rejection) => bad_request(&rejection),
    }
}

fn exists_shown(service: &Service) -> Json<Value> {
    Json(json!({ "answer": service.inner().exists }))
}

async fn show_exists(State(service): Shared) -> Json<Value> {
    exists_shown(&service)
}

async fn set_exists(State(service): Shared, request: Body<ExistsRequest>) -> Response {
    match request {
        Ok(Json(ExistsRequest { answer })) => {
            service.inner().exists = answer;
            exists_shown(&service).into_response()
        }
        Err(rejection) => bad_request(&rejection),
    }
}

async fn show_audit(State(service): Shared) -> Json<Habits> {
    Json(service.inner().audit.habits)
}

/// An omitted member means none.
async fn set_audit(State(service): Shared, request: Body<Habits>) -> Response {
    match request {
        Ok(Json(habits)) => {
            service.inner().audit.habits = habits;
            Json(habits).into_response()
        }
        Err(rejection) => bad_request(&rejection),
    }
}

async fn emit_to(State(service): Shared, request: Body<Emission>) -> Response {
    let Ok(_turn) = service.emissions.try_acquire() else {
        let why = "too many emissions are running; try again when one has ended (a callback whose \
                   URL is this sandbox itself emits without end)";
        return problem(StatusCode::SERVICE_UNAVAILABLE, why);
    };
    match request {
        Ok(Json(emission)) => match emit::emit(&service, emission).await {
            Ok(report) => Json(report).into_response(),
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        Err(rejection) => bad_request(&rejection),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_and_localhost_are_let_in() {
        for good in [
            "127.0.0.1:8901",
            "127.0.0.1",
            "localhost:1",
            "[::1]:8901",
            "[::1]",
        ] {
            assert!(is_no_name(good), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:8901",
            "localhost.evil.example",
            "",
            ":80",
        ] {
            assert!(!is_no_name(bad), "{bad}");
        }
    }
}
