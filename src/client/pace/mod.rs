//! The rate limiter: when the calls of one account may leave.
//!
//! A [`Pace`] hands out [`Slot`]s in the order they are asked for. A slot is handed out a little
//! before its time, so that the caller can write its intent to the journal and sign; then
//! [`Slot::start`] waits for the very moment. [`PairSlot`] is for a replace: its delete starts only when
//! there is a place for the add too, and the [`Reservation`] keeps that place until the delete's
//! answer is there.
//!
//! Invariants: no window of one second holds more calls than the rate allows, counted from when they
//! really left; a caller that stops waiting gives its place back; no caller waits for one that waits.

mod rate;
mod schedule;

pub use rate::Rate;

use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use schedule::{At, Next, Schedule};

/// How long before its time a slot is handed out: enough for the journal's disk.
const LEAD: Duration = Duration::from_millis(100);
/// For how long slots may be handed out and not started before the next ones wait, in seconds. A call
/// is signed when it gets its slot; this keeps the signature fresh when calls can't leave.
const AHEAD: f64 = 0.3;

/// The rate limiter of one account. Clones share it.
#[derive(Clone)]
pub struct Pace(Arc<Shared>);

struct Shared {
    origin: Instant,
    limited: bool,
    schedule: std::sync::Mutex<Schedule>,
    /// Notified when a place comes back or the rate changes.
    changed: Notify,
    /// Slots that may be handed out and not started.
    ahead: Arc<Semaphore>,
    /// Held by the caller that gets the next slot.
    turn: tokio::sync::Mutex<()>,
    /// Held by the caller that starts next.
    gate: tokio::sync::Mutex<()>,
    /// Held by the second call of a pair without its own place.
    side_gate: tokio::sync::Mutex<()>,
}

/// What is known of an account's calls when a run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// How many may have arrived within the last second.
    pub calls: usize,
    /// How much of what round trips differ by was the way there, in percent.
    pub way_there: u8,
}

/// When a call left; for [`Pace::answered`] and [`Pace::throttled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SentAt(At);

/// The right to make one call soon. Dropped, it goes to the next in line.
#[derive(Debug)]
#[must_use = "a slot that is not started is given back"]
pub struct Slot(Booking);

/// The right to make two calls, the second as soon as the first is answered.
#[derive(Debug)]
#[must_use = "a slot that is not started is given back"]
pub struct PairSlot(Booking);

/// The right to make one call at any moment: the second of a pair, or an urgent one. Dropped, it is
/// given back; do that before asking for another slot, for instance to repeat the first call.
#[derive(Debug)]
#[must_use = "a reservation that is not used is given back"]
pub struct Reservation {
    pace: Pace,
    state: Reserved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reserved {
    /// A place is kept for it.
    Place,
    /// Too many places were kept already; it has to wait for one when it is used.
    Nothing,
    /// It waits for one, before everybody else.
    Asking,
    Used,
}

/// A place in the plan.
#[derive(Debug)]
struct Booking {
    pace: Pace,
    due: At,
    /// How many calls to take out of the plan when it is dropped.
    calls: u32,
    _ahead: Option<OwnedSemaphorePermit>,
}

impl Pace {
    /// Begins now, with nothing called before.
    pub fn new(rate: Rate) -> Self {
        Self::after(rate, Earlier::default())
    }

