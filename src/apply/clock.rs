//! The server's clock, as far as its answers tell it.
//!
//! Two questions need it. *When is a lost call dead?* must never be answered too early, so the
//! earliest reading counts: an answer's `Date` is from before we saw it, and of all offsets seen the
//! smallest is the safe one. *What time to sign with?* wants the latest reading.
//!
//! A signature can also be made to expire soon, by dating it back: eSign takes a timestamp that is up
//! to five minutes old. A call signed so can't be admitted late by more than [`SHORT_LIFE`].

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{SignedWrite, Timestamp};

/// For how long eSign takes a signature that is meant to expire soon, in seconds. Enough for a slow
/// way there, and for what the clocks of eSign's machines differ by.
const SHORT_LIFE: i64 = 25;

/// A reading is old by as long as its answer was on its way. Of slow answers none is taken once there
/// is a better one: it would only make fences longer.
const SLOW: Duration = Duration::from_secs(2);

/// The day of eSign's API version: no clock of eSign's shows an earlier one.
const EARLIEST: Timestamp = Timestamp(1_605_052_800);

/// 2100-01-01.
const LATEST: Timestamp = Timestamp(4_102_444_800);

/// How far eSign's clock may be from ours to be believed, in seconds: ten years.
const FURTHEST: u64 = 10 * 366 * 86_400;

/// Whether an answer's `Date` can be eSign's clock. One that can't (1970, the year 9999) is no clock:
/// signed by it, every call would be refused, and a lost one would wait for that year.
///
/// Ours may be years off where it has no battery, and is corrected by eSign's; an impossible clock of
/// ours says nothing.
pub(super) fn is_credible(server: Timestamp, ours: Timestamp) -> bool {
    let possible = |time: Timestamp| EARLIEST <= time && time < LATEST;
    possible(server) && (!possible(ours) || server.seconds_since(ours).unsigned_abs() <= FURTHEST)
}

/// How long one change has waited by our own time, which no clock that is set can change: it bounds a
/// fence when the server's clock is not known, or when a wrong one signed the lost call.
#[derive(Debug, Default)]
pub(super) struct OwnTime(Mutex<Option<Instant>>);

impl OwnTime {
    /// How many milliseconds until every call that was sent before the first question is dead.
    pub(super) fn left(&self) -> u64 {
        let mut begun = self.0.lock().expect("no panic while held");
        let waited = begun.get_or_insert_with(Instant::now).elapsed();
        let whole = Duration::from_secs(SignedWrite::OWN_TIME.unsigned_abs());
        u64::try_from(whole.saturating_sub(waited).as_millis()).unwrap_or(u64::MAX)
    }

    /// Another call was lost just now.
    pub(super) fn begin_anew(&self) {
        *self.0.lock().expect("no panic while held") = None;
    }
}

/// Our own time of day.
pub trait WallClock: Send + Sync {
    /// Now, by this machine's clock.
    fn now(&self) -> Timestamp;
}

/// What is known of one account's server's clock.
#[derive(Debug)]
pub(super) struct ServerClock {
    started: Instant,
    readings: Mutex<Option<Readings>>,
    /// eSign has refused a signature that was to expire soon.
    no_short_lives: AtomicBool,
}

/// Offsets between the server's clock and the time since `started`, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Readings {
    smallest: i64,
    latest: i64,
    largest: i64,
    /// They come from slow answers.
    slow: bool,
}

