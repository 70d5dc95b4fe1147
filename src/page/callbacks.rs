//! The organizations and their callbacks.

use maud::{Markup, html};

use super::Page;
use super::parts::{counted, number, tally};
use super::survey::{Group, Row, Survey};
use super::times::age;
use super::verdict::foreign;
use crate::model::{Entry, Fingerprints, SignedWrite, Timestamp, Write};
use crate::plan::{Change, Reason};
use crate::render::{Clean, Symbol, future, shortened};

/// Up to so many callbacks, everything is open.
const FEW: usize = 60;

/// Otherwise so many organizations with something to look at are.
const OPEN: usize = 10;

/// An organization with more callbacks than this is never open at first.
const LONG: usize = 200;

pub(super) fn organizations(page: &Page<'_>, survey: &Survey<'_>) -> Markup {
    let few = survey.counts.all() <= FEW;
    let columns = Columns::of(page, survey);
    html! {
        section.organizations.many[!few] aria-labelledby="organizations" {
            div.bar {
                h2 #organizations { "Organizations" }
                // The script shows what needs it.
                form #tools role="search" hidden {
                    label for="filter" { "Filter" }
                    input #filter type="search" autocomplete="off" spellcheck="false"
                        placeholder="handle, URL, assumed, pending, added\u{2026}";
                    button #fold type="button" { "Open all" }
                    output #found for="filter" {}
                }
            }
            @if survey.groups.is_empty() {
                p.quiet { "There are no callbacks." }
            }
            @for (position, group) in survey.groups.iter().enumerate() {
                @let urgent = group.needs_attention() || group.counts.pending > 0;
                @let open = few || (urgent && position < OPEN && group.rows.len() <= LONG);
                (organization(page, group, columns, open))
            }
        }
    }
}

/// The columns that not every page has.
#[derive(Clone, Copy)]
struct Columns {
    seen: bool,
    pending: bool,
}

impl Columns {
    fn of(page: &Page<'_>, survey: &Survey<'_>) -> Self {
        let mut rows = survey.groups.iter().flat_map(|group| &group.rows);
        let has_words = |change: &Change| Symbol::of(change).is_some() || is_held(change);
        Self {
            seen: page.seen.is_some(),
            pending: rows.any(|row| row.change.is_some_and(has_words)),
        }
    }
}

fn organization(page: &Page<'_>, group: &Group<'_>, columns: Columns, open: bool) -> Markup {
    html! {
        details.organization open[open] {
            summary {
                span.handle { (handles(group)) }
                @if group.suspended { " " span.tag { "suspended" } }
                @if group.refused { " " span.tag.error { "refused by a guard" } }
                " " span.counts {
                    @if group.counts.pending > 0 {
                        span.tag.pending { (number(group.counts.pending)) " pending" } " "
                    }
                    (tally(&group.counts))
                }
            }
            (facts(group))
            (table(page, group, columns))
        }
    }
}

/// The most handles that are named.
const HANDLES: usize = 3;

