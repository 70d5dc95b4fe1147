//! When the next round is.

use std::time::Duration;

/// The first pause after a round that failed. Each next one is twice as long, up to the interval.
const FIRST_PAUSE: Duration = Duration::from_secs(15);

/// How far a pause may be off, in percent, so that many controllers don't call at once.
const JITTER: u64 = 10;

/// How rounds follow each other.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval: Duration,
    /// How many rounds failed one after the other.
    failures: u32,
}

impl Schedule {
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            failures: 0,
        }
    }

    /// The pause after a round. `dice` is any number.
    pub fn pause(&mut self, failed: bool, dice: u64) -> Duration {
        self.failures = if failed {
            self.failures.saturating_add(1)
        } else {
            0
        };
        let pause = match self.failures {
            0 => self.interval,
            failures => FIRST_PAUSE
                .saturating_mul(1 << (failures - 1).min(16))
                .min(self.interval),
        };
        let percent = 100 - JITTER + dice % (2 * JITTER + 1);
        let percent = u32::try_from(percent).unwrap_or(100);
        pause.saturating_mul(percent) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_tried_again_soon_and_then_less_often() {
        let mut schedule = Schedule::new(Duration::from_secs(300));
        let mut pause = |failed| schedule.pause(failed, JITTER).as_secs();
        assert_eq!(pause(false), 300);
        let failed: Vec<_> = (0..7).map(|_| pause(true)).collect();
        assert_eq!(failed, [15, 30, 60, 120, 240, 300, 300]);
        assert_eq!(pause(false), 300);
        assert_eq!(pause(true), 15);
    }

    #[test]
    fn a_pause_is_off_by_a_tenth_at_most() {
        let mut schedule = Schedule::new(Duration::from_secs(100));
        let pauses: Vec<_> = (0..100).map(|dice| schedule.pause(false, dice)).collect();
        assert_eq!(pauses.iter().min(), Some(&Duration::from_secs(90)));
        assert_eq!(pauses.iter().max(), Some(&Duration::from_secs(110)));
        let mut longest = Schedule::new(Duration::MAX);
        assert!(longest.pause(false, u64::MAX) > Duration::from_secs(1 << 40));
    }
}
