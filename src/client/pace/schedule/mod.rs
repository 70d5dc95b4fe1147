//! When calls may leave: the decisions of the rate limiter, free of waiting.
//!
//! Two rules hold together. The *plan*: calls are due a little more than 1/rate apart, so that the
//! limit is used in full and without bursts. The *log*: whatever the plan says, a call leaves only
//! when fewer than `rate` calls left in the second before it, counted from when they really left. A
//! call that left late may be followed a little faster, until the plan is caught up with.
//!
//! Where calls take unequally long to arrive, a call has its place for longer than a second: for as much
//! longer as its own round trip shows that it may have been on its way ([`Spread`]). If all that round trips
//! differ by were the way there, no server would ever see too many; what is gained over spacing calls so far
//! apart that the slowest can't meet is that a call gives its place back when it is answered.
//!
//! Invariant: no half-open window of one second ever holds more than [`Schedule::places`] sends.

mod spread;

use std::collections::VecDeque;
use std::time::Duration;

use super::Earlier;
use spread::Spread;

/// A moment, counted from when the pace began.
pub(super) type At = Duration;

/// What the log calls a second, where all calls take equally long to arrive: a little longer.
const WINDOW: Duration = Duration::from_millis(1003);
/// How much longer than 1/rate the planned distance is. Together with [`WINDOW`] this leaves 2 ms for
/// timers that fire late, and makes 1000 calls at 20/s take 50.2 s.
const SLACK: f64 = 1.005;
/// How close calls may follow each other while the plan is caught up with, in planned distances.
const CLOSEST: f64 = 0.8;
/// How far behind the plan may be before the rest is given up.
const LONGEST_DEBT: Duration = Duration::from_millis(500);
/// How long nothing leaves, and what part of the rate is left, after eSign said that there were too
/// many and the way there did not explain it: a hiccup if it was the first time for a while, someone
/// else's calls if not.
const NUDGE: (Duration, f64) = (Duration::from_millis(100), 0.9);
const RETREAT: (Duration, f64) = (Duration::from_secs(1), 0.5);
/// After so long without a refusal the next one is the first again.
const CALM: Duration = Duration::from_secs(10);
/// How much of the full rate comes back each second after that.
const RECOVERY: f64 = 0.1;
/// However often it is lowered.
const SLOWEST: f64 = 1.0;
/// How many times the calls of a second are remembered: those of so long ago may still be on their way.
const REMEMBERED: usize = 4;

/// When something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Then, if nothing else changes.
    At(At),
    /// Not before a reservation is used or given up.
    WhenReleased,
}

/// The rate limiter's memory.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Calls a second; `None` when there is no limit.
    full: Option<f64>,
    /// When the next call is planned.
    next: At,
    /// The last calls, oldest first; some more than a second may hold.
    log: VecDeque<Sent>,
    /// The last call that followed the plan.
    last_start: Option<At>,
    /// Calls that may leave at any moment.
    reserved: usize,
    /// Whether the second call of a pair without a place waits for the next one.
    asking: bool,
    cut: Option<Cut>,
    /// How unequally long the calls take to arrive.
    spread: Spread,
}

/// A call that left.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: At,
    /// How long it took until eSign's answer was there, if it is.
    trip: Option<Duration>,
}

/// The last time the rate was lowered.
#[derive(Clone, Copy, Debug)]
struct Cut {
    resume: At,
    rate: f64,
}

impl Schedule {
    #[cfg(test)]
    pub(super) fn new(full: Option<f64>) -> Self {
        Self::after(full, Earlier::default())
    }

    /// After these calls, which all left just now for all that is known.
    pub(super) fn after(full: Option<f64>, earlier: Earlier) -> Self {
        let mut schedule = Self {
            full,
            next: At::ZERO,
            log: VecDeque::new(),
            last_start: None,
            reserved: 0,
            asking: false,
            cut: None,
            spread: Spread::new(f64::from(earlier.way_there) / 100.0),
        };
        for _ in 0..earlier.calls.min(schedule.places()) {
            schedule.record(At::ZERO);
            schedule.ended(At::ZERO, At::ZERO);
        }
        schedule
    }

