//! Another run that has the state's lock: how long a round waits for it, and when that is a problem.
//!
//! A round waits for [`PATIENCE`] only, and the next one begins at once, with the files as they are then: so neither changed
//! files nor requests nor notifications wait until the other run ends.
//!
//! While it waits, it tries the lock as often as any `apply` does. There is no queue, and what is given up between two
//! rounds is about a second. Where an owner may have died without a trace, the store waits until it knows, however short the
//! patience is, and it remembers from round to round what it saw of that owner. So a dead one is taken over after its lease,
//! as in one long wait.

use std::time::Duration;

use super::advice::LOCKED;
use super::problems::{Found, locked};
use crate::controller::{Board, Phase};
use crate::model::{Holdings, Recorded, Timestamp};
use crate::state::LockOwner;

/// How long a round waits for another run.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long the other run may record nothing before somebody has to look after it, in seconds. A call without an answer is
/// waited for, and repeated, for less, and so is the time until a lost one can't arrive any more.
const USUAL: i64 = 420;

/// The run that is waited for, if there is one.
#[derive(Debug, Default)]
pub(super) struct Wait(Option<Waited>);

#[derive(Debug)]
struct Waited {
    owner: Option<LockOwner>,
    done: Done,
    /// When that was seen to change last.
    since: Timestamp,
}

/// What shows that a run gets on.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    serial: u64,
    holdings: Holdings,
    newest: Option<Timestamp>,
}

impl Done {
    fn of(recorded: &Recorded) -> Self {
        Self {
            serial: recorded.serial,
            holdings: Holdings::of(recorded),
            newest: recorded
                .iter()
                .filter_map(|(_, _, entry)| entry.proved_at())
                .max(),
        }
    }
}

impl Wait {
    pub(super) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A round has waited in vain for this owner of the lock, and this is recorded. What the log has to say of it: each
    /// owner is named once.
    pub(super) fn goes_on(
        &mut self,
        owner: Option<&LockOwner>,
        recorded: &Recorded,
        now: Timestamp,
    ) -> Option<String> {
        let done = Done::of(recorded);
        let id = |owner: Option<&LockOwner>| owner.map(|owner| owner.id.clone());
        let before = self.0.take();
        let before = before.filter(|before| id(before.owner.as_ref()) == id(owner));
        let since = match &before {
            Some(before) if before.done == done => before.since,
            Some(_) | None => now,
        };
        self.0 = Some(Waited {
            owner: owner.cloned(),
            done,
            since,
        });
        before.is_none().then(|| match owner {
            Some(owner) => format!("Waiting for another run, which has the state's lock: {owner}"),
            None => "Waiting for another run, which has the state's lock and has not said its name"
                .to_owned(),
        })
    }

    /// The lock was had, or there is nothing to do any more. What the log has to say of it.
    pub(super) fn ends(&mut self) -> Option<&'static str> {
        self.0.take()?;
        Some("No other run is waited for any more")
    }

    /// The other run does nothing, and has not for long.
    pub(super) fn problem(&self, now: Timestamp) -> Option<Found> {
        let Waited { owner, since, .. } = self.0.as_ref()?;
        (now.seconds_since(*since) > USUAL).then(|| locked(owner.as_ref(), *since, LOCKED.0))
    }
}

/// Shows that a run waits for this owner of the lock.
pub(super) fn show_wait(board: &Board, holder: Option<&LockOwner>) {
    board.update(|status| {
        status.phase = Phase::WaitingForLock;
        status.lock_holder = holder.map(ToString::to_string);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Environment;

    fn owner(id: &str) -> LockOwner {
        LockOwner {
            id: id.to_owned(),
            who: "ci".to_owned(),
            host: "runner".to_owned(),
            pid: 7,
            command: "apply".to_owned(),
            since: Timestamp(0),
            job_url: None,
        }
    }

    #[test]
    fn a_run_that_is_waited_for_is_named_once_and_becomes_a_problem_when_it_does_nothing() {
        let mut wait = Wait::default();
        let mut recorded = Recorded::nothing(Environment::Test);
        let round = |wait: &mut Wait, id: &str, recorded: &Recorded, now| {
            let line = wait.goes_on(Some(&owner(id)), recorded, Timestamp(now));
            (line, wait.problem(Timestamp(now)))
        };
        let (line, found) = round(&mut wait, "one", &recorded, 1_000);
        assert!(found.is_none());
        let line = line.unwrap();
        assert!(
            line.contains("ci@runner") && line.contains("since 1970"),
            "{line}"
        );
        let (line, found) = round(&mut wait, "one", &recorded, 1_000 + USUAL);
        assert!(line.is_none() && found.is_none());
        // It has recorded something, and counts as alive.
        recorded.serial += 1;
        let (line, found) = round(&mut wait, "one", &recorded, 1_001 + USUAL);
        assert!(line.is_none() && found.is_none());
        let (line, found) = round(&mut wait, "one", &recorded, 1_002 + 2 * USUAL);
        let problem = found.unwrap().problem;
        assert!(line.is_none());
        assert_eq!(problem.key, "lock");
        assert!(
            problem.message.contains("1970-01-01T00:23:41Z"),
            "{problem:?}"
        );
        // Another one is another wait.
        let (line, found) = round(&mut wait, "two", &recorded, 1_003 + 2 * USUAL);
        assert!(line.is_some() && found.is_none());
        assert!(wait.ends().is_some() && wait.ends().is_none());
    }
}
