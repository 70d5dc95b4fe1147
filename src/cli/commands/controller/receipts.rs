//! `POST /receipts`: receipts of eSign's messages, as they come, and what they prove of the callbacks.
//!
//! The requests feed an [`Observer`]; each round tells it what is declared, and records what is new.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use super::answer::Answer;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::commands::observe::{declared, fingerprints, known};
use crate::cli::exit::Failure;
use crate::cli::process::owner;
use crate::cli::workspace::Loaded;
use crate::model::{Fingerprints, Recorded, Salt, Timestamp};
use crate::observe::gaps::Source;
use crate::observe::{Declared, GRACE, Lessons, Observer, learn};
use crate::receiver::{Receipt, Secrets};
use crate::state::Store;

/// How many receivers are told apart by name; further ones count as the last.
const MOST_SOURCES: usize = 1_000;

/// How often the times at which callbacks were seen are recorded, if nothing else is new, in seconds.
const SEEN_EVERY: i64 = 3_600;

/// What the receipts so far said.
#[derive(Debug, Default)]
pub(super) struct Receipts(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    observer: Option<Observer>,
    /// Of the messages to this controller itself. Each replica gets a part of them, so they are not compared with others'.
    own: Option<Observer>,
    declared: Vec<Declared>,
    /// The names of receivers, by their numbers.
    sources: Vec<String>,
    /// Whether there are receipts that were not looked at.
    is_new: bool,
    recorded_at: Option<Timestamp>,
}

impl Receipts {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lines of a request. `query` may name the receiver: `source=NAME`.
    pub(super) fn take(&self, query: Option<&str>, body: &[u8]) -> Answer {
        let kept = &mut *self.kept();
        let Some(observer) = &mut kept.observer else {
            return Answer::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "the configuration was not read yet",
                Some("Send the receipts again in a moment."),
            );
        };
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let mut named = pairs.filter(|(name, _)| name == "source");
        let name = named.next().map(|(_, name)| name.into_owned());
        let name = name.unwrap_or_default();
        let known = kept.sources.iter().position(|known| *known == name);
        let source = known.unwrap_or_else(|| {
            if kept.sources.len() < MOST_SOURCES {
                kept.sources.push(name);
            }
            kept.sources.len() - 1
        });
        let now = SystemClock.now();
        let (mut receipts, mut unreadable) = (0, 0);
        let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        for line in lines.filter(|line| !line.is_empty()) {
            let receipt = std::str::from_utf8(line).ok();
            if let Some(Ok(receipt)) = receipt.map(Receipt::parse) {
                observer.take(Source(source), &receipt, now);
                receipts += 1;
            } else {
                observer.unreadable();
                unreadable += 1;
            }
        }
        kept.is_new |= receipts > 0;
        let counts = json!({ "receipts": receipts, "unreadable": unreadable });
        if receipts == 0 && unreadable > 0 {
            return Answer::json(StatusCode::BAD_REQUEST, &counts);
        }
        Answer::json(StatusCode::OK, &counts)
    }

    /// A message came to this controller, with these secrets. It proves something if one callback alone has them.
    pub(super) fn heard(&self, secrets: &Secrets, body: &[u8], signature: Option<&str>) {
        let kept = &mut *self.kept();
        let mut with_these = kept.declared.iter().filter(|one| one.has_secrets(secrets));
        let (Some(one), None) = (with_these.next(), with_these.next()) else {
            return;
        };
        let now = SystemClock.now();
        let receipt = Receipt::new(now, one.address.url.clone(), body, signature);
        if let (Some(own), Ok(receipt)) = (&mut kept.own, receipt) {
            own.take(Source(0), &receipt, now);
            kept.is_new = true;
        }
    }

    /// Tells what is declared and recorded now. What was compared so far is forgotten when the callbacks or their secrets
    /// are others.
    pub(super) fn expect(&self, loaded: &Loaded, recorded: &Recorded) {
        let declared = declared(loaded, recorded);
        let known = known(loaded, &declared, recorded);
        let kept = &mut *self.kept();
        let before = kept.declared.iter();
        let is_same = kept.declared.len() == declared.len()
            && before.zip(&declared).all(|(one, other)| one.is_same(other));
        for observer in [&mut kept.observer, &mut kept.own] {
            match observer {
                Some(observer) if is_same => observer.confirmed(&declared, known.clone()),
                Some(_) | None => {
                    *observer = Some(Observer::new(&declared, &[], known.clone(), GRACE));
                }
            }
        }
        kept.declared = declared;
    }

    /// What the receipts teach that is not recorded, if it is worth a write: a change of `recorded`, and what was said.
    pub(super) fn lessons(&self, recorded: &Recorded, salt: Salt) -> Option<(Recorded, Lessons)> {
        let kept = &mut *self.kept();
        // What is heard here has arrived, whatever others' receipts lack.
        let observers = [kept.own.as_ref()?, kept.observer.as_ref()?];
        if !std::mem::take(&mut kept.is_new) {
            return None;
        }
        let now = SystemClock.now();
        let mut after = recorded.clone();
        let secrets = fingerprints(salt, &kept.declared, &[]);
        let mut lessons = Lessons::default();
        for (observer, is_own) in observers.into_iter().zip([true, false]) {
            let observed = observer.observed();
            let proven = observed.subjects.iter().zip(&kept.declared).enumerate();
            let mut proven = proven.filter(|(_, (subject, _))| subject.tally.proven.messages > 0);
            // One that is not declared now may still be at eSign, and the messages be its own.
            if is_own
                && proven.any(|(number, (_, one))| has_double(recorded, one, secrets(number, None)))
            {
                continue;
            }
            lessons.add(learn(&mut after, &kept.declared, &observed, &secrets));
        }
        let is_due = kept
            .recorded_at
            .is_none_or(|at| now.seconds_since(at) >= SEEN_EVERY);
        if lessons.lessons.is_empty() && (lessons.seen == 0 || !is_due) {
            // Looked at again when it is due.
            kept.is_new |= lessons.seen > 0;
            return None;
        }
        kept.recorded_at = Some(now);
        Some((after, lessons))
    }

    /// It could not be recorded: a later round tries again.
    pub(super) fn again(&self) {
        let kept = &mut *self.kept();
        kept.is_new = true;
        kept.recorded_at = None;
    }
}

