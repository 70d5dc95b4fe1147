//! Lost calls that a witness can recognise, and what follows from what it says of them.
//!
//! A witness is somebody else's log of the requests that arrived at eSign. It settles a lost call only when that call
//! is dead by a server's clock: what a log says of one request says nothing of a copy of it that a proxy may still
//! have, and nobody documents whether a request is logged before or after it took effect. So **no fence ends early**.
//! What is not in the log proves nothing.

use std::collections::BTreeMap;

use crate::model::{Belief, Entry, Nonce, Outcome, RequestId, SignedWrite, Timestamp, Write};

/// The nonces of the calls behind [`Entry::lost`], which all have the same effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traces {
    /// What is true if none of them took effect.
    pub before: Belief,
    /// The oldest first. Not empty.
    pub nonces: Vec<Nonce>,
}

/// What a witness says of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// As an answer would have said it.
    pub outcome: Outcome,
    /// When it arrived, by the witness's clock.
    pub at: Timestamp,
}

/// How a lost call was settled without another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// The call.
    pub lost: SignedWrite,
    /// What became of it: of the calls with this effect the one that says most.
    pub testimony: Testimony,
}

impl Traces {
    /// More are not kept: of a call that is lost again and again, the last ones.
    const MOST: usize = 32;

    /// One more call with the same effect was lost. `widened` is what may be true since.
    pub(super) fn lose(&mut self, nonce: Option<Nonce>, widened: Belief) {
        self.nonces.extend(nonce);
        if nonce.is_none() || self.nonces.len() > Self::MOST {
            // Whatever becomes of the others, one that can't be recognised may have taken effect.
            self.before = widened;
            self.nonces
                .drain(..self.nonces.len().saturating_sub(Self::MOST));
        }
    }
}

impl Entry {
    /// The lost call, if a witness can recognise it.
    pub fn traced(&self) -> Option<(SignedWrite, &Traces)> {
        Some((self.lost?, self.traces.as_deref()?))
    }

    /// Learns what a witness says of the lost calls. `server_now` is a time that a server's clock has passed.
    pub fn settle(
        &mut self,
        said: &BTreeMap<Nonce, Testimony>,
        server_now: Timestamp,
    ) -> Option<Witnessed> {
        let (lost, traces) = self.traced()?;
        if self.pending.is_some() || lost.dead_at() > server_now {
            return None;
        }
        let before = traces.before;
        let known = traces.nonces.iter().filter_map(|nonce| said.get(nonce));
        let known: Vec<_> = known.collect();
        let mut confirmed: Option<(Belief, &Testimony, &RequestId)> = None;
        let mut refused = Vec::new();
        for testimony in &known {
            match self.conclusion(lost.write, traces, &testimony.outcome) {
                Some(Conclusion::Confirmed(belief, request_id)) => {
                    let others = confirmed.map_or(belief, |(others, _, _)| others);
                    confirmed = Some((others.union(belief), testimony, request_id));
                }
                Some(Conclusion::Refused) => refused.push(*testimony),
                None => {}
            }
        }
        let testimony = if let Some((belief, testimony, request_id)) = confirmed {
            self.confirm(lost, belief, testimony.at.min(server_now), request_id);
            self.lost = None;
            testimony
        } else {
            let every_one = refused.len() == traces.nonces.len();
            let last = refused.last().filter(|_| every_one)?;
            self.belief = before;
            self.traces = None;
            // What is open still was left open by a call before them: the lost one says what that is.
            if !self.is_open() || before == Belief::ANYTHING {
                self.lost = None;
            }
            last
        };
        Some(Witnessed {
            lost,
            testimony: Testimony::clone(testimony),
        })
    }

    /// What follows from a lost call that ended like this; `None` if nothing does.
    fn conclusion<'o>(
        &self,
        write: Write,
        traces: &Traces,
        outcome: &'o Outcome,
    ) -> Option<Conclusion<'o>> {
        let belief = match (outcome, write) {
            (Outcome::Applied(id), _) => (self.belief.after(write), id),
            (Outcome::NotThere(id), Write::Delete) => (Belief::ABSENT, id),
            // What was there before them, or what another of them added.
            (Outcome::AlreadyThere(id), Write::Add(declared)) => {
                let there = traces.before.given_present(declared);
                let another = traces.nonces.len() > 1;
                let added = another.then(|| self.belief.given_present(declared));
                (added.map_or(there, |added| added.union(there)), id)
            }
            (Outcome::NotThere(_), Write::Add(_))
            | (Outcome::AlreadyThere(_), Write::Delete)
            | (Outcome::NotSent(_) | Outcome::NotSigned(_) | Outcome::Unknown(_), _) => {
                return None;
            }
            (
                Outcome::Throttled(_)
                | Outcome::ClockOff(_)
                | Outcome::TokenExpired(_)
                | Outcome::Rejected(..),
                _,
            ) => return Some(Conclusion::Refused),
        };
        Some(Conclusion::Confirmed(belief.0, belief.1))
    }
}

