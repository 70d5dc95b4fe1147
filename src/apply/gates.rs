//! Who waits for whom between organizations: see [`Plan::deletes_wait_for`].

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::Notify;

use crate::plan::Plan;

/// Whether the adds of other organizations, which an organization's deletes wait for, succeeded.
#[derive(Debug)]
pub(super) struct Gates {
    waits: BTreeMap<usize, Vec<usize>>,
    /// By number of an organization whose adds have ended: whether all succeeded.
    built: Mutex<BTreeMap<usize, bool>>,
    /// Wakes in the order of waiting, so that a run can be replayed.
    changed: Notify,
}

impl Gates {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            waits: plan.deletes_wait_for(),
            built: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Whether the deletes of this organization wait for another.
    pub(super) fn are_shut_for(&self, number: usize) -> bool {
        self.waits.contains_key(&number)
    }

    /// The adds, heals and replaces of this organization have ended.
    pub(super) fn built(&self, number: usize, all_succeeded: bool) {
        if self.waits.is_empty() {
            return;
        }
        let mut built = self.built.lock().expect("no panic while held");
        built.insert(number, all_succeeded);
        drop(built);
        self.changed.notify_waiters();
    }

    /// Waits until the deletes of this organization may begin; whether they may.
    pub(super) async fn open_for(&self, number: usize) -> bool {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(open) = self.is_open_for(number) {
                return open;
            }
            changed.await;
        }
    }

    /// `None` while one that it waits for has not ended.
    fn is_open_for(&self, number: usize) -> Option<bool> {
        let built = self.built.lock().expect("no panic while held");
        let mut others = self.waits.get(&number).into_iter().flatten();
        others.try_fold(true, |open, other| Some(open && *built.get(other)?))
    }
}
