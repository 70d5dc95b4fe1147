//! Healing in small portions, so that no proof gets older than it may, and no round takes the whole rate.

use std::time::Duration;

/// What one round asserts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// At most so many calls, for the callbacks confirmed longest ago.
    pub calls: usize,
    /// Only callbacks confirmed longer ago than this.
    pub older_than: Duration,
}

/// How much larger a portion is than it has to be, as a fraction: what rounds that fail or come late leave is caught up.
const SPARE: (u128, u128) = (5, 4);

/// A portion for so many callbacks, with a round every `interval`, so that each is confirmed again `within` that time.
///
/// A portion begins early enough that all callbacks, even if they were confirmed at once, are through in time. So what
/// an apply added together is spread out by and by. `None` when there is nothing to confirm.
pub fn portion(callbacks: usize, interval: Duration, within: Duration) -> Option<Portion> {
    if callbacks == 0 {
        return None;
    }
    let (interval, within) = (interval.as_millis().max(1), within.as_millis().max(1));
    let (more, than) = SPARE;
    let calls = (callbacks as u128 * interval * more).div_ceil(within * than);
    let calls = usize::try_from(calls.max(1)).unwrap_or(usize::MAX);
    let rounds = callbacks.div_ceil(calls) as u128;
    // The intervals vary by a tenth, and a callback may have to wait for the next round.
    let needed = (rounds + 1) * interval * 11 / 10;
    let older_than = within.saturating_sub(needed);
    Some(Portion {
        calls,
        older_than: Duration::from_millis(u64::try_from(older_than).unwrap_or(u64::MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_few_callbacks_are_left_alone_for_most_of_the_time_and_many_are_spread() {
        let five = 5 * MINUTE;
        assert_eq!(portion(0, five, DAY), None);
        let ten = portion(10, five, DAY).unwrap();
        assert_eq!((ten.calls, ten.older_than.as_secs() / 3600), (1, 22));
        let many = portion(10_000, five, DAY).unwrap();
        assert_eq!((many.calls, many.older_than.as_secs() / 3600), (44, 3));
        let huge = portion(1_000_000, five, DAY).unwrap();
        assert_eq!((huge.calls, huge.older_than.as_secs() / 3600), (4341, 2));
    }

    proptest! {
        /// Whenever they were confirmed last, after one whole span no proof is older than it may be, and only
        /// callbacks that are due are called.
        #[test]
        fn every_proof_is_renewed_in_time(
            ages in proptest::collection::vec(0_u64..86_400, 1..400),
            minutes in 1_u64..30,
            jitter in proptest::collection::vec(90_u64..=110, 64),
        ) {
            let interval = Duration::from_secs(minutes * 60);
            let Portion { calls, older_than } = portion(ages.len(), interval, DAY).unwrap();
            let mut proved: Vec<i64> = ages.iter().map(|age| -age.cast_signed()).collect();
            let (mut now, mut healed) = (0_i64, 0);
            let span = DAY.as_secs().cast_signed();
            for round in 0.. {
                now += (minutes * 60 * jitter[round % jitter.len()] / 100).cast_signed();
                if now > 4 * span {
                    break;
                }
                proved.sort_unstable();
                let due = proved.iter_mut().filter(|at| now - **at > older_than.as_secs().cast_signed());
                for at in due.take(calls) {
                    *at = now;
                    healed += usize::from(now > span);
                }
                if now > span {
                    let oldest = now - proved.iter().min().unwrap();
                    prop_assert!(oldest <= span, "{oldest} s at {now}");
                }
            }
            // Three spans, each with at most so many rounds, or so many ages at which a callback is due.
            let rounds = 86_400 / (interval.as_secs() * 9 / 10) + 1;
            let by_rounds = usize::try_from(rounds).unwrap() * calls;
            let by_age = ages.len() * 86_400 / usize::try_from(older_than.as_secs().max(1)).unwrap();
            let most = 3 * by_rounds.min(by_age) + ages.len() + calls;
            prop_assert!(healed <= most, "{healed} of {}", ages.len());
            // A portion is not larger than it has to be, but for the spare quarter.
            prop_assert!((calls - 1) * 86_400 * 4 <= ages.len() * usize::try_from(interval.as_secs()).unwrap() * 5);
        }
    }
}
