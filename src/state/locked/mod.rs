//! The one writer of a state: what callers may record, and when they may go on. How it becomes durable is in
//! [`commit`](super::commit).
//!
//! Dropping any of the futures here is safe: what is being written runs to its end, and an intent whose caller
//! is gone is recorded as never sent.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::OwnedMutexGuard;

use crate::model::{
    AccountName, ApiError, CallId, Destination, Identity, Intent, Lineage, Outcome, Recorded,
    RecordedAccount, Salt, Settled, Suspension, Timestamp, Told,
};
use crate::state::commit::{Inner, Written};
use crate::state::format::{self, Text};
use crate::state::joined::joined;
use crate::state::load::Snapshot;
use crate::state::medium::Hold;
use crate::state::{LockOwner, Place, Rescue, StateError, pointer};

/// A state, locked for writing. Shared by reference among everything that makes calls.
pub struct Locked {
    inner: Arc<Inner>,
    taken_over: Option<LockOwner>,
}

/// What no plan is made from.
#[derive(Debug)]
pub struct Noted<'a> {
    /// What controllers told people, by condition.
    pub told: &'a mut BTreeMap<String, Told>,
    /// Until when controllers make no calls.
    pub suspension: &'a mut Option<Suspension>,
}

impl Locked {
    pub(super) fn new(
        (hold, taken_over): (Box<dyn Hold>, Option<LockOwner>),
        place: (Place, u64),
        recorded: Recorded,
        (snapshot, has_journal): (Snapshot, bool),
    ) -> Self {
        let written = Written::found(hold, snapshot, has_journal);
        Self {
            inner: Arc::new(Inner::new(place, recorded, written)),
            taken_over,
        }
    }

    /// Whom this lock belonged to before, if that owner died without freeing it.
    pub const fn taken_over(&self) -> Option<&LockOwner> {
        self.taken_over.as_ref()
    }

    /// Looks at what is recorded, with everything that happened so far.
    pub fn read<T>(&self, look: impl FnOnce(&Recorded) -> T) -> T {
        look(&self.inner.memory().recorded)
    }

    /// Gives a new state its lineage and salt, durably. A state that has them keeps them.
    ///
    /// Must come before anything else is recorded.
    pub async fn initialize(&self, lineage: Lineage, salt: Salt) -> Result<(), StateError> {
        {
            let mut memory = self.inner.memory();
            if memory.recorded.lineage.is_some() {
                return Ok(());
            }
            memory.recorded.lineage = Some(lineage);
            memory.recorded.salt = Some(salt);
            memory.recorded.serial += 1;
        }
        self.save().await.map(drop)
    }

    /// Records what the calls of this state go to, if that is not recorded yet. Durable before the
    /// next call leaves, or with [`Locked::save`].
    pub fn aim(&self, destination: &Destination) {
        let mut memory = self.inner.memory();
        let recorded = &mut memory.recorded;
        if recorded.destination.is_none() {
            recorded.destination = Some(destination.clone());
            // A state that is not there yet counts it as part of its first change.
            recorded.serial += u64::from(recorded.lineage.is_some());
        }
    }

    /// Records whose credentials sign the calls. Durable before the next call leaves, or with
    /// [`Locked::save`].
    pub fn sign_with(&self, accounts: BTreeMap<AccountName, RecordedAccount>) {
        let mut memory = self.inner.memory();
        let recorded = &mut memory.recorded;
        if recorded.accounts != accounts {
            recorded.accounts = accounts;
            recorded.serial += u64::from(recorded.lineage.is_some());
        }
    }

    /// Records that these calls are about to leave, and returns when that is durable. They may leave
    /// only then. Many callers at once share one write.
    ///
    /// # Errors
    ///
    /// The journal could not be written: the calls must not leave. After one such failure there will
    /// be no other kind of answer; [`Locked::save`] may still succeed.
    pub async fn record_intents(&self, intents: Vec<Intent>) -> Result<Vec<CallId>, StateError> {
        let Some(at) = intents.first().map(|intent| intent.call.signed_at) else {
            return Ok(Vec::new());
        };
        let (ids, number) = {
            let mut memory = self.inner.memory();
            if memory.recorded.lineage.is_none() {
                return Err(self.inner.uninitialized());
            }
            if let Some(failure) = &memory.failure {
                return Err(failure.clone());
            }
            for intent in &intents {
                check_recordable(intent)?;
            }
            let ids = intents
                .iter()
                .map(|intent| memory.queue_intent(intent))
                .collect();
            (ids, memory.queued)
        };
        let mut unsent = Unsent {
            inner: &self.inner,
            ids,
            at,
        };
        self.commit(number).await?;
        Ok(std::mem::take(&mut unsent.ids))
    }

    /// Records how a call ended. Durable with the next intent, [`Locked::flush`] or
    /// [`Locked::save`]; a crash before that leaves the call's outcome open. `None` when no such call
    /// is on its way.
    pub fn record_outcome(&self, id: CallId, outcome: &Outcome, at: Timestamp) -> Option<Settled> {
        self.inner.memory().queue_outcome(id, outcome, at)
    }

    /// Changes the record itself. `change` returns whether it changed anything. Durable with
    /// [`Locked::save`]. Lineage, salt and environment can't be changed here.
    pub fn edit(&self, change: impl FnOnce(&mut Recorded) -> bool) {
        let mut memory = self.inner.memory();
        let recorded = &mut memory.recorded;
        let (lineage, salt) = (recorded.lineage, recorded.salt);
        let (serial, environment) = (recorded.serial, recorded.environment);
        let changed = change(recorded);
        recorded.lineage = lineage;
        recorded.salt = salt;
        recorded.environment = environment;
        recorded.serial = serial + u64::from(changed);
    }

