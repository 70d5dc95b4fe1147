//! What messages teach of a callback. See [`Sighting`].

use crate::model::{
    Belief, Entry, Fingerprints, Learned, Missing, Sighting, SignedWrite, Timestamp, Write,
};

impl Entry {
    /// A message that arrived at `at` was made with these secrets, which its signature proves.
    ///
    /// It may have been under way for [`Sighting::LONGEST_WAY`], so it says what is there only if no call of ours came
    /// in that time. What is recorded as absent stays so.
    pub fn saw(&mut self, fingerprints: Fingerprints, at: Timestamp) -> Learned {
        let Some(presumed) = self.belief.presumed() else {
            return Learned::Nothing;
        };
        let newer = self.sighting.seen_at.is_none_or(|seen| at > seen);
        if presumed.fingerprints != fingerprints {
            if self.may_have_changed_before(at) || !newer || self.lost.is_some() {
                return Learned::Nothing;
            }
            self.belief = Belief::proven(fingerprints);
            self.sighting = Sighting {
                seen_at: Some(at),
                missing: None,
            };
            return Learned::Changed;
        }
        self.sighting.seen_at = self.sighting.seen_at.max(Some(at));
        let found = self
            .sighting
            .missing
            .take_if(|missing| at > missing.since)
            .is_some();
        let proven = Belief::proven(fingerprints);
        let settles = |lost: SignedWrite| lost.write == Write::Add(fingerprints);
        if self.belief != proven
            && !self.may_have_changed_before(at)
            && self.lost.is_none_or(settles)
        {
            self.belief = proven;
            self.traces = None;
            return Learned::Proven;
        }
        if newer || found {
            Learned::Seen
        } else {
            Learned::Nothing
        }
    }

    /// A message that arrived at `at` had a valid signature, and was encrypted with a key that is not known.
    pub fn saw_another_key(&mut self, at: Timestamp) -> Learned {
        let Some(presumed) = self.belief.presumed() else {
            return Learned::Nothing;
        };
        let other = Fingerprints {
            key: Fingerprints::NEVER_DECLARED.key,
            token: presumed.fingerprints.token,
        };
        if presumed.fingerprints == other
            || self.may_have_changed_before(at)
            || self.lost.is_some()
            || self.sighting.seen_at.is_some_and(|seen| at <= seen)
        {
            return Learned::Nothing;
        }
        self.belief = Belief::assumed(other);
        self.sighting = Sighting::default();
        Learned::Changed
    }

    /// Messages that others got did not arrive here. Whether that is news.
    pub fn missed(&mut self, missing: Missing) -> bool {
        let before = |at: Option<Timestamp>| at.is_none_or(|at| at < missing.since);
        let counts = self.belief.presumed().is_some()
            && before(self.sighting.seen_at)
            && !self.may_have_changed_before(missing.since)
            && self.lost.is_none();
        if !counts || self.sighting.missing == Some(missing) {
            return false;
        }
        self.sighting.missing = Some(missing);
        true
    }

