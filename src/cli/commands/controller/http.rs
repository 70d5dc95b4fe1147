//! The server: health, metrics, the status, and what can be asked for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, DATE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::{Extension, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::access::{Access, Proof};
use crate::apply::WallClock as _;
use crate::cli::clock::{self, SystemClock};
use crate::cli::exit::Failure;
use crate::cli::options::duration;
use crate::cli::process::owner;
use crate::cli::random::random;
use crate::controller::{Board, LastRun, Refused, metrics_text};
use crate::harmless;
use crate::model::{Lineage, Salt, Suspension, Timestamp};
use crate::render::{self, Holdings, Metrics};
use crate::serving::Host;
use crate::serving::intake;
use crate::serving::line::Line;
use crate::state::Store;

const LARGEST_BODY: usize = 64 * 1024;
const CONNECTIONS: usize = 128;
const LARGE_BODIES: usize = 1;
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a suspension waits for a run to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
/// A suspension ends by itself; who needs more suspends again.
const LONGEST_SUSPENSION: Duration = Duration::from_secs(90 * 86_400);
/// In characters.
const LONGEST_REASON: usize = 1000;

/// Everything that a request needs.
#[derive(Debug)]
pub(super) struct Served {
    board: Board,
    access: Access,
    address: SocketAddr,
    store: Store,
    interval: Duration,
    command: String,
    large_bodies: Arc<Semaphore>,
}

impl Served {
    pub(super) fn new(
        board: Board,
        (access, address): (Access, SocketAddr),
        store: Store,
        (interval, command): (Duration, String),
    ) -> Arc<Self> {
        Arc::new(Self {
            board,
            access,
            address,
            store,
            interval,
            command,
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES)),
        })
    }
}

impl Host for Served {
    fn connections(&self) -> usize {
        CONNECTIONS
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn large_bodies(&self) -> &Arc<Semaphore> {
        &self.large_bodies
    }

    fn date(&self) -> String {
        clock::http_date()
    }
}

/// Notes when the next round is.
pub(super) fn next_round(board: &Board, pause: Duration) {
    let at = SystemClock
        .now()
        .plus(i64::try_from(pause.as_secs()).unwrap_or(i64::MAX));
    board.update(|status| status.next_round = Some(at));
}

pub(super) fn router(served: Arc<Served>) -> Router {
    Router::new().fallback(answer).with_state(served)
}

/// What is answered.
struct Answer {
    status: StatusCode,
    kind: &'static str,
    body: String,
    allow: Option<&'static str>,
}

impl Answer {
    fn json(status: StatusCode, value: &impl serde::Serialize) -> Self {
        let mut body = Vec::new();
        value
            .serialize(&mut serde_json::Serializer::with_formatter(
                &mut body,
                harmless::Json,
            ))
            .expect("names, numbers and times are always JSON");
        body.push(b'\n');
        Self {
            status,
            kind: "application/json",
            body: String::from_utf8(body).expect("JSON is UTF-8"),
            allow: None,
        }
    }

    fn error(status: StatusCode, error: &str, advice: Option<&str>) -> Self {
        let mut value = json!({ "error": error });
        if let Some(advice) = advice {
            value["advice"] = Value::String(advice.to_owned());
        }
        Self::json(status, &value)
    }

    fn text(status: StatusCode, kind: &'static str, body: String) -> Self {
        Self {
            status,
            kind,
            body,
            allow: None,
        }
    }
}

async fn answer(
    State(served): State<Arc<Served>>,
    Extension(line): Extension<Line>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // All of it is read in any case, so that the client gets the answer.
    let intake = intake::read(&*served, &line, body, LARGEST_BODY, || true).await;
    let answer = match intake {
        Err(refusal) => Answer::error(refusal.status(), refusal.why(), None),
        Ok(intake) => {
            let proof = served.access.proof(&parts.headers);
            let path = parts.uri.path();
            match (path, allowed(path)) {
                (_, None) => Answer::error(StatusCode::NOT_FOUND, "there is no such path", None),
                (_, Some(method)) if !is(&parts.method, method) => Answer {
                    allow: Some(method),
                    ..Answer::error(
                        StatusCode::METHOD_NOT_ALLOWED,
                        &format!("{path} takes {method}"),
                        None,
                    )
                },
                ("/healthz" | "/readyz" | "/metrics", _) => served.open(path),
                (_, Some("POST")) => served.post(path, proof, &intake.bytes).await,
                _ => served.shown(path, proof),
            }
        }
    };
    let mut response = Response::new(Body::from(if parts.method == Method::HEAD {
        String::new()
    } else {
        answer.body
    }));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    if let Some(allow) = answer.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if answer.status == StatusCode::UNAUTHORIZED {
        let realm =
            HeaderValue::from_static("Basic realm=\"ess-callbacks; the token is the password\"");
        headers.insert(WWW_AUTHENTICATE, realm);
    }
    if let Ok(date) = HeaderValue::from_str(&clock::http_date()) {
        headers.insert(DATE, date);
    }
    response
}

/// The method of a path.
fn allowed(path: &str) -> Option<&'static str> {
    match path {
        "/healthz" | "/readyz" | "/metrics" | "/status" => Some("GET"),
        "/reconcile" | "/suspend" | "/resume" | "/approve" => Some("POST"),
        _ => None,
    }
}

