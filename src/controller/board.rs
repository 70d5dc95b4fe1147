//! What the rounds and the server share: the status, and what was asked for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::status::{Files, Phase, Problem, RunRecord, Status, WhyWaits};
use crate::model::{Action, Holdings, Recorded, Report, Timestamp};
use crate::plan::Plan;

/// How many runs are remembered.
const RUNS: usize = 100;

/// The status, and requests that wait for the next round. Clones share it.
#[derive(Clone, Debug)]
pub struct Board(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: Mutex<Kept>,
    /// Somebody wants a round now.
    poke: Notify,
    /// Becomes true to end the run that is under way.
    halt: watch::Sender<bool>,
    /// When the loop was last seen alive.
    beat: Mutex<Instant>,
}

#[derive(Debug)]
struct Kept {
    status: Status,
    /// The keys of problems that the round under way has found already.
    early: Vec<String>,
    /// The state and the plan of the last round, for the page.
    seen: Option<(Arc<Recorded>, Option<Arc<Plan>>)>,
    approved: Option<String>,
    totals: Totals,
    last_run: Option<LastRun>,
    /// Whether the run that is under way has the state's lock.
    has_lock: bool,
    /// Events of eSign that were not told yet.
    events: Vec<EsignEvent>,
    /// Whether no more are taken.
    is_closed: bool,
}

/// What eSign reported of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EsignEvent {
    /// The same in every delivery of it.
    pub id: String,
    /// `MsgType`.
    pub kind: &'static str,
    pub meaning: &'static str,
}

/// How many events wait to be told.
const EVENTS: usize = 1000;

/// Counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub rounds: u64,
    pub runs: u64,
    pub calls: u64,
    pub throttled: u64,
    pub added: u64,
    pub changed: u64,
    pub destroyed: u64,
    pub failed: u64,
    pub drifted: u64,
}

/// The last run that made calls.
#[derive(Clone, Debug, PartialEq)]
pub struct LastRun {
    pub report: Report,
    /// How many callbacks were asserted again.
    pub healed: usize,
    pub elapsed_ms: u64,
}

/// What is different from before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The keys of problems that are new, or say something else.
    pub new: Vec<String>,
    /// Problems that are no more.
    pub over: Vec<Problem>,
}

/// Why an approval is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No plan waits.
    NothingWaits,
    /// The plan that waits has this digest.
    OtherDigest(String),
    /// A guard refuses the plan that no approval overrides.
    Final,
    /// No calls are made now.
    Suspended,
}

