//! What the log says of a round: what is wrong, what is wrong no more, and suspensions.

use std::path::Path;

use super::problems::{Found, Shown};
use super::rounds::Rounds;
use super::words::suspended;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::controller::{News, Problem};
use crate::model::Suspension;
use crate::render::Clean;

impl Rounds<'_> {
    /// Prints what is new. Without a plan nothing is known of those that wait.
    pub(super) fn print(&mut self, found: &[Found], news: &News, is_planned: bool) {
        for one in found {
            if news.new.contains(&one.problem.key) {
                self.print_problem(one);
            }
        }
        let over_now = |problem: &&Problem| is_planned || problem.key != "waiting";
        for problem in news.over.iter().filter(over_now) {
            self.ui.say(format_args!("{}", over(problem)));
        }
    }

    fn print_problem(&mut self, found: &Found) {
        let Problem {
            key: _,
            since: _,
            message,
            details,
            advice,
            version: _,
        } = &found.problem;
        if let Shown::Diagnostics(diagnostics, message) = &found.shown {
            self.ui.failure(&Failure {
                advice: advice.clone(),
                diagnostics: diagnostics.clone(),
                ..Failure::error(message)
            });
            return;
        }
        let more: Vec<_> = details.iter().chain(advice).map(String::as_str).collect();
        if let (true, Shown::Notice) = (self.ui.json(), &found.shown) {
            self.ui.say(format_args!("{message}: {}", more.join("; ")));
            return;
        }
        if self.ui.json() || details.is_empty() {
            let failure = Failure {
                advice: (!more.is_empty()).then(|| more.join("; ")),
                ..Failure::error(message)
            };
            self.ui.failure(&failure);
            return;
        }
        match &found.shown {
            Shown::Notice => self.ui.note(format_args!("notice: {}", Clean(message))),
            Shown::Error | Shown::Diagnostics(..) => self.ui.failure(&Failure::error(message)),
        }
        for line in more {
            self.ui.note(format_args!("  {}", Clean(line)));
        }
    }

    /// Says that a suspension was found in the state, or none any more. What was asked for here, the board knows already.
    pub(super) fn note_suspension(&self, found: Option<&Suspension>) {
        let now = SystemClock.now();
        match (self.board.status().suspended, found) {
            (Some(was), Some(is)) if was == *is => {}
            (_, Some(is)) => self.log.say(format_args!("{}", suspended(is, now))),
            (Some(was), None) if was.until <= now => {
                self.log.say(format_args!("The suspension is over"));
            }
            (Some(_), None) => self.log.say(format_args!("Resumed")),
            (None, None) => {}
        }
    }
}

/// That a problem is no more.
fn over(problem: &Problem) -> String {
    match problem.key.split_once(' ') {
        Some(("file", file)) if Path::new(file).exists() => format!("`{file}` is valid again"),
        Some(("file", file)) => format!("`{file}` is gone"),
        Some(("secrets", file)) => format!("The secrets of `{file}` can be read"),
        _ if problem.key == "configuration" => "The configuration is valid again".to_owned(),
        _ if problem.key == "waiting" => "No plan waits any more".to_owned(),
        _ => format!("Solved: {}", problem.message),
    }
}