/// What follows from what a witness says of a call.
enum Conclusion<'o> {
    /// This is true now, by the answer with this id.
    Confirmed(Belief, &'o RequestId),
    /// It changed nothing.
    Refused,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ApiError, Blast, CallId, Fingerprint, Fingerprints, Handle, OperatorId};

    const X: Fingerprints = Fingerprints {
        key: Some(Fingerprint([1; 16])),
        token: None,
    };
    const Y: Fingerprints = Fingerprints {
        key: Some(Fingerprint([2; 16])),
        token: None,
    };
    const ADD: Write = Write::Add(X);

    fn entry(belief: Belief) -> Entry {
        Entry {
            belief,
            ..Entry::untouched(Handle::new("acme"), OperatorId::new("operator"), false)
        }
    }

    fn error() -> ApiError {
        ApiError {
            code: Some("OperationDenied.NoApiAuth".to_owned()),
            message: String::new(),
            request_id: None,
            meaning: "".into(),
            advice: "".into(),
        }
    }

    fn applied() -> Outcome {
        Outcome::Applied(RequestId::new("r"))
    }

    fn refused() -> Outcome {
        Outcome::Rejected(Blast::Call, error())
    }

    /// Loses calls with these nonces; 0 is one without.
    fn losing(mut entry: Entry, write: Write, nonces: &[u8]) -> Entry {
        for (at, nonce) in (1000..).zip(nonces) {
            let call = SignedWrite {
                write,
                signed_at: Timestamp(at),
            };
            let nonce = Some(Nonce([*nonce; 16])).filter(|_| *nonce > 0);
            entry.open_call(CallId(1), call, nonce);
            entry.close_call(&Outcome::Unknown(error()), Timestamp(at + 40));
        }
        entry
    }

    fn settled(entry: &Entry, said: &[(u8, Outcome)]) -> Entry {
        let said = said.iter().map(|(nonce, outcome)| {
            let (outcome, at) = (outcome.clone(), Timestamp(1001));
            (Nonce([*nonce; 16]), Testimony { outcome, at })
        });
        let mut entry = entry.clone();
        let before = entry.clone();
        if entry.settle(&said.collect(), Timestamp(9000)).is_none() {
            assert_eq!(entry, before);
        }
        entry
    }

    #[test]
    fn a_call_that_was_applied_is_recorded_as_an_answered_one() {
        let lost = losing(entry(Belief::ABSENT), ADD, &[1]);
        assert!(lost.is_open());
        let known = settled(&lost, &[(1, applied())]);
        assert_eq!(known.belief, Belief::proven(X));
        assert_eq!((known.lost, &known.traces), (None, &None));
        assert_eq!(known.proof.unwrap().at, Timestamp(1001));
        // First contact proves no secrets, whoever says that it was applied.
        let lost = losing(entry(Belief::ANYTHING), ADD, &[1]);
        let known = settled(&lost, &[(1, applied())]);
        assert_eq!(known.belief, Belief::assumed(X));
        let lost = losing(entry(Belief::proven(X)), Write::Delete, &[1]);
        for outcome in [applied(), Outcome::NotThere(RequestId::new("r"))] {
            assert_eq!(settled(&lost, &[(1, outcome)]).belief, Belief::ABSENT);
        }
    }

    #[test]
    fn what_was_refused_is_as_before_when_all_of_them_were() {
        let lost = losing(entry(Belief::ABSENT), ADD, &[1, 2]);
        assert_eq!(settled(&lost, &[(1, refused())]), lost);
        let both = settled(&lost, &[(1, refused()), (2, refused())]);
        assert_eq!((both.belief, both.lost), (Belief::ABSENT, None));
        let one = settled(&lost, &[(1, refused()), (2, applied())]);
        assert_eq!(one.belief, Belief::proven(X));
        // Nothing is known of a callback whose only call was refused.
        let lost = losing(entry(Belief::ANYTHING), ADD, &[1]);
        assert!(settled(&lost, &[(1, refused())]).is_untouched());
    }

    #[test]
    fn a_call_that_no_one_can_recognise_keeps_it_open() {
        for nonces in [[0, 1], [1, 0]] {
            let lost = losing(entry(Belief::ABSENT), ADD, &nonces);
            let known = settled(&lost, &[(1, refused())]);
            assert!(known.is_open() && known.lost == lost.lost, "{nonces:?}");
            let known = settled(&lost, &[(1, applied())]);
            assert_eq!(known.belief, Belief::proven(X), "{nonces:?}");
        }
        let many: Vec<u8> = (1..=40).collect();
        let lost = losing(entry(Belief::ABSENT), ADD, &many);
        let all: Vec<_> = many.iter().map(|nonce| (*nonce, refused())).collect();
        assert!(settled(&lost, &all).is_open());
    }

    #[test]
    fn what_is_not_in_the_log_or_says_nothing_settles_nothing() {
        let lost = losing(entry(Belief::ABSENT), ADD, &[1]);
        let nothing = [
            Outcome::Unknown(error()),
            Outcome::NotSent(error()),
            Outcome::NotSigned(error()),
            Outcome::NotThere(RequestId::new("r")),
        ];
        for outcome in nothing {
            assert_eq!(settled(&lost, &[(1, outcome)]), lost);
        }
        assert_eq!(settled(&lost, &[]), lost);
        assert_eq!(settled(&lost, &[(2, applied())]), lost);
    }

    #[test]
    fn no_fence_ends_early() {
        let mut lost = losing(entry(Belief::proven(X)), Write::Delete, &[1]);
        let (outcome, at) = (applied(), Timestamp(1001));
        let said = BTreeMap::from([(Nonce([1; 16]), Testimony { outcome, at })]);
        let dead = lost.lost.unwrap().dead_at();
        assert_eq!(lost.settle(&said, dead.plus(-1)), None);
        assert!(lost.settle(&said, dead).is_some());
    }

    #[test]
    fn an_add_that_found_it_there_proves_only_what_was_known_before() {
        let there = || Outcome::AlreadyThere(RequestId::new("r"));
        let lost = losing(entry(Belief::ABSENT), ADD, &[1]);
        assert_eq!(settled(&lost, &[(1, there())]).belief, Belief::assumed(X));
        let lost = losing(entry(Belief::proven(X)), ADD, &[1]);
        assert_eq!(settled(&lost, &[(1, there())]).belief, Belief::proven(X));
    }

    #[test]
    fn an_answer_a_message_and_a_merge_end_the_traces() {
        let lost = losing(entry(Belief::ABSENT), ADD, &[1]);
        let mut answered = lost.clone();
        let call = lost.lost.unwrap();
        answered.open_call(CallId(2), call, None);
        answered.close_call(&applied(), Timestamp(2000));
        assert_eq!((answered.lost, &answered.traces), (lost.lost, &None));
        let mut seen = lost.clone();
        seen.saw(X, Timestamp(1_000_000));
        assert_eq!((seen.belief, &seen.traces), (Belief::proven(X), &None));
        assert_eq!(lost.clone().merge(entry(Belief::ABSENT)).traces, None);
        let mut dead = answered;
        dead.forget_dead(Timestamp(9000));
        assert_eq!((dead.lost, dead.traces), (None, None));
    }

    /// One call of a history, and whether the witness then says what it has.
    #[derive(Clone, Copy, Debug)]
    struct Turn {
        write: Write,
        /// Marked, admitted, answered, logged, and whether the witness is asked then.
        flags: [bool; 5],
    }

    fn some_turn() -> impl Strategy<Value = Turn> {
        let write = prop_oneof![Just(ADD), Just(Write::Add(Y)), Just(Write::Delete)];
        (write, any::<[bool; 5]>()).prop_map(|(write, flags)| Turn { write, flags })
    }

    /// What eSign answers to a call that it admits, and what it has afterwards.
    fn answer(write: Write, there: &mut Option<Fingerprints>, tells: bool) -> Outcome {
        let id = RequestId::new("r");
        match (write, *there) {
            (Write::Add(_), Some(_)) if tells => Outcome::AlreadyThere(id),
            (Write::Add(_), Some(_)) => Outcome::Applied(id),
            (Write::Add(new), None) => {
                *there = Some(new);
                Outcome::Applied(id)
            }
            (Write::Delete, None) => Outcome::NotThere(id),
            (Write::Delete, Some(_)) => {
                *there = None;
                Outcome::Applied(id)
            }
        }
    }

    proptest! {
        /// Whatever happened to the calls, and whatever a truthful witness leaves out.
        #[test]
        fn a_belief_never_excludes_what_is_true(
            turns in proptest::collection::vec(some_turn(), 1..12),
            first in prop_oneof![Just(None), Just(Some(X)), Just(Some(Y))],
            known: bool,
            tells: bool,
        ) {
            let mut there = first;
            let mut known = entry(match first {
                _ if !known => Belief::ANYTHING,
                None => Belief::ABSENT,
                Some(secrets) => Belief::proven(secrets),
            });
            let mut log = BTreeMap::new();
            for (Turn { write, flags }, number) in turns.into_iter().zip(1_u8..) {
                let [marked, admitted, answered, logged, asked] = flags;
                let at = Timestamp(i64::from(number) * 1000);
                let call = SignedWrite { write, signed_at: at };
                let nonce = marked.then_some(Nonce([number; 16]));
                known.open_call(CallId(1), call, nonce);
                let outcome = if admitted {
                    answer(write, &mut there, tells)
                } else {
                    refused()
                };
                if let Some(nonce) = nonce.filter(|_| logged) {
                    log.insert(nonce, Testimony { outcome: outcome.clone(), at });
                }
                let seen = if answered { outcome } else { Outcome::Unknown(error()) };
                known.close_call(&seen, at);
                if asked {
                    known.settle(&log, at.plus(900));
                }
                let believed = match there {
                    None => known.belief.may_be_absent(),
                    Some(secrets) => known
                        .belief
                        .presumed()
                        .is_some_and(|presumed| !presumed.exact || presumed.fingerprints == secrets),
                };
                prop_assert!(believed, "{there:?} is not in {:?}", known.belief);
                prop_assert!(known.lost.is_some() || known.traces.is_none());
            }
        }
    }
}
