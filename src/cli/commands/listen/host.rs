//! What is served: each request is opened, remembered, recorded and answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, DATE, HOST};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::{Extension, Router};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use super::places::{self, Found, Place, Target};
use super::receipts::Receipts;
use crate::apply::WallClock as _;
use crate::cli::clock::{self, SystemClock};
use crate::envelope::SIGNATURE_HEADER;
use crate::model::{CallbackUrl, Timestamp};
use crate::receiver::{Content, DedupeKey, Novelty, Receipt, Seen};
use crate::render::{Delivery, Outcome, Reception};
use crate::serving::Host;
use crate::serving::intake;
use crate::serving::line::Line;

/// What a body may have, in bytes: the limit of the vendor's gateway.
const LARGEST_BODY: usize = 10 * 1024 * 1024;
const CONNECTIONS: usize = 256;
const LARGE_BODIES: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that a request needs.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) places: Vec<Place>,
    /// The answer to what is accepted.
    pub(super) status: StatusCode,
    /// How long to wait before it.
    pub(super) delay: Duration,
    pub(super) show_personal: bool,
    pub(super) trust_forwarded: bool,
    pub(super) seen: Mutex<Seen<u64>>,
    pub(super) receipts: Option<Mutex<Receipts>>,
    pub(super) report: mpsc::Sender<Reception>,
    pub(super) large_bodies: Arc<Semaphore>,
    pub(super) count: AtomicU64,
}

impl Listening {
    pub(super) fn large_bodies() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(LARGE_BODIES))
    }

    /// Remembers a message, and tells what came before.
    fn delivery(&self, keys: [DedupeKey; 2], now: Timestamp, number: u64) -> Delivery {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let [content, message] = keys.map(|key| seen.note(key, now, number));
        match (content, message) {
            (Novelty::Again(first), _) => Delivery::Again(first),
            (Novelty::New, Novelty::Again(first)) => Delivery::Differs(first),
            (Novelty::New, Novelty::New) => Delivery::First,
        }
    }

    /// Forgets a message that `number` brought first: eSign sends it again.
    fn forget(&self, keys: [DedupeKey; 2], delivery: Delivery) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let [content, message] = keys;
        match delivery {
            Delivery::First => {
                seen.forget(&content);
                seen.forget(&message);
            }
            Delivery::Differs(_) => seen.forget(&content),
            Delivery::Again(_) => {}
        }
    }
}

