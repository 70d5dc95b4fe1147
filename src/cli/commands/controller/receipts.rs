//! `POST /receipts`: receipts of eSign's messages, as they come, and what they prove of the callbacks.
//!
//! The requests feed an [`Observer`]; each round tells it what is declared, and records what is new.

use std::collections::BTreeMap;
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
use crate::model::{CallbackUrl, Recorded, Salt, Timestamp};
use crate::observe::gaps::Source;
use crate::observe::{Declared, GRACE, Known, Lessons, Observer, learn};
use crate::receiver::{Receipt, Secrets};
use crate::state::Store;

/// How many receivers are told apart by name; further ones count as the last.
const MOST_SOURCES: usize = 1_000;

/// How often the times at which callbacks were seen are recorded, if nothing else is new, in seconds.
const SEEN_EVERY: i64 = 3_600;

/// How many bytes of receipts wait until a round has read what is declared.
const MOST_EARLY: usize = 16 << 20;

/// What the receipts so far said. Costs nothing as long as there are none.
#[derive(Debug)]
pub(super) struct Receipts {
    /// The key and token of the callback that leads to this controller itself.
    own: Option<Secrets>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Of receipts, once there are any.
    others: Option<Observed>,
    /// Of the messages to this controller itself. Each replica gets a part of them, so they are not compared with others'.
    own: Option<Observed>,
    /// What came before a round knew what is declared.
    early: Vec<(String, Vec<u8>)>,
    /// The names of receivers, by their numbers.
    sources: Vec<String>,
    /// Whether there are receipts that were not looked at.
    is_new: bool,
    recorded_at: Option<Timestamp>,
}

/// Callbacks, and what messages say of them.
#[derive(Debug)]
struct Observed {
    declared: Vec<Declared>,
    observer: Observer,
}

impl Observed {
    /// Of what is declared now. What was compared so far is forgotten when the callbacks or their secrets are others.
    fn of(
        before: Option<Self>,
        declared: Vec<Declared>,
        known: BTreeMap<CallbackUrl, Known>,
    ) -> Self {
        let is_same = |before: &Self| {
            let pairs = before.declared.iter().zip(&declared);
            before.declared.len() == declared.len()
                && pairs.into_iter().all(|(one, other)| one.is_same(other))
        };
        let observer = match before.filter(is_same) {
            Some(Self { mut observer, .. }) => {
                observer.confirmed(&declared, known);
                observer
            }
            None => Observer::new(&declared, &[], known, GRACE),
        };
        Self { declared, observer }
    }
}