fn is(method: &Method, allowed: &str) -> bool {
    method.as_str() == allowed || (*method == Method::HEAD && allowed == "GET")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suspend {
    reason: String,
    until: Option<Timestamp>,
    r#for: Option<String>,
}

impl Served {
    /// What needs no token.
    fn open(&self, path: &str) -> Answer {
        match path {
            "/healthz" => {
                let silent = self.board.silence();
                // A round takes as long as it takes, and beats too.
                if silent < self.interval.saturating_mul(3) {
                    Answer::text(
                        StatusCode::OK,
                        "text/plain; charset=utf-8",
                        "ok\n".to_owned(),
                    )
                } else {
                    let text = format!("nothing was done for {} s\n", silent.as_secs());
                    Answer::text(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "text/plain; charset=utf-8",
                        text,
                    )
                }
            }
            "/readyz" => {
                let status = self.board.status();
                if status.ready {
                    return Answer::text(
                        StatusCode::OK,
                        "text/plain; charset=utf-8",
                        "ok\n".to_owned(),
                    );
                }
                let why = status.problems.first();
                let why = why.map_or("no plan was made yet", |problem| &problem.message);
                // The reason may name places, which need the token.
                let why = if self.access.has_token() {
                    "not ready"
                } else {
                    why
                };
                Answer::text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "text/plain; charset=utf-8",
                    format!("{why}\n"),
                )
            }
            _ => Answer::text(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                self.metrics(),
            ),
        }
    }

    fn metrics(&self) -> String {
        let status = self.board.status();
        let (totals, last_run) = self.board.measures();
        let (report, healed, elapsed_ms) = match last_run {
            Some(LastRun {
                report,
                healed,
                elapsed_ms,
            }) => (Some(report), healed, elapsed_ms),
            None => (None, 0, 0),
        };
        let recorded = self
            .board
            .seen()
            .map(|(recorded, _)| Holdings::of(&recorded));
        let of_a_run = render::metrics_text(&Metrics {
            version: status.version,
            at: status
                .runs
                .first()
                .map_or_else(|| SystemClock.now(), |run| run.at),
            elapsed_ms,
            exit_code: u8::from(!status.problems.is_empty()),
            last_success: status.last_success,
            environment: status.environment,
            report,
            healed,
            recorded,
        });
        of_a_run + &metrics_text(&status, &totals)
    }

    /// What only who has the token sees.
    fn shown(&self, _path: &str, proof: Proof) -> Answer {
        match proof {
            Proof::Bearer | Proof::Password | Proof::Local => {
                Answer::json(StatusCode::OK, &self.board.status())
            }
            Proof::Nothing => self.refused(),
        }
    }

    fn refused(&self) -> Answer {
        if self.access.has_token() {
            let advice = "Send the header `Authorization: Bearer TOKEN`.";
            return Answer::error(
                StatusCode::UNAUTHORIZED,
                "this needs the token",
                Some(advice),
            );
        }
        let advice = format!(
            "Use http://{}, or set ESS_CALLBACKS_CONTROLLER_TOKEN.",
            self.address
        );
        Answer::error(
            StatusCode::FORBIDDEN,
            "without a token, the server answers only to the names of this machine",
            Some(&advice),
        )
    }

    /// What changes something needs the token as a bearer, which no other page can make a browser send.
    async fn post(&self, path: &str, proof: Proof, body: &[u8]) -> Answer {
        match proof {
            Proof::Bearer => {}
            Proof::Local | Proof::Nothing if !self.access.has_token() => {
                return Answer::error(
                    StatusCode::FORBIDDEN,
                    "requests need a token, and none is set",
                    Some(
                        "Start the controller with ESS_CALLBACKS_CONTROLLER_TOKEN or --token-file.",
                    ),
                );
            }
            Proof::Password | Proof::Local | Proof::Nothing => {
                let advice = "Send the header `Authorization: Bearer TOKEN`.";
                return Answer::error(
                    StatusCode::UNAUTHORIZED,
                    "this needs the token",
                    Some(advice),
                );
            }
        }
        match path {
            "/approve" => match parsed::<Approve>(body, "{\"digest\":\"sha256:…\"}") {
                Ok(Approve { digest }) => self.approve(&digest),
                Err(answer) => answer,
            },
            "/suspend" => {
                let shape = "{\"reason\":\"…\",\"for\":\"2h\"}, or \"until\" with a time";
                match parsed::<Suspend>(body, shape).and_then(suspension) {
                    Ok(suspension) => self.suspend(Some(suspension)).await,
                    Err(answer) => answer,
                }
            }
            "/resume" => self.suspend(None).await,
            _ => {
                self.board.poke();
                Answer::json(StatusCode::ACCEPTED, &json!({ "asked": "reconcile" }))
            }
        }
    }

    fn approve(&self, digest: &str) -> Answer {
        match self.board.approve(digest) {
            Ok(()) => Answer::json(StatusCode::ACCEPTED, &json!({ "approved": digest })),
            Err(Refused::NothingWaits) => Answer::error(
                StatusCode::CONFLICT,
                "no plan waits for an approval here",
                Some("It may be applied already, or have changed. GET /status shows it."),
            ),
            Err(Refused::OtherDigest(waiting)) => Answer::error(
                StatusCode::CONFLICT,
                &format!("the plan that waits has the digest {waiting}"),
                Some("It has changed. Review it again: GET /status shows it."),
            ),
            Err(Refused::Final) => Answer::error(
                StatusCode::CONFLICT,
                "a guard refuses this plan that no approval overrides",
                Some("GET /status says which. Correct the configuration."),
            ),
        }
    }

    /// Writes a suspension, or its end, into the state, where all replicas see it.
    async fn suspend(&self, suspension: Option<Suspension>) -> Answer {
        if suspension.is_some() {
            self.board.halt();
        }
        match self.record(suspension.clone()).await {
            Ok(()) => {
                self.board
                    .update(|status| status.suspended.clone_from(&suspension));
                self.board.poke();
                Answer::json(StatusCode::OK, &json!({ "suspended": suspension }))
            }
            Err(failure) => Answer::error(
                StatusCode::SERVICE_UNAVAILABLE,
                &failure.message,
                failure.advice.as_deref(),
            ),
        }
    }

    async fn record(&self, suspension: Option<Suspension>) -> Result<(), Failure> {
        let status = self.board.status();
        let environment = status.environment.ok_or_else(|| {
            Failure::error("the configuration was not read yet").advice("Try again in a moment.")
        })?;
        let owner = owner::this_process(&self.command)?;
        let state = self
            .store
            .lock(environment, &owner, LOCK_PATIENCE, |_| {})
            .await?;
        let written = async {
            let lineage = Lineage(uuid::Builder::from_random_bytes(random()?).into_uuid());
            state.initialize(lineage, Salt(random()?)).await?;
            state.edit(|recorded| {
                let changes = recorded.suspension != suspension;
                recorded.suspension = suspension;
                changes
            });
            state.save().await?;
            Ok(())
        }
        .await;
        let released = state.release().await;
        written.and(released.map_err(Failure::from))
    }
}

