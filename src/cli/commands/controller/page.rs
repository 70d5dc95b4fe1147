//! `GET /`: the status page, of the last round.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::timeout;

use super::answer::Answer;
use super::http::Served;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::controller::{self, RunRecord, Status, WhyWaits};
use crate::diag::Severity;
use crate::model::{Environment, Recorded, Tally};
use crate::page::{self, Keeping, Next, Page};

/// How long the owner of the lock is looked for.
const PATIENCE: Duration = Duration::from_secs(2);

impl Served {
    /// The page. What it has no answer for in time is left out.
    pub(super) async fn page(&self) -> Answer {
        let status = self.board.status();
        let seen = self.board.seen();
        let nothing = Recorded::nothing(status.environment.unwrap_or(Environment::Production));
        let recorded = seen.as_ref().map_or(&nothing, |(recorded, _)| &**recorded);
        let lease = timeout(PATIENCE, self.store.holder()).await.ok().flatten();
        let problems: Vec<_> = problems(&status).collect();
        let runs: Vec<_> = status.runs.iter().rev().map(run).collect();
        let html = page::html(&Page {
            version: status.version,
            plan: seen.as_ref().and_then(|(_, plan)| plan.as_deref()),
            keeping: Some(Keeping {
                configuration: &self.configuration,
                knows_environment: status.environment.is_some(),
                last_round: status.last_round,
                behind: status.behind.filter(|_| {
                    // Once it is a problem, that says it.
                    status
                        .problems
                        .iter()
                        .all(|problem| problem.key != "behind")
                }),
                next: next(&status),
            }),
            problems: &problems,
            runs: Some(&runs),
            lease: lease.as_ref(),
            ..Page::of(recorded, &status.state, SystemClock.now())
        });
        Answer::text(StatusCode::OK, "text/html; charset=utf-8", html)
    }
}

/// When what is pending is called.
fn next(status: &Status) -> Next {
    if status.suspended.is_some() {
        return Next::Resumed;
    }
    match &status.waiting {
        Some(_) => Next::Approved,
        None if status.problems.is_empty() => Next::Round,
        None => Next::Solved,
    }
}

/// Those that the page does not derive from the plan.
fn problems(status: &Status) -> impl Iterator<Item = page::Problem> + '_ {
    let waits = status.waiting.as_ref().map(|waiting| waiting.why);
    let of_guards = matches!(waits, Some(WhyWaits::Deletes | WhyWaits::Final));
    let start = (status.last_round.is_none()).then(|| page::Problem {
        severity: Severity::Warning,
        headline: "the first round is not over yet".to_owned(),
        details: Vec::new(),
        remedy: None,
    });
    let undelivered = status.notifications.iter().filter_map(|target| {
        let how = match target.repeated_until {
            Some(_) => "is not delivered yet",
            None => "was not delivered",
        };
        Some(page::Problem {
            severity: Severity::Warning,
            headline: format!("a notification {how} to {}", target.place()),
            details: Vec::new(),
            remedy: Some(target.problem.clone()?),
        })
    });
    start
        .into_iter()
        .chain(status.problems.iter().map(move |problem| {
            let controller::Problem {
                key,
                since: _,
                message,
                details,
                advice,
                version: _,
            } = problem;
            page::Problem {
                severity: if key == "waiting" {
                    Severity::Warning
                } else {
                    Severity::Error
                },
                // Why the guards refuse it is derived from the plan.
                headline: if of_guards && key == "waiting" {
                    "the plan waits until it is approved, or the files change".to_owned()
                } else {
                    message.clone()
                },
                details: details.clone(),
                remedy: advice.clone(),
            }
        }))
        .chain(undelivered)
}

fn run(record: &RunRecord) -> page::Run {
    let RunRecord {
        at,
        elapsed_ms,
        end,
        calls,
        throttled,
        added,
        changed,
        destroyed,
        failed,
        unknown,
        drifted: _,
    } = *record;
    page::Run {
        began: at,
        elapsed_ms,
        why: None,
        end: match end {
            controller::RunEnd::Complete => page::RunEnd::Complete,
            controller::RunEnd::Incomplete => page::RunEnd::Incomplete,
            controller::RunEnd::Failed => page::RunEnd::Failed(String::new()),
        },
        tally: Tally {
            added,
            changed,
            destroyed,
            failed,
            unknown,
            ..Tally::default()
        },
        calls,
        throttled,
    }
}
