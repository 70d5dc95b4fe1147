//! What is recorded of one callback, and how calls and their outcomes change it.
//!
//! The life of a call: [`Entry::open_call`] before it leaves, [`Entry::close_call`] when its outcome is
//! known, [`Entry::interrupt`] when the program died in between. Invariant: whatever call may still
//! arrive at eSign is in `lost` (or, while we wait for its answer, in `pending`).

mod seen;
mod signed;
mod traces;

use std::cmp::Ordering;

pub use self::signed::SignedWrite;
pub use self::traces::{Testimony, Traces, Witnessed};
use crate::model::{
    Belief, CallId, Evidence, Fingerprints, Handle, Nonce, OperatorId, Outcome, RequestId,
    Sighting, Timestamp, Write,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The organization's handle when it was last declared.
    pub handle: Handle,
    /// In whose name it can be deleted after its organization left the file.
    pub operator: OperatorId,
    /// Never deleted by leaving it out of the file.
    pub protect: bool,
    /// What may be true at eSign.
    pub belief: Belief,
    /// The last call that got no answer. It may still take effect until it is dead, even if a
    /// repetition of it was answered.
    pub lost: Option<SignedWrite>,
    /// How a witness can recognise what is lost. `None` without a lost call, and when an answer or a message has
    /// settled it since.
    pub traces: Option<Box<Traces>>,
    /// The call we are waiting for.
    pub pending: Option<Pending>,
    /// When the belief was last confirmed by an answer.
    pub proof: Option<Proof>,
    /// What messages said of it since.
    pub sighting: Sighting,
}

/// A call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its number in the journal.
    pub id: CallId,
    /// What it does, and when it was signed.
    pub call: SignedWrite,
    /// What it carries for a witness, if anything.
    pub nonce: Option<Nonce>,
}

/// An answer that confirmed a belief.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// When, by our clock.
    pub at: Timestamp,
    pub request_id: RequestId,
}

/// What an answer revealed that our own calls don't explain: someone else changed eSign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// We believed it present, and a delete found nothing.
    WasGone,
    /// The same, but no answer had ever confirmed that belief: perhaps it was never there.
    NeverConfirmed,
    /// We believed it absent, and an add found it there.
    WasThere,
}

impl Entry {
    /// A callback that nothing is known of yet.
    pub const fn untouched(handle: Handle, operator: OperatorId, protect: bool) -> Self {
        Self {
            handle,
            operator,
            protect,
            belief: Belief::ANYTHING,
            lost: None,
            traces: None,
            pending: None,
            proof: None,
            sighting: Sighting {
                seen_at: None,
                missing: None,
            },
        }
    }

    /// Whether there is nothing to remember.
    pub fn is_untouched(&self) -> bool {
        let Self {
            handle: _,
            operator: _,
            protect: _,
            belief,
            lost,
            traces: _,
            pending,
            proof: _,
            sighting: _,
        } = self;
        *belief == Belief::ANYTHING && lost.is_none() && pending.is_none()
    }

    /// Whether the outcome of a call is open: the belief is neither present nor absent.
    pub fn is_open(&self) -> bool {
        self.belief.evidence() == Evidence::Unknown
    }

    /// When an answer last confirmed it.
    pub fn answered_at(&self) -> Option<Timestamp> {
        self.proof.as_ref().map(|proof| proof.at)
    }

    /// When it was last confirmed, by an answer or by a message.
    pub fn proved_at(&self) -> Option<Timestamp> {
        self.answered_at().max(self.sighting.seen_at)
    }

    /// A call is about to leave.
    ///
    /// Only the applier calls this, and only when a lost call with another effect is dead: see
    /// `apply`, *fence*. That one is kept all the same until this call has an effect: should it be
    /// refused, what is open is still what the lost one left open.
    pub fn open_call(&mut self, id: CallId, call: SignedWrite, nonce: Option<Nonce>) {
        self.interrupt();
        self.pending = Some(Pending { id, call, nonce });
    }