impl Host for Listening {
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

pub(super) fn router(listening: Arc<Listening>) -> Router {
    Router::new().fallback(receive).with_state(listening)
}

/// A request that is not opened.
struct Refused {
    status: StatusCode,
    why: String,
}

async fn receive(
    State(listening): State<Arc<Listening>>,
    Extension(line): Extension<Line>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    // All of it is read in any case, so that the client gets the answer.
    let intake = intake::read(&*listening, &line, body, LARGEST_BODY, || true).await;
    let number = listening.count.fetch_add(1, Ordering::Relaxed) + 1;
    let mut reception = Reception {
        number,
        at: SystemClock.now(),
        method: parts.method.to_string(),
        path: places::shown_foreign(&path),
        url: None,
        addresses: Vec::new(),
        outcome: Outcome::Refused(String::new()),
        status: 500,
        note: None,
    };
    let refused = match intake {
        Err(refusal) => Some(Refused {
            status: refusal.status(),
            why: refusal.why().to_owned(),
        }),
        Ok(_) if parts.method != Method::POST => Some(Refused {
            status: StatusCode::METHOD_NOT_ALLOWED,
            why: format!(
                "eSign sends POST, and this is {}; a redirect from http to https turns a POST into a GET",
                parts.method
            ),
        }),
        Ok(intake) => take(
            &listening,
            &parts.headers,
            &path,
            &intake.bytes,
            &mut reception,
        )
        .await
        .err(),
    };
    if let Some(Refused { status, why }) = refused {
        reception.status = status.as_u16();
        reception.outcome = Outcome::Refused(why);
    }
    let answer = answer(&reception, listening.date());
    let accepted = matches!(reception.outcome, Outcome::Accepted { .. });
    // An error means that the command is ending.
    listening.report.send(reception).await.ok();
    if accepted && !listening.delay.is_zero() {
        tokio::time::sleep(listening.delay).await;
    }
    answer
}

/// Opens a request and records it.
async fn take(
    listening: &Arc<Listening>,
    headers: &HeaderMap,
    path: &str,
    body: &[u8],
    reception: &mut Reception,
) -> Result<(), Refused> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let forwarded = |name| text(name).filter(|_| listening.trust_forwarded);
    let host = forwarded("x-forwarded-host").or_else(|| text(HOST.as_str()));
    // A chain of proxies makes a list, with the first one at its beginning.
    let first = |list: &'_ str| list.split(',').next().unwrap_or_default().trim().to_owned();
    let (host, scheme) = (host.map(first), forwarded("x-forwarded-proto").map(first));
    let target = Target {
        path,
        host: host.as_deref(),
        scheme: scheme.as_deref(),
    };
    let found = places::open(&listening.places, target, |receiver| {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        receiver.open(headers, body)
    });
    let Some(Found {
        place,
        opened,
        ambiguous,
    }) = found
    else {
        return Err(Refused {
            status: StatusCode::NOT_FOUND,
            why:
                "no callback that is listened for has this path; --url takes requests to every path"
                    .to_owned(),
        });
    };
    reception.path = places::shown(path);
    reception.url = place.url_of(path);
    let mut noted = None;
    match opened {
        Err(rejection) => {
            reception.status = rejection.status();
            reception.outcome = Outcome::Rejected(rejection);
        }
        Ok(opened) => {
            let (addresses, older) = place.owners_of(opened.pair);
            let delivery = match &opened.content {
                Content::Message(message) => {
                    let callback = place.callback(opened.pair);
                    let keys = [message.content_key(), message.dedupe_key()];
                    let keys = keys.map(|key| key.at(&callback));
                    let delivery = listening.delivery(keys, reception.at, reception.number);
                    noted = Some((keys, delivery));
                    delivery
                }
                Content::Probe | Content::VendorCheck => Delivery::First,
            };
            reception.addresses = addresses;
            reception.status = listening.status.as_u16();
            reception.outcome = Outcome::Accepted {
                opened,
                older,
                delivery,
                personal: listening.show_personal,
            };
        }
    }
    if ambiguous {
        reception.note = Some(
            "several URLs have this path, and nothing tells which one this is for; no receipt is written. Name it \
             with --url"
                .to_owned(),
        );
        return Ok(());
    }
    if listening.receipts.is_none() {
        return Ok(());
    }
    let Some(url) = reception.url.clone() else {
        return Ok(());
    };
    let signature = text(SIGNATURE_HEADER);
    let kept = keep(listening, url, body, signature, reception).await;
    // eSign sends again what does not get a 200.
    kept.map_err(|why| {
        if let Some((keys, delivery)) = noted {
            listening.forget(keys, delivery);
        }
        Refused {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            why,
        }
    })
}

/// Writes the receipt of a request. The error is one of the file; a request that has no receipt gets a note.
async fn keep(
    listening: &Arc<Listening>,
    url: CallbackUrl,
    body: &[u8],
    signature: Option<&str>,
    reception: &mut Reception,
) -> Result<(), String> {
    let receipt = match Receipt::new(reception.at, url, body, signature) {
        Ok(receipt) => receipt,
        Err(error) => {
            reception.note = Some(format!("no receipt is written: {error}"));
            return Ok(());
        }
    };
    let writer = Arc::clone(listening);
    let appended = tokio::task::spawn_blocking(move || match &writer.receipts {
        Some(receipts) => receipts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(&receipt),
        None => Ok(()),
    });
    appended
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}

fn answer(reception: &Reception, date: String) -> Response<Body> {
    let status =
        StatusCode::from_u16(reception.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = match &reception.outcome {
        Outcome::Accepted { .. } => json!({ "received": reception.number }),
        Outcome::Rejected(rejection) => json!({ "error": rejection.to_string() }),
        // Whoever sent it need not know of our files.
        Outcome::Refused(_) if status == StatusCode::INTERNAL_SERVER_ERROR => {
            json!({ "error": "the message could not be kept" })
        }
        Outcome::Refused(why) => json!({ "error": why }),
    };
    let mut answer = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(DATE, date);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer = answer.header(ALLOW, "POST");
    }
    answer
        .body(body.to_string().into())
        .expect("these headers are always valid")
}
