//! What a run knows and could not record because its store was lost: the emergency copy, and its way home.
//!
//! A [`Rescue`] is a whole state, so that it can begin a new store if the old one never comes back, together with the
//! calls that ended since the store last confirmed anything. A store that comes back shows each of those calls as
//! lost. [`Rescue::settle`] compares and swaps: what a callback became is recorded only where exactly that lost call is
//! still recorded, so nothing that another run has found out since is written over.

use std::collections::BTreeMap;

use crate::model::{Address, Belief, Entry, Identity, Proof, Recorded, SignedWrite, Timestamp};

/// An emergency copy: a whole state, and what a store that was lost does not know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescue {
    /// Everything that the run knew.
    pub recorded: Recorded,
    /// In the order in which they ended.
    pub ended: Vec<EndedCall>,
}

/// A call that has ended, though the store may say that it is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedCall {
    /// The callback that it was for.
    pub identity: Identity,
    /// As a reader of the store sees it: see [`Entry::interrupt`](crate::model::Entry::interrupt).
    pub lost: SignedWrite,
    /// When an answer last confirmed the callback before it. A repetition of a lost call may have been answered since, and
    /// the call is still recorded as lost.
    pub proved_at: Option<Timestamp>,
}

/// What became of the callbacks of an emergency copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Homecoming {
    /// How many are recorded as the copy has them now.
    pub settled: usize,
    /// How many the state has as the copy has them already.
    pub known: usize,
    /// These have changed since, and stay as the state has them.
    pub changed: Vec<Address>,
}

impl Rescue {
    /// Records in `state` how the calls have ended, wherever it still has them as lost.
    pub fn settle(&self, state: &mut Recorded) -> Homecoming {
        let mut calls: BTreeMap<&Identity, Vec<_>> = BTreeMap::new();
        for call in &self.ended {
            let seen = (call.lost, call.proved_at);
            calls.entry(&call.identity).or_default().push(seen);
        }
        let mut homecoming = Homecoming::default();
        for (identity, calls) in calls {
            let Identity { scope, url } = identity;
            let ours = self.recorded.get(scope, url);
            let theirs = state.get(scope, url);
            if known(ours) == known(theirs) {
                homecoming.known += 1;
                continue;
            }
            let seen = theirs.and_then(|entry| Some((entry.lost?, entry.answered_at())));
            if seen.is_some_and(|seen| calls.contains(&seen)) {
                drop(match ours {
                    Some(ours) => state.insert(identity.clone(), ours.clone()),
                    None => state.remove(scope, url),
                });
                homecoming.settled += 1;
            } else if let Some(entry) = theirs.or(ours) {
                homecoming.changed.push(Address {
                    handle: entry.handle.clone(),
                    url: url.clone(),
                });
            }
        }
        homecoming.changed.sort();
        homecoming
    }
}

