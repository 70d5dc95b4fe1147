//! One organization: adds and heals, then replaces, then deletes.
//!
//! A phase's changes run side by side. Replaces wait for the adds that need no fence; deletes wait for
//! everything, and happen only when all of it succeeded; so do the deletes of another scope that this
//! organization had before.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join;
use futures_util::stream;
use tokio::time::Instant;

use super::attempt::{Finished, Sender};
use super::clock::{OwnTime, WallClock};
use super::context::{Account, Context};
use super::gates::Gates;
use super::ledger::End;
use super::replace;
use super::standing::{Flags, Standing};
use super::step::Step;
use crate::client::Api;
use crate::model::{Calls, Event, NotAttempted};
use crate::plan::{Change, OrganizationPlan, Steps};

/// Runs the changes of one organization to their ends, but for deletes that wait for another one's
/// adds. Those are left to the run that is returned.
pub(super) async fn run<'a, 'c, A: Api, W: WallClock>(
    context: &'a Context<'c, A, W>,
    account: &'a Account,
    (position, organization): (usize, &'a OrganizationPlan),
    gates: &Gates,
) -> Option<Run<'a, 'c, A, W>> {
    let run = Run {
        context,
        account,
        position,
        organization,
        standing: Standing::default(),
    };
    run.build().await;
    gates.built(position, !run.standing.get().adds_failed);
    if gates.are_shut_for(position) {
        return Some(run);
    }
    run.deletes().await;
    None
}

pub(super) struct Run<'a, 'c, A, W> {
    context: &'a Context<'c, A, W>,
    account: &'a Account,
    position: usize,
    organization: &'a OrganizationPlan,
    standing: Standing,
}

impl<A: Api, W: WallClock> Run<'_, '_, A, W> {
    /// Adds, heals and replaces.
    async fn build(&self) {
        let unfenced = async {
            self.phase(Calls::Add, Some(false)).await;
            self.phase(Calls::Replace, Some(false)).await;
        };
        let fenced = async {
            let adds = self.phase(Calls::Add, Some(true));
            join(adds, self.phase(Calls::Replace, Some(true))).await;
        };
        join(unfenced, fenced).await;
    }

    async fn deletes(&self) {
        self.phase(Calls::Delete, None).await;
    }

    /// The deletes, once the gates open.
    pub(super) async fn held_deletes(self, gates: &Gates) {
        let open = gates.open_for(self.position);
        // What bars the account ends the wait, and the deletes find out themselves.
        if let Ok(false) = self.context.unless_barred(self.account, false, open).await {
            self.standing.set(|flags| flags.adds_failed = true);
        }
        self.deletes().await;
    }

    /// The changes with these calls, side by side; with or without a fence.
    async fn phase(&self, calls: Calls, fenced: Option<bool>) {
        let changes = self.organization.changes.iter().enumerate();
        let of_phase = changes.filter(|(_, change)| {
            change.calls() == calls && fenced.is_none_or(|fenced| change.fence.is_some() == fenced)
        });
        stream::iter(of_phase)
            .map(|(at, change)| self.change(at, change))
            .buffer_unordered(self.context.settings.parallelism.max(1))
            .collect::<()>()
            .await;
    }

    async fn change(&self, at: usize, change: &Change) {
        let end = match self.barred(change) {
            Some(why) => End::NotAttempted(why),
            None => self.calls(change).await,
        };
        match &end {
            End::Done => {}
            End::Failed(_) | End::Unknown(_) | End::NotAttempted(_) => {
                self.standing
                    .set(|flags| flags.adds_failed |= change.calls() != Calls::Delete);
            }
        }
        self.tell(change, &end);
        self.context.ledger.end((self.position, at), change, end);
    }

    fn barred(&self, change: &Change) -> Option<NotAttempted> {
        let Flags {
            stopped,
            adds_failed,
        } = self.standing.get();
        if let Some(why) = self.context.barred(self.account, false) {
            return Some(why);
        }
        if stopped {
            return Some(NotAttempted::OrganizationStopped);
        }
        if change.adds().is_some() && self.context.is_unverified(&change.address) {
            return Some(NotAttempted::Unverified);
        }
        (change.calls() == Calls::Delete && adds_failed).then_some(NotAttempted::AddsFailed)
    }

    async fn calls(&self, change: &Change) -> End {
        let (begun, own_time) = (OnceLock::new(), OwnTime::default());
        let sender = Sender {
            context: self.context,
            account: self.account,
            organization: self.organization,
            change,
            standing: &self.standing,
            begun: &begun,
            own_time: &own_time,
            committed: false,
        };
        let done = match &change.steps {
            Steps::Nothing(_) => return End::Done,
            Steps::Add(after) => sender.send(Step::Add(after), None).await,
            Steps::Delete(_) => sender.send(Step::Delete, None).await,
            Steps::Replace(after) => replace::run(&sender, after).await,
        };
        match done {
            Ok(Finished {
                request_id,
                was_there,
            }) => {
                if was_there {
                    self.context.ledger.was_there(&change.address);
                }
                let elapsed = begun.get().map_or(Duration::ZERO, Instant::elapsed);
                self.context.tell(Event::Completed {
                    address: change.address.clone(),
                    action: change.action,
                    calls: change.calls(),
                    request_id,
                    elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                    was_there,
                });
                End::Done
            }
            Err(end) => end,
        }
    }

    fn tell(&self, change: &Change, end: &End) {
        let (address, action) = (change.address.clone(), change.action);
        match end {
            End::Done => {}
            End::Failed(error) => self.context.tell(Event::Failed {
                address,
                action,
                error: error.clone(),
            }),
            End::Unknown(error) => self.context.tell(Event::Unknown {
                address,
                action,
                error: error.clone(),
            }),
            End::NotAttempted(why) => {
                self.context.tell(Event::NotAttempted {
                    address,
                    action,
                    why: why.clone(),
                });
            }
        }
    }
}
