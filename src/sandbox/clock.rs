//! The sandbox's clock, passed in from outside and shiftable at run time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use crate::model::Timestamp;

/// Microseconds in a second, the unit of [`Clock`].
pub(super) const SECOND: i64 = 1_000_000;

/// The last second of the year 9999: `Date` has four digits for the year.
const LAST_DATE: u64 = 253_402_300_799;

/// Where the sandbox gets the time from: a function that gives microseconds since 1970.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// A clock that asks `now` for microseconds since 1970, UTC.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that begins at `start` and goes on with the runtime's time, which tests can pause.
    /// Call it inside a runtime.
    pub fn starting_at(start: Timestamp) -> Self {
        let begun = tokio::time::Instant::now();
        Self::new(move || {
            let passed = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
            start.0.saturating_mul(SECOND).saturating_add(passed)
        })
    }

    pub(super) fn micros(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(…)")
    }
}

/// The clock that the sandbox shows its clients, off by some seconds.
///
/// The skew shifts the `Date` header and the signature's window. It does not touch the rate limit
/// or the log, so that changing it can't make time run backwards there.
#[derive(Debug)]
pub(super) struct SkewedClock {
    true_time: Clock,
    skew: AtomicI64,
}

impl SkewedClock {
    pub(super) fn new(true_time: Clock, skew: i64) -> Self {
        Self {
            true_time,
            skew: AtomicI64::new(skew),
        }
    }

    pub(super) fn set_skew(&self, seconds: i64) {
        self.skew.store(seconds, Ordering::Relaxed);
    }

    pub(super) fn skew(&self) -> i64 {
        self.skew.load(Ordering::Relaxed)
    }

    /// The true time in microseconds.
    pub(super) fn micros(&self) -> i64 {
        self.true_time.micros()
    }

    /// The time that the server shows.
    pub(super) fn shown(&self) -> Timestamp {
        Timestamp(self.micros().div_euclid(SECOND)).plus(self.skew())
    }

    /// The `Date` header. A time outside its range becomes the nearest one inside.
    pub(super) fn date(&self) -> String {
        let seconds = u64::try_from(self.shown().0).unwrap_or(0).min(LAST_DATE);
        httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_runtime_s_clock_moves_with_paused_time() {
        let clock = Clock::starting_at(Timestamp(1_700_000_000));
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(clock.micros(), 1_700_000_001_500_000);
    }

    #[test]
    fn skew_shifts_what_is_shown_and_not_the_time() {
        let clock = SkewedClock::new(Clock::new(|| 1_700_000_000_999_999), 400);
        assert_eq!(clock.shown(), Timestamp(1_700_000_400));
        assert_eq!(clock.date(), "Tue, 14 Nov 2023 22:20:00 GMT");
        clock.set_skew(-1);
        assert_eq!(clock.shown(), Timestamp(1_699_999_999));
        assert_eq!(clock.micros(), 1_700_000_000_999_999);
    }

    #[test]
    fn a_skew_at_either_end_is_shown_as_the_nearest_date() {
        let (first, last) = (
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        );
        for (now, skew, date) in [
            (0, i64::MIN, first),
            (0, -1, first),
            (0, 253_402_300_799, last),
            (0, 253_402_300_800, last),
            (0, i64::MAX, last),
            (i64::MAX, i64::MAX, last),
            (i64::MIN, i64::MIN, first),
        ] {
            let clock = SkewedClock::new(Clock::new(move || now), skew);
            assert_eq!(clock.date(), date, "{now} {skew}");
        }
    }
}