/// What an entry says of eSign. Its organization's handle and operator may change without a call.
fn known(entry: Option<&Entry>) -> Option<(Belief, Option<SignedWrite>, Option<&Proof>)> {
    entry.map(|entry| (entry.belief, entry.lost, entry.proof.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Environment;
    use crate::state::testing::{ADD, NOW, applied, begin, identity, intent, lock, locked, store};
    use crate::testing::MemoryFiles;

    /// A run whose store is lost after its calls 1 and 2 have left: what it knows, and what the store has.
    async fn lost_after_two_calls() -> (Rescue, Recorded) {
        let files = MemoryFiles::new(3);
        let state = locked(&files).await;
        let one = begin(&state, 1).await.unwrap();
        let two = begin(&state, 2).await.unwrap();
        assert_eq!(state.rescue(&gone()), None);
        state.record_outcome(one, &applied(), NOW).unwrap();
        state.record_outcome(two, &applied(), NOW).unwrap();
        let rescue = state.rescue(&gone()).unwrap();
        let read = store(&files).read(Environment::Test).await.unwrap();
        (rescue, read)
    }

    /// The store does not answer any more.
    fn gone() -> crate::state::StateError {
        crate::state::StateError::LockLost {
            place: crate::state::Place::new("memory://state"),
        }
    }

    #[tokio::test]
    async fn what_ended_is_known_where_it_was_taken_for_lost() {
        let (rescue, mut state) = lost_after_two_calls().await;
        assert_eq!(
            state.iter().filter(|(.., entry)| entry.is_open()).count(),
            2
        );
        let homecoming = rescue.settle(&mut state);
        assert_eq!((homecoming.settled, homecoming.known), (2, 0));
        assert_eq!(state.scopes, rescue.recorded.scopes);
        assert_eq!(rescue.settle(&mut state).known, 2);
    }

    #[tokio::test]
    async fn what_another_run_found_out_stays() {
        let (rescue, mut state) = lost_after_two_calls().await;
        let mut again = intent(1, ADD);
        again.call.signed_at = Timestamp(NOW.0 + 400);
        let id = state.next_call();
        state.open_call(id, &again);
        state.close_call(id, &applied(), Timestamp(NOW.0 + 401));
        state.remove(&identity(2).scope, &identity(2).url);
        let before = state.clone();
        let homecoming = rescue.settle(&mut state);
        assert_eq!(homecoming.settled, 0);
        assert_eq!(homecoming.changed.len(), 2);
        assert_eq!(state, before);
    }

    /// The clock of the first run was ahead, so its lost call counts longer than the one of the other run.
    #[tokio::test]
    async fn a_call_that_another_run_lost_since_stays_lost() {
        let (rescue, mut state) = lost_after_two_calls().await;
        let first = identity(1);
        let lost = state.get(&first.scope, &first.url).unwrap().lost.unwrap();
        for earlier in [0, 400] {
            let mut again = intent(1, ADD);
            again.call.signed_at = lost.signed_at.plus(-earlier);
            let id = state.next_call();
            state.open_call(id, &again);
            state.interrupt();
            let homecoming = rescue.settle(&mut state.clone());
            assert_eq!((homecoming.settled, homecoming.changed.len()), (1, 1));
        }
    }

    /// Only the intent said that the organization has a new handle, and it was never written.
    #[tokio::test]
    async fn another_handle_is_no_change_by_another_run() {
        let (rescue, mut state) = lost_after_two_calls().await;
        rescue.settle(&mut state);
        let one = identity(1);
        let entry = state.get_mut(&one.scope, &one.url).unwrap();
        entry.handle = crate::model::Handle::new("earlier");
        let homecoming = rescue.settle(&mut state);
        assert_eq!((homecoming.known, homecoming.changed), (2, Vec::new()));
    }

    #[tokio::test]
    async fn a_callback_that_was_deleted_leaves_the_state() {
        let files = MemoryFiles::new(4);
        let state = locked(&files).await;
        let id = begin(&state, 1).await.unwrap();
        state.record_outcome(id, &applied(), NOW).unwrap();
        state.save().await.unwrap();
        let mut delete = intent(1, crate::model::Write::Delete);
        delete.call.signed_at = Timestamp(NOW.0 + 5);
        let ids = state.record_intents(vec![delete]).await.unwrap();
        state.record_outcome(ids[0], &applied(), NOW).unwrap();
        state.edit(|recorded| {
            let one = identity(1);
            recorded.remove(&one.scope, &one.url).is_some()
        });
        let rescue = state.rescue(&gone()).unwrap();
        let mut read = store(&files).read(Environment::Test).await.unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(rescue.settle(&mut read).settled, 1);
        assert!(read.is_empty());
    }

    #[tokio::test]
    async fn nothing_is_missing_once_it_is_saved() {
        let files = MemoryFiles::new(5);
        let state = lock(&store(&files)).await.unwrap();
        let id = begin(&state, 1).await.unwrap();
        state.record_outcome(id, &applied(), NOW).unwrap();
        state.flush().await.unwrap();
        assert_eq!(state.rescue(&gone()), None);
    }
}