    /// Whether a call of ours may have changed what is there while a message was under way that arrived at `at`.
    fn may_have_changed_before(&self, at: Timestamp) -> bool {
        let answered = self.proof.as_ref().map(|proof| proof.at);
        let lost = self.lost.map(|lost| lost.dead_at());
        let limit = at.plus(-Sighting::LONGEST_WAY);
        self.pending.is_some() || answered.max(lost).is_some_and(|last| last >= limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::num::NonZeroU32;

    use super::*;
    use crate::model::{CallId, Fingerprint, Handle, OperatorId, Outcome, RequestId};

    const F: Fingerprints = of(1);
    const G: Fingerprints = of(2);

    const fn of(byte: u8) -> Fingerprints {
        Fingerprints {
            key: Some(Fingerprint([byte; 16])),
            token: None,
        }
    }

    fn entry(belief: Belief) -> Entry {
        Entry {
            belief,
            ..Entry::untouched(Handle::new("acme"), OperatorId::new("operator"), false)
        }
    }

    fn missing(since: i64) -> Missing {
        Missing {
            since: Timestamp(since),
            messages: NonZeroU32::MIN,
        }
    }

    #[test]
    fn a_message_proves_what_was_assumed() {
        let mut imported = entry(Belief::assumed(F));
        assert_eq!(imported.saw(F, Timestamp(5)), Learned::Proven);
        assert_eq!(imported.belief, Belief::proven(F));
        assert_eq!(imported.proved_at(), Some(Timestamp(5)));
        assert_eq!(imported.saw(F, Timestamp(4)), Learned::Nothing);
        assert_eq!(imported.saw(F, Timestamp(6)), Learned::Seen);
        assert_eq!(imported.saw(G, Timestamp(6)), Learned::Nothing);
        assert_eq!(imported.saw(G, Timestamp(7)), Learned::Changed);
        assert_eq!(imported.belief, Belief::proven(G));
        assert_eq!(imported.saw_another_key(Timestamp(8)), Learned::Changed);
        let presumed = imported.belief.presumed().unwrap();
        assert_eq!((presumed.exact, presumed.fingerprints == G), (false, false));
        assert_eq!(imported.saw_another_key(Timestamp(9)), Learned::Nothing);
    }

    #[test]
    fn what_is_absent_stays_so() {
        let mut deleted = entry(Belief::ABSENT);
        assert_eq!(deleted.saw(F, Timestamp(1_000_000)), Learned::Nothing);
        assert_eq!(deleted.saw_another_key(Timestamp(9)), Learned::Nothing);
        assert!(!deleted.missed(missing(5)));
        assert_eq!(deleted, entry(Belief::ABSENT));
    }

    #[test]
    fn it_is_missing_until_it_is_seen_or_added() {
        let mut there = entry(Belief::proven(F));
        assert!(there.missed(missing(50)) && !there.missed(missing(50)));
        assert_eq!(there.saw(F, Timestamp(49)), Learned::Seen);
        assert_eq!(there.sighting.missing, Some(missing(50)));
        assert_eq!(there.saw(F, Timestamp(51)), Learned::Seen);
        assert_eq!(there.sighting.missing, None);
        assert!(!there.missed(missing(51)) && there.missed(missing(52)));
        let call = SignedWrite {
            write: Write::Add(F),
            signed_at: Timestamp(60),
        };
        there.open_call(CallId(1), call, None);
        assert!(!there.missed(missing(61)));
        there.close_call(&Outcome::AlreadyThere(RequestId::new("r")), Timestamp(61));
        assert_eq!(there.sighting.missing, None);
        assert!(!there.missed(missing(61 + Sighting::LONGEST_WAY)));
        assert!(there.missed(missing(62 + Sighting::LONGEST_WAY)));
    }

    /// What happens at eSign, and what we hear of it.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// A call of ours. Whether it had an effect, and whether we heard so.
        Call(Write, bool, bool),
        Wait(i64),
        /// A message is made now, and arrives after this time.
        Message(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let write = prop_oneof![
            Just(Write::Add(F)),
            Just(Write::Add(G)),
            Just(Write::Delete)
        ];
        let step = prop_oneof![
            (write, any::<bool>(), any::<bool>()).prop_map(|(write, works, heard)| Step::Call(
                write,
                works,
                works && heard
            )),
            (1..2 * Sighting::LONGEST_WAY).prop_map(Step::Wait),
            (0..Sighting::LONGEST_WAY).prop_map(Step::Message),
        ];
        proptest::collection::vec(step, 1..40)
    }

    proptest! {
        /// As long as nobody else changes it, no message excludes what is true.
        #[test]
        fn the_truth_stays_possible(steps in steps()) {
            let mut now = Timestamp(1_000_000);
            let mut there: Option<Fingerprints> = None;
            let mut known = entry(Belief::ANYTHING);
            let mut under_way: Vec<(Timestamp, Fingerprints)> = Vec::new();
            for step in steps {
                match step {
                    Step::Wait(seconds) => now = now.plus(seconds),
                    Step::Message(way) => {
                        under_way.extend(there.map(|secrets| (now.plus(way), secrets)));
                    }
                    Step::Call(write, works, heard) => {
                        // The applier waits until another lost call is dead.
                        let lost = known.lost.filter(|lost| lost.write != write);
                        now = now.max(lost.map_or(now, |lost| lost.dead_at()));
                        known.open_call(CallId(1), SignedWrite { write, signed_at: now }, None);
                        let before = there;
                        match write {
                            Write::Add(secrets) if works => there = there.or(Some(secrets)),
                            Write::Delete if works => there = None,
                            Write::Add(_) | Write::Delete => {}
                        }
                        if heard {
                            let id = RequestId::new("r");
                            let outcome = match (write, before) {
                                (Write::Add(_), Some(_)) => Outcome::AlreadyThere(id),
                                (Write::Delete, None) => Outcome::NotThere(id),
                                (Write::Add(_), None) | (Write::Delete, Some(_)) => Outcome::Applied(id),
                            };
                            known.close_call(&outcome, now);
                        } else {
                            known.interrupt();
                        }
                    }
                }
                let mut arrived: Vec<_> = under_way.extract_if(.., |(at, _)| *at <= now).collect();
                arrived.sort_unstable_by_key(|(at, _)| *at);
                for (at, secrets) in arrived {
                    known.saw(secrets, at);
                }
                let possible = match there {
                    None => known.belief.may_be_absent(),
                    Some(secrets) => known.belief.presumed().is_some_and(|presumed| {
                        !presumed.exact || presumed.fingerprints == secrets
                    }),
                };
                prop_assert!(possible, "{there:?}, {known:?}");
            }
        }
    }
}
