//! The server: health, metrics, the status, and what can be asked for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, DATE,
    REFERRER_POLICY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::{Extension, Router};
use tokio::sync::Semaphore;

use super::access::{Access, Proof};
use super::answer::Answer;
use super::esign::Esign;
use super::receipts::Receipts;
use crate::apply::WallClock as _;
use crate::cli::clock::{self, SystemClock};
use crate::cli::terminal::log::Log;
use crate::controller::{Board, LastRun, RunRecord, metrics_text};
use crate::page::content_security_policy;
use crate::render::{self, Metrics};
use crate::serving::Host;
use crate::serving::intake;
use crate::serving::line::Line;
use crate::state::Store;

const LARGEST_BODY: usize = 64 * 1024;
/// Of a message of eSign: the limit of the vendor's gateway.
const LARGEST_MESSAGE: usize = 10 * 1024 * 1024;
/// Of many receipts.
const LARGEST_RECEIPTS: usize = 8 * 1024 * 1024;
const CONNECTIONS: usize = 128;
const LARGE_BODIES: usize = 1;
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the log names a request with a wrong token.
const WRONG_TOKENS: Duration = Duration::from_secs(60);

/// Everything that a request needs.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) board: Board,
    access: Access,
    esign: Option<Esign>,
    address: SocketAddr,
    /// The name of the configuration.
    pub(super) configuration: String,
    pub(super) store: Store,
    receipts: Arc<Receipts>,
    interval: Duration,
    pub(super) command: String,
    /// Whether the state is on a server, where the hold of another can be ended.
    pub(super) is_remote: bool,
    large_bodies: Arc<Semaphore>,
    pub(super) log: Log,
    wrong_tokens: Mutex<WrongTokens>,
}

/// What the log was told of wrong tokens.
#[derive(Debug, Default)]
struct WrongTokens {
    logged: Option<Instant>,
    /// How many since then.
    more: u64,
}

impl Served {
    pub(super) fn new(
        board: Board,
        (access, esign, address): (Access, Option<Esign>, SocketAddr),
        (store, receipts): (Store, Arc<Receipts>),
        log: Log,
        (interval, configuration, command, is_remote): (Duration, String, String, bool),
    ) -> Arc<Self> {
        Arc::new(Self {
            board,
            access,
            esign,
            address,
            configuration,
            store,
            receipts,
            interval,
            command,
            is_remote,
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES)),
            log,
            wrong_tokens: Mutex::default(),
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

async fn answer(
    State(served): State<Arc<Served>>,
    Extension(line): Extension<Line>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Some(said) = served.access.look(&parts.headers, Instant::now()) {
        served.log.say(format_args!("{said}"));
    }
    // All of it is read in any case, so that the client gets the answer.
    let largest = if parts.uri.path() == "/esign" && served.esign.is_some() {
        LARGEST_MESSAGE
    } else if parts.uri.path() == "/receipts"
        && served.access.proof(&parts.headers) == Proof::Bearer
    {
        LARGEST_RECEIPTS
    } else {
        LARGEST_BODY
    };
    let intake = intake::read(&*served, &line, body, largest, || true).await;
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
                ("/healthz", _) => served.open(path),
                // Without a token, other names of this machine may be those of a web page.
                ("/readyz" | "/metrics", _)
                    if served.access.has_token() || proof == Proof::Local =>
                {
                    served.open(path)
                }
                ("/readyz" | "/metrics", _) => served.refused(),
                ("/esign", _) => match &served.esign {
                    Some(esign) => esign.take(
                        &parts.headers,
                        &intake.bytes,
                        (&served.board, &served.receipts, &served.log),
                    ),
                    None => Answer::error(
                        StatusCode::NOT_FOUND,
                        "events of eSign are not received here",
                        Some("Start the controller with --esign-token-from."),
                    ),
                },
                (_, Some("POST")) => {
                    served
                        .post((path, parts.uri.query()), proof, &intake.bytes)
                        .await
                }
                _ => served.shown(path, proof).await,
            }
        }
    };
    let length = answer.body.len();
    let mut response = Response::new(Body::from(if parts.method == Method::HEAD {
        String::new()
    } else {
        answer.body
    }));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::from_str(&format!(
        "{}; frame-ancestors 'none'",
        content_security_policy()
    )) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
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
        "/" | "/healthz" | "/readyz" | "/metrics" | "/status" => Some("GET"),
        "/reconcile" | "/suspend" | "/resume" | "/approve" | "/esign" | "/receipts" => Some("POST"),
        _ => None,
    }
}

fn is(method: &Method, allowed: &str) -> bool {
    method.as_str() == allowed || (*method == Method::HEAD && allowed == "GET")
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
        let recorded = self.board.seen().map(|_| status.callbacks);
        let end_of = |run: &RunRecord| {
            run.at
                .plus(i64::try_from(run.elapsed_ms / 1000).unwrap_or(0))
        };
        let ended = status.runs.first().map(end_of).or(status.last_round);
        let ended = ended.unwrap_or_else(|| SystemClock.now());
        let of_a_run = render::metrics_text(&Metrics {
            version: status.version,
            at: ended,
            elapsed_ms,
            exit_code: u8::from(status.has_failures()),
            last_success: status.last_success,
            environment: status.environment,
            report,
            healed,
            recorded,
        });
        of_a_run + &metrics_text(&status, &totals)
    }

    /// What only who has the token sees.
    async fn shown(&self, path: &str, proof: Proof) -> Answer {
        match proof {
            Proof::Bearer | Proof::Password | Proof::Local if path == "/" => self.page().await,
            Proof::Bearer | Proof::Password | Proof::Local => {
                Answer::json(StatusCode::OK, &self.board.status())
            }
            Proof::Wrong => self.wrong_token("GET", path),
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

    /// The token of a request is another one.
    fn wrong_token(&self, method: &str, path: &str) -> Answer {
        let mut wrong = self
            .wrong_tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if wrong.logged.is_none_or(|at| at.elapsed() >= WRONG_TOKENS) {
            let more = match wrong.more {
                0 => String::new(),
                more => format!(" (and {more} before)"),
            };
            self.log.say(format_args!(
                "A request with a wrong token was refused: {method} {path}{more}"
            ));
            *wrong = WrongTokens {
                logged: Some(Instant::now()),
                more: 0,
            };
        } else {
            wrong.more += 1;
        }
        Answer::error(
            StatusCode::UNAUTHORIZED,
            "this is not the token",
            Some(
                "Send the one of the controller's ESS_CALLBACKS_CONTROLLER_TOKEN or --token-file.",
            ),
        )
    }

    /// What changes something needs the token as a bearer, which no other page can make a browser send.
    async fn post(&self, (path, query): (&str, Option<&str>), proof: Proof, body: &[u8]) -> Answer {
        match proof {
            Proof::Bearer => {}
            Proof::Wrong => return self.wrong_token("POST", path),
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
        if path == "/receipts" {
            let (answer, is_early) = self.receipts.take(query, body);
            if is_early {
                self.board.poke();
            }
            return answer;
        }
        self.request(path, body).await
    }
}
