//! How long to wait before the same call is sent again.

use std::time::Duration;

/// Before the first repetition, on average three quarters of this.
const FIRST: Duration = Duration::from_millis(500);
/// However often it failed.
const LONGEST: Duration = Duration::from_secs(30);

/// The wait before repetition number `attempt` (from 1): 0.5 s, 1 s, 2 s, 4 s … up to 30 s, of which
/// the second half is multiplied by `jitter` (0 to 1), so that calls that failed together don't come
/// back together, and none comes back at once.
pub fn delay(attempt: u32, jitter: f64) -> Duration {
    let doubled = 2_u32
        .checked_pow(attempt.saturating_sub(1))
        .and_then(|factor| FIRST.checked_mul(factor))
        .map_or(LONGEST, |delay| delay.min(LONGEST));
    let half = doubled / 2;
    let jitter = if jitter.is_finite() {
        jitter.clamp(0.0, 1.0)
    } else {
        1.0
    };
    half + half.mul_f64(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_doubles_up_to_half_a_minute() {
        let seconds: Vec<f64> = (1..=9)
            .map(|attempt| delay(attempt, 1.0).as_secs_f64())
            .collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(delay(0, 1.0), FIRST);
        assert_eq!(delay(1, 0.0), FIRST / 2);
    }

    proptest! {
        #[test]
        fn it_stays_between_half_and_whole(attempt in any::<u32>(), jitter in any::<f64>()) {
            let (least, most) = (delay(attempt, 0.0), delay(attempt, 1.0));
            prop_assert!(most <= LONGEST && least >= FIRST / 2);
            prop_assert_eq!(least * 2, most);
            prop_assert!((least..=most).contains(&delay(attempt, jitter)));
        }
    }
}