impl Receipts {
    /// Records what receipts prove, if the lock is free. Otherwise a later round does.
    pub(super) async fn record(
        &self,
        (store, command): (&Store, &str),
        loaded: &Loaded,
        recorded: Recorded,
    ) -> Recorded {
        self.expect(loaded, &recorded);
        let Some(salt) = recorded.salt else {
            return recorded;
        };
        let Some((after, lessons)) = self.lessons(&recorded, salt) else {
            return recorded;
        };
        let written = async {
            let owner = owner::this_process(command)?;
            let environment = loaded.desired.environment;
            let state = store
                .lock(environment, &owner, Duration::ZERO, |_| {})
                .await?;
            let is_same = state.read(|now| now.serial == recorded.serial);
            if is_same {
                state.edit(|now| {
                    now.scopes.clone_from(&after.scopes);
                    true
                });
            }
            let saved = state.save().await;
            let now = state.read(Clone::clone);
            state.release().await?;
            saved?;
            Ok::<_, Failure>(is_same.then_some(now))
        };
        let Ok(Some(now)) = written.await else {
            self.again();
            return recorded;
        };
        for (address, lesson) in &lessons.lessons {
            tracing::info!(%address, ?lesson, "receipts show it");
        }
        now
    }
}

/// Whether another callback is recorded with these secrets.
fn has_double(recorded: &Recorded, one: &Declared, secrets: Fingerprints) -> bool {
    recorded.iter().any(|(scope, url, entry)| {
        let is_other = *scope != one.scope || *url != one.address.url;
        let presumed = entry.belief.presumed();
        is_other && presumed.is_some_and(|presumed| presumed.fingerprints == secrets)
    })
}
