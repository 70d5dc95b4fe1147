//! What keeps eSign from being as declared, in words.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::advice::{
    AGAIN, BEHIND, DELETES_WAIT, FINAL, LAST_GOOD, NEVER_GOOD, NO_SECRETS, RESTART, SUSPENDED,
};
use super::approving::Approving;
use super::planned::Held;
use crate::cli::exit::Failure;
use crate::config::{SecretProblem, Source};
use crate::controller::{Board, Broken, Files, Problem, WaitingPlan, WhyWaits};
use crate::diag::{Diagnostic, Severity};
use crate::model::{
    ApiError, HowUnfinished, Missing, Recorded, Report, Tally, Timestamp, Unfinished,
};
use crate::render::{self, counted};
use crate::state::LockOwner;

/// How many problems of files are named in messages, and how many changes that wait.
const NAMED: usize = 10;

/// The key of the problem that the state can't be read.
pub(super) const UNREADABLE: &str = "unreadable";

/// A problem, and what the log shows of it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) problem: Problem,
    pub(super) shown: Shown,
}

/// How the log shows a problem.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    /// Its message and its details, as an error.
    Error,
    /// The same, as nothing that is wrong.
    Notice,
    /// Files as `validate` shows them, and the error that follows from that.
    Diagnostics(Vec<Diagnostic>, String),
}

impl Found {
    fn new(key: impl Into<String>, message: impl Into<String>, advice: Option<String>) -> Self {
        Self {
            problem: Problem {
                key: key.into(),
                // The board knows it.
                since: Timestamp(0),
                message: message.into(),
                details: Vec::new(),
                advice,
                version: None,
            },
            shown: Shown::Error,
        }
    }

    fn details(mut self, details: Vec<String>) -> Self {
        self.problem.details = details;
        self
    }

    /// It counts as another one when this differs.
    fn of<'t>(mut self, version: impl IntoIterator<Item = &'t String>) -> Self {
        let mut digest = Sha256::new();
        for part in version {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        self.problem.version = Some(hex::encode(digest.finalize()));
        self
    }

    fn shown(self, shown: Shown) -> Self {
        Self { shown, ..self }
    }
}

/// The problem that a plan waits.
pub(super) fn waiting(board: &Board, approving: &Approving) -> Option<Found> {
    let status = board.status();
    let waiting = status.waiting?;
    let plan = board.seen()?.1?;
    let approve = match status.suspended {
        Some(_) => SUSPENDED.0.to_owned(),
        None => approving.how(&waiting.digest),
    };
    let (message, advice, shown) = match waiting.why {
        WhyWaits::Policy => {
            let changes = counted(plan.changes().count(), "change", "changes");
            let message = format!("a plan with {changes} waits for approval");
            (message, approve, Shown::Notice)
        }
        WhyWaits::Deletes | WhyWaits::Final => {
            let reasons = render::refusal_sentences(&plan);
            let advice = match waiting.deletes {
                Some(_) => approve,
                None => FINAL.0.to_owned(),
            };
            (reasons.join("; "), advice, Shown::Error)
        }
    };
    let found = Found::new("waiting", message, Some(advice));
    Some(found.details(changes(&waiting)).shown(shown))
}

/// The first changes of a plan that waits, a line each.
fn changes(waiting: &WaitingPlan) -> Vec<String> {
    let WaitingPlan { changes, more, .. } = waiting;
    let named = changes.iter().take(NAMED);
    let mut lines: Vec<_> = named
        .map(|change| format!("{} {}", change.action, change.address))
        .collect();
    let more = more + changes.len().saturating_sub(NAMED);
    if more > 0 {
        lines.push(format!("and {more} more, which `GET /status` shows"));
    }
    lines
}

/// The problem that the files of this replica are old, and others, of `since`, are applied.
pub(super) fn behind(since: Timestamp) -> Found {
    let message = format!(
        "this replica waits: its files are older than those that another replica, or this one before a restart, has applied, \
         which are of {since}"
    );
    Found::new("behind", message, Some(BEHIND.0.to_owned()))
}

