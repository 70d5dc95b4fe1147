//! The end of an apply: the counts, the changes that were not made with what to do, and what the answers
//! revealed.

mod again;
mod json;

#[cfg(test)]
mod tests;

pub use again::Again;
pub use json::report_json;

use std::collections::BTreeMap;
use std::fmt;

use super::escape::Clean;
use super::style::{Style, Tone};
use super::why::{ErrorWords, not_attempted};
use super::words::{self, counted, plural};
use super::wrap::{write_sentence, write_wrapped};
use crate::model::{
    Action, Address, ApiError, Drift, HowUnfinished, NotAttempted, Report, Tally, Timestamp,
    Unfinished,
};

/// Whether every planned change was made and recorded.
pub const fn is_complete(report: &Report) -> bool {
    is_made(&report.tally) && report.journal_error.is_none()
}

const fn is_made(tally: &Tally) -> bool {
    tally.failed == 0 && tally.unknown == 0 && tally.not_attempted == 0
}

/// `Apply complete! Resources: 2 added, 0 changed, 2 destroyed.`, or how many changes were not made.
pub(super) fn headline(report: &Report) -> String {
    let Tally {
        added,
        changed,
        destroyed,
        failed,
        unknown,
        not_attempted,
    } = &report.tally;
    let done = format!("Resources: {added} added, {changed} changed, {destroyed} destroyed.");
    if is_complete(report) {
        return format!("Apply complete! {done}");
    }
    if is_made(&report.tally) {
        return format!("Apply not recorded! {done}");
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

/// Writes the end of an apply, or of another command that makes calls and goes on in its own way.
pub fn report_text(
    report: &Report,
    again: Again,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let tone = if is_complete(report) {
        Tone::Add
    } else {
        Tone::Error
    };
    let headline = headline(report);
    let (word, rest) = headline.split_once(' ').unwrap_or((&headline, ""));
    write_sentence(out, style, (tone, word), (tone, rest))?;
    let mut groups = groups(report, style.now);
    for unfinished in &report.unfinished {
        match groups.get_mut(&sort_of(unfinished, style.now)) {
            Some(group) if group.len() > HANDFUL => {
                out.write_char('\n')?;
                group_text(group, again, style, out)?;
                // The whole group was written with its first change.
                group.clear();
            }
            Some(group) if group.is_empty() => {}
            Some(_) | None => {
                out.write_char('\n')?;
                unfinished_text(unfinished, again, style, out)?;
            }
        }
    }
    drift_text(&report.drifted, style, out)?;
    there_already_text(&report.were_there, style, out)?;
    for remark in remarks(report, style.now) {
        out.write_char('\n')?;
        write_wrapped(out, ("", ""), &again.words(&remark), style.width)?;
    }
    Ok(())
}

/// Up to this many changes that ended alike have separate rows.
const HANDFUL: usize = 5;

/// The most changes of a group that are named.
const NAMED: usize = 3;

/// What groups changes: how they ended, and the error without its request id.
type Sort = (&'static str, String);

fn sort_of(unfinished: &Unfinished, now: Timestamp) -> Sort {
    let error = |error: &ApiError| {
        let code = error.code.as_deref().unwrap_or_default();
        format!("{code} {}", error.message)
    };
    match &unfinished.how {
        // The meaning depends on the action.
        HowUnfinished::Failed(why) => ("failed", format!("{} {}", unfinished.action, error(why))),
        HowUnfinished::Unknown(why) => ("unknown", format!("{} {}", unfinished.action, error(why))),
        HowUnfinished::NotAttempted(why) => ("not attempted", not_attempted(why, now).0),
    }
}

/// The changes that were not made, in groups.
fn groups(report: &Report, now: Timestamp) -> BTreeMap<Sort, Vec<&Unfinished>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for unfinished in &report.unfinished {
        groups
            .entry(sort_of(unfinished, now))
            .or_default()
            .push(unfinished);
    }
    groups
}

/// Many changes that ended alike, as one row.
fn group_text(
    group: &[&Unfinished],
    again: Again,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let Some(first) = group.first() else {
        return Ok(());
    };
    let (named, more) = group.split_at(NAMED.min(group.len()));
    let named: Vec<String> = named
        .iter()
        .map(|unfinished| Clean(&unfinished.address).to_string())
        .collect();
    writeln!(
        out,
        "  {}: {}",
        style.paint(
            Tone::Strong,
            counted(group.len(), "change", "changes").as_str()
        ),
        ended(&first.how, style)
    )?;
    let which = format!(
        "{} and {} more, which `plan` shows",
        named.join(", "),
        more.len()
    );
    row(out, style, "which:", &which)?;
    how_text((&first.how, first.action), again, style, out)
}

fn unfinished_text(
    unfinished: &Unfinished,
    again: Again,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let Unfinished {
        address,
        action,
        how,
    } = unfinished;
    writeln!(
        out,
        "  {} ({action}): {}",
        style.paint(Tone::Strong, Clean(address)),
        ended(how, style)
    )?;
    how_text((how, *action), again, style, out)
}

fn ended(how: &HowUnfinished, style: &Style) -> impl fmt::Display {
    let (tone, word) = match how {
        HowUnfinished::Failed(_) => (Tone::Error, "failed"),
        HowUnfinished::Unknown(_) => (Tone::Warning, "unknown"),
        HowUnfinished::NotAttempted(_) => (Tone::Warning, "not attempted"),
    };
    style.paint(tone, word)
}

fn row(out: &mut dyn fmt::Write, style: &Style, label: &str, text: &str) -> fmt::Result {
    write_wrapped(
        out,
        (&format!("      {label:<11} "), "                  "),
        text,
        style.width,
    )
}

fn how_text(
    (how, action): (&HowUnfinished, Action),
    again: Again,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let mut row = |label: &str, text: &str| row(out, style, label, &again.words(text));
    match how {
        HowUnfinished::Failed(error) => {
            row("error:", &ErrorWords(error).to_string())?;
            row("it means:", &Clean(&error.meaning).to_string())?;
            if action == Action::Replace {
                row(
                    "warning:",
                    "a replace deletes first. If the add failed, the callback is missing, and its \
                     messages are lost until an apply adds it",
                )?;
            }
            row("what to do:", &Clean(&error.advice).to_string())
        }
        HowUnfinished::Unknown(error) => {
            row("error:", &ErrorWords(error).to_string())?;
            row("it means:", &unknown_means(error, action))?;
            row(
                "what to do:",
                if action == Action::Heal {
                    "run `apply --heal` again, which adds it again"
                } else {
                    "run apply again: it sends the same call again. A call with the opposite effect \
                     waits until the lost one can't arrive any more, at most about 6 minutes after \
                     it was sent (`state show` shows until when)"
                },
            )
        }
        HowUnfinished::NotAttempted(why) => {
            let (why, advice) = not_attempted(why, style.now);
            row("why:", &why)?;
            if advice.is_empty() {
                return Ok(());
            }
            row("what to do:", advice)
        }
    }
}

fn unknown_means(error: &ApiError, action: Action) -> String {
    let meaning = Clean(&error.meaning);
    if action == Action::Heal {
        format!(
            "{meaning}; the callback was recorded as present before this heal, and still is: it is \
             there, unless it was deleted outside ess-callbacks"
        )
    } else {
        format!(
            "{meaning}; it is unknown whether this {action} took effect, so it stays open in the state"
        )
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
        style.paint(Tone::Warning, "Already there."),
        counted(were_there.len(), "callback", "callbacks")
    )?;
    for address in were_there {
        writeln!(out, "  {}", style.paint(Tone::Strong, Clean(address)))?;
    }
    let text = "An add does not change the key and token of a callback that is already there, so they may differ \
                from yours. `apply --replace ADDRESS` sets yours.";
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

fn remarks(report: &Report, now: Timestamp) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(error) = &report.journal_error {
        remarks.push(format!(
            "The journal could not be written, so no further call was made: {}. It has every call that was made, but perhaps not every outcome. If an error follows, do what it says. Otherwise fix the cause, and run apply again.",
            Clean(error)
        ));
    }
    if report.interrupted {
        let remark = if is_complete(report) {
            "Interrupted during the last calls: everything is done, and the state has it."
        } else {
            "Interrupted: no further calls were made, and the state holds every outcome so far. \
             Run apply again to continue."
        };
        remarks.push(remark.to_owned());
    }
    if report.fenced {
        let latest = report.unfinished.iter().filter_map(fenced_until).max();
        remarks.push(match latest {
            Some(until) if until <= now => {
                "Run apply again now: no lost call can arrive any more.".to_owned()
            }
            Some(until) => format!(
                "Run apply again after {} {} UTC: until then a lost call may still arrive.",
                until.utc_date(),
                until.clock_time()
            ),
            None => "Run apply again without --no-wait: it waits until no lost call can arrive any more."
                .to_owned(),
        });
    }
    if report.throttled > 0 {
        remarks.push(format!(
            "{} of {} {} refused for the rate limit{}.",
            report.throttled,
            counted(report.calls, "call", "calls"),
            plural(report.throttled, "was", "were"),
            // After an interrupt, nothing is sent again.
            if report.interrupted {
                ""
            } else {
                " and sent again"
            },
        ));
    }
    remarks
}

const fn fenced_until(unfinished: &Unfinished) -> Option<Timestamp> {
    match &unfinished.how {
        HowUnfinished::NotAttempted(NotAttempted::Fenced(until)) => Some(*until),
        HowUnfinished::NotAttempted(
            NotAttempted::AccountStopped(_)
            | NotAttempted::AccountUnreachable(..)
            | NotAttempted::AccountUnsigned(..)
            | NotAttempted::OrganizationStopped
            | NotAttempted::AddsFailed
            | NotAttempted::WaitsForTwin
            | NotAttempted::Unverified
            | NotAttempted::Refused
            | NotAttempted::Interrupted
            | NotAttempted::FencedWithoutClock
            | NotAttempted::JournalFailed,
        )
        | HowUnfinished::Failed(_)
        | HowUnfinished::Unknown(_) => None,
    }
}
