//! The gateway's rate limit.

use std::collections::{BTreeMap, VecDeque};

use super::clock::SECOND;

/// The documented limit, in calls per second.
pub(super) const DEFAULT_LIMIT: u32 = 20;

/// Admits at most `limit` calls a second for each set of credentials and action, in any window of
/// one second, wherever it begins; fixed seconds are among those windows. Refused calls don't count.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: u32,
    admitted: BTreeMap<(String, String), VecDeque<i64>>,
}

impl Limiter {
    /// `limit` 0 admits everything.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            admitted: BTreeMap::new(),
        }
    }

    /// The limit that a refusal quotes. A `throttle` fault needs one even if there is no limit.
    pub(super) fn shown(&self) -> u32 {
        match self.limit {
            0 => DEFAULT_LIMIT,
            limit => limit,
        }
    }

    /// Whether a call that arrives `now` (in microseconds) is admitted.
    pub(super) fn admit(&mut self, secret_id: &str, action: &str, now: i64) -> bool {
        if self.limit == 0 {
            return true;
        }
        let recent = self
            .admitted
            .entry((secret_id.to_owned(), action.to_owned()))
            .or_default();
        // A clock that was set back must not let a second burst through.
        let now = recent.back().map_or(now, |&last| last.max(now));
        while recent
            .front()
            .is_some_and(|&first| first <= now.saturating_sub(SECOND))
        {
            recent.pop_front();
        }
        let free = recent.len() < usize::try_from(self.limit).unwrap_or(usize::MAX);
        if free {
            recent.push_back(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_twenty_first_within_a_second_is_refused_and_a_second_later_admitted() {
        let mut limiter = Limiter::new(20);
        let mut admitted = |at| limiter.admit("id", "A", at);
        assert!((0..20).all(|_| admitted(500_000)));
        assert!(!admitted(500_000));
        assert!(!admitted(1_499_999));
        assert!(admitted(1_500_000));
    }

    #[test]
    fn credentials_and_actions_have_limits_of_their_own() {
        let mut limiter = Limiter::new(1);
        assert!(limiter.admit("a", "A", 0));
        assert!(limiter.admit("b", "A", 0));
        assert!(limiter.admit("a", "B", 0));
        assert!(!limiter.admit("a", "A", 0));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut limiter = Limiter::new(0);
        assert!((0..1000).all(|_| limiter.admit("a", "A", 0)));
    }

    proptest! {
        #[test]
        fn no_window_of_a_second_admits_more_than_the_limit(
            limit in 1..30_u32, gaps in proptest::collection::vec(0..120_000_i64, 1..300),
        ) {
            let mut limiter = Limiter::new(limit);
            let mut now = 1_700_000_000_000_000;
            let mut admitted = Vec::new();
            for gap in gaps {
                now += gap;
                if limiter.admit("id", "A", now) {
                    admitted.push(now);
                } else {
                    let recent = admitted.iter().filter(|&&at| at > now - SECOND).count();
                    prop_assert_eq!(recent, limit as usize, "refused with room left");
                }
            }
            for (place, start) in admitted.iter().enumerate() {
                let sliding = admitted[place..].iter().take_while(|&&at| at < start + SECOND);
                prop_assert!(sliding.count() <= limit as usize);
                let second = start.div_euclid(SECOND);
                let fixed = admitted.iter().filter(|at| at.div_euclid(SECOND) == second);
                prop_assert!(fixed.count() <= limit as usize);
            }
        }
    }
}
