//! By how much a second's calls are spread over more than a second, because they don't all take equally long
//! to arrive.
//!
//! What counts is when calls *arrive*, and no answer says that. A round trip is at least as long as its
//! way there, but most of what round trips differ by is the time that eSign takes, which needs no
//! caution. So two signs have to come together: the round trips say how far the width may grow, and only
//! a refusal makes it grow. Each success takes a little of it back. A refusal that comes although it is as
//! wide as it may be is not explained by the way there, but by somebody else's calls.
//!
//! The numbers were chosen by simulating arrivals (`arrivals.rs` beside this file).
//!
//! Invariant: a refusal never makes the width larger than the round trips explain.

use std::collections::VecDeque;
use std::time::Duration;

use super::At;

/// How many round trips are remembered.
const REMEMBERED: usize = 128;
/// How many are needed before they say anything.
const ENOUGH: usize = 8;
/// What part of the round trips counts: of a hundred, the two slowest may be spikes.
const USUAL: (usize, usize) = (98, 100);
/// By what part of what the round trips explain a refusal widens.
const STEP: f64 = 0.3;
/// From what part of it on it counts as wide as it may be.
const FULL: f64 = 0.95;
/// What part of the last step each success takes back.
const BACK: f64 = 0.002;
/// Round trips that differ by less explain no refusal, in seconds.
const LEAST: f64 = 0.003;
/// By how many standard deviations the number of calls that arrive in a second stays below the limit,
/// where the ways differ so much that it can't be kept for certain.
const DEVIATIONS: f64 = 3.0;

/// What round trips and refusals say of the way there.
#[derive(Debug, Default)]
pub(super) struct Spread {
    trips: VecDeque<Duration>,
    /// In seconds.
    width: f64,
    /// By how much it grew the last time.
    step: f64,
    /// When that was.
    widened: At,
}

impl Spread {
    /// How many seconds more than one the calls of one second take.
    pub(super) const fn width(&self) -> f64 {
        self.width
    }

    /// A call was admitted and answered, so long after it had left.
    pub(super) fn answered(&mut self, trip: Duration) {
        if self.trips.len() == REMEMBERED {
            self.trips.pop_front();
        }
        self.trips.push_back(trip);
        self.width = (self.width - self.step * BACK).max(0.0);
    }

    /// A call that left at `sent` was refused, where a second has room for so many `places`. Whether the
    /// way there explains it.
    pub(super) fn refused(&mut self, sent: At, now: At, places: f64) -> bool {
        if sent < self.widened {
            return true;
        }
        let most = self.most(places);
        if most < LEAST || self.width >= most * FULL {
            return false;
        }
        self.step = most * STEP;
        self.width = (self.width + self.step).min(most);
        self.widened = now;
        true
    }

    /// The width at which hardly a call is refused if round trips differ by nothing but the way there.
    fn most(&self, places: f64) -> f64 {
        if self.trips.len() < ENOUGH {
            return 0.0;
        }
        let mut sorted: Vec<f64> = self.trips.iter().map(Duration::as_secs_f64).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        // Never too many: calls that leave so much further apart can't arrive within one second.
        let slowest = sorted.len() * USUAL.0 / USUAL.1;
        let certain = sorted[slowest.min(sorted.len() - 1)] - sorted[0];
        // Seldom too many. At a rate r the number of arrivals in a second varies with about the square
        // root of r times what two ways differ by; r + deviations = places, solved for r.
        let deviation = DEVIATIONS * mean_difference(&sorted).sqrt();
        let root = (deviation.mul_add(deviation, 4.0 * (places - 0.5)).sqrt() - deviation) / 2.0;
        let likely = places / (root * root) - 1.0;
        certain.min(likely.max(0.0))
    }
}

/// What two of them differ by in the mean; more than a second counts as one.
fn mean_difference(sorted: &[f64]) -> f64 {
    let mut sum = 0.0;
    let mut pairs = 0.0;
    for (index, later) in sorted.iter().enumerate() {
        for earlier in &sorted[..index] {
            sum += (later - earlier).min(1.0);
            pairs += 1.0;
        }
    }
    if pairs > 0.0 { sum / pairs } else { 0.0 }
}
