//! What is recorded of one callback, and how calls and their outcomes change it.
//!
//! The life of a call: [`Entry::begin`] before it leaves, [`Entry::settle`] when its outcome is
//! known, [`Entry::interrupt`] when the program died in between. Invariant: whatever call may still
//! arrive at eSign is in `lost` (or, while we wait for its answer, in `pending`).

use std::cmp::Ordering;

use super::{
    Belief, CallId, Evidence, Fingerprints, Handle, OperatorId, Outcome, RequestId, Timestamp,
    Write,
};

/// One recorded callback.
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
    /// The last call that got no answer. It may still arrive until its signature expires, even if
    /// a repetition of it was answered.
    pub lost: Option<LostCall>,
    /// The call we are waiting for.
    pub pending: Option<Pending>,
    /// When the belief was last confirmed by an answer.
    pub proof: Option<Proof>,
}

/// A call without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostCall {
    /// What it would do.
    pub write: Write,
    /// Its signed timestamp, in the server's time: it is dead 300 s later.
    pub signed_at: Timestamp,
}

/// A call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its number in the journal.
    pub id: CallId,
    /// What it does, and when it was signed.
    pub call: LostCall,
}

/// An answer that confirmed a belief.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// When, by our clock.
    pub at: Timestamp,
    /// The answer's id.
    pub request_id: RequestId,
}

/// What an answer revealed that our own calls don't explain: somebody else changed eSign.
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
            pending: None,
            proof: None,
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
            pending,
            proof: _,
        } = self;
        *belief == Belief::ANYTHING && lost.is_none() && pending.is_none()
    }

    /// Whether the outcome of a call is open: the belief is neither present nor absent.
    pub fn is_open(&self) -> bool {
        self.belief.evidence() == Evidence::Unknown
    }

    /// A call is about to leave.
    ///
    /// Only the applier calls this, and only when a lost call with another effect is dead: see
    /// `apply`, *fence*. That one is kept all the same until this call has an effect: should it be
    /// refused, what is open is still what the lost one left open.
    pub fn begin(&mut self, id: CallId, call: LostCall) {
        self.interrupt();
        self.pending = Some(Pending { id, call });
    }

    /// Nobody will ever see the pending call's answer.
    pub fn interrupt(&mut self) {
        if let Some(Pending { id: _, call }) = self.pending.take() {
            self.lose(call);
        }
    }

    /// The pending call ended with `outcome` at `at`.
    pub fn settle(&mut self, outcome: &Outcome, at: Timestamp) -> Option<Drift> {
        let Pending { id: _, call } = self.pending.take()?;
        let before = self.belief;
        match outcome {
            Outcome::Applied(request_id) => {
                self.confirm(call, before.after(call.write), at, request_id);
                None
            }
            Outcome::NotThere(request_id) => match call.write {
                Write::Delete => {
                    let drift = match self.proof {
                        Some(_) => Drift::WasGone,
                        None => Drift::NeverConfirmed,
                    };
                    self.confirm(call, Belief::ABSENT, at, request_id);
                    (!before.may_be_absent()).then_some(drift)
                }
                Write::Add(_) => self.learn_nothing(call),
            },
            Outcome::AlreadyThere(request_id) => match call.write {
                Write::Add(declared) => {
                    self.confirm(call, before.given_present(declared), at, request_id);
                    before.presumed().is_none().then_some(Drift::WasThere)
                }
                Write::Delete => self.learn_nothing(call),
            },
            Outcome::Unknown(_) => self.learn_nothing(call),
            Outcome::Throttled(_)
            | Outcome::NotSent(_)
            | Outcome::ClockOff(_)
            | Outcome::TokenExpired(_)
            | Outcome::Rejected(..) => None,
        }
    }

    /// Forgets a lost call that can't arrive any more: `server_now` is certainly past its life, and
    /// a repetition of it was answered. An open one is kept, because it says what is open.
    pub fn forget_dead(&mut self, server_now: Timestamp) {
        if !self.is_open() && self.lost.is_some_and(|lost| lost.dead_at() <= server_now) {
            self.lost = None;
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
            (Some(one), Some(two)) => Some(LostCall {
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
            pending: None,
            proof,
        }
    }

    fn confirm(&mut self, call: LostCall, belief: Belief, at: Timestamp, request_id: &RequestId) {
        self.belief = belief;
        // A lost call with another effect was dead before this one left.
        self.lost = self.lost.filter(|lost| lost.write == call.write);
        self.proof = Some(Proof {
            at,
            request_id: request_id.clone(),
        });
    }

    /// No answer, or one that makes no sense for this call.
    fn learn_nothing(&mut self, call: LostCall) -> Option<Drift> {
        self.lose(call);
        None
    }

    fn lose(&mut self, call: LostCall) {
        self.belief = self.belief.or_after(call.write);
        let earlier = self.lost.filter(|lost| lost.write == call.write);
        let signed_at = earlier.map_or(call.signed_at, |lost| lost.signed_at.max(call.signed_at));
        self.lost = Some(LostCall {
            write: call.write,
            signed_at,
        });
    }
}

impl LostCall {
    /// How long eSign's gateway accepts a signature, in seconds after its timestamp.
    pub const SIGNATURE_LIFE: i64 = 300;

    /// Added to the life of a signature, in seconds: the server's clock is known to a second only,
    /// and its machines may differ a little.
    pub const CLOCK_MARGIN: i64 = 5;

    /// From this moment of the *server's* clock on it can't arrive any more.
    pub const fn dead_at(&self) -> Timestamp {
        self.signed_at
            .plus(Self::SIGNATURE_LIFE + Self::CLOCK_MARGIN)
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

    fn call(write: Write, at: i64) -> LostCall {
        let signed_at = Timestamp(at);
        LostCall { write, signed_at }
    }

    /// Found by the simulation: a lost first add without key and token leaves everything possible,
    /// and the entry was forgotten when the delete that followed was refused.
    #[test]
    fn a_refused_call_leaves_open_what_an_earlier_one_left_open() {
        let mut entry = Entry::untouched(Handle::new("acme"), OperatorId::new("operator"), false);
        let add = call(Write::Add(Fingerprints::default()), 1000);
        entry.begin(CallId(1), add);
        entry.settle(&Outcome::Unknown(error()), Timestamp(1001));
        entry.begin(CallId(2), call(Write::Delete, 2000));
        entry.settle(&Outcome::NotSent(error()), Timestamp(2001));
        assert_eq!(entry.lost, Some(add));
        assert!(entry.is_open() && !entry.is_untouched());
        entry.begin(CallId(3), call(Write::Delete, 3000));
        entry.settle(&Outcome::Applied(RequestId::new("r")), Timestamp(3001));
        assert_eq!((entry.lost, entry.belief), (None, Belief::ABSENT));
    }

    fn recorded(belief: Belief, proved_at: Option<i64>, lost: Option<LostCall>) -> Entry {
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
