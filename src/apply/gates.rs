//! Who waits for whom between organizations: see [`Plan::deletes_wait_for`].

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::plan::Plan;

/// Tells an organization whether the adds of others, which its deletes wait for, succeeded.
#[derive(Debug)]
pub(super) struct Gates {
    waits: BTreeMap<usize, Vec<usize>>,
    /// Of those that somebody waits for; `None` until its adds have ended.
    built: BTreeMap<usize, watch::Sender<Option<bool>>>,
}

impl Gates {
    pub(super) fn of(plan: &Plan) -> Self {
        let waits = plan.deletes_wait_for();
        let awaited = waits.values().flatten();
        Self {
            built: awaited
                .map(|number| (*number, watch::Sender::new(None)))
                .collect(),
            waits,
        }
    }

    /// Whether the deletes of this organization wait for another.
    pub(super) fn are_shut_for(&self, number: usize) -> bool {
        self.waits.contains_key(&number)
    }

    /// The adds, heals and replaces of this organization have ended.
    pub(super) fn built(&self, number: usize, all_succeeded: bool) {
        if let Some(sender) = self.built.get(&number) {
            sender.send_replace(Some(all_succeeded));
        }
    }

    /// Waits until the deletes of this organization may begin; whether they may.
    pub(super) async fn open_for(&self, number: usize) -> bool {
        let others = self.waits.get(&number).into_iter().flatten();
        let ends = others
            .filter_map(|other| self.built.get(other))
            .map(|sender| async {
                let mut ended = sender.subscribe();
                // The sender lives as long as we do.
                let ended = ended.wait_for(Option::is_some).await;
                ended.is_ok_and(|succeeded| *succeeded == Some(true))
            });
        join_all(ends).await.into_iter().all(|succeeded| succeeded)
    }
}
