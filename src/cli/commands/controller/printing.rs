//! What the log says of a round: what is wrong, what is wrong no more, and suspensions.

use std::collections::BTreeSet;
use std::path::Path;

use super::problems::{Found, Shown, UNREADABLE};
use super::rounds::Rounds;
use super::words::suspended;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::controller::{News, Problem};
use crate::model::Suspension;
use crate::render::{Clean, counted};

impl Rounds<'_> {
    /// Prints what is new. Without a plan nothing is known of those that wait.
    pub(super) fn print(&mut self, found: &[Found], news: &News, is_planned: bool) {
        for one in found {
            if news.new.contains(&one.problem.key) {
                self.print_problem(one);
            }
        }
        let unusable = self.board.status().files.unusable;
        let unusable: BTreeSet<_> = unusable.into_iter().map(|one| one.file).collect();
        let found: BTreeSet<_> = found.iter().map(|one| &*one.problem.key).collect();
        let over = news.over.iter();
        for line in over.filter_map(|one| over_now(one, (&found, &unusable), is_planned)) {
            if self.ui.json() {
                self.ui.say(format_args!("{line}"));
            } else {
                // It may name a file.
                self.ui.say(format_args!("{}", Clean(line)));
            }
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

/// That a problem is no more, if it is known of this round, which has found others and could use all files but some.
fn over_now(
    problem: &Problem,
    (found, unusable): (&BTreeSet<&str>, &BTreeSet<String>),
    is_planned: bool,
) -> Option<String> {
    // Of files that could not be read, the ones before count.
    let is_used = |file: &str| !unusable.contains(file);
    let is_read = !found.contains("round") && !found.contains("configuration");
    let has_state = is_read && !found.contains(UNREADABLE);
    match problem.key.split_once(' ') {
        Some(("file", file)) if Path::new(file).exists() => {
            is_used(file).then(|| format!("`{file}` is valid again"))
        }
        Some(("file", file)) => is_used(file).then(|| format!("`{file}` is gone")),
        Some(("secrets", file)) => {
            (is_read && is_used(file)).then(|| format!("The secrets of `{file}` can be read"))
        }
        Some(_) | None => match (&*problem.key, unusable.len()) {
            ("configuration", 0) => is_read.then(|| "The configuration is valid again".to_owned()),
            ("configuration", some) => is_read.then(|| {
                let files = counted(some, "file", "files");
                format!("The configuration can be used, except for {files}")
            }),
            ("waiting", _) => {
                (has_state && is_planned).then(|| "No plan waits any more".to_owned())
            }
            ("round", _) => Some(format!("Solved: {}", problem.message)),
            (UNREADABLE, _) => is_read.then(|| format!("Solved: {}", problem.message)),
            (_, _) => has_state.then(|| format!("Solved: {}", problem.message)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn what_is_over_is_said_when_it_is_known() {
        let over = |key: &str, found: &[&str], unusable: &[&str]| {
            let problem = Problem {
                key: key.to_owned(),
                since: Timestamp(0),
                message: "it failed".to_owned(),
                details: Vec::new(),
                advice: None,
                version: None,
            };
            let unusable = unusable.iter().map(|file| (*file).to_owned()).collect();
            let found = found.iter().copied().collect();
            over_now(&problem, (&found, &unusable), true).unwrap_or_default()
        };
        let whole = "configuration";
        assert_eq!(over(whole, &[], &[]), "The configuration is valid again");
        assert_eq!(
            over(whole, &["file conf/hr.yaml"], &["conf/hr.yaml"]),
            "The configuration can be used, except for 1 file"
        );
        assert_eq!(over(whole, &["round"], &[]), "");
        assert_eq!(
            over("file conf/hr.yaml", &[], &[]),
            "`conf/hr.yaml` is gone"
        );
        // It was not read in this round.
        let unread = over("file conf/hr.yaml", &[whole], &["conf/hr.yaml"]);
        assert_eq!(unread, "");
        let secrets = "secrets conf/hr.yaml";
        assert_eq!(over(secrets, &[], &["conf/hr.yaml"]), "");
        assert!(over(secrets, &[UNREADABLE], &[]).contains("can be read"));
        assert_eq!(over("calls", &[], &[]), "Solved: it failed");
        assert_eq!(over("calls", &[UNREADABLE], &[]), "");
        assert_eq!(over("waiting", &[UNREADABLE], &[]), "");
        assert_eq!(over(UNREADABLE, &["round"], &[]), "");
        assert_eq!(over("round", &[UNREADABLE], &[]), "Solved: it failed");
    }
}
