//! Jitter that can be repeated, shared between tasks.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::random::SplitMix64;

/// A [`SplitMix64`] that tasks share.
#[derive(Debug)]
pub struct Random(AtomicU64);

impl Random {
    /// The same seed gives the same numbers.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub fn next(&self) -> u64 {
        SplitMix64::new(self.0.fetch_add(SplitMix64::STEP, Ordering::Relaxed)).next()
    }

    /// Evenly spread over 0 ≤ x < 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits are what a double holds exactly"
    )]
    pub fn fraction(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_as_the_generator_does() {
        let (random, mut generator) = (Random::new(7), SplitMix64::new(7));
        for _ in 0..3 {
            assert_eq!(random.next(), generator.next());
        }
    }

    #[test]
    fn fractions_fill_the_unit_interval() {
        let random = Random::new(7);
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            let fraction = random.fraction();
            assert!((0.0..1.0).contains(&fraction));
            let tenth = (0..10)
                .find(|tenth| fraction < f64::from(tenth + 1) / 10.0)
                .unwrap();
            tenths[usize::try_from(tenth).unwrap()] += 1;
        }
        assert!(
            tenths.iter().all(|count| (850..1150).contains(count)),
            "{tenths:?}"
        );
    }
}