/// The problem that this owner of the lock has recorded nothing since then.
pub(super) fn locked(owner: Option<&LockOwner>, since: Timestamp, advice: &str) -> Found {
    let owner = owner.map(|owner| format!(": {owner}"));
    let message = format!(
        "another run has the state's lock and has recorded nothing since {since}{}",
        owner.unwrap_or_default()
    );
    Found::new("lock", message, Some(advice.to_owned()))
}

/// The problem that a plan waits, as the last round that judged one said it.
pub(super) fn still_waiting(board: &Board) -> Option<Found> {
    still(board, "waiting")
}

/// The problem that calls have failed, as the last round that made some said it.
pub(super) fn still_unfinished(board: &Board) -> Option<Found> {
    still(board, "calls")
}

fn still(board: &Board, key: &str) -> Option<Found> {
    let mut problems = board.status().problems.into_iter();
    let problem = problems.find(|problem| problem.key == key)?;
    let shown = Shown::Error;
    Some(Found { problem, shown })
}

/// The problem that a round ended with an error.
pub(super) fn problem(key: &str, failure: &Failure) -> Found {
    let Failure {
        exit: _,
        message,
        lines: _,
        advice,
        diagnostics,
    } = failure;
    if diagnostics.is_empty() {
        return Found::new(key, message.clone(), advice.clone());
    }
    let errors: Vec<_> = errors(diagnostics).collect();
    let (first, details) = in_words(&errors);
    let first = match errors.len() {
        1 => first,
        count => format!("the configuration has {count} errors, the first: {first}"),
    };
    Found::new("configuration", first, advice.clone())
        .details(details)
        .shown(Shown::Diagnostics(diagnostics.clone(), message.clone()))
}

fn errors(all: &[Diagnostic]) -> impl Iterator<Item = &Diagnostic> {
    all.iter().filter(|one| one.severity == Severity::Error)
}

/// The first problem in one line, and lines for its help and for the others.
fn in_words(all: &[&Diagnostic]) -> (String, Vec<String>) {
    let line = |one: &Diagnostic| {
        let place = one.snippet.as_ref();
        let place = place.map(|it| format!("`{}:{}`: ", it.file, it.line));
        format!(
            "{}{} [{}]",
            place.unwrap_or_default(),
            one.message,
            one.code
        )
    };
    let help = |one: &Diagnostic| one.help.as_ref().map(|help| format!("help: {help}"));
    let Some((first, others)) = all.split_first() else {
        return ("it has errors".to_owned(), Vec::new());
    };
    let mut details: Vec<_> = help(first).into_iter().collect();
    for one in others.iter().take(NAMED - 1) {
        details.push(line(one));
        details.extend(help(one));
    }
    let more = all.len().saturating_sub(NAMED);
    if more > 0 {
        details.push(format!(
            "and {}",
            counted(more, "more error", "more errors")
        ));
    }
    (line(first), details)
}

/// The problem that a file can't be used.
pub(super) fn unusable(broken: &Broken) -> Found {
    let Broken {
        file,
        problems,
        unreadable,
        has_last_good,
    } = broken;
    let advice = if *has_last_good {
        LAST_GOOD
    } else {
        NEVER_GOOD
    }
    .0;
    let found =
        |message: String| Found::new(format!("file {file}"), message, Some(advice.to_owned()));
    let errors: Vec<_> = errors(problems).collect();
    match (errors.len(), unreadable) {
        (0, Some(why)) => found(format!("`{file}` can't be read: {why}")),
        (0, None) => found(format!("`{file}` does not fit together with the others")),
        (count, _) => {
            let (first, details) = in_words(&errors);
            let more = match count - 1 {
                0 => String::new(),
                more => format!(" (and {})", counted(more, "more error", "more errors")),
            };
            let drawn = Shown::Diagnostics(problems.clone(), format!("`{file}` is not used"));
            // It may be seen in another file.
            let elsewhere = errors.first().and_then(|one| one.snippet.as_ref());
            let fits = elsewhere.is_none_or(|it| *it.file == **file);
            let place = if fits {
                String::new()
            } else {
                format!("`{file}` does not fit: ")
            };
            found(format!("{place}{first}{more}"))
                .details(details)
                .shown(drawn)
        }
    }
}