    /// What a run that begins now has to know of this one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is from 0 to 1"
    )]
    pub(super) fn earlier(&self, now: At) -> Earlier {
        // It arrived before it was answered; without an answer, perhaps just now.
        let recent = |sent: &&Sent| sent.trip.is_none_or(|trip| sent.at + trip + WINDOW > now);
        Earlier {
            calls: self.log.iter().filter(recent).count().min(self.places()),
            way_there: (self.spread.share() * 100.0).round() as u8,
        }
    }

    /// How many calls a second may hold.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is positive, and a cast that saturates is as good as no limit"
    )]
    pub(super) fn places(&self) -> usize {
        self.full.map_or(usize::MAX, |full| (full as usize).max(1))
    }

    /// Calls a second that are allowed now; `None` when there is no limit.
    pub(super) fn rate(&self, now: At) -> Option<f64> {
        Some(self.share(now)? / (1.0 + self.spread.mean()))
    }

    /// The same, as if all calls took equally long to arrive.
    fn share(&self, now: At) -> Option<f64> {
        let full = self.full?;
        Some(match self.cut {
            None => full,
            Some(cut) => {
                let recovered = now.saturating_sub(cut.resume).as_secs_f64() * full * RECOVERY;
                (cut.rate + recovered).min(full)
            }
        })
    }

    /// When the next call is due for a caller that has waited since `since`.
    pub(super) fn due(&self, since: At, now: At) -> At {
        let planned = if since > self.next + self.distance(now) {
            // There was no call for a while: there is nothing to catch up with.
            since
        } else {
            self.next.max(now.saturating_sub(LONGEST_DEBT))
        };
        planned.max(self.resume())
    }

    /// Plans `calls` calls at `due`.
    pub(super) fn book(&mut self, due: At, calls: u32, now: At) {
        self.next = due + self.distance(now) * calls;
    }

    /// Plans one more call, which goes before those that are planned already.
    pub(super) fn book_extra(&mut self, now: At) {
        self.next += self.distance(now);
    }

    /// When a call may ask for the next place, whatever the plan says.
    pub(super) fn earliest_urgent(&self) -> Next {
        Next::At(self.resume())
    }

    /// Takes back the plan of that many calls.
    pub(super) fn unbook(&mut self, calls: u32, now: At) {
        self.next = self.next.saturating_sub(self.distance(now) * calls);
    }

    /// Whether the second call of a pair can be promised a place that no other call takes. Some places
    /// are never promised, so that single calls always get on.
    pub(super) fn can_reserve(&self) -> bool {
        self.reserved < self.places() / 4 * 3 + self.places() % 4 * 3 / 4
    }

    /// When a call that was planned for `due` may leave. With `reserve`, only when there is a place
    /// for a second one too.
    pub(super) fn earliest_start(&self, due: At, reserve: bool, now: At) -> Next {
        if self.full.is_none() {
            return Next::At(self.resume());
        }
        let after_last = self
            .last_start
            .map_or(At::ZERO, |last| last + self.distance(now).mul_f64(CLOSEST));
        let calls = self.reserved + usize::from(self.asking) + 1 + usize::from(reserve);
        match self.room(calls, true) {
            Next::At(room) => Next::At(room.max(due).max(after_last).max(self.resume())),
            Next::WhenReleased => Next::WhenReleased,
        }
    }

    /// A call leaves.
    pub(super) fn start(&mut self, reserve: bool, now: At) {
        self.record(now);
        self.last_start = Some(now);
        if reserve {
            self.reserved += 1;
        }
    }

    /// When a call with a reserved place may leave. Always at once: its place was kept, and what takes
    /// long to arrive does not take it away.
    pub(super) fn earliest_reserved(&self) -> Next {
        self.room(1, false)
    }

    /// A call with a reserved place leaves.
    pub(super) fn use_reserved(&mut self, now: At) {
        self.release();
        self.record(now);
    }

    /// A call with a reserved place will not be made.
    pub(super) const fn release(&mut self) {
        self.reserved = self.reserved.saturating_sub(1);
    }

    /// Asks for the next place that comes free, before everybody else. One at a time.
    pub(super) const fn ask(&mut self, asking: bool) {
        self.asking = asking;
    }

    /// When the call that asks may leave.
    pub(super) fn earliest_asked(&self) -> Next {
        self.room(self.reserved + 1, false)
    }

    /// The call that asks leaves.
    pub(super) fn use_asked(&mut self, now: At) {
        self.asking = false;
        self.record(now);
    }

    /// eSign refused a call that left at `sent` because there were too many. Where the way there explains
    /// that, calls have their places for longer; else the rate is cut, and nothing leaves for a moment. Gives the new
    /// rate, or `None` when it was lowered already and that call left before anything could come of it.
    pub(super) fn throttled(&mut self, sent: At, now: At) -> Option<f64> {
        self.ended(sent, now);
        if self.cut.is_some_and(|cut| sent < cut.resume) {
            return None;
        }
        let before = self.spread.share();
        if self.full.is_some() && self.spread.refused(sent, now) {
            return (self.spread.share() > before)
                .then(|| self.rate(now))
                .flatten();
        }
        let first = self.cut.is_none_or(|cut| sent > cut.resume + CALM);
        let (pause, left) = if first { NUDGE } else { RETREAT };
        let rate = self
            .share(now)
            .zip(self.full)
            .map(|(rate, full)| (rate * left).max(SLOWEST.min(full)));
        self.cut = Some(Cut {
            resume: now + pause,
            rate: rate.unwrap_or_default(),
        });
        self.rate(now)
    }

    /// A call that left at `sent` was admitted and answered. Whether that may let another one leave sooner.
    pub(super) fn answered(&mut self, sent: At, now: At) -> bool {
        self.ended(sent, now);
        self.spread.answered(now.saturating_sub(sent));
        self.spread.share() > 0.0
    }

    fn ended(&mut self, sent: At, now: At) {
        let first = self.log.partition_point(|call| call.at < sent);
        let mut same = self
            .log
            .range_mut(first..)
            .take_while(|call| call.at == sent);
        if let Some(call) = same.find(|call| call.trip.is_none()) {
            call.trip = Some(now.saturating_sub(sent));
        }
    }

    /// Until when nothing leaves.
    fn resume(&self) -> At {
        self.cut.map_or(At::ZERO, |cut| cut.resume)
    }

    /// The planned distance between calls.
    fn distance(&self, now: At) -> Duration {
        self.rate(now)
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(SLACK / rate))
    }

    /// From when on this many more calls find a place. A call gives its place back after a second, or
    /// `late`r, as it may have been on its way for longer.
    fn room(&self, calls: usize, late: bool) -> Next {
        let Some(others) = self.places().checked_sub(calls) else {
            return Next::WhenReleased;
        };
        let Some(index) = self.log.len().checked_sub(others + 1) else {
            return Next::At(At::ZERO);
        };
        if !late || self.spread.share() <= 0.0 {
            return Next::At(
                self.log
                    .get(index)
                    .map_or(At::ZERO, |call| call.at + WINDOW),
            );
        }
        let ends = self.log.iter();
        let mut ends: Vec<At> = ends
            .map(|call| call.at + WINDOW + self.spread.late(call.trip))
            .collect();
        Next::At(*ends.select_nth_unstable(index).1)
    }

    fn record(&mut self, now: At) {
        if self.full.is_none() {
            return;
        }
        self.log.push_back(Sent {
            at: now,
            trip: None,
        });
        if self.log.len() > self.places().saturating_mul(REMEMBERED) {
            self.log.pop_front();
        }
    }
}

#[cfg(test)]
mod arrivals;
#[cfg(test)]
mod tests;
