//! What keeps eSign from being as declared, in words.

use sha2::{Digest as _, Sha256};

use crate::cli::exit::Failure;
use crate::config::Source;
use crate::controller::{Board, Broken, Files, WhyWaits};
use crate::model::{HowUnfinished, Missing, Recorded, Report, Tally, Unfinished};
use crate::render::{self, counted};

/// A problem: its key, what it is, and what to do.
pub(super) type Found = (String, String, Option<String>);

/// The problem that a plan waits.
pub(super) fn waiting(board: &Board) -> Option<Found> {
    let status = board.status();
    let waiting = status.waiting?;
    let approve = format!(
        "To allow exactly these calls: POST /approve with {{\"digest\":\"{}\"}}.",
        waiting.digest
    );
    let plan = board.seen()?.1?;
    let (message, advice) = match waiting.why {
        WhyWaits::Policy => {
            let changes = counted(plan.changes().count(), "change", "changes");
            (format!("a plan with {changes} waits for approval"), approve)
        }
        WhyWaits::Deletes | WhyWaits::Final => {
            let reasons = render::refusal_sentences(&plan);
            let advice = match waiting.deletes {
                Some(_) => approve,
                None => "No approval overrides this. Correct the files.".to_owned(),
            };
            (reasons.join("; "), advice)
        }
    };
    Some(("waiting".to_owned(), message, Some(advice)))
}

pub(super) fn problem(key: &str, failure: &Failure) -> Found {
    let Failure {
        exit: _,
        message,
        advice,
        diagnostics,
    } = failure;
    let first = diagnostics.first();
    let first = first.map(|one| format!("{message}: {} [{}]", one.message, one.code));
    (
        key.to_owned(),
        first.unwrap_or_else(|| message.clone()),
        advice.clone(),
    )
}

/// The problem that a file can't be used.
pub(super) fn unusable(broken: &Broken) -> Found {
    let Broken {
        file,
        problems,
        unreadable,
        has_last_good,
    } = broken;
    let first = problems.first().map(|one| {
        // It may be seen in another file.
        let place = one.snippet.as_ref().map_or_else(
            || format!("`{file}`"),
            |it| {
                if *it.file == **file {
                    format!("`{file}:{}`", it.line)
                } else {
                    format!("`{file}` does not fit: `{}:{}`", it.file, it.line)
                }
            },
        );
        let more = match problems.len() - 1 {
            0 => String::new(),
            more => format!(" (and {})", counted(more, "more problem", "more problems")),
        };
        format!("{place}: {} [{}]{more}", one.message, one.code)
    });
    let message = match (first, unreadable) {
        (Some(first), _) => first,
        (None, Some(why)) => format!("`{file}` can't be read: {why}"),
        (None, None) => format!("`{file}` does not fit together with the others"),
    };
    let advice = if *has_last_good {
        "Its last good version stays in force until it is corrected, and no organization is taken for removed."
    } else {
        "Until it is corrected, nothing is called for its organizations, and nothing that is not declared is deleted."
    };
    (format!("file {file}"), message, Some(advice.to_owned()))
}

pub(super) fn is_named(failure: &Failure, source: &Source) -> bool {
    failure.diagnostics.iter().any(|one| {
        let snippet = one.snippet.as_ref();
        snippet.is_some_and(|snippet| snippet.file == source.name)
    })
}

/// The problem that secrets of a file can't be had.
pub(super) fn unresolved_secrets(failure: &Failure, source: &Source) -> Found {
    let mut named = failure.diagnostics.iter().filter(|one| {
        let snippet = one.snippet.as_ref();
        snippet.is_some_and(|snippet| snippet.file == source.name)
    });
    let first = named.next();
    let message = first.map_or_else(
        || failure.message.clone(),
        |one| {
            let line = one.snippet.as_ref().map_or(0, |snippet| snippet.line);
            format!("`{}:{line}`: {} [{}]", source.name, one.message, one.code)
        },
    );
    let advice =
        "Nothing is called for the organizations of this file until its secrets can be read.";
    (
        format!("secrets {}", source.name),
        message,
        Some(advice.to_owned()),
    )
}

/// The problem that messages do not reach callbacks.
pub(super) fn missing(recorded: &Recorded) -> Option<Found> {
    let mut missing = recorded
        .iter()
        .filter_map(|(_, url, entry)| Some((url, entry, entry.sighting.missing?)));
    let (url, entry, Missing { since, messages }) = missing.next()?;
    let more = match missing.count() {
        0 => String::new(),
        more => format!(
            " ({} like it)",
            counted(more, "more callback", "more callbacks")
        ),
    };
    let message = format!(
        "{} that went to others since {since} did not arrive at {}/{url}{more}",
        counted(messages.get() as usize, "message", "messages"),
        entry.handle,
    );
    let advice = "It is added again in one of the next rounds. If that does not help, something before its receiver \
                  drops them: `verify` says whether it answers.";
    Some(("missing".to_owned(), message, Some(advice.to_owned())))
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
            let code = error.code.as_ref().map(|code| format!("{code}: "));
            let code = code.unwrap_or_default();
            Some((
                format!(", first {}: {code}{}", one.address, error.message),
                error.advice.to_string(),
            ))
        }
        HowUnfinished::NotAttempted(_) => None,
    };
    let first = report.unfinished.iter().find_map(error);
    let (first, advice) = first.unzip();
    let what = first.or_else(|| {
        let error = report.journal_error.as_ref()?;
        Some(format!(", because the state could not be written: {error}"))
    });
    let message = format!(
        "changes are not done: {}{}",
        parts.join(", "),
        what.unwrap_or_default()
    );
    let again = "It is tried again by itself.";
    let advice = advice.map_or_else(
        || again.to_owned(),
        |advice| format!("{}. {again}", advice.trim_end_matches('.')),
    );
    ("calls".to_owned(), message, Some(advice))
}

/// The files in force.
pub(super) fn files(sources: &[Source], broken: &[Broken]) -> Files {
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