    /// The pending call's answer will never be seen.
    pub fn interrupt(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.lose(pending);
        }
    }

    /// The pending call ended with `outcome` at `at`.
    pub fn close_call(&mut self, outcome: &Outcome, at: Timestamp) -> Option<Drift> {
        let pending = self.pending.take()?;
        let call = pending.call;
        let before = self.belief;
        match outcome {
            Outcome::Applied(request_id) => {
                self.confirm(call, before.after(call.write), at, request_id);
                None
            }
            Outcome::NotThere(request_id) => match call.write {
                Write::Delete => {
                    let drift = match self.proved_at() {
                        Some(_) => Drift::WasGone,
                        None => Drift::NeverConfirmed,
                    };
                    self.confirm(call, Belief::ABSENT, at, request_id);
                    (!before.may_be_absent()).then_some(drift)
                }
                Write::Add(_) => self.learn_nothing(pending),
            },
            Outcome::AlreadyThere(request_id) => match call.write {
                Write::Add(declared) => {
                    self.confirm(call, before.given_present(declared), at, request_id);
                    before.presumed().is_none().then_some(Drift::WasThere)
                }
                Write::Delete => self.learn_nothing(pending),
            },
            Outcome::Unknown(_) => self.learn_nothing(pending),
            Outcome::Throttled(_)
            | Outcome::NotSent(_)
            | Outcome::NotSigned(_)
            | Outcome::ClockOff(_)
            | Outcome::TokenExpired(_)
            | Outcome::Rejected(..) => None,
        }
    }

    /// Until when a call of its whose answer is missing may still arrive; `now` is our own clock. `None`
    /// when there is no such call.
    ///
    /// Forgetting the entry forgets that call's fence: a later call would not wait for it, and it could
    /// arrive after the later one and undo it.
    pub fn may_arrive_until(&self, now: Timestamp) -> Option<Timestamp> {
        let pending = self.pending.map(|pending| pending.call);
        let open = self.lost.into_iter().chain(pending);
        open.filter_map(|call| call.may_arrive_until(now)).max()
    }

    /// Whether this entry, in the place of `old`, still has the fence of the old one's lost call.
    pub fn keeps_fence_of(&self, old: &Self) -> bool {
        old.lost.is_none_or(|lost| {
            self.lost
                .is_some_and(|kept| kept.write == lost.write && kept.signed_at >= lost.signed_at)
        })
    }

    /// Forgets a lost call that can't arrive any more: `server_now` is certainly past its life, and
    /// a repetition of it was answered. An open one is kept, because it says what is open.
    pub fn forget_dead(&mut self, server_now: Timestamp) {
        if !self.is_open() && self.lost.is_some_and(|lost| lost.dead_at() <= server_now) {
            self.lost = None;
            self.traces = None;
        }
    }

    /// What two records of one callback say together: it was recorded under two names.
    ///
    /// What was confirmed last holds, unless a call of either is open; then either may be true.
    #[must_use]
    pub fn merge(mut self, mut other: Self) -> Self {
        self.interrupt();
        other.interrupt();
        let at = |entry: &Self| entry.proof.as_ref().map(|proof| proof.at);
        let open = self.lost.is_some() || other.lost.is_some();
        let belief = match at(&self).cmp(&at(&other)) {
            Ordering::Greater if !open => self.belief,
            Ordering::Less if !open => other.belief,
            Ordering::Greater | Ordering::Less | Ordering::Equal => self.belief.union(other.belief),
        };
        let lost = match (self.lost, other.lost) {
            (Some(one), Some(two)) => Some(SignedWrite {
                write: if one.write == two.write {
                    one.write
                } else {
                    // Each is the opposite of something; whatever is sent next has to wait for both.
                    Write::Add(Fingerprints::NEVER_DECLARED)
                },
                signed_at: one.signed_at.max(two.signed_at),
            }),
            (one, two) => one.or(two),
        };
        let proof = if at(&other) > at(&self) {
            other.proof
        } else {
            self.proof
        };
        Self {
            handle: self.handle,
            operator: self.operator,
            protect: self.protect || other.protect,
            belief,
            lost,
            // They may be of calls with other effects, of callbacks with other beliefs.
            traces: None,
            pending: None,
            proof,
            sighting: self.sighting.merge(other.sighting),
        }
    }

    /// Bounds the fence of a lost call whose signature begins to be valid so late that the call can't be on
    /// its way then ([`SignedWrite::is_far_ahead`]): it counts as one that just can. An earlier lost call may be
    /// merged with it, so it is not forgotten. Whether that changed anything.
    pub fn bound_fence(&mut self, server_now: Timestamp) -> bool {
        match &mut self.lost {
            Some(lost) if lost.is_far_ahead(server_now) => {
                lost.signed_at = server_now.plus(SignedWrite::FAR_AHEAD);
                true
            }
            Some(_) | None => false,
        }
    }

    fn confirm(
        &mut self,
        call: SignedWrite,
        belief: Belief,
        at: Timestamp,
        request_id: &RequestId,
    ) {
        let secrets = |belief: Belief| belief.presumed().map(|presumed| presumed.fingerprints);
        // Messages of other secrets say nothing of these.
        self.sighting.seen_at = self
            .sighting
            .seen_at
            .filter(|_| secrets(belief) == secrets(self.belief));
        self.sighting.missing = None;
        self.belief = belief;
        // A lost call with another effect was dead before this one left.
        self.lost = self.lost.filter(|lost| lost.write == call.write);
        self.traces = None;
        self.proof = Some(Proof {
            at,
            request_id: request_id.clone(),
        });
    }

    /// No answer, or one that makes no sense for this call.
    fn learn_nothing(&mut self, pending: Pending) -> Option<Drift> {
        self.lose(pending);
        None
    }

    /// Its answer will never be seen. Of two lost calls with one effect the one that may arrive longer counts, a second
    /// longer than alone: who knows how the one of them ended must not take it for the other (`state::rescue`).
    fn lose(&mut self, pending: Pending) {
        let Pending { id: _, call, nonce } = pending;
        let before = self.belief;
        self.belief = self.belief.or_after(call.write);
        let earlier = self.lost.filter(|lost| lost.write == call.write);
        let signed_at = earlier.map_or(call.signed_at, |lost| {
            call.signed_at.max(lost.signed_at.plus(1))
        });
        self.lost = Some(SignedWrite {
            write: call.write,
            signed_at,
        });
        self.traces = match self.traces.take().filter(|_| earlier.is_some()) {
            Some(mut traces) => {
                traces.lose(nonce, self.belief);
                Some(traces)
            }
            None => nonce.map(|nonce| {
                let nonces = vec![nonce];
                Box::new(Traces { before, nonces })
            }),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ApiError;

    fn error() -> ApiError {
        ApiError {
            code: None,
            message: String::new(),
            request_id: None,
            meaning: "".into(),
            advice: "".into(),
        }
    }

    fn call(write: Write, at: i64) -> SignedWrite {
        let signed_at = Timestamp(at);
        SignedWrite { write, signed_at }
    }

    proptest::proptest! {
        #[test]
        fn no_clock_makes_a_fence_that_lasts_or_lies_in_the_past(signed_at: i64, now: i64, near in -2000..2000_i64) {
            for signed_at in [signed_at, now.saturating_add(near), i64::MIN, i64::MAX] {
                let lost = call(Write::Delete, signed_at);
                let now = Timestamp(now);
                let seconds = lost.may_arrive_until(now).map(|until| until.seconds_since(now));
                proptest::prop_assert!(seconds.is_none_or(|seconds| (0..=SignedWrite::OWN_TIME).contains(&seconds)));
                // The server's clock bounds it for good.
                let mut entry = Entry::untouched(Handle::new("acme"), OperatorId::new("operator"), false);
                entry.lost = Some(lost);
                entry.bound_fence(now);
                let left = entry.lost.map_or(0, |lost| lost.dead_at().seconds_since(now));
                proptest::prop_assert!(left <= SignedWrite::FAR_AHEAD + 335);
            }
        }
    }

    #[test]
    fn a_call_is_dead_when_its_signature_and_the_gateway_s_time_are_over() {
        let lost = call(Write::Delete, 1_800_000_000);
        let until = |after: i64| lost.may_arrive_until(Timestamp(1_800_000_000 + after));
        assert_eq!(until(0), Some(Timestamp(1_800_000_335)));
        assert_eq!(until(334), Some(Timestamp(1_800_000_335)));
        assert_eq!(until(335), None);
        // Signed by a clock that was ten minutes ahead, or in the year 9999.
        assert_eq!(until(-600), Some(Timestamp(1_800_000_090)));
        assert_eq!(until(-901), None);
    }

    #[test]
    fn an_entry_in_the_place_of_another_keeps_its_fence_or_loses_it() {
        let with = |lost| recorded(Belief::ABSENT, None, lost);
        let (delete, later) = (call(Write::Delete, 1000), call(Write::Delete, 2000));
        let add = call(Write::Add(Fingerprints::default()), 3000);
        let old = with(Some(delete));
        for (new, keeps) in [
            (Some(delete), true),
            (Some(later), true),
            (Some(add), false),
            (None, false),
        ] {
            assert_eq!(with(new).keeps_fence_of(&old), keeps, "{new:?}");
        }
        assert!(!with(Some(delete)).keeps_fence_of(&with(Some(later))));
        assert!(with(None).keeps_fence_of(&with(None)));
        assert_eq!(with(None).may_arrive_until(Timestamp(0)), None);
        let until = old.may_arrive_until(Timestamp(1000));
        assert_eq!(until, Some(delete.dead_at()));
    }

    /// Found by the simulation: a lost first add without key and token leaves everything possible,
    /// and the entry was forgotten when the delete that followed was refused.
    #[test]
    fn a_refused_call_leaves_open_what_an_earlier_one_left_open() {
        let mut entry = Entry::untouched(Handle::new("acme"), OperatorId::new("operator"), false);
        let add = call(Write::Add(Fingerprints::default()), 1000);
        entry.open_call(CallId(1), add, None);
        entry.close_call(&Outcome::Unknown(error()), Timestamp(1001));
        entry.open_call(CallId(2), call(Write::Delete, 2000), None);
        entry.close_call(&Outcome::NotSent(error()), Timestamp(2001));
        assert_eq!(entry.lost, Some(add));
        assert!(entry.is_open() && !entry.is_untouched());
        entry.open_call(CallId(3), call(Write::Delete, 3000), None);
        entry.close_call(&Outcome::Applied(RequestId::new("r")), Timestamp(3001));
        assert_eq!((entry.lost, entry.belief), (None, Belief::ABSENT));
    }

    fn recorded(belief: Belief, proved_at: Option<i64>, lost: Option<SignedWrite>) -> Entry {
        Entry {
            belief,
            lost,
            proof: proved_at.map(|at| Proof {
                at: Timestamp(at),
                request_id: RequestId::new("r"),
            }),
            ..Entry::untouched(Handle::new("acme"), OperatorId::new("operator"), false)
        }
    }

    #[test]
    fn of_two_records_of_one_callback_the_later_answer_holds() {
        let x = Fingerprints::default();
        let older = recorded(Belief::proven(x), Some(1), None);
        let newer = recorded(Belief::ABSENT, Some(2), None);
        for merged in [
            older.clone().merge(newer.clone()),
            newer.clone().merge(older.clone()),
        ] {
            assert_eq!(
                (merged.belief, merged.proof),
                (newer.belief, newer.proof.clone())
            );
        }
        // What was never answered says nothing against the other.
        let import = recorded(Belief::assumed(x), None, None);
        assert_eq!(import.merge(newer).belief, Belief::ABSENT);
    }

    #[test]
    fn with_an_open_call_either_of_two_records_may_be_true() {
        let x = Fingerprints::default();
        let (add, delete) = (call(Write::Add(x), 10), call(Write::Delete, 20));
        let one = recorded(Belief::ABSENT.or_after(add.write), Some(1), Some(add));
        let two = recorded(
            Belief::proven(x).or_after(delete.write),
            Some(2),
            Some(delete),
        );
        let merged = one.clone().merge(two);
        assert!(merged.is_open());
        // Neither an add nor a delete may leave before both are dead.
        let lost = merged.lost.unwrap();
        assert!(![Write::Add(x), Write::Delete].contains(&lost.write));
        assert_eq!(lost.signed_at, Timestamp(20));
        let settled = recorded(Belief::proven(x), Some(3), None);
        assert_eq!(one.merge(settled).lost, Some(add));
    }
}
