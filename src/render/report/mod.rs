//! How an apply ended: the counts, everything that is not done and what to do about it, and what
//! the answers revealed.

mod json;

#[cfg(test)]
mod tests;

pub use json::report_json;

use std::fmt;

use super::escape::Clean;
use super::events::{ErrorWords, not_attempted};
use super::style::{Style, Tone};
use super::words::{self, counted, plural};
use super::wrap::write_wrapped;
use crate::model::{
    Action, Address, ApiError, Drift, HowUnfinished, NotAttempted, Report, Tally, Timestamp,
    Unfinished,
};

/// Whether everything that was planned is done.
pub const fn is_complete(tally: &Tally) -> bool {
    tally.failed == 0 && tally.unknown == 0 && tally.not_attempted == 0
}

/// `Apply complete! Resources: 2 added, 0 changed, 2 destroyed.`, or what is left.
pub(super) fn headline(tally: &Tally) -> String {
    let Tally {
        added,
        changed,
        destroyed,
        failed,
        unknown,
        not_attempted,
    } = tally;
    let done = format!("Resources: {added} added, {changed} changed, {destroyed} destroyed.");
    if is_complete(tally) {
        return format!("Apply complete! {done}");
    }
    let left: Vec<String> = [
        (failed, "failed"),
        (unknown, "unknown"),
        (not_attempted, "not attempted"),
    ]
    .into_iter()
    .filter(|(count, _)| **count > 0)
    .map(|(count, how)| format!("{count} {how}"))
    .collect();
    format!("Apply incomplete! {done} {}.", left.join(", "))
}

/// Writes the end of an apply.
///
/// # Errors
/// Those of `out` alone.
pub fn report_text(report: &Report, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let tone = if is_complete(&report.tally) {
        Tone::Add
    } else {
        Tone::Error
    };
    writeln!(out, "{}", style.paint(tone, headline(&report.tally)))?;
    for unfinished in &report.unfinished {
        out.write_char('\n')?;
        unfinished_text(unfinished, style, out)?;
    }
    drift_text(&report.drifted, style, out)?;
    there_already_text(&report.were_there, style, out)?;
    for remark in remarks(report) {
        out.write_char('\n')?;
        write_wrapped(out, ("", ""), &remark, style.width)?;
    }
    Ok(())
}

fn unfinished_text(
    unfinished: &Unfinished,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let Unfinished {
        address,
        action,
        how,
    } = unfinished;
    let (tone, word) = match how {
        HowUnfinished::Failed(_) => (Tone::Error, "failed"),
        HowUnfinished::Unknown(_) => (Tone::Warning, "unknown"),
        HowUnfinished::NotAttempted(_) => (Tone::Warning, "not attempted"),
    };
    writeln!(
        out,
        "  {} ({action}): {}",
        style.paint(Tone::Strong, Clean(address)),
        style.paint(tone, word)
    )?;
    let mut row = |label: &str, text: &str| {
        write_wrapped(
            out,
            (&format!("      {label:<11} "), "                  "),
            text,
            style.width,
        )
    };
    match how {
        HowUnfinished::Failed(error) => {
            row("error:", &ErrorWords(error).to_string())?;
            row("it means:", &Clean(&error.meaning).to_string())?;
            if *action == Action::Replace {
                row(
                    "beware:",
                    "a replace deletes first. If it was the add that failed, the callback is gone \
                     and its messages are lost until an apply adds it",
                )?;
            }
            row("what to do:", &Clean(&error.advice).to_string())
        }
        HowUnfinished::Unknown(error) => {
            row("error:", &ErrorWords(error).to_string())?;
            row("it means:", &unknown_means(error, *action))?;
            row(
                "what to do:",
                match action {
                    Action::Heal => "run `apply --heal` again, which adds it once more",
                    _ => {
                        "run apply again: it sends the same call again, and where the opposite is \
                         wanted it waits until the lost one can't arrive any more, at most about 5 \
                         minutes after it was sent (`state show` says until when)"
                    }
                },
            )
        }
        HowUnfinished::NotAttempted(why) => {
            let (why, advice) = not_attempted(why);
            row("why:", &why)?;
            row("what to do:", advice)
        }
    }
}

fn unknown_means(error: &ApiError, action: Action) -> String {
    let meaning = Clean(&error.meaning);
    match action {
        Action::Heal => format!(
            "{meaning}; before this heal the callback was recorded as present, and it still is: it \
             is there, unless somebody else deleted it"
        ),
        _ => format!(
            "{meaning}; nobody knows whether this {action} took effect, so it stays open in the state"
        ),
    }
}

fn there_already_text(
    were_there: &[Address],
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    if were_there.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{} eSign had {} before the add:",
        style.paint(Tone::Warning, "There already."),
        counted(were_there.len(), "callback", "callbacks")
    )?;
    for address in were_there {
        writeln!(out, "  {}", style.paint(Tone::Strong, Clean(address)))?;
    }
    let text = "An add leaves the key and token of what is there as they are, so they may not be yours. \
                `apply --replace ADDRESS` sets yours.";
    write_wrapped(out, ("", ""), text, style.width)
}

fn drift_text(
    drifted: &[(Address, Drift)],
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    if drifted.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{} eSign was not as recorded for {}:",
        style.paint(Tone::Warning, "Drift."),
        counted(drifted.len(), "callback", "callbacks")
    )?;
    for (address, drift) in drifted {
        writeln!(out, "  {}", style.paint(Tone::Strong, Clean(address)))?;
        write_wrapped(out, ("      ", "      "), words::drift(*drift), style.width)?;
    }
    Ok(())
}

fn remarks(report: &Report) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(error) = &report.journal_error {
        remarks.push(format!(
            "The journal could not be written, so no further call was made: {}. Every call that was made \
             is in it. Mend the cause and run apply again.",
            Clean(error)
        ));
    }
    if report.interrupted {
        remarks.push(
            "Interrupted: no further calls were made, and the state holds every outcome so far. \
             Run apply again to go on."
                .to_owned(),
        );
    }
    if report.fenced {
        let latest = report.unfinished.iter().filter_map(fenced_until).max();
        remarks.push(match latest {
            Some(until) => format!(
                "Run apply again after {} {} UTC: what waits for a lost call finishes by itself then.",
                until.utc_date(),
                until.clock_time()
            ),
            None => "Run apply again in 5 minutes: what waits for a lost call finishes by itself \
                     then."
                .to_owned(),
        });
    }
    if report.throttled > 0 {
        remarks.push(format!(
            "{} of {} {} refused for the rate limit and sent again.",
            report.throttled,
            counted(report.calls, "call", "calls"),
            plural(report.throttled, "was", "were"),
        ));
    }
    remarks
}

const fn fenced_until(unfinished: &Unfinished) -> Option<Timestamp> {
    match &unfinished.how {
        HowUnfinished::NotAttempted(NotAttempted::Fenced(until)) => Some(*until),
        HowUnfinished::NotAttempted(
            NotAttempted::AccountStopped(_)
            | NotAttempted::OrganizationStopped
            | NotAttempted::AddsFailed
            | NotAttempted::Interrupted
            | NotAttempted::JournalFailed,
        )
        | HowUnfinished::Failed(_)
        | HowUnfinished::Unknown(_) => None,
    }
}
