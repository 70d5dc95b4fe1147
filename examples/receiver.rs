//! A receiver for eSign's callbacks with axum and this library, to copy.
//!
//! ```sh
//! CALLBACK_KEY=… CALLBACK_TOKEN=… cargo run --example receiver
//! ```
//!
//! `CALLBACK_KEY_OLD` and `CALLBACK_TOKEN_OLD` are the secrets before, while they are being replaced; `CALLBACK_URL` and
//! `RECEIPTS` append a receipt of each request to a file; `LISTEN` is the address, by default 127.0.0.1:8905.
#![expect(clippy::print_stdout, reason = "this is a program")]
#![expect(
    clippy::disallowed_methods,
    reason = "this program reads its environment and the clock"
)]

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::post;
use ess_callbacks::envelope::SIGNATURE_HEADER;
use ess_callbacks::model::{CallbackUrl, Timestamp};
use ess_callbacks::receiver::{Content, Message, Novelty, Receipt, Receiver, Secrets, Seen};
use ess_callbacks::secret::Secret;
use tokio::sync::mpsc;

const MOST_BYTES: usize = 10 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

struct Shared {
    receiver: Receiver,
    /// In a real receiver, a unique column of its database.
    seen: Mutex<Seen<()>>,
    receipts: Option<(CallbackUrl, Mutex<File>)>,
    work: mpsc::Sender<Message>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (work, mut messages) = mpsc::channel(1000);
    let set = |name: &str| std::env::var(name).ok();
    let receipts = match set("RECEIPTS") {
        Some(path) => {
            let url = set("CALLBACK_URL").ok_or("RECEIPTS needs CALLBACK_URL")?;
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            // After a crash the last line may be torn.
            if !std::fs::read(path)?.ends_with(b"\n") && file.metadata()?.len() > 0 {
                file.write_all(b"\n")?;
            }
            Some((CallbackUrl::new(url), Mutex::new(file)))
        }
        None => None,
    };
    let capacity = NonZeroUsize::new(10_000).ok_or("zero")?;
    let shared = Shared {
        receiver: receiver(&set)?,
        seen: Mutex::new(Seen::new(capacity, 86_400)),
        receipts,
        work,
    };
    let router = Router::new().fallback_service(post(receive).with_state(Arc::new(shared)));
    let address = set("LISTEN").unwrap_or_else(|| "127.0.0.1:8905".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            process(&message);
        }
    });
    let stop = async {
        drop(tokio::signal::ctrl_c().await);
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

/// The current pair, and the one before.
fn receiver(set: &impl Fn(&str) -> Option<String>) -> Result<Receiver, Box<dyn Error>> {
    let secret = |name: &str| set(name).map(Secret::new);
    let (key, token) = (secret("CALLBACK_KEY"), secret("CALLBACK_TOKEN"));
    let (old_key, old_token) = (secret("CALLBACK_KEY_OLD"), secret("CALLBACK_TOKEN_OLD"));
    let mut receiver = Receiver::new(Secrets::new(key.clone(), token.clone())?);
    if old_key.is_some() || old_token.is_some() {
        // What was not replaced is the same as before.
        receiver = receiver.also(Secrets::new(old_key.or(key), old_token.or(token))?);
    }
    Ok(receiver)
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<&'static str, (StatusCode, String)> {
    let failed = |why: String| (StatusCode::INTERNAL_SERVER_ERROR, why);
    let (Parts { headers, .. }, body) = request.into_parts();
    let body = raw(body).await?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let now = Timestamp(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    if let Some((url, file)) = &shared.receipts {
        let signature = headers
            .get(SIGNATURE_HEADER)
            .and_then(|value| value.to_str().ok());
        // What has no receipt is not eSign's.
        if let Ok(receipt) = Receipt::new(now, url.clone(), &body, signature) {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let written = file.write_all(receipt.line().as_bytes());
            written
                .and_then(|()| file.sync_data())
                .map_err(|error| failed(error.to_string()))?;
        }
    }
    let values = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let opened = shared.receiver.open(values, &body).map_err(|rejection| {
        let status = StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::BAD_REQUEST);
        (status, rejection.to_string())
    })?;
    let message = match opened.content {
        Content::Probe | Content::VendorCheck => return Ok("probe"),
        Content::Message(message) => message,
    };
    let key = message.dedupe_key();
    let novelty = shared
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .note(key, now, ());
    match novelty {
        Novelty::Again(()) => Ok("duplicate"),
        Novelty::New => match shared.work.try_send(message) {
            Ok(()) => Ok("message"),
            Err(error) => {
                // Its next delivery is new.
                shared
                    .seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .forget(&key);
                Err(failed(error.to_string()))
            }
        },
    }
}

/// The body as it arrived: `Json` would lose the bytes that were signed.
async fn raw(body: Body) -> Result<Bytes, (StatusCode, String)> {
    let too_large = (
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is too large".to_owned(),
    );
    if body.size_hint().lower() > MOST_BYTES as u64 {
        return Err(too_large);
    }
    match tokio::time::timeout(PATIENCE, to_bytes(body, MOST_BYTES)).await {
        Ok(bytes) => bytes.map_err(|_| too_large),
        Err(_) => Err((
            StatusCode::REQUEST_TIMEOUT,
            "the body did not arrive in time".to_owned(),
        )),
    }
}

/// Your work. Unknown types are normal: ignore them. Log no names, phones or identity numbers.
fn process(message: &Message) {
    match message {
        Message::V2(message) => println!("message {:?}", message.msg_type),
        Message::V1(_) => println!("message in the format V1"),
    }
}