    /// Changes what no plan is made from, so that none becomes stale. `change` returns whether it changed anything.
    /// Durable with [`Locked::save`].
    pub fn note(&self, change: impl FnOnce(Noted<'_>) -> bool) {
        let mut memory = self.inner.memory();
        let recorded = &mut memory.recorded;
        let noted = Noted {
            told: &mut recorded.told,
            suspension: &mut recorded.suspension,
        };
        if change(noted) {
            recorded.count_note();
        }
    }

    /// Puts another record in the place of this one, durably, with a serial higher than both had.
    pub async fn replace(&self, new: Recorded) -> Result<(), StateError> {
        self.inner.check_replacement(&new)?;
        // No journal of the old record may be left beside the new one, which it does not continue.
        self.write(|inner, written| {
            async {
                inner.save(written).await?;
                inner.forget_journal(written).await
            }
            .boxed()
        })
        .await?;
        {
            let mut memory = self.inner.memory();
            let serial = memory.recorded.serial.max(new.serial) + 1;
            memory.recorded = new;
            memory.recorded.serial = serial;
        }
        self.save().await.map(drop)
    }

    /// Puts a note in the place of the state that says where it is now. Nothing may be recorded here after it.
    pub async fn leave_for(self, to: &str) -> Result<(), StateError> {
        let note = pointer::encode(to);
        let left = self
            .write(|inner, written| {
                async move {
                    inner.leave_note(written, note).await?;
                    inner.forget_journal(written).await
                }
                .boxed()
            })
            .await;
        let freed = self.write(|_, written| written.release().boxed()).await;
        left.and(freed)
    }

    /// Returns when everything that happened is durable in the journal.
    pub async fn flush(&self) -> Result<(), StateError> {
        let number = self.inner.memory().queued;
        self.commit(number).await
    }

    /// Writes the snapshot and removes the journal, when anything has changed. Returns whether.
    pub async fn save(&self) -> Result<bool, StateError> {
        self.write(|inner, written| inner.save(written).boxed())
            .await
    }

    /// What the state could not be made to hold, after this failure: `None` when it has everything. All of it when the
    /// state has lost what was recorded before.
    pub fn rescue(&self, failure: &StateError) -> Option<Rescue> {
        let is_whole = !matches!(failure, StateError::Damaged { .. });
        self.inner.memory().rescue(is_whole)
    }

    /// Makes durable what happened and frees the lock. The lock is free even if that fails. Edits
    /// need [`Locked::save`] before.
    pub async fn release(self) -> Result<(), StateError> {
        let flushed = self.flush().await;
        let freed = self.write(|_, written| written.release().boxed()).await;
        flushed.and(freed)
    }

    /// Returns when the change with this number is durable.
    async fn commit(&self, number: u64) -> Result<(), StateError> {
        if let Some(known) = self.inner.memory().durability(number) {
            return known;
        }
        let inner = Arc::clone(&self.inner);
        let written = Arc::clone(&inner.written).lock_owned().await;
        // Most find here that another caller wrote for them while they waited.
        if let Some(known) = inner.memory().durability(number) {
            return known;
        }
        to_its_end(inner, written, |inner, written| {
            inner.write_queue(written).boxed()
        })
        .await
    }

    /// Writes while no other caller does.
    async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a Inner, &'a mut Written) -> BoxFuture<'a, T> + Send + 'static,
    ) -> T {
        let inner = Arc::clone(&self.inner);
        let written = Arc::clone(&inner.written).lock_owned().await;
        to_its_end(inner, written, work).await
    }
}

/// Runs work that has begun to its end, though the caller may be gone.
async fn to_its_end<T: Send + 'static>(
    inner: Arc<Inner>,
    mut written: OwnedMutexGuard<Written>,
    work: impl for<'a> FnOnce(&'a Inner, &'a mut Written) -> BoxFuture<'a, T> + Send + 'static,
) -> T {
    joined(tokio::spawn(
        async move { work(&inner, &mut written).await },
    ))
    .await
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locked")
            .field("place", self.inner.place())
            .finish_non_exhaustive()
    }
}

/// Refuses what could be written but not read again.
fn check_recordable(intent: &Intent) -> Result<(), StateError> {
    let Identity { scope, url } = &intent.identity;
    let organization = scope.organization.as_ref().map(|id| Text::of(id.as_str()));
    let app_id = scope.app_id.as_ref().map(|id| Text::of(id.as_str()));
    format::check_ids(organization.as_ref(), app_id.as_ref())
        .and_then(|()| {
            format::check_names(
                url.as_str(),
                intent.handle.as_str(),
                scope.account.as_str(),
                intent.operator.as_str(),
            )
        })
        .map_err(|problem| StateError::Unrecordable {
            address: format!("{}/{url}", intent.handle),
            problem,
        })
}

/// Calls that have not left. When it is dropped with ids in it, they never will: the journal failed,
/// or the caller is gone.
struct Unsent<'a> {
    inner: &'a Inner,
    ids: Vec<CallId>,
    at: Timestamp,
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let outcome = Outcome::NotSent(ApiError {
            code: None,
            message: "the call was not sent".into(),
            request_id: None,
            meaning: "Its intent was not recorded, or its caller ended before that.".into(),
            advice: "".into(),
        });
        let mut memory = self.inner.memory();
        for id in std::mem::take(&mut self.ids) {
            // Its entry may be gone already.
            drop(memory.queue_outcome(id, &outcome, self.at));
        }
    }
}
