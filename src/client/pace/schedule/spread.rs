//! For how long more than a second a call has its place, because calls don't all take equally long to arrive.
//!
//! What counts is when calls *arrive*, and no answer says that. A round trip is at least as long as its
//! way there, but most of what round trips differ by is the time that eSign takes, which needs no
//! caution. So two signs have to come together: a call's own round trip says how late it may have arrived, and
//! refusals say what share of that was the way there. Each success takes a little of the share back, the
//! more the more it costs. A refusal that comes although the share is whole is not explained by the way
//! there, but by another program's calls.
//!
//! The numbers were chosen by simulating arrivals (`arrivals.rs` beside this file).
//!
//! Invariant: a refusal never makes a call later than its round trip explains.

use std::collections::VecDeque;
use std::time::Duration;

use super::At;

/// How many round trips are remembered.
const REMEMBERED: usize = 128;
/// How many are needed before they say anything.
const ENOUGH: usize = 8;
/// How much a refusal adds to the share.
const STEP: f64 = 0.5;
/// From what share on it counts as whole.
const FULL: f64 = 0.95;
/// What each success takes from the share, for each second that calls are late in the mean.
const BACK: f64 = 0.002;
/// No mean counts for more, in seconds.
const LATEST_MEAN: f64 = 0.5;
/// Round trips that differ by less explain no refusal.
const LEAST: Duration = Duration::from_millis(3);

/// What round trips and refusals say of the way there.
#[derive(Debug, Default)]
pub(super) struct Spread {
    trips: VecDeque<Duration>,
    /// The shortest of them.
    least: Duration,
    /// By how much the longest and the mean are longer.
    most: Duration,
    mean: f64,
    /// What part of what they differ by is the way there, from 0 to 1.
    share: f64,
    /// When it grew the last time.
    widened: At,
}

impl Spread {
    /// With the share that an earlier run ended with.
    pub(super) fn new(share: f64) -> Self {
        Self {
            share: share.clamp(0.0, 1.0),
            ..Self::default()
        }
    }

    /// What part of what round trips differ by is taken for the way there.
    pub(super) const fn share(&self) -> f64 {
        self.share
    }

    /// How much later than others calls arrive in the mean, in seconds.
    pub(super) fn mean(&self) -> f64 {
        self.share * self.mean
    }

    /// How much later than others a call may have arrived that took so long; `None` if it has no answer yet.
    pub(super) fn late(&self, trip: Option<Duration>) -> Duration {
        let late = trip.map_or(self.most, |trip| trip.saturating_sub(self.least));
        late.mul_f64(self.share)
    }

    /// A call was admitted and answered, so long after it had left.
    pub(super) fn answered(&mut self, trip: Duration) {
        if self.trips.len() == REMEMBERED {
            self.trips.pop_front();
        }
        self.trips.push_back(trip);
        self.least = self.trips.iter().min().copied().unwrap_or_default();
        let trips = self.trips.iter();
        let late = || trips.clone().map(|trip| trip.saturating_sub(self.least));
        self.most = late().max().unwrap_or_default();
        let count = u32::try_from(self.trips.len()).unwrap_or(1).max(1);
        let sum: f64 = late().map(|late| late.as_secs_f64().min(1.0)).sum();
        self.mean = sum / f64::from(count);
        self.share = (self.share - BACK * self.mean.min(LATEST_MEAN)).max(0.0);
    }

    /// A call that left at `sent` was refused. Whether the way there explains it.
    pub(super) fn refused(&mut self, sent: At, now: At) -> bool {
        if sent < self.widened {
            return true;
        }
        if self.trips.len() < ENOUGH || self.most < LEAST || self.share >= FULL {
            return false;
        }
        self.share = (self.share + STEP).min(1.0);
        self.widened = now;
        true
    }
}
