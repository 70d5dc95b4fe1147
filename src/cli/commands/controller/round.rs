//! One round: plans, and applies what may be applied.

use std::time::Instant;

use super::keeper::{Fenced, Files, Keeper, fenced_until};
use super::planned::{Planner, held_up};
use super::problems::{
    Found, UNREADABLE, hold, in_use, missing, problem, still_unfinished, unfinished, waiting,
};
use super::reading::Read;
use super::rounds::Rounds;
use super::waiting::PATIENCE;
use crate::apply::{Lanes, WallClock as _};
use crate::cli::clock::SystemClock;
use crate::cli::commands::apply::ended;
use crate::cli::exit::{Exit, Failure};
use crate::cli::process::owner;
use crate::cli::remote::cloudaudit;
use crate::cli::sources;
use crate::cli::workspace::{Loaded, check_aim, elsewhere};
use crate::client::Rate;
use crate::controller::{
    Condition, Decision, News, Phase, Policy, RunRecord, decide, digest_that_waits,
};
use crate::model::{HowUnfinished, NotAttempted, Recorded, Report, Timestamp};
use crate::plan::Plan;
use crate::render;
use crate::run::{self, Ended, Request};

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// eSign is as declared, or what is left waits for somebody.
    Done,
    /// What is left waits until then: a lost call may still arrive and undo it.
    Later(Timestamp),
    /// Another run has the state's lock. The next round begins at once.
    Held,
    /// It was about older files.
    Outdated,
    /// It is worth another try soon.
    Failed,
    /// So it is: the state can't be read.
    Unread,
    /// A signal ended a command that prints a secret.
    Interrupted,
}