/// Adds to the problems of the files that were never good what waits for them.
pub(super) fn hold(problems: &mut [Found], files: &[String], held: &Held) {
    if held.is_empty() {
        return;
    }
    let named = held.iter().take(NAMED);
    let mut waits: Vec<_> = named
        .map(|(handle, deletes)| format!("{handle} ({deletes})"))
        .collect();
    if let Some(more @ 1..) = held.len().checked_sub(NAMED) {
        waits.push(format!("and {more} more"));
    }
    let waits = format!("{}{}.", DELETES_WAIT.0, waits.join(", "));
    let is_of = |found: &Found, file: &String| found.problem.key == format!("file {file}");
    for found in problems {
        if files.iter().any(|file| is_of(found, file)) {
            let advice = found.problem.advice.get_or_insert_default();
            *advice = format!("{advice} {waits}");
        }
    }
}

pub(super) fn is_named(failure: &Failure, source: &Source) -> bool {
    failure.diagnostics.iter().any(|one| {
        let snippet = one.snippet.as_ref();
        snippet.is_some_and(|snippet| snippet.file == source.name)
    })
}

/// The problem that secrets of a file can't be had.
pub(super) fn unresolved_secrets(failure: &Failure, source: &Source) -> Found {
    let named = errors(&failure.diagnostics).filter(|one| {
        let snippet = one.snippet.as_ref();
        snippet.is_some_and(|snippet| snippet.file == source.name)
    });
    let named: Vec<_> = named.collect();
    let (first, details) = in_words(&named);
    let more = match named.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and {})", counted(more, "more secret", "more secrets")),
    };
    let is_variable = |one: &&Diagnostic| one.code == SecretProblem::NOT_SET;
    let left = NO_SECRETS.0;
    let advice = if named.iter().any(is_variable) {
        format!("{left} {}", RESTART.0)
    } else {
        left.to_owned()
    };
    let drawn = Shown::Diagnostics(
        named.into_iter().cloned().collect(),
        format!("secrets of `{}` can't be read", source.name),
    );
    Found::new(
        format!("secrets {}", source.name),
        format!("{first}{more}"),
        Some(advice),
    )
    .details(details)
    .shown(drawn)
}

/// The problem that messages do not reach callbacks.
pub(super) fn missing(recorded: &Recorded) -> Option<Found> {
    let missing = recorded.iter().filter_map(|(_, url, entry)| {
        let address = format!("{}/{url}", entry.handle);
        Some((address, entry.sighting.missing?))
    });
    let missing: BTreeMap<_, _> = missing.collect();
    let mut all = missing.iter();
    let (first, Missing { since, messages }) = all.next()?;
    let more = match all.len() {
        0 => String::new(),
        more => format!(
            " ({} like it)",
            counted(more, "more callback", "more callbacks")
        ),
    };
    let message = format!(
        "{} that went to others since {since} did not arrive at {first}{more}",
        counted(messages.get() as usize, "message", "messages"),
    );
    let advice = "It is added again in one of the next rounds. If that does not help, something before its receiver \
                  drops them: `verify` says whether it answers.";
    let found = Found::new("missing", message, Some(advice.to_owned()));
    let others = named(all.map(|(address, _)| address.clone()));
    Some(found.details(others).of(missing.keys()))
}