fn handles(group: &Group<'_>) -> String {
    let named = group.handles.iter().take(HANDLES);
    let named: Vec<String> = named.map(|handle| Clean(handle).to_string()).collect();
    match group.handles.len().saturating_sub(HANDLES) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn facts(group: &Group<'_>) -> Markup {
    let scope = &**group.scope;
    html! {
        p.facts {
            "account " (Clean(&scope.account))
            @match &scope.organization {
                Some(id) => { ", organization " code { (Clean(id)) } },
                None => ", the account's own organization",
            }
            @if let Some(id) = &scope.app_id { ", application " code { (Clean(id)) } }
            @if let Some(operator) = group.operators.first() {
                ", operator " code { (Clean(operator)) }
                @if group.operators.len() > 1 { " and " (number(group.operators.len() - 1)) " more" }
            }
        }
    }
}

fn table(page: &Page<'_>, group: &Group<'_>, columns: Columns) -> Markup {
    html! {
        table.callbacks.sighted[columns.seen].planned[columns.pending] {
            caption.unseen { (counted(group.rows.len(), "callback", "callbacks")) " of " (handles(group)) }
            thead {
                tr {
                    th scope="col" { "URL" }
                    th scope="col" { "Evidence" }
                    th scope="col" { "Confirmed" }
                    @if columns.seen { th scope="col" { "Last seen" } }
                    th scope="col" { "Secrets" }
                    @if columns.pending { th scope="col" { "Pending" } }
                }
            }
            tbody { @for one in &group.rows { (row(page, one, columns)) } }
        }
    }
}

fn row(page: &Page<'_>, row: &Row<'_>, columns: Columns) -> Markup {
    let known = row.known();
    html! {
        tr data-is=[row.is_pending().then_some("pending")] {
            th scope="row" {
                span.url { (Clean(row.url)) }
                @if is_protected(row) { " " span.tag { "protected" } }
                @if let Some(text) = row.description {
                    span.description { (foreign(text)) }
                }
            }
            td.mark.{ (known.class()) } { (known.word()) }
            td { @if let Some(entry) = row.entry { (confirmed(page.now, entry)) } }
            @if columns.seen {
                td {
                    @match row.seen {
                        Some(at) => { span.label { "seen " } (age(page.now, at)) },
                        None => span.quiet { "not seen" },
                    }
                }
            }
            td.secrets { @if let Some(entry) = row.entry { (secrets(entry)) } }
            @if columns.pending {
                td { @if let Some(change) = row.change { (pending(page, change)) } }
            }
        }
    }
}

fn is_protected(row: &Row<'_>) -> bool {
    let recorded = || row.entry.is_some_and(|entry| entry.protect);
    row.change.map_or_else(recorded, Change::is_protected)
}

/// When an answer last confirmed it, and the calls that have none.
fn confirmed(now: Timestamp, entry: &Entry) -> Markup {
    html! {
        @match entry.proved_at() {
            Some(at) => {
                (age(now, at))
                @if entry.sighting.seen_at == Some(at) { span.note { "seen in a message" } }
            }
            None => span.quiet { "never" },
        }
        @if let Some(missing) = entry.sighting.missing {
            span.note {
                (counted(missing.messages.get() as usize, "message", "messages"))
                " since " (missing.since) " went to others only"
            }
        }
        @for call in entry.lost.into_iter().chain(entry.pending.map(|pending| pending.call)) {
            @if entry.is_open() || call.may_arrive_until(now).is_some() {
                span.note { (unanswered(now, call)) }
            }
        }
    }
}

fn unanswered(now: Timestamp, call: SignedWrite) -> String {
    let word = match call.write {
        Write::Add(_) => "an add",
        Write::Delete => "a delete",
    };
    match call.may_arrive_until(now) {
        Some(until) => format!(
            "{word} has no answer; it may still arrive until {} UTC",
            until.clock_time()
        ),
        None => format!("{word} has no answer; it can't arrive any more"),
    }
}

/// `key 9c2a… token 77aa…`
fn secrets(entry: &Entry) -> String {
    let Some(presumed) = entry.belief.presumed() else {
        return String::new();
    };
    let Fingerprints { key, token } = presumed.fingerprints;
    let named = [("key", key), ("token", token)].into_iter();
    let words: Vec<String> = named
        .filter_map(|(name, fingerprint)| Some(format!("{name} {}", shortened(fingerprint?, 4))))
        .collect();
    words.join(" ")
}

/// Whether nothing is called for it for a reason that must be shown.
const fn is_held(change: &Change) -> bool {
    matches!(
        change.reason,
        Reason::Suspended | Reason::Disabled | Reason::RotationKept | Reason::RotationWaits
    )
}

fn pending(page: &Page<'_>, change: &Change) -> Markup {
    let now = page.now;
    let Some(symbol) = Symbol::of(change) else {
        return html! {
            @if is_held(change) {
                span.quiet { (change.reason) }
            }
        };
    };
    let fence = change.fence.and_then(|lost| lost.may_arrive_until(now));
    html! {
        span.change.{ (class(symbol)) } {
            span.symbol aria-hidden="true" { (symbol.text().trim()) } " "
            (future(change.action, change.calls()))
        }
        @if change.reason != Reason::NotRecorded { " " span.why { "because " (because(page, change)) } }
        @if let Some(until) = fence {
            span.note { "waits until " (until.clock_time()) " UTC for an earlier call" }
        }
    }
}

/// The reason, with the name of the configuration that a controller reads.
fn because(page: &Page<'_>, change: &Change) -> String {
    let reason = change.reason.to_string();
    match page.keeping {
        Some(keeping) => {
            reason.replace("callbacks.yaml", &Clean(keeping.configuration).to_string())
        }
        None => reason,
    }
}

const fn class(symbol: Symbol) -> &'static str {
    match symbol {
        Symbol::Add => "add",
        Symbol::Delete => "delete",
        Symbol::Replace => "replace",
        Symbol::Heal => "heal",
        Symbol::Finish => "finish",
    }
}