    /// Begins now, after these calls.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number"
    )]
    pub fn after(rate: Rate, earlier: Earlier) -> Self {
        let ahead = rate
            .calls_per_second()
            .map_or(1, |rate| (rate * AHEAD).min(1000.0) as usize + 2);
        Self(Arc::new(Shared {
            origin: Instant::now(),
            limited: rate.calls_per_second().is_some(),
            schedule: std::sync::Mutex::new(Schedule::after(rate.calls_per_second(), earlier)),
            changed: Notify::new(),
            ahead: Arc::new(Semaphore::new(ahead)),
            turn: tokio::sync::Mutex::new(()),
            gate: tokio::sync::Mutex::new(()),
            side_gate: tokio::sync::Mutex::new(()),
        }))
    }

    /// Waits until it is nearly time for one call.
    pub async fn acquire(&self) -> Slot {
        Slot(self.book(1).await)
    }

    /// Waits until it is nearly time for two calls, one right after the other.
    pub async fn acquire_pair(&self) -> PairSlot {
        PairSlot(self.book(2).await)
    }

    /// Reserves the next place that comes free, before everybody else who waits. For a call whose
    /// callback is gone until it succeeds. Waits only for the pause after a refusal.
    pub async fn acquire_urgent(&self) -> Reservation {
        self.when(|schedule, now| allowed(schedule.earliest_urgent(), now))
            .await;
        let now = self.now();
        self.schedule().book_extra(now);
        Reservation {
            pace: self.clone(),
            state: Reserved::Nothing,
        }
    }

    /// eSign admitted and answered a call that left then.
    pub fn answered(&self, sent: SentAt) {
        if self.0.limited {
            let now = self.now();
            if self.schedule().answered(sent.0, now) {
                self.0.changed.notify_waiters();
            }
        }
    }

    /// What a run that begins now has to know of this one.
    pub fn earlier(&self) -> Earlier {
        let now = self.now();
        if self.0.limited {
            self.schedule().earlier(now)
        } else {
            Earlier::default()
        }
    }

    /// eSign refused a call that left then, because there were too many. Where round trips differ, that is
    /// jitter on the way, and calls have their places for longer, by a part of it; the more succeeds, the less. What that does not explain lowers the rate a little; soon again, it halves the rate and
    /// pauses for a second, and the rate comes back within seconds. Gives the new rate in calls a minute,
    /// or `None` when it was lowered already after that call had left, or when there is no limit.
    pub fn throttled(&self, sent: SentAt) -> Option<u32> {
        let rate = self.schedule().throttled(sent.0, self.now());
        self.0.changed.notify_waiters();
        rate.map(per_minute)
    }

    /// The rate now, in calls a minute; `None` when there is no limit.
    pub fn rate_per_minute(&self) -> Option<u32> {
        self.schedule().rate(self.now()).map(per_minute)
    }

    async fn book(&self, calls: u32) -> Booking {
        let booking = |due, ahead| Booking {
            pace: self.clone(),
            due,
            calls,
            _ahead: ahead,
        };
        if !self.0.limited {
            return booking(At::ZERO, None);
        }
        let since = self.now();
        let ahead = Arc::clone(&self.0.ahead).acquire_owned().await.ok();
        let _turn = self.0.turn.lock().await;
        let due = self
            .when(|schedule, now| {
                let due = schedule.due(since, now);
                if due <= now + LEAD {
                    schedule.book(due, calls, now);
                    Ok(due)
                } else {
                    Err(Next::At(due.saturating_sub(LEAD)))
                }
            })
            .await;
        booking(due, ahead)
    }

    /// Waits until this may happen, and lets it happen.
    async fn when<T: Send>(
        &self,
        mut attempt: impl FnMut(&mut Schedule, At) -> Result<T, Next> + Send,
    ) -> T {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            let next = match attempt(&mut self.schedule(), self.now()) {
                Ok(done) => return done,
                Err(next) => next,
            };
            match next {
                Next::At(at) => tokio::select! {
                    biased;
                    () = sleep_until(self.0.origin + at) => {}
                    () = changed => {}
                },
                Next::WhenReleased => changed.await,
            }
        }
    }

    async fn start(&self, due: At, pair: bool) -> (SentAt, Reserved) {
        let _gate = if self.0.limited {
            Some(self.0.gate.lock().await)
        } else {
            None
        };
        self.when(|schedule, now| {
            let reserve = pair && self.0.limited && schedule.can_reserve();
            allowed(schedule.earliest_start(due, reserve, now), now)?;
            schedule.start(reserve, now);
            let reserved = if reserve {
                Reserved::Place
            } else {
                Reserved::Nothing
            };
            Ok((SentAt(now), reserved))
        })
        .await
    }

    fn now(&self) -> At {
        self.0.origin.elapsed()
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        // Nothing panics while it is held, and each method leaves it whole.
        self.0
            .schedule
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Waits for the very moment; the call has to leave when this returns.
    pub async fn start(mut self) -> SentAt {
        let (sent, _) = self.0.pace.start(self.0.due, false).await;
        self.0.calls = 0;
        sent
    }
}

impl PairSlot {
    /// Waits for the very moment; the first call has to leave when this returns.
    pub async fn start(mut self) -> (SentAt, Reservation) {
        let (sent, state) = self.0.pace.start(self.0.due, true).await;
        self.0.calls = 0;
        let reservation = Reservation {
            pace: self.0.pace.clone(),
            state,
        };
        (sent, reservation)
    }
}

impl Reservation {
    /// The second call has to leave when this returns. It returns at once, unless very many pairs are
    /// under way.
    pub async fn use_now(mut self) -> SentAt {
        let pace = self.pace.clone();
        let sent = match self.state {
            Reserved::Place => {
                pace.when(|schedule, now| {
                    allowed(schedule.earliest_reserved(), now)?;
                    schedule.use_reserved(now);
                    Ok(SentAt(now))
                })
                .await
            }
            Reserved::Nothing if pace.0.limited => {
                let _side_gate = pace.0.side_gate.lock().await;
                pace.schedule().ask(true);
                self.state = Reserved::Asking;
                pace.when(|schedule, now| {
                    allowed(schedule.earliest_asked(), now)?;
                    schedule.use_asked(now);
                    Ok(SentAt(now))
                })
                .await
            }
            Reserved::Nothing | Reserved::Asking | Reserved::Used => SentAt(pace.now()),
        };
        self.state = Reserved::Used;
        pace.0.changed.notify_waiters();
        sent
    }
}

/// Whether something may happen now; else, when.
fn allowed(next: Next, now: At) -> Result<(), Next> {
    match next {
        Next::At(at) if at <= now => Ok(()),
        Next::At(_) | Next::WhenReleased => Err(next),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number for people; saturating is right"
)]
fn per_minute(rate: f64) -> u32 {
    (rate * 60.0).round() as u32
}

impl Drop for Booking {
    fn drop(&mut self) {
        if self.calls > 0 {
            let now = self.pace.now();
            self.pace.schedule().unbook(self.calls, now);
            self.pace.0.changed.notify_waiters();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.state == Reserved::Used {
            return;
        }
        let now = self.pace.now();
        let mut schedule = self.pace.schedule();
        schedule.unbook(1, now);
        match self.state {
            Reserved::Place => schedule.release(),
            Reserved::Asking => schedule.ask(false),
            Reserved::Nothing | Reserved::Used => {}
        }
        drop(schedule);
        self.pace.0.changed.notify_waiters();
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pace").field(&*self.schedule()).finish()
    }
}

#[cfg(test)]
mod tests;