/// The first of these lines, and how many more there are.
fn named(lines: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let more = lines.len().saturating_sub(NAMED);
    let mut lines: Vec<_> = lines.take(NAMED).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// The problem that not everything was done.
pub(super) fn unfinished(report: &Report) -> Found {
    let Tally {
        failed,
        unknown,
        not_attempted,
        ..
    } = report.tally;
    let parts = [
        (failed, "failed"),
        (unknown, "with an unknown outcome"),
        (not_attempted, "not attempted"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<_> = parts.map(|(count, how)| format!("{count} {how}")).collect();
    let error = |one: &Unfinished| match &one.how {
        HowUnfinished::Failed(error) | HowUnfinished::Unknown(error) => {
            Some((one.address.to_string(), error.clone()))
        }
        HowUnfinished::NotAttempted(_) => None,
    };
    let errors: Vec<_> = report.unfinished.iter().filter_map(error).collect();
    let line = |(address, error): &(String, ApiError)| {
        let code = error.code.as_ref().map(|code| format!("{code}: "));
        format!("{address}: {}{}", code.unwrap_or_default(), error.message)
    };
    let mut all = errors.iter();
    let first = all.next();
    let what = match (first, &report.journal_error) {
        (Some(first), _) => format!(", first {}", line(first)),
        (None, Some(error)) => format!(", because the state could not be written: {error}"),
        (None, None) => String::new(),
    };
    let message = format!("changes are not done: {}{what}", parts.join(", "));
    let advice = first.map(|(_, error)| render::Again::Round.words(&error.advice));
    let again = AGAIN.0;
    let advice = advice.map_or_else(
        || again.to_owned(),
        |advice| format!("{}. {again}", sentence(advice.trim_end_matches('.'))),
    );
    // Who failed, and of what. Which calls get no answer is chance.
    let version = errors.iter().map(|(address, error)| {
        let code = error.code.as_ref();
        code.map_or_else(
            || "no answer".to_owned(),
            |code| format!("{address} {code}"),
        )
    });
    let version: BTreeSet<_> = version.collect();
    Found::new("calls", message, Some(advice))
        .details(named(all.map(line)))
        .of(&version)
}

/// The text with a capital at its beginning.
fn sentence(text: &str) -> String {
    let mut all = text.chars();
    let first = all.next().into_iter().flat_map(char::to_uppercase);
    first.chain(all).collect()
}

/// The files in force.
pub(super) fn in_use(sources: &[Source], broken: &[Broken]) -> Files {
    let mut digest = Sha256::new();
    for Source { name, text } in sources {
        digest.update((name.len() as u64).to_be_bytes());
        digest.update(name.as_bytes());
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    Files {
        count: sources.len(),
        digest: Some(format!("sha256:{}", hex::encode(digest.finalize()))),
        unusable: broken.iter().map(Into::into).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Address, CallbackUrl, Handle, NotAttempted};

    fn failed(at: usize, code: &str, message: &str) -> Unfinished {
        let how = match code {
            "" => HowUnfinished::NotAttempted(NotAttempted::OrganizationStopped),
            _ => HowUnfinished::Failed(ApiError {
                code: Some(code.to_owned()),
                message: message.to_owned(),
                request_id: None,
                meaning: "".into(),
                advice: "correct it".into(),
            }),
        };
        Unfinished {
            address: Address {
                handle: Handle::new(["acme", "hr"][at % 2]),
                url: CallbackUrl::new(format!("https://h.example/{at}")),
            },
            action: Action::Add,
            how,
        }
    }

    fn found(unfinished: Vec<Unfinished>) -> Problem {
        let tally = Tally {
            failed: unfinished.len(),
            ..Tally::default()
        };
        let report = Report {
            tally,
            unfinished,
            ..Report::default()
        };
        super::unfinished(&report).problem
    }

    #[test]
    fn who_else_failed_is_named_and_makes_another_problem() {
        let one = found(vec![failed(0, "InvalidUrl", "request 1")]);
        assert_eq!(one.details, Vec::<String>::new());
        let again = vec![failed(0, "InvalidUrl", "request 2"), failed(1, "", "")];
        assert_eq!(found(again).version, one.version);
        let two = found(vec![
            failed(0, "InvalidUrl", "no"),
            failed(1, "OperationDenied", "no"),
        ]);
        assert_eq!(
            two.message,
            "changes are not done: 2 failed, first acme/https://h.example/0: InvalidUrl: no"
        );
        assert_eq!(two.details, ["hr/https://h.example/1: OperationDenied: no"]);
        let other = found(vec![failed(0, "OperationDenied", "no")]);
        let rest = found(vec![failed(1, "OperationDenied", "no")]);
        let versions = [one, two, other, rest].map(|problem| problem.version);
        assert_eq!(BTreeSet::from(versions).len(), 4);
        let many = found((0..20).map(|at| failed(at, "InvalidUrl", "no")).collect());
        assert_eq!(many.details.len(), NAMED + 1);
        assert_eq!(many.details.last().map(String::as_str), Some("and 9 more"));
    }
}