impl Rounds<'_> {
    pub(super) async fn round(&mut self) -> Round {
        if !self.wait.is_on() {
            self.board.update(|status| status.phase = Phase::Working);
        }
        self.board.begin();
        let mut problems = Vec::new();
        // It counts for this round only, and for those that follow while another run is waited for.
        let approved = self.board.take_approval();
        self.approval = approved.or_else(|| self.approval.take());
        let ended = self.attempt(&mut problems).await;
        let now = SystemClock.now();
        let round = match &ended {
            Ok(Round::Held) => {
                problems.extend(still_unfinished(&self.board));
                Round::Held
            }
            Ok(round) => *round,
            Err(failure) if failure.exit == Exit::Interrupted => Round::Interrupted,
            Err(failure) => {
                problems.push(problem("round", failure));
                Round::Failed
            }
        };
        let news = if round == Round::Outdated {
            // What is wrong with older files may be mended.
            News::default()
        } else {
            let all = problems.iter().map(|found| found.problem.clone());
            self.board.problems(now, all.collect())
        };
        match round {
            Round::Done | Round::Later(_) | Round::Outdated => self.waits_no_more(),
            // Without an answer it is not known whether it still has the lock.
            Round::Held | Round::Failed | Round::Unread | Round::Interrupted => {}
        }
        self.board.locked(false);
        self.board.round();
        self.board.update(|status| {
            if round != Round::Held {
                status.phase = Phase::Idle;
                status.lock_holder = None;
            }
            status.last_round = Some(now);
            if ended.is_err() || round == Round::Unread {
                // What was planned before may be outdated, so it can't be approved.
                status.waiting = None;
            }
            if !status.has_failures()
                && !matches!(round, Round::Later(_) | Round::Held | Round::Outdated)
            {
                status.last_success = Some(now);
            }
        });
        // Who stops it knows why not everything is done.
        if !self.board.is_halted() {
            let is_planned = match round {
                Round::Done | Round::Later(_) | Round::Held => self.board.status().behind.is_none(),
                Round::Outdated | Round::Failed | Round::Unread | Round::Interrupted => false,
            };
            self.print(&problems, &news, is_planned);
        }
        if round != Round::Held
            && let Some(digest) = self.approval.take()
        {
            self.not_applied(&digest);
        }
        self.ui.flush();
        self.teller.tell(&self.board, &self.log);
        round
    }

    async fn attempt(&mut self, problems: &mut Vec<Found>) -> Result<Round, Failure> {
        // What is wrong is among the problems.
        let Some(Read {
            files: signature,
            checkout,
            is_readable,
            loaded,
            broken,
            only,
        }) = self.read(problems).await?
        else {
            return Ok(Round::Failed);
        };
        if self.args.experimental_cloudaudit {
            let environment = loaded.desired.environment;
            cloudaudit::check("--experimental-cloudaudit", environment, self.locations)?;
        }
        self.board.update(|status| {
            status.environment = Some(loaded.desired.environment);
            status.files = in_use(&loaded.configuration.sources, &broken);
        });
        let Some(recorded) = self.recorded(&loaded, problems).await? else {
            return Ok(Round::Unread);
        };
        self.teller.hear(&recorded);
        let said = (&mut *problems, &self.log);
        if self.order.is_behind(&checkout, &recorded, said) {
            self.show_behind(recorded);
            return Ok(Round::Done);
        }
        let files = Files::of(signature, checkout, is_readable, &recorded);
        // Also when they change nothing: who still has older files must know. What is half written only counts for what
        // it changes.
        let follows = files.in_force.is_some() && recorded.lineage.is_some() && broken.is_empty();
        let recorded = self
            .receipts
            .record((&self.store, &self.settings.command), &loaded, recorded)
            .await;
        problems.extend(missing(&recorded));
        let never_good = broken.iter().filter(|one| !one.has_last_good);
        let never_good: Vec<_> = never_good.map(|one| one.file.to_string()).collect();
        let planner = Planner {
            loaded: &loaded,
            only: only.as_ref(),
            policy: self.args.policy.into(),
            interval: self.args.interval,
            heal_within: self.args.heal_within.0,
            rate: self.args.rate,
            allow_deletes: None,
            never_good: &never_good,
        };
        if planner.is_void(&recorded) {
            self.board.update(|status| status.ready = true);
            return Ok(Round::Done);
        }
        let plan = planner.plan(&recorded)?;
        let approved = self.approved(&plan, planner.policy);
        let suspended = recorded.suspended(SystemClock.now()).cloned();
        let decision = decide(&plan, planner.policy, approved.as_deref());
        let held = planner.held(&recorded)?;
        hold(problems, &never_good, &held);
        if self
            .is_unsettled(&planner, &plan, &recorded, problems)
            .await?
        {
            return Ok(Round::Held);
        }
        let waiting_ones = held_up(&plan, &decision);
        let rest = planner.without(&waiting_ones, &recorded);
        // What waits, or must not be done yet, holds up no other organization.
        let of_others = rest.as_ref().map(|rest| Planner {
            only: Some(rest),
            ..planner
        });
        let others = of_others.map(|rest| rest.plan(&recorded)).transpose()?;
        let others = others.map(|plan| decide(&plan, planner.policy, None));
        self.show(&planner, recorded, (plan, held), suspended.clone());
        if let Decision::Wait(_) = decision {
            problems.extend(waiting(&self.board, &self.approving));
        }
        let (now, allow_deletes, approved) = match (decision, of_others, others) {
            (_, Some(rest), Some(Decision::Apply { .. })) => (rest, None, None),
            (Decision::Nothing, None, _) if follows => (planner, None, None),
            (_, Some(_), _) | (Decision::Nothing | Decision::Wait(_), None, _) => {
                return Ok(Round::Done);
            }
            (Decision::Apply { allow_deletes }, None, _) if waiting_ones.is_empty() => {
                (planner, allow_deletes, approved.as_deref())
            }
            (Decision::Apply { .. }, None, _) => return Ok(Round::Done),
        };
        if let Some(suspension) = suspended {
            problems.extend(still_unfinished(&self.board));
            tracing::info!(until = %suspension.until, "suspended: {}", suspension.reason);
            return Ok(Round::Done);
        }
        let now = Planner {
            allow_deletes,
            ..now
        };
        self.apply((now, planner), &files, approved, problems).await
    }

    /// The digest that was approved, if it waits now: an approval is not of what may wait again later.
    fn approved(&mut self, plan: &Plan, policy: Policy) -> Option<String> {
        let waits = digest_that_waits(plan, policy);
        let is_other = |digest: &mut String| waits.as_ref() != Some(digest);
        if let Some(digest) = self.approval.take_if(is_other) {
            self.not_applied(&digest);
        }
        self.approval.clone()
    }

    fn not_applied(&self, digest: &str) {
        self.log.say(format_args!(
            "Plan {digest} was not applied; approve it again if it waits"
        ));
    }

    /// Prints that changes wait for lost calls.
    fn tell_of_wait(&mut self, report: &Report, until: Timestamp) {
        let count = report.unfinished.len();
        let first = report.unfinished.first().map(|one| one.address.to_string());
        self.ui.note(format_args!(
            "{} {} until {} UTC: an earlier call that got no answer may still arrive, and would undo {}. The first is {}. \
             Others go on meanwhile.",
            render::counted(count, "change", "changes"),
            render::plural(count, "waits", "wait"),
            until.clock_time(),
            render::plural(count, "it", "them"),
            render::Clean(first.unwrap_or_default()),
        ));
    }

    /// What is recorded. `None` when the state can't be read, which is among the problems then.
    async fn recorded(
        &self,
        loaded: &Loaded,
        problems: &mut Vec<Found>,
    ) -> Result<Option<Recorded>, Failure> {
        let unready = || self.board.update(|status| status.ready = false);
        let recorded = match self.store.peek().await {
            Ok(recorded) => recorded,
            Err(error) => {
                unready();
                problems.push(problem(UNREADABLE, &error.into()));
                return Ok(None);
            }
        };
        let environment = loaded.desired.environment;
        let recorded = self.store.of_environment(recorded, environment);
        let recorded = recorded.map_err(Failure::from).and_then(|recorded| {
            check_aim(&recorded, &loaded.destination)?;
            Ok(recorded)
        });
        recorded.map(Some).inspect_err(|_| unready())
    }

    async fn apply(
        &mut self,
        (planner, whole): (Planner<'_>, Planner<'_>),
        files: &Files,
        approved: Option<&str>,
        problems: &mut Vec<Found>,
    ) -> Result<Round, Failure> {
        let loaded = planner.loaded;
        let owner = owner::this_process(&self.settings.command)?;
        let rate = Rate::per_second(f64::from(self.args.rate)).unwrap_or(Rate::ESIGN);
        let stop = self.board.halting();
        let request = Request {
            environment: loaded.desired.environment,
            destination: &loaded.destination,
            owner: &owner,
            lock_timeout: PATIENCE,
            expected_digest: None,
            rate,
            wall: &SystemClock,
            stop: &stop,
        };
        let accounts = loaded.desired.accounts.clone().into_iter().collect();
        if self.lanes.1 != accounts {
            self.lanes = (Lanes::default(), accounts);
        }
        let mut keeper = Keeper {
            settings: self.settings,
            planner,
            approved,
            board: &self.board,
            ui: self.ui,
            remote: None,
            // What was approved is done whole: the rest of it would need another approval.
            fenced: approved.map_or(self.fenced, |_| Fenced::Wait),
            asks_cloudaudit: self.args.experimental_cloudaudit,
            files,
            found: problems.iter().map(|one| one.problem.clone()).collect(),
            holder: None,
            is_outdated: false,
            is_suspended: false,
            has_begun: false,
            recorded: None,
        };
        let (at, begun) = (SystemClock.now(), Instant::now());
        let ended = run::run(&self.store, &request, &mut self.lanes.0, &mut keeper).await;
        let Keeper {
            remote,
            recorded,
            holder,
            is_outdated,
            has_begun,
            ..
        } = keeper;
        if has_begun {
            self.approval = None;
        }
        if let Some(remote) = remote {
            remote.shutdown().await;
        }
        if is_outdated {
            self.board.poke();
            return Ok(Round::Outdated);
        }
        if !self.board.has_lock()
            && matches!(&ended, Err(failure) if failure.exit == Exit::Locked)
            && let Some((recorded, _)) = self.board.seen()
        {
            self.waits_for(holder.as_ref(), &recorded, problems);
            return Ok(Round::Held);
        }
        self.waits_no_more();
        let elapsed = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let round = match ended {
            Ok(ended) => self.conclude(ended, (at, elapsed), &request, problems),
            Err(failure) => {
                self.board.ran(RunRecord::failed(at, elapsed));
                return Err(failure);
            }
        };
        if let Some(recorded) = recorded {
            self.order.ran(&files.own, &recorded);
            let suspended = recorded.suspended(SystemClock.now()).cloned();
            let planned = (whole.plan(&recorded)?, whole.held(&recorded)?);
            self.show(&whole, recorded, planned, suspended);
            if round == Round::Failed {
                self.board.update(|status| {
                    for one in &mut status.organizations {
                        if one.condition == Condition::Reconciling {
                            one.condition = Condition::Stalled;
                        }
                    }
                });
            }
        }
        Ok(round)
    }

    fn conclude<W>(
        &mut self,
        ended: Ended,
        (at, elapsed): (Timestamp, u64),
        request: &Request<'_, W>,
        problems: &mut Vec<Found>,
    ) -> Round {
        match ended {
            Ended::Elsewhere(there) => {
                problems.push(problem("round", &elsewhere(&there, request.destination)));
                Round::Failed
            }
            Ended::NothingToCall(_) => Round::Done,
            // Whoever changed the state or the approval in between is heard in the next round.
            Ended::Interrupted
            | Ended::Refused(_, run::Refusal::NotApproved | run::Refusal::Guards) => {
                // A suspension that is being recorded needs the lock.
                if !self.board.is_halted() {
                    self.board.poke();
                }
                Round::Done
            }
            Ended::Refused(plan, why) => {
                if let Some(failure) = ended::refusal(&plan, why, request.destination, None) {
                    problems.push(problem("credentials", &failure));
                }
                Round::Failed
            }
            Ended::Called {
                plan,
                report,
                saved,
            } => {
                let complete = render::is_complete(&report);
                if complete || report.calls > 0 {
                    self.board
                        .ran(RunRecord::of(&report, at, elapsed, complete));
                }
                // The rest of a rotation is the next round's.
                let waits = HowUnfinished::NotAttempted(NotAttempted::WaitsForTwin);
                let is_next = report.unfinished.iter().all(|one| one.how == waits);
                // Who stopped it knows what is left.
                let is_stopped =
                    report.interrupted && report.tally.failed + report.tally.unknown == 0;
                let is_next = report.journal_error.is_none() && (is_next || is_stopped);
                let unfinished = (!complete && !is_next).then(|| unfinished(&report));
                let fenced = fenced_until(&report);
                let clockless = HowUnfinished::NotAttempted(NotAttempted::FencedWithoutClock);
                // eSign does not tell its clock, so only waiting shows that they can't arrive any more.
                self.fenced = if report.unfinished.iter().any(|one| one.how == clockless) {
                    Fenced::Wait
                } else {
                    Fenced::Leave
                };
                // The same failure again says nothing new.
                let left = unfinished.as_ref().map(|found| &found.problem);
                if complete || self.last_unfinished.as_ref() != left {
                    match fenced {
                        Some(until) if report.drifted.is_empty() => {
                            self.tell_of_wait(&report, until);
                        }
                        Some(_) | None => ended::conclude(&report, render::Again::Round, self.ui),
                    }
                }
                self.last_unfinished = left.cloned();
                let drifted = report.drifted.iter();
                self.teller
                    .ran(drifted.map(|(address, _)| address.clone()).collect());
                self.board.measured(&plan, &report, elapsed);
                if let Err(unsaved) = saved {
                    let folder = sources::folder(&self.locations.config);
                    problems.push(problem("state", &ended::unsaved(*unsaved, &folder)));
                    return Round::Failed;
                }
                match (unfinished, fenced) {
                    (None, _) => {
                        if plan.waiting().next().is_some() {
                            self.board.poke();
                        }
                        Round::Done
                    }
                    (Some(_), Some(until)) => Round::Later(until),
                    (Some(unfinished), None) => {
                        problems.push(unfinished);
                        Round::Failed
                    }
                }
            }
        }
    }
}
