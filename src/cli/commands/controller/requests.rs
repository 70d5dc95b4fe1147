//! What can be asked of the controller: a round, an approval, a suspension and its end.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;

use super::answer::Answer;
use super::http::Served;
use super::words::suspended;
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
/// How long the state is read for an approval.
const READ_PATIENCE: Duration = Duration::from_secs(5);
/// How much of two digests is the same by mistake only, in characters.
const ALIKE: usize = "sha256:".len() + 8;
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
                Ok(Approve { digest }) => self.approve(&digest).await,
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
                self.log
                    .say(format_args!("A round begins, by POST /reconcile"));
                self.board.poke();
                Answer::json(StatusCode::ACCEPTED, &json!({ "asked": "reconcile" }))
            }
        }
    }

    /// Approves the plan that waits, if it can be applied now: an approval is never kept for later.
    async fn approve(&self, digest: &str) -> Answer {
        let approved = match self.suspended_now().await {
            Ok(false) => self.board.approve(digest),
            Ok(true) => Err(Refused::Suspended),
            Err(why) => {
                return Answer::error(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &format!("the state can't be read: {why}; nothing was approved"),
                    Some("Approve the plan again when the state can be read."),
                );
            }
        };
        let (what, advice) = match approved {
            Ok(()) => {
                self.log.say(format_args!("Plan {digest} approved"));
                return Answer::json(StatusCode::ACCEPTED, &json!({ "approved": digest }));
            }
            Err(Refused::NothingWaits) => (
                "no plan waits for an approval here".to_owned(),
                "It may be applied already, or have changed. GET /status shows it.",
            ),
            Err(Refused::OtherDigest(waiting)) => (
                format!("this is not the plan that waits, whose digest is {waiting}"),
                other_digest(digest, &waiting),
            ),
            Err(Refused::Suspended) => (
                "no calls are made while it is suspended".to_owned(),
                "POST /resume ends that.",
            ),
            Err(Refused::Final) => (
                "a guard refuses this plan that no approval overrides".to_owned(),
                "GET /status says which. Correct the configuration.",
            ),
        };
        self.log
            .say(format_args!("An approval was refused: {what}"));
        Answer::error(StatusCode::CONFLICT, &what, Some(advice))
    }

    /// Whether another replica, too, has suspended it.
    async fn suspended_now(&self) -> Result<bool, String> {
        let read = timeout(READ_PATIENCE, self.store.peek()).await;
        let recorded = read.map_err(|_| "it does not answer".to_owned())?;
        let recorded = recorded.map_err(|error| Failure::from(error).message)?;
        let now = SystemClock.now();
        Ok(recorded.is_some_and(|recorded| recorded.suspended(now).is_some()))
    }

    /// Writes a suspension, or its end, into the state, where all replicas see it.
    async fn suspend(&self, suspension: Option<Suspension>) -> Answer {
        if suspension.is_some() {
            self.board.halt();
        }
        match self.record(suspension.clone()).await {
            Ok(()) => {
                let was = self.board.status().suspended;
                match &suspension {
                    Some(suspension) => self.log.say(format_args!(
                        "{}, by POST /suspend",
                        suspended(suspension, SystemClock.now())
                    )),
                    None if was.is_some() => self.log.say(format_args!("Resumed, by POST /resume")),
                    None => {}
                }
                self.board
                    .update(|status| status.suspended.clone_from(&suspension));
                self.board.poke();
                Answer::json(StatusCode::OK, &json!({ "suspended": suspension }))
            }
            Err(failure) => {
                let (word, advice) = match suspension {
                    Some(_) => (
                        "suspend",
                        "A run of this replica was ended all the same. Ask again when the lock is free.",
                    ),
                    None => (
                        "resume",
                        "It is still suspended. Ask again when the lock is free.",
                    ),
                };
                self.log.say(format_args!(
                    "POST /{word} could not be recorded: {}",
                    failure.message
                ));
                Answer::error(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &format!("it could not be recorded: {}", failure.message),
                    Some(advice),
                )
            }
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
                let word = if ended.is_ok() {
                    "ended"
                } else {
                    "could not end"
                };
                self.log
                    .say(format_args!("POST /suspend {word} a run of {other}"));
                take(LOCK_PATIENCE).await?
            }
            Err(StateError::Locked { .. }) => take(LOCK_PATIENCE).await?,
            taken => taken?,
        };
        let written = async {
            let lineage = Lineage(uuid::Builder::from_random_bytes(random()?).into_uuid());
            state.initialize(lineage, Salt(random()?)).await?;
            state.note(|noted| {
                let changes = *noted.suspension != suspension;
                *noted.suspension = suspension;
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

/// What to do about a digest that is not the one that waits.
fn other_digest(digest: &str, waiting: &str) -> &'static str {
    let hex = digest.strip_prefix("sha256:");
    let is_whole =
        hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let begins_alike = digest
        .get(..ALIKE)
        .is_some_and(|begin| waiting.starts_with(begin));
    if !is_whole {
        "The digest is cut or mistyped: it is `sha256:` and 64 hexadecimal digits."
    } else if begins_alike {
        "The digest is mistyped: it begins like the one of the plan that waits."
    } else {
        "The plan has changed. Review it again: GET /status shows it."
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
