//! What can be asked of the controller: a round, an approval, a suspension and its end.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::answer::Answer;
use super::http::Served;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::options::duration;
use crate::cli::process::owner;
use crate::cli::random::random;
use crate::controller::Refused;
use crate::model::{Lineage, Salt, Suspension, Timestamp};
use crate::state::{LockOwner, StateError};

/// How long it waits for its own run to end, before it ends that of another replica.
const SHORT_PATIENCE: Duration = Duration::from_secs(4);
/// How long a suspension waits for a run to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
/// A suspension ends by itself; who needs more suspends again.
const LONGEST_SUSPENSION: Duration = Duration::from_secs(90 * 86_400);
/// In characters.
const LONGEST_REASON: usize = 1000;

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
    /// Does what is asked for. The token was checked.
    pub(super) async fn request(&self, path: &str, body: &[u8]) -> Answer {
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
            Err(Refused::Suspended) => Answer::error(
                StatusCode::CONFLICT,
                "no calls are made while it is suspended",
                Some("POST /resume ends that."),
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
                &format!("it could not be recorded: {}", failure.message),
                Some(
                    "A run of this replica was ended all the same. Ask again when the lock is free.",
                ),
            ),
        }
    }

    async fn record(&self, suspension: Option<Suspension>) -> Result<(), Failure> {
        let status = self.board.status();
        let environment = status.environment.ok_or_else(|| {
            Failure::error("the configuration was not read yet").advice("Try again in a moment.")
        })?;
        let owner = owner::this_process(&self.command)?;
        let take = |patience| self.store.lock(environment, &owner, patience, |_| {});
        let state = match take(SHORT_PATIENCE).await {
            // Another replica is in a run. Without its hold it makes no more calls; what it has begun is settled as
            // after a crash. Who runs `apply` is not stopped.
            Err(StateError::Locked {
                owner: Some(other), ..
            }) if suspension.is_some() && self.is_remote && is_another_replica(&other, &owner) => {
                let ended = self.store.unlock(&other.id, &owner.host).await;
                tracing::warn!(ended = ended.is_ok(), "suspending ended a run of {other}");
                take(LOCK_PATIENCE).await?
            }
            Err(StateError::Locked { .. }) => take(LOCK_PATIENCE).await?,
            taken => taken?,
        };
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

/// Whether it is a controller, and another process than ours.
fn is_another_replica(other: &LockOwner, ours: &LockOwner) -> bool {
    other.command == ours.command && (&other.host, other.pid) != (&ours.host, ours.pid)
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