/// The body of a request, which has this shape.
fn parsed<T: DeserializeOwned>(body: &[u8], shape: &str) -> Result<T, Answer> {
    serde_json::from_slice(body).map_err(|error| {
        Answer::error(
            StatusCode::BAD_REQUEST,
            &format!("the body can't be read: {error}"),
            Some(&format!("Send JSON: {shape}.")),
        )
    })
}

fn suspension(asked: Suspend) -> Result<Suspension, Answer> {
    let wrong = |why: &str| Answer::error(StatusCode::BAD_REQUEST, why, None);
    let Suspend {
        reason,
        until,
        r#for,
    } = asked;
    let reason = reason.trim().to_owned();
    if reason.is_empty() {
        return Err(wrong(
            "`reason` is empty: say why, for who finds it suspended",
        ));
    }
    if reason.chars().count() > LONGEST_REASON {
        return Err(wrong("`reason` is longer than 1000 characters"));
    }
    let now = SystemClock.now();
    let until = match (until, r#for) {
        (Some(until), None) => until,
        (None, Some(time)) => {
            let time = duration::parse(&time).map_err(|why| wrong(&format!("`for`: {why}")))?;
            now.plus(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
        }
        (Some(_), Some(_)) => return Err(wrong("give one of `until` and `for`")),
        (None, None) => return Err(wrong("give `until` or `for`: a suspension ends by itself")),
    };
    let seconds = until.seconds_since(now);
    if seconds <= 0 {
        return Err(wrong("`until` is past"));
    }
    if u64::try_from(seconds).unwrap_or(0) > LONGEST_SUSPENSION.as_secs() {
        return Err(wrong("a suspension lasts at most 90 days"));
    }
    Ok(Suspension { reason, until })
}