impl Receipts {
    /// `own` are the key and token of the callback that leads to this controller.
    pub(super) fn new(own: Option<Secrets>) -> Self {
        Self {
            own,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lines of a request. `query` may name the receiver: `source=NAME`. Whether a round has to come soon.
    pub(super) fn take(&self, query: Option<&str>, body: &[u8]) -> (Answer, bool) {
        let kept = &mut *self.kept();
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let mut named = pairs.filter(|(name, _)| name == "source");
        let name = named.next().map(|(_, name)| name.into_owned());
        let name = name.unwrap_or_default();
        let is_early = kept.others.is_none();
        let (receipts, unreadable) = if is_early {
            let size: usize = kept.early.iter().map(|(_, body)| body.len()).sum();
            if size + body.len() > MOST_EARLY {
                let why = "the receipts so far wait for a round";
                let advice = Some("Send these again when one has ended.");
                let answer = Answer::error(StatusCode::SERVICE_UNAVAILABLE, why, advice);
                return (answer, true);
            }
            kept.early.push((name, body.to_vec()));
            let (good, bad): (Vec<_>, Vec<_>) = lines(body).partition(Option::is_some);
            (good.len(), bad.len())
        } else {
            kept.feed(name, body)
        };
        kept.is_new |= receipts > 0;
        let mut answer = json!({ "receipts": receipts, "unreadable": unreadable });
        let code = if receipts == 0 {
            answer["error"] = "no line is a receipt".into();
            answer["advice"] = "Send receipts, one a line, as receivers write them.".into();
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        (Answer::json(code, &answer), is_early)
    }

    /// A message came to this controller itself. It proves its callback.
    pub(super) fn heard(&self, body: &[u8], signature: Option<&str>) {
        let kept = &mut *self.kept();
        // Otherwise another callback has the same key and token.
        let Some(own) = &mut kept.own else { return };
        let Some(one) = own.declared.first() else {
            return;
        };
        let now = SystemClock.now();
        if let Ok(receipt) = Receipt::new(now, one.address.url.clone(), body, signature) {
            own.observer.take(Source(0), &receipt, now);
            kept.is_new = true;
        }
    }

    /// Tells what is declared and recorded now, if there is a use for it.
    pub(super) fn expect(&self, loaded: &Loaded, recorded: &Recorded) {
        let kept = &mut *self.kept();
        let has_receipts = kept.others.is_some() || !kept.early.is_empty();
        if self.own.is_none() && !has_receipts {
            return;
        }
        let declared = declared(loaded, recorded);
        let with_own = |secrets: &Secrets| {
            let mut with_these = declared.iter().filter(|one| one.has_secrets(secrets));
            let first = with_these.next().cloned();
            first.filter(|_| with_these.next().is_none())
        };
        let own = self.own.as_ref().and_then(with_own);
        let before = kept.own.take();
        kept.own = own.map(|own| Observed::of(before, vec![own], BTreeMap::new()));
        if has_receipts {
            let known = known(loaded, &declared, recorded);
            kept.others = Some(Observed::of(kept.others.take(), declared, known));
            for (name, body) in std::mem::take(&mut kept.early) {
                kept.feed(name, &body);
            }
        }
    }

    /// What the receipts teach that is not recorded, if it is worth a write: a change of `recorded`, and what was said.
    pub(super) fn lessons(&self, recorded: &Recorded, salt: Salt) -> Option<(Recorded, Lessons)> {
        let kept = &mut *self.kept();
        if !std::mem::take(&mut kept.is_new) {
            return None;
        }
        let now = SystemClock.now();
        let mut after = recorded.clone();
        let mut lessons = Lessons::default();
        // What is heard here has arrived, whatever others' receipts lack.
        if let Some(own) = &kept.own
            && !has_double(recorded, &own.declared, salt)
        {
            lessons.add(own.lessons(&mut after, salt));
        }
        if let Some(others) = &kept.others {
            lessons.add(others.lessons(&mut after, salt));
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

/// Whether another callback is recorded with the secrets of this one. It may still be at eSign, though it is not declared
/// now, and the messages be its own.
fn has_double(recorded: &Recorded, declared: &[Declared], salt: Salt) -> bool {
    let secrets = fingerprints(salt, declared, &[]);
    declared.iter().enumerate().any(|(number, one)| {
        let secrets = secrets(number, None);
        recorded.iter().any(|(scope, url, entry)| {
            let is_other = *scope != one.scope || *url != one.address.url;
            let presumed = entry.belief.presumed();
            is_other && presumed.is_some_and(|presumed| presumed.fingerprints == secrets)
        })
    })
}

/// The receipts of a request; `None` for a line that is none.
fn lines(body: &[u8]) -> impl Iterator<Item = Option<Receipt>> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(|line| Receipt::parse(std::str::from_utf8(line).ok()?).ok())
}

impl Kept {
    /// Shows the lines to the observer. How many receipts there are, and how many lines are none.
    fn feed(&mut self, name: String, body: &[u8]) -> (usize, usize) {
        let known = self.sources.iter().position(|known| *known == name);
        let source = known.unwrap_or_else(|| {
            if self.sources.len() < MOST_SOURCES {
                self.sources.push(name);
            }
            self.sources.len() - 1
        });
        let (mut receipts, mut unreadable) = (0, 0);
        let Some(Observed { observer, .. }) = &mut self.others else {
            return (0, 0);
        };
        let now = SystemClock.now();
        for line in lines(body) {
            if let Some(receipt) = line {
                observer.take(Source(source), &receipt, now);
                receipts += 1;
            } else {
                observer.unreadable();
                unreadable += 1;
            }
        }
        (receipts, unreadable)
    }
}

impl Observed {
    fn lessons(&self, after: &mut Recorded, salt: Salt) -> Lessons {
        let secrets = fingerprints(salt, &self.declared, &[]);
        learn(after, &self.declared, &self.observer.observed(), secrets)
    }
}
