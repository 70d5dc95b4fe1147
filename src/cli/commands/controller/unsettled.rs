//! What a round does while another run has the state's lock: it waits, and judges nothing that is half done.

use std::ops::Not as _;

use super::planned::Planner;
use super::problems::{Found, still_waiting};
use super::rounds::Rounds;
use super::waiting::{PATIENCE, show_wait};
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::process::owner;
use crate::controller::digest_that_waits;
use crate::model::{Environment, Recorded};
use crate::plan::Plan;
use crate::state::{LockOwner, Patience, StateError};

impl Rounds<'_> {
    /// Another run had the lock for longer than a round waits.
    pub(super) fn waits_for(
        &mut self,
        owner: Option<&LockOwner>,
        recorded: &Recorded,
        problems: &mut Vec<Found>,
    ) {
        let now = SystemClock.now();
        if let Some(line) = self.wait.goes_on(owner, recorded, now) {
            self.log.say(format_args!("{line}"));
        }
        problems.extend(self.wait.problem(now));
    }

    /// It is not waited for any more.
    pub(super) fn waits_no_more(&mut self) {
        if let Some(line) = self.wait.ends() {
            self.log.say(format_args!("{line}"));
        }
    }

    /// Whether another plan waits than before, or none any more, but only by what was read in the middle of another run.
    /// Guards must not judge that, and nobody has to hear of it: what was said before counts until that run has ended.
    pub(super) async fn is_unsettled(
        &mut self,
        planner: &Planner<'_>,
        plan: &Plan,
        recorded: &Recorded,
        problems: &mut Vec<Found>,
    ) -> Result<bool, Failure> {
        if digest_that_waits(plan, planner.policy) == self.board.waiting_digest() {
            return Ok(false);
        }
        let is_unsettled = self
            .is_in_flux(planner.loaded.desired.environment, recorded, problems)
            .await?;
        if is_unsettled {
            problems.extend(still_waiting(&self.board));
            self.board.update(|status| status.ready = true);
        }
        Ok(is_unsettled)
    }

    /// Whether what was read may be half of what another run does. Waits for that run as long as a round waits. Of one that
    /// has died nothing more comes, so what it left counts.
    async fn is_in_flux(
        &mut self,
        environment: Environment,
        recorded: &Recorded,
        problems: &mut Vec<Found>,
    ) -> Result<bool, Failure> {
        if self.store.holder().await.is_none() {
            // It may have ended since the state was read.
            let again = self.store.read(environment).await;
            // That it can't be read now, the next round says.
            return Ok(again.is_ok_and(|again| again == *recorded).not());
        }
        let patience = Patience {
            timeout: PATIENCE,
            stop: Some(self.board.halting()),
        };
        let mut theirs = None;
        let waiting = |holder: Option<&LockOwner>| {
            show_wait(&self.board, holder);
            theirs = holder.cloned();
        };
        let ours = owner::this_process(&self.settings.command)?;
        match self.store.lock(environment, &ours, patience, waiting).await {
            Ok(state) => {
                self.board.locked(true);
                let is_same = state.read(|now| now == recorded);
                let released = state.release().await;
                self.board.locked(false);
                self.waits_no_more();
                released?;
                Ok(!is_same)
            }
            Err(StateError::Locked { .. }) => {
                self.waits_for(theirs.as_ref(), recorded, problems);
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }
}
