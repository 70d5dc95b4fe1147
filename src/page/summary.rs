//! The top of the page: the verdict, what has to be done, and the numbers.

use maud::{Markup, html};

use super::Page;
use super::parts::{counted, number, sign};
use super::plot::shares;
use super::survey::{Known, Survey};
use super::times::{age, moment};
use super::verdict::{Level, Task, Verdict, foreign};
use crate::model::Timestamp;
use crate::render::Clean;
use crate::state::LockOwner;

/// The answer and its reasons.
pub(super) fn verdict(verdict: &Verdict) -> Markup {
    let Verdict {
        level,
        headline,
        remark,
        tasks,
        digest,
    } = verdict;
    html! {
        section.verdict.{ (level.class()) } aria-labelledby="verdict" {
            h1 #verdict { (sign(*level)) span { (headline) } }
            @if let Some(remark) = remark { p.remark { (remark) } }
            @if !tasks.is_empty() {
                ol.tasks { @for one in tasks { (task(one)) } }
            }
            @if let Some(digest) = digest {
                p.digest { "Digest of the plan: " code { (digest) } }
            }
        }
    }
}

fn task(task: &Task) -> Markup {
    let Task {
        level,
        headline,
        rows,
        more,
        remedy,
    } = task;
    html! {
        li.{ (level.class()) } {
            p.headline {
                @if *level != Level::Well { span.level { (level.word()) } " " }
                (code_in(headline))
            }
            @if !rows.is_empty() {
                ul {
                    @for row in rows { li { (code_in(row)) } }
                    @if *more > 0 { li { "and " (number(*more)) " more" } }
                }
            }
            @if let Some(remedy) = remedy { p.remedy { (code_in(remedy)) } }
        }
    }
}

/// Text whose parts between backticks, and whose flags, are code.
fn code_in(text: &str) -> Markup {
    html! {
        @for (position, part) in text.split('`').enumerate() {
            @if position % 2 == 1 { code { (part) } } @else { (flags_in(part)) }
        }
    }
}

/// A flag and its number stay on one line, and can be copied.
fn flags_in(text: &str) -> Markup {
    let mut parts = text.split(" --");
    let first = parts.next().unwrap_or_default();
    html! {
        (first)
        @for part in parts {
            @let is_flag = |c: char| c.is_ascii_lowercase() || c == '-';
            @let name = part.len() - part.trim_start_matches(is_flag).len();
            @let value = part[name..].strip_prefix(' ').map_or(0, |rest| {
                let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                if digits > 0 { digits + 1 } else { 0 }
            });
            " " code { "--" (part[..name + value]) } (part[name + value..])
        }
    }
}

/// Counts of everything, when it was confirmed, and who works on the state.
pub(super) fn numbers(page: &Page<'_>, survey: &Survey<'_>) -> Markup {
    let counts = &survey.counts;
    html! {
        section.numbers aria-label="Numbers" {
            div {
                h2 { "Evidence" }
                p.big {
                    (number(counts.present()))
                    small {
                        @let count = counts.present();
                        @if count == 1 { " callback in " } @else { " callbacks in " }
                        (counted(survey.groups.len(), "organization", "organizations"))
                    }
                }
                (evidence(survey))
            }
            div {
                h2 { "Last confirmed" }
                (ages(page, survey))
            }
            @if let Some(owner) = page.lease {
                div {
                    h2 { "Running now" }
                    (lease(page.now, owner))
                }
            }
        }
    }
}

/// How wide a bar is, in user units.
const WIDTH: usize = 1000;

fn evidence(survey: &Survey<'_>) -> Markup {
    let counts = Known::ALL.map(|known| survey.counts.of(known));
    let parts = shares(&counts, WIDTH);
    html! {
        svg.bar viewBox={ "0 0 " (WIDTH) " 10" } preserveAspectRatio="none" aria-hidden="true" {
            @for (known, (from, part)) in Known::ALL.into_iter().zip(&parts) {
                @if *part > 0 {
                    rect.{ (known.class()) } x=(from) width=(part) height="10" {}
                }
            }
        }
        dl.legend {
            @for (known, count) in Known::ALL.into_iter().zip(counts) {
                @if count > 0 || known == Known::Proven {
                    dt { span.mark.{ (known.class()) } { (number(count)) " " (known.word()) } }
                    dd { (known.meaning()) }
                }
            }
        }
    }
}

/// The limits of ages, in seconds.
const AGES: [(&str, i64); 4] = [
    ("under an hour", 3_600),
    ("under a day", 86_400),
    ("under 7 days", 7 * 86_400),
    ("under 30 days", 30 * 86_400),
];

/// How many callbacks were confirmed how long ago, from the youngest age to `older` and `never`.
fn by_age(now: Timestamp, survey: &Survey<'_>) -> [(&'static str, usize); 6] {
    let mut counts = [0; 6];
    let rows = survey.groups.iter().flat_map(|group| &group.rows);
    let entries = rows.filter_map(|row| row.entry);
    for entry in entries {
        let age = entry.proved_at().map(|at| now.seconds_since(at));
        let place = age.map(|age| AGES.iter().position(|(_, limit)| age < *limit));
        counts[place.map_or(5, |place| place.unwrap_or(4))] += 1;
    }
    let mut names = AGES.iter().map(|(name, _)| *name).chain(["older", "never"]);
    counts.map(|count| (names.next().unwrap_or_default(), count))
}

fn ages(page: &Page<'_>, survey: &Survey<'_>) -> Markup {
    let ages = by_age(page.now, survey);
    let most = ages
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0)
        .max(1);
    html! {
        table.ages {
            caption.quiet { "How long ago answers confirmed the callbacks" }
            tbody {
                @for (name, count) in ages {
                    tr {
                        th scope="row" { (name) }
                        td.count.quiet[count == 0] { (number(count)) }
                        td.plot {
                            svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                                rect width=((count * 100).div_ceil(most)) height="8" {}
                            }
                        }
                    }
                }
            }
        }
    }
}

fn lease(now: Timestamp, owner: &LockOwner) -> Markup {
    let LockOwner {
        id,
        who,
        host,
        pid,
        command,
        since,
        job_url,
    } = owner;
    html! {
        p { code { (foreign(command)) } ", began " (age(now, *since)) }
        dl.facts {
            div { dt { "by" } dd { (foreign(&format!("{who}@{host}"))) ", process " (pid) } }
            @if let Some(url) = job_url { div { dt { "job" } dd { (link(url)) } } }
            div { dt { "lock id" } dd { code { (Clean(id)) } } }
        }
    }
}

/// A link, if it leads to a page and nothing in it is masked; otherwise its text.
fn link(url: &str) -> Markup {
    let shown = foreign(url);
    let is_page = ["https://", "http://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    html! {
        @if is_page && shown == url {
            a href=(url) rel="noopener noreferrer" { (shown) }
        } @else {
            (shown)
        }
    }
}

/// What the page is about and when it was made.
pub(super) fn header(page: &Page<'_>) -> Markup {
    let recorded = page.recorded;
    html! {
        header {
            p.name { "ess-callbacks" }
            p.place {
                @if page.knows_environment() {
                    strong { (crate::render::place_of(recorded)) }
                } @else {
                    strong { "environment not known yet" }
                }
                " " span.quiet { "state " (foreign(page.place)) }
            }
            p.made { "as of " span #made { (moment(page.now)) } span #old role="status" {} }
        }
    }
}
