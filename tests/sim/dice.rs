//! All chance of a schedule, from its seed.

use std::time::Duration;

use ess_callbacks::random::SplitMix64;

/// A seeded generator with the questions a schedule asks.
#[derive(Clone, Debug)]
pub(crate) struct Dice(SplitMix64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// A generator that shares nothing with this one.
    pub(crate) const fn fork(&mut self) -> Self {
        Self(SplitMix64::new(self.0.next()))
    }

    pub(crate) const fn seed(&mut self) -> u64 {
        self.0.next()
    }

    /// From 0 to `limit` - 1.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.up_to(limit.max(1) - 1)
    }

    /// From `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        let range = most.abs_diff(least) + 1;
        least.saturating_add_unsigned(self.0.next() % range)
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Between two numbers of milliseconds.
    pub(crate) fn millis(&mut self, least: i64, most: i64) -> Duration {
        Duration::from_millis(self.between(least, most).unsigned_abs())
    }

    /// From 1 to `most`; small numbers are as likely as large ones.
    pub(crate) fn any_size(&mut self, most: u64) -> u64 {
        let bits = 64 - most.leading_zeros();
        let shift = self.below(bits as usize);
        (1 + self.0.next() % (most >> shift).max(1)).min(most)
    }
}
