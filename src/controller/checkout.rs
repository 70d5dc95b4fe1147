//! Which of two replicas has the older files, when each has its own checkout.
//!
//! A checkout follows the repository with a delay that differs from replica to replica. Who still has the files of
//! yesterday must not undo what another has applied from those of today. So the state records what was applied last
//! ([`Checkout`]), and who has other files asks which are older:
//!
//! * Who had exactly the files that are in force, and has others now, has newer ones.
//! * Who never had them may be on the way to them. Its files count as newer when they have not changed for a while, and
//!   their time is later; or when they changed after this replica saw those in force, as clocks differ.

use crate::model::{Checkout, Timestamp};

/// After so many seconds without a change, a checkout is not on its way to another version.
const SETTLED: i64 = 120;

/// What a replica remembers of the checkout in the state.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What the state had last, and when this replica saw it first, by its own clock. With its time: after a revert the
    /// digest is the same as before.
    first: Option<(Checkout, Timestamp)>,
    /// Whether its own files were these since.
    matched: bool,
}

impl Seen {
    /// Remembers what the state records, at `now`, and whether the files are the same.
    pub fn note(&mut self, own: &Checkout, recorded: Option<&Checkout>, now: Timestamp) {
        if self.first.as_ref().map(|(seen, _)| seen) != recorded {
            self.first = recorded.map(|recorded| (recorded.clone(), now));
            self.matched = false;
        }
        self.matched |= recorded.is_some_and(|recorded| recorded.digest == own.digest);
    }

    /// Since when this replica has known that others' files are in force, which its own may not replace. `None` if they
    /// may.
    pub fn behind_since(
        &self,
        own: &Checkout,
        recorded: Option<&Checkout>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let recorded = recorded?;
        let (seen, first) = self.first.as_ref()?;
        let is_known = seen == recorded;
        if own.digest == recorded.digest || (is_known && self.matched) {
            return None;
        }
        let is_later = own.since > recorded.since || (is_known && own.since >= *first);
        let is_settled = now.seconds_since(own.since) >= SETTLED;
        (!is_later || !is_settled).then_some(*first)
    }
}

