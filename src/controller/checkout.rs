//! Which of two replicas has the older files, when each has its own checkout.
//!
//! A checkout follows the repository with a delay that differs from replica to replica. Who still has the files of
//! yesterday must not undo what another has applied from those of today. So the state records what was applied last
//! ([`Checkout`]), and who has other files asks which are older:
//!
//! * Who had exactly the files that are in force, and has others now, has newer ones.
//! * Who never had them may be on the way to them. Its files count as newer when they have not changed for a while, and
//!   their time is later; or when they changed after this replica saw those in force, as clocks differ.
//! * What files that once counted as newer are changed to is newer, too, also when a guard keeps them from being applied.

use crate::model::{Checkout, Timestamp};

/// After so many seconds without a change, a checkout is not on its way to another version.
const SETTLED: i64 = 120;

/// What a replica remembers of the checkout in the state.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What the state had last, and when this replica saw it first, by its own clock. With its time: after a revert the
    /// digest is the same as before.
    first: Option<(Checkout, Timestamp)>,
    /// Whether its own files were these since, or counted as newer.
    matched: bool,
}

/// Why the files of a replica may not replace those that were applied last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// They are older. Since when this replica has known that others are in force.
    Older(Timestamp),
    /// They are newer, but have just changed, and may be a version on the way to those in force.
    Unsettled,
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

    /// Notes that the files count as newer than those in force, now that [`Seen::behind`] said so.
    pub const fn admit(&mut self) {
        self.matched = true;
    }

    /// Why its own files may not replace those in force. `None` if they may.
    pub fn behind(
        &self,
        own: &Checkout,
        recorded: Option<&Checkout>,
        now: Timestamp,
    ) -> Option<Behind> {
        let recorded = recorded?;
        let (seen, first) = self.first.as_ref()?;
        let is_known = seen == recorded;
        if own.digest == recorded.digest || (is_known && self.matched) {
            return None;
        }
        let is_later = own.since > recorded.since || (is_known && own.since >= *first);
        let is_settled = now.seconds_since(own.since) >= SETTLED;
        match (is_later, is_settled) {
            (false, _) => Some(Behind::Older(*first)),
            (true, false) => Some(Behind::Unsettled),
            (true, true) => None,
        }
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
        let older = Some(Behind::Older(Timestamp(105)));
        let behind = |own, now| seen.behind(&own, Some(&recorded), Timestamp(now));
        assert_eq!(behind(checkout("one", 40), 9_000), older);
        assert_eq!(behind(checkout("two", 40), 150), None);
        // It may be a version before that in the state, which came late.
        assert_eq!(behind(checkout("three", 160), 170), Some(Behind::Unsettled));
        assert_eq!(behind(checkout("three", 160), 160 + SETTLED), None);
        // By the clock of the other replica the change was later, but this one had seen its files before.
        let ahead = checkout("two", 1000);
        seen.note(&old, Some(&ahead), Timestamp(105));
        let behind = |own, now| seen.behind(&own, Some(&ahead), Timestamp(now));
        assert_eq!(behind(checkout("three", 160), 300), None);
        assert_eq!(behind(checkout("one", 40), 300), older);
        let next = in_force(&checkout("three", 160), Some(&ahead)).unwrap();
        assert_eq!(next, checkout("three", 1001));
        assert_eq!(seen.behind(&old, None, Timestamp(300)), None);
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
            seen.behind(&reverted, Some(&recorded), Timestamp(110)),
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
        let behind = seen.behind(&own, Some(&reverted), Timestamp(900));
        assert_eq!(behind, Some(Behind::Older(Timestamp(205))));
    }

    /// As when a guard refuses the plan before and after a restart.
    #[test]
    fn what_was_newer_once_is_changed_at_once_until_another_version_is_in_force() {
        let mut seen = Seen::default();
        let recorded = checkout("one", 10);
        let refused = checkout("two", 500);
        let mut look = |own: &Checkout, recorded: &Checkout, now| {
            seen.note(own, Some(recorded), Timestamp(now));
            let behind = seen.behind(own, Some(recorded), Timestamp(now));
            if behind.is_none() {
                seen.admit();
            }
            behind
        };
        assert_eq!(look(&refused, &recorded, 530), Some(Behind::Unsettled));
        assert_eq!(look(&refused, &recorded, 500 + SETTLED), None);
        assert_eq!(look(&checkout("three", 1000), &recorded, 1001), None);
        // What another replica has applied since is not undone.
        let others = checkout("four", 1100);
        let older = Some(Behind::Older(Timestamp(1110)));
        assert_eq!(look(&checkout("three", 1000), &others, 1110), older);
        let unsettled = Some(Behind::Unsettled);
        assert_eq!(look(&checkout("five", 1200), &others, 1210), unsettled);
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
            refused in proptest::collection::vec(any::<bool>(), 3),
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
                if seen[number].behind(&own, recorded.as_ref(), now).is_some() {
                    let unsettled = now.seconds_since(own.since) < SETTLED;
                    prop_assert!(unsettled || version < applied, "{version} of {number} waits at {at}, {applied} was applied");
                    continue;
                }
                seen[number].admit();
                // A guard keeps some versions from being applied, though not the last one.
                if at < end && refused.get(version) == Some(&true) {
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
