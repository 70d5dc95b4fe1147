//! The last runs: what they cost and how they ended.

use maud::{Markup, html};

use super::parts::number;
use super::plot::{HEIGHT, bars, width};
use super::times::age;
use super::verdict::foreign;
use super::{Page, Run, RunEnd};
use crate::model::{Tally, Timestamp};
use crate::render::elapsed;

/// So many runs have rows at once; the others are folded.
const ROWS: usize = 5;

/// So many runs have a bar.
const BARS: usize = 60;

pub(super) fn runs(page: &Page<'_>) -> Markup {
    let Some(runs) = page.runs else {
        return html! {};
    };
    html! {
        section.runs aria-labelledby="runs" {
            h2 #runs { "Last runs" }
            @if runs.is_empty() {
                p.quiet { "There was none yet." }
            } @else {
                (plots(runs))
                @let newest: Vec<&Run> = runs.iter().rev().collect();
                (table(page.now, &newest[..ROWS.min(newest.len())], "The newest runs"))
                @if newest.len() > ROWS {
                    details {
                        summary { (number(newest.len() - ROWS)) " earlier" }
                        (table(page.now, &newest[ROWS..], "Earlier runs"))
                    }
                }
            }
        }
    }
}

/// Shorter runs have no rate that means anything, in milliseconds.
const SHORT: u64 = 1_000;

/// Calls per second of a run, in tenths.
fn rate(run: &Run) -> usize {
    if run.elapsed_ms < SHORT {
        return 0;
    }
    let elapsed = usize::try_from(run.elapsed_ms).unwrap_or(usize::MAX);
    run.calls.saturating_mul(10_000) / elapsed.max(1)
}

fn tenths(count: usize) -> String {
    format!("{}.{}", number(count / 10), count % 10)
}

fn plots(runs: &[Run]) -> Markup {
    let runs = &runs[runs.len().saturating_sub(BARS)..];
    let of = |value: fn(&Run) -> usize| -> Vec<usize> { runs.iter().map(value).collect() };
    html! {
        div.plots {
            (plot("Calls", "calls", &of(|run| run.calls), number))
            @if runs.iter().any(|run| run.elapsed_ms >= SHORT) {
                (plot("Calls a second", "rate", &of(rate), tenths))
            }
            (plot("Throttled calls", "throttled", &of(|run| run.throttled), number))
            (plot("Seconds", "duration", &of(|run| usize::try_from(run.elapsed_ms / 100).unwrap_or(0)), tenths))
        }
    }
}

/// A bar for each run, the oldest on the left, with the largest and the newest value in words.
fn plot(name: &str, class: &str, values: &[usize], words: fn(usize) -> String) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0);
    let last = values.last().copied().unwrap_or(0);
    let label = format!(
        "{name} of the last {} runs: at most {}, last {}",
        values.len(),
        words(most),
        words(last)
    );
    html! {
        figure.{ (class) } {
            figcaption { (name) " " span.quiet { "last " (words(last)) ", at most " (words(most)) } }
            svg viewBox={ "0 0 " (width(BARS)) " " (HEIGHT) } role="img" aria-label=(label) {
                path.base d={ "M0 " (HEIGHT) "H" (width(BARS)) } {}
                path d=(bars(values, most)) {}
            }
        }
    }
}

fn table(now: Timestamp, runs: &[&Run], caption: &str) -> Markup {
    let has_why = runs.iter().any(|run| run.why.is_some());
    html! {
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption.unseen { (caption) }
                thead {
                    tr {
                        th scope="col" { "Began" }
                        @if has_why { th scope="col" { "Because" } }
                        th scope="col" { "Ended" }
                        th scope="col" { "Changes" }
                        th.count scope="col" { "Took" }
                        th.count scope="col" { "Calls" }
                        th.count scope="col" { "Throttled" }
                    }
                }
                tbody { @for run in runs { (row(now, run, has_why)) } }
            }
        }
    }
}

fn row(now: Timestamp, run: &Run, has_why: bool) -> Markup {
    let Run {
        began,
        elapsed_ms,
        why,
        end,
        tally,
        calls,
        throttled,
    } = run;
    html! {
        tr {
            th scope="row" { (age(now, *began)) }
            @if has_why { td { @if let Some(why) = why { (foreign(why)) } } }
            td { (ended(end)) }
            td { (changes(tally)) }
            td.count { (elapsed(*elapsed_ms)) }
            td.count { (number(*calls)) }
            td.count { (number(*throttled)) }
        }
    }
}

fn ended(end: &RunEnd) -> Markup {
    let (class, word) = match end {
        RunEnd::Running => ("pending", "running"),
        RunEnd::Complete => ("well", "complete"),
        RunEnd::Incomplete => ("warning", "incomplete"),
        RunEnd::Refused => ("error", "refused"),
        RunEnd::Interrupted => ("warning", "interrupted"),
        RunEnd::Failed(_) => ("error", "failed"),
    };
    html! {
        span.end.{ (class) } { (word) }
        @if let RunEnd::Failed(why) = end { ": " (foreign(why)) }
    }
}

/// `2 added, 1 failed`, or `none`
fn changes(tally: &Tally) -> String {
    let Tally {
        added,
        changed,
        destroyed,
        failed,
        unknown,
        not_attempted,
    } = *tally;
    let all = [
        (added, "added"),
        (changed, "changed"),
        (destroyed, "destroyed"),
        (failed, "failed"),
        (unknown, "unknown"),
        (not_attempted, "not attempted"),
    ];
    let some = all.into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = some
        .map(|(count, word)| format!("{} {word}", number(count)))
        .collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}
