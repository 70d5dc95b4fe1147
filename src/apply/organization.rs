//! One organization: adds and heals, then replaces, then deletes.
//!
//! A phase's changes run side by side. Replaces wait for the adds that need no fence; deletes wait for
//! everything, and happen only when all of it succeeded.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join;
use futures_util::stream;
use tokio::time::Instant;

use super::attempt::{Finished, Sender};
use super::clock::WallClock;
use super::context::{Account, Context, add_of};
use super::ledger::End;
use super::replace;
use super::standing::{Flags, Standing};
use crate::client::Api;
use crate::model::{Event, NotAttempted, Steps, Write};
use crate::plan::{Change, OrganizationPlan};
use crate::state::Files;

/// Runs the changes of one organization to their ends.
pub(super) async fn run<A: Api, F: Files, W: WallClock>(
    context: &Context<'_, A, F, W>,
    account: &Account,
    position: usize,
    organization: &OrganizationPlan,
) {
    let run = Run {
        context,
        account,
        position,
        organization,
        standing: Standing::default(),
    };
    let of = |steps: Steps, fenced: Option<bool>| {
        organization
            .changes
            .iter()
            .enumerate()
            .filter(move |(_, change)| {
                change.steps == steps
                    && fenced.is_none_or(|fenced| change.fence.is_some() == fenced)
            })
    };
    let unfenced = async {
        run.phase(of(Steps::Add, Some(false))).await;
        run.phase(of(Steps::DeleteThenAdd, Some(false))).await;
    };
    let fenced = async {
        let adds = run.phase(of(Steps::Add, Some(true)));
        join(adds, run.phase(of(Steps::DeleteThenAdd, Some(true)))).await;
    };
    join(unfenced, fenced).await;
    run.phase(of(Steps::Delete, None)).await;
}

struct Run<'a, 'c, A, F: Files, W> {
    context: &'a Context<'c, A, F, W>,
    account: &'a Account,
    position: usize,
    organization: &'a OrganizationPlan,
    standing: Standing,
}

impl<A: Api, F: Files, W: WallClock> Run<'_, '_, A, F, W> {
    async fn phase(&self, changes: impl Iterator<Item = (usize, &Change)> + Send) {
        stream::iter(changes)
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
                    .set(|flags| flags.adds_failed |= change.steps != Steps::Delete);
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
        (change.steps == Steps::Delete && adds_failed).then_some(NotAttempted::AddsFailed)
    }

    async fn calls(&self, change: &Change) -> End {
        let begun = OnceLock::new();
        let sender = Sender {
            context: self.context,
            account: self.account,
            organization: self.organization,
            change,
            standing: &self.standing,
            begun: &begun,
            committed: false,
        };
        let done = match change.steps {
            Steps::Nothing => return End::Done,
            Steps::Add => sender.send(add_of(change), None).await,
            Steps::Delete => sender.send(Write::Delete, None).await,
            Steps::DeleteThenAdd => replace::run(&sender).await,
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
                    steps: change.steps,
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
