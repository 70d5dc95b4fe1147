//! Reads request bodies within bounds: of size, of time, and of how many large ones there are at once.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::Host;
use super::line::{Line, Phase};

/// The size of a body, in bytes, above which it counts as large. Real calls are smaller.
const SMALL: usize = 64 * 1024;

/// A body that arrived.
pub(crate) struct Intake {
    /// Empty if the body was not kept.
    pub(crate) bytes: Bytes,
    /// The permit of a large body. Dropping it admits the next one.
    pub(crate) place: Option<OwnedSemaphorePermit>,
    /// Whether the bytes were kept.
    pub(crate) kept: bool,
}

/// Why a body did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooLarge,
    TooSlow,
    NoRoom,
    Broken,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::TooLarge => "the request's body is too large",
            Self::TooSlow => "the request's body did not arrive in time",
            Self::NoRoom => "too many large requests at once; try again later",
            Self::Broken => "the request's body ended early or is malformed",
        }
    }
}

/// Reads a body of at most `most` bytes. Of one that is large and not `wanted`, nothing is kept.
pub(crate) async fn read(
    host: &dyn Host,
    line: &Line,
    body: Body,
    most: usize,
    wanted: impl FnOnce() -> bool + Send,
) -> Result<Intake, Refusal> {
    line.enter(Phase::Body);
    let read = read_in_time(host, body, most, wanted).await;
    line.enter(Phase::Busy);
    read
}

async fn read_in_time(
    host: &dyn Host,
    body: Body,
    most: usize,
    wanted: impl FnOnce() -> bool + Send,
) -> Result<Intake, Refusal> {
    let deadline = Instant::now() + host.patience();
    if body.size_hint().lower() > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(Refusal::TooLarge);
    }
    let mut wanted = Some(wanted);
    let mut place = None;
    let mut kept = true;
    let mut bytes = Vec::new();
    let mut arrived = 0_usize;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = timeout_at(deadline, chunks.next())
        .await
        .map_err(|_| Refusal::TooSlow)?
    {
        let chunk = chunk.map_err(|_| Refusal::Broken)?;
        arrived = arrived.saturating_add(chunk.len());
        if arrived > most {
            return Err(Refusal::TooLarge);
        }
        if arrived > SMALL
            && let Some(wanted) = wanted.take()
        {
            kept = wanted();
            bytes = if kept { bytes } else { Vec::new() };
            if kept {
                let free = std::sync::Arc::clone(host.large_bodies()).acquire_owned();
                place = match timeout_at(deadline, free).await {
                    Ok(place) => place.ok(),
                    Err(_) => return Err(Refusal::NoRoom),
                };
            }
        }
        if kept {
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(Intake {
        bytes: bytes.into(),
        place,
        kept,
    })
}