/// What the state has to record when `own` is applied. `None` if it has that already.
///
/// What is recorded later is never older, so that a replica whose clock is ahead finds itself behind, too.
#[must_use]
pub fn in_force(own: &Checkout, recorded: Option<&Checkout>) -> Option<Checkout> {
    let Some(recorded) = recorded else {
        return Some(own.clone());
    };
    (own.digest != recorded.digest).then(|| Checkout {
        digest: own.digest.clone(),
        since: own.since.max(recorded.since.plus(1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn checkout(digest: &str, since: i64) -> Checkout {
        Checkout {
            digest: digest.to_owned(),
            since: Timestamp(since),
        }
    }

    #[test]
    fn older_files_are_behind_and_the_same_are_not() {
        let mut seen = Seen::default();
        let recorded = checkout("two", 100);
        let old = checkout("one", 40);
        seen.note(&old, Some(&recorded), Timestamp(105));
        seen.note(&old, Some(&recorded), Timestamp(150));
        let behind = |own, now| seen.behind_since(&own, Some(&recorded), Timestamp(now));
        assert_eq!(behind(checkout("one", 40), 9_000), Some(Timestamp(105)));
        assert_eq!(behind(checkout("two", 40), 150), None);
        // It may be a version before that in the state, which came late.
        assert_eq!(behind(checkout("three", 160), 170), Some(Timestamp(105)));
        assert_eq!(behind(checkout("three", 160), 160 + SETTLED), None);
        // By the clock of the other replica the change was later, but this one had seen its files before.
        let ahead = checkout("two", 1000);
        seen.note(&old, Some(&ahead), Timestamp(105));
        let behind = |own, now| seen.behind_since(&own, Some(&ahead), Timestamp(now));
        assert_eq!(behind(checkout("three", 160), 300), None);
        assert_eq!(behind(checkout("one", 40), 300), Some(Timestamp(105)));
        let next = in_force(&checkout("three", 160), Some(&ahead)).unwrap();
        assert_eq!(next, checkout("three", 1001));
        assert_eq!(seen.behind_since(&old, None, Timestamp(300)), None);
    }

    #[test]
    fn who_had_what_is_in_force_goes_on_from_there_at_once() {
        let mut seen = Seen::default();
        let recorded = checkout("two", 100);
        seen.note(&checkout("two", 30), Some(&recorded), Timestamp(105));
        // Back to what is old, in a folder that was there before.
        let reverted = checkout("one", 10);
        seen.note(&reverted, Some(&recorded), Timestamp(110));
        assert_eq!(
            seen.behind_since(&reverted, Some(&recorded), Timestamp(110)),
            None
        );
    }

    #[test]
    fn a_revert_is_not_what_was_seen_before_it() {
        let mut seen = Seen::default();
        let before = checkout("one", 10);
        seen.note(&before, Some(&before), Timestamp(15));
        // It gets the second version, and before it looks again, others have applied that, and its revert.
        let reverted = checkout("one", 200);
        let own = checkout("two", 100);
        seen.note(&own, Some(&reverted), Timestamp(205));
        let behind = seen.behind_since(&own, Some(&reverted), Timestamp(900));
        assert_eq!(behind, Some(Timestamp(205)));
    }

    /// Version `n` is committed at `n * PERIOD`, long enough after the last one for all to have seen that.
    const PERIOD: i64 = 400;

    #[derive(Clone, Debug)]
    struct Replica {
        /// How far its clock is ahead.
        skew: i64,
        /// How long after a commit its checkout has it.
        delays: Vec<i64>,
        /// When its rounds are.
        rounds: Vec<i64>,
    }

    impl Replica {
        /// What it has at a true time: the version, and since when by its own clock.
        fn has(&self, at: i64) -> (usize, i64) {
            let arrived = self.delays.iter().enumerate().map(|(version, delay)| {
                let at = i64::try_from(version).unwrap() * PERIOD + delay;
                (version, at)
            });
            let (version, since) = arrived
                .rev()
                .find(|(_, arrived)| *arrived <= at)
                .unwrap_or((0, 0));
            (version, since + self.skew)
        }
    }

    fn replica(versions: usize) -> impl Strategy<Value = Replica> {
        let delays = proptest::collection::vec(1..100_i64, versions);
        let rounds = proptest::collection::vec(0..110_i64, 40);
        (-150..150_i64, delays, rounds).prop_map(|(skew, mut delays, pauses)| {
            delays[0] = 0;
            let rounds = pauses.iter().scan(0, |at, pause| {
                *at += pause;
                Some(*at)
            });
            Replica {
                skew,
                delays,
                rounds: rounds.collect(),
            }
        })
    }

    proptest! {
        /// Whatever the delays, the moments of the rounds and the clocks: once a version is applied, none before it is,
        /// and every replica ends with the last one in force.
        #[test]
        fn no_replica_undoes_what_another_has_applied(
            replicas in proptest::collection::vec(replica(4), 2..4),
            contents in proptest::collection::vec(0..3_u8, 4),
        ) {
            let mut rounds: Vec<_> = replicas.iter().enumerate()
                .flat_map(|(number, one)| one.rounds.iter().map(move |at| (*at, number)))
                .collect();
            let end = 5 * PERIOD;
            rounds.extend((0..replicas.len()).map(|number| (end, number)));
            rounds.sort_unstable();
            let mut seen = vec![Seen::default(); replicas.len()];
            let mut recorded: Option<Checkout> = None;
            let mut applied = 0;
            for (at, number) in rounds {
                let replica = &replicas[number];
                let (version, since) = replica.has(at);
                // A revert has the digest of what was before.
                let own = checkout(&contents[version].to_string(), since);
                let now = Timestamp(at + replica.skew);
                seen[number].note(&own, recorded.as_ref(), now);
                if seen[number].behind_since(&own, recorded.as_ref(), now).is_some() {
                    let unsettled = now.seconds_since(own.since) < SETTLED;
                    prop_assert!(unsettled || version < applied, "{version} of {number} waits at {at}, {applied} was applied");
                    continue;
                }
                if let Some(checkout) = in_force(&own, recorded.as_ref()) {
                    prop_assert!(version >= applied, "{number} undoes {applied} with {version} at {at}");
                    recorded = Some(checkout);
                    applied = version;
                }
            }
            prop_assert_eq!(recorded.map(|it| it.digest), Some(contents[3].to_string()));
        }
    }
}