impl ServerClock {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            readings: Mutex::new(None),
            no_short_lives: AtomicBool::new(false),
        }
    }

    /// An answer that just arrived, `took` after its call had left, carried this `Date`.
    pub(super) fn learn(&self, server: Timestamp, took: Duration) {
        let offset = server
            .0
            .saturating_mul(1000)
            .saturating_sub(self.elapsed_ms());
        let new = Readings {
            smallest: offset,
            latest: offset,
            largest: offset,
            slow: took > SLOW,
        };
        let mut readings = self.readings.lock().expect("no panic while held");
        *readings = Some(match *readings {
            Some(known) if new.slow == known.slow => Readings {
                smallest: known.smallest.min(offset),
                largest: known.largest.max(offset),
                ..new
            },
            Some(known) if new.slow => known,
            Some(_) | None => new,
        });
    }

    /// The server's time to sign with; `None` before its first answer.
    pub(super) fn now(&self) -> Option<Timestamp> {
        self.at(|readings| readings.latest)
    }

    /// A time to sign with that lets the signature expire soon. `None` when the server's clock is not
    /// known, or when it does not take such signatures.
    ///
    /// Counts from the largest reading: a reading that came late would make the signature older than
    /// it is meant to be, and eSign would refuse it.
    pub(super) fn short_lived(&self) -> Option<Timestamp> {
        if self.no_short_lives.load(Ordering::Relaxed) {
            return None;
        }
        let now = self.at(|readings| readings.largest)?;
        Some(now.plus(SHORT_LIFE - SignedWrite::SIGNATURE_LIFE))
    }

    /// eSign refused a signature that was to expire soon.
    pub(super) fn no_short_lives(&self) {
        self.no_short_lives.store(true, Ordering::Relaxed);
    }

    /// A time that the server's clock has certainly reached; `None` before its first answer.
    pub(super) fn reached(&self) -> Option<Timestamp> {
        self.at(|readings| readings.smallest)
    }

    /// How many milliseconds until this call is certainly dead; zero when it is. `None` while the
    /// server's clock is not known.
    pub(super) fn until_dead(&self, lost: &SignedWrite) -> Option<u64> {
        let readings = *self.readings.lock().expect("no panic while held");
        let now = readings?.smallest.saturating_add(self.elapsed_ms());
        let dead = lost.dead_at().0.saturating_mul(1000);
        Some(u64::try_from(dead.saturating_sub(now)).unwrap_or(0))
    }

    fn at(&self, offset: impl FnOnce(&Readings) -> i64) -> Option<Timestamp> {
        let readings = *self.readings.lock().expect("no panic while held");
        let now = offset(&readings?).saturating_add(self.elapsed_ms());
        Some(Timestamp(now.div_euclid(1000)))
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Write;

    const QUICK: Duration = Duration::from_millis(50);

    #[test]
    fn a_date_that_no_clock_shows_is_not_believed() {
        let (now, hour) = (Timestamp(1_800_000_000), 3_600);
        let year_9999 = Timestamp(253_370_764_800);
        for (server, ours, believed) in [
            (now, now, true),
            (now.plus(400 * 86_400), now, true),
            (Timestamp(0), now, false),
            (year_9999, now, false),
            (now.plus(20 * 366 * 86_400), now, false),
            // It is ours that is wrong.
            (now, Timestamp(hour), true),
            (now, year_9999, true),
            (Timestamp(0), Timestamp(hour), false),
            (year_9999, year_9999, false),
            (Timestamp(i64::MIN), Timestamp(i64::MAX), false),
        ] {
            assert_eq!(is_credible(server, ours), believed, "{server}, {ours}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_time_goes_on_whatever_the_clock_shows() {
        let own = OwnTime::default();
        assert_eq!(own.left(), 690_000);
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(own.left(), 90_000);
        own.begin_anew();
        assert_eq!(own.left(), 690_000);
        tokio::time::advance(Duration::from_secs(700)).await;
        assert_eq!(own.left(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_call_is_dead_when_the_slowest_reading_says_so() {
        let clock = ServerClock::new(Instant::now());
        let lost = SignedWrite {
            write: Write::Delete,
            signed_at: Timestamp(1000),
        };
        assert_eq!(clock.until_dead(&lost), None);
        clock.learn(Timestamp(1010), QUICK);
        clock.learn(Timestamp(1000), QUICK);
        assert_eq!(clock.until_dead(&lost), Some(335_000));
        clock.learn(Timestamp(2000), QUICK);
        assert_eq!(clock.until_dead(&lost), Some(335_000));
        assert_eq!(clock.now(), Some(Timestamp(2000)));
        tokio::time::advance(Duration::from_secs(335)).await;
        assert_eq!(clock.until_dead(&lost), Some(0));
        assert_eq!(clock.reached(), Some(Timestamp(1335)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_counts_only_while_there_is_no_other() {
        let clock = ServerClock::new(Instant::now());
        clock.learn(Timestamp(980), Duration::from_secs(20));
        assert_eq!(clock.now(), Some(Timestamp(980)));
        clock.learn(Timestamp(1000), QUICK);
        assert_eq!(clock.reached(), Some(Timestamp(1000)));
        clock.learn(Timestamp(970), Duration::from_secs(30));
        assert_eq!(clock.reached(), Some(Timestamp(1000)));
        assert_eq!(clock.now(), Some(Timestamp(1000)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_life_ends_soon_by_the_fastest_reading() {
        let clock = ServerClock::new(Instant::now());
        assert_eq!(clock.short_lived(), None);
        clock.learn(Timestamp(10_000), QUICK);
        clock.learn(Timestamp(9_000), QUICK);
        let call = SignedWrite {
            write: Write::Delete,
            signed_at: clock.short_lived().unwrap(),
        };
        assert_eq!(call.dead_at(), Timestamp(10_060));
        clock.no_short_lives();
        assert_eq!(clock.short_lived(), None);
    }
}