impl Board {
    /// At the start, with the state in this place.
    pub fn new(version: &'static str, state: String) -> Self {
        let status = Status {
            format_version: "1.0",
            version,
            phase: Phase::Starting,
            lock_holder: None,
            ready: false,
            environment: None,
            state,
            lineage: None,
            serial: 0,
            files: Files::default(),
            callbacks: Holdings::default(),
            pending: None,
            waiting: None,
            suspended: None,
            behind: None,
            problems: Vec::new(),
            organizations: Vec::new(),
            runs: Vec::new(),
            notifications: Vec::new(),
            last_success: None,
            last_round: None,
            next_round: None,
        };
        let kept = Kept {
            status,
            early: Vec::new(),
            seen: None,
            approved: None,
            totals: Totals::default(),
            last_run: None,
            has_lock: false,
            events: Vec::new(),
            is_closed: false,
        };
        Self(Arc::new(Shared {
            kept: Mutex::new(kept),
            poke: Notify::new(),
            halt: watch::Sender::new(false),
            beat: Mutex::new(Instant::now()),
        }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn status(&self) -> Status {
        self.kept().status.clone()
    }

    /// The state and the plan of the last round.
    pub fn seen(&self) -> Option<(Arc<Recorded>, Option<Arc<Plan>>)> {
        self.kept().seen.clone()
    }

    /// The digest of the plan that waits, if one does.
    pub fn waiting_digest(&self) -> Option<String> {
        let kept = self.kept();
        kept.status.waiting.as_ref().map(|one| one.digest.clone())
    }

    /// Changes the status.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.kept().status);
    }

    /// Notes what a round has read, and planned if that says more.
    pub fn saw(&self, recorded: Arc<Recorded>, plan: Option<Arc<Plan>>) {
        self.kept().seen = Some((recorded, plan));
    }

    /// Adds a run to those that are remembered.
    pub fn ran(&self, run: RunRecord) {
        let runs = &mut self.kept().status.runs;
        runs.insert(0, run);
        runs.truncate(RUNS);
    }

    /// Counts what a run did.
    pub fn measured(&self, plan: &Plan, report: &Report, elapsed_ms: u64) {
        let kept = &mut *self.kept();
        let tally = report.tally;
        let totals = &mut kept.totals;
        totals.runs += 1;
        for (total, count) in [
            (&mut totals.calls, report.calls),
            (&mut totals.throttled, report.throttled),
            (&mut totals.added, tally.added),
            (&mut totals.changed, tally.changed),
            (&mut totals.destroyed, tally.destroyed),
            (&mut totals.failed, tally.failed),
            (&mut totals.drifted, report.drifted.len()),
        ] {
            *total += count as u64;
        }
        let unfinished = report.unfinished.iter();
        let heals = unfinished.filter(|one| one.action == Action::Heal).count();
        kept.last_run = Some(LastRun {
            report: report.clone(),
            healed: plan.summary.heal.saturating_sub(heals),
            elapsed_ms,
        });
    }

    /// What was counted, and the last run that made calls.
    pub fn measures(&self) -> (Totals, Option<LastRun>) {
        let kept = self.kept();
        (kept.totals, kept.last_run.clone())
    }

    /// Notes whether the run that is under way has the state's lock.
    pub fn locked(&self, has_lock: bool) {
        self.kept().has_lock = has_lock;
    }

    /// Whether the run that is under way has the state's lock.
    pub fn has_lock(&self) -> bool {
        self.kept().has_lock
    }

    /// eSign reported something after which a plan may be another one: a round begins. Whether it was taken.
    pub fn happened(&self, event: EsignEvent) -> bool {
        let kept = &mut *self.kept();
        if kept.is_closed {
            return false;
        }
        if kept.events.len() < EVENTS {
            kept.events.push(event);
        }
        self.poke();
        true
    }

    /// Takes no more events: the program ends, and what comes now is for another process.
    pub fn close(&self) {
        self.kept().is_closed = true;
    }

    /// The events that were not told yet.
    pub fn take_events(&self) -> Vec<EsignEvent> {
        std::mem::take(&mut self.kept().events)
    }

    /// Counts a round.
    pub fn round(&self) {
        self.kept().totals.rounds += 1;
    }

    /// Shows what a round has found so far, which waits for another run now. What is new of it is said at its end.
    pub fn found(&self, now: Timestamp, found: &[Problem]) {
        let kept = &mut *self.kept();
        for problem in found {
            let problems = &mut kept.status.problems;
            if problems.iter().all(|known| known.key != problem.key) {
                kept.early.push(problem.key.clone());
                problems.push(Problem {
                    since: now,
                    ..problem.clone()
                });
            }
        }
    }

    /// Replaces the problems. One that was there keeps its beginning.
    pub fn problems(&self, now: Timestamp, found: Vec<Problem>) -> News {
        let kept = &mut *self.kept();
        let early = std::mem::take(&mut kept.early);
        let problems = &mut kept.status.problems;
        let mut before = std::mem::take(problems);
        let mut news = News::default();
        for problem in found {
            let known = before.iter().position(|known| known.key == problem.key);
            let known = known.map(|known| before.remove(known));
            let problem = Problem {
                since: known.as_ref().map_or(now, |known| known.since),
                ..problem
            };
            if early.contains(&problem.key) || known.is_none_or(|known| known != problem) {
                news.new.push(problem.key.clone());
            }
            problems.push(problem);
        }
        before.retain(|known| !early.contains(&known.key));
        news.over = before;
        news
    }

    /// Approves the plan that waits, if it has this digest.
    ///
    /// # Errors
    /// Why not.
    pub fn approve(&self, digest: &str) -> Result<(), Refused> {
        let mut kept = self.kept();
        let waiting = kept.status.waiting.as_ref().ok_or(Refused::NothingWaits)?;
        if waiting.digest != digest {
            return Err(Refused::OtherDigest(waiting.digest.clone()));
        }
        if kept.status.suspended.is_some() {
            return Err(Refused::Suspended);
        }
        if waiting.why == WhyWaits::Final {
            return Err(Refused::Final);
        }
        kept.approved = Some(digest.to_owned());
        drop(kept);
        self.poke();
        Ok(())
    }

    /// The digest that was approved. It counts for one round: an approval is never kept for later.
    pub fn take_approval(&self) -> Option<String> {
        self.kept().approved.take()
    }

    /// The loop is alive.
    pub fn beat(&self) {
        *self.0.beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long it was not seen alive.
    pub fn silence(&self) -> Duration {
        let beat = self.0.beat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.elapsed()
    }

    /// Asks for a round now.
    pub fn poke(&self) {
        self.0.poke.notify_one();
    }

    /// Waits until a round is asked for.
    pub async fn poked(&self) {
        self.0.poke.notified().await;
    }

    /// Ends the run that is under way, as Ctrl-C does: no new calls.
    pub fn halt(&self) {
        self.0.halt.send_replace(true);
    }

    /// Whether the run of this round, or the last one, was to end.
    pub fn is_halted(&self) -> bool {
        *self.0.halt.borrow()
    }

    /// A round begins: what ended the run before is over.
    pub fn begin(&self) {
        self.0.halt.send_replace(false);
    }

    /// For a run: becomes true when it is to end.
    pub fn halting(&self) -> watch::Receiver<bool> {
        self.0.halt.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::WaitingPlan;

    fn board() -> Board {
        Board::new("1", "state.json".to_owned())
    }

    #[test]
    fn only_the_plan_that_waits_can_be_approved_and_only_as_it_is() {
        let board = board();
        assert_eq!(board.approve("sha256:a"), Err(Refused::NothingWaits));
        let wait = |why| {
            board.update(|status| {
                status.waiting = Some(WaitingPlan {
                    digest: "sha256:a".to_owned(),
                    why,
                    deletes: None,
                    changes: Vec::new(),
                    more: 0,
                });
            });
        };
        wait(WhyWaits::Final);
        assert_eq!(board.approve("sha256:a"), Err(Refused::Final));
        wait(WhyWaits::Deletes);
        let other = Refused::OtherDigest("sha256:a".to_owned());
        assert_eq!(board.approve("sha256:b"), Err(other));
        assert_eq!(board.take_approval(), None);
        board.approve("sha256:a").unwrap();
        assert_eq!(board.take_approval().as_deref(), Some("sha256:a"));
        assert_eq!(board.take_approval(), None);
    }

    fn problem(message: &str) -> Problem {
        Problem {
            key: "state".to_owned(),
            since: Timestamp(0),
            message: message.to_owned(),
            details: Vec::new(),
            advice: None,
            version: None,
        }
    }

    #[test]
    fn a_problem_that_lasts_keeps_its_beginning() {
        let board = board();
        let at = |now, message: &str| board.problems(Timestamp(now), vec![problem(message)]);
        let is_new = |news: News| news.new == ["state"] && news.over.is_empty();
        assert!(is_new(at(10, "no answer")));
        assert_eq!(at(20, "no answer"), News::default());
        assert!(is_new(at(30, "access denied")));
        assert_eq!(board.status().problems[0].since, Timestamp(10));
        let news = board.problems(Timestamp(40), Vec::new());
        assert_eq!(
            (news.new.len(), &*news.over[0].message),
            (0, "access denied")
        );
        assert!(is_new(at(50, "access denied")));
        assert_eq!(board.status().problems[0].since, Timestamp(50));
    }

    #[test]
    fn what_is_found_before_a_wait_is_shown_and_said_at_the_end() {
        let board = board();
        board.found(Timestamp(10), &[problem("no answer")]);
        board.found(Timestamp(20), &[problem("no answer")]);
        assert_eq!(board.status().problems[0].since, Timestamp(10));
        let news = board.problems(Timestamp(30), vec![problem("no answer")]);
        assert_eq!(news.new, ["state"]);
        assert_eq!(board.status().problems[0].since, Timestamp(10));
        let other = Problem {
            key: "other".to_owned(),
            ..problem("gone")
        };
        board.found(Timestamp(40), &[other]);
        let news = board.problems(Timestamp(50), vec![problem("no answer")]);
        assert_eq!(news, News::default());
    }

    #[test]
    fn an_event_that_comes_too_late_is_not_taken() {
        let board = board();
        let event = |id: &str| EsignEvent {
            id: id.to_owned(),
            kind: "QuiteJob",
            meaning: "an employee left",
        };
        assert!(board.happened(event("1")));
        board.close();
        assert!(!board.happened(event("2")));
        assert_eq!(board.take_events(), [event("1")]);
    }

    #[test]
    fn only_so_many_runs_are_remembered() {
        let board = board();
        for at in 0..200 {
            board.ran(RunRecord::failed(Timestamp(at), 0));
        }
        let runs = board.status().runs;
        assert_eq!((runs.len(), runs[0].at), (RUNS, Timestamp(199)));
    }
}
