//! A plan as a comment on a pull request.
//!
//! A hidden marker lets a bot find and update its comment. The most dangerous parts come first: guards, then
//! deletes, replaces and the rest, one line each in a `diff` block. A separate `diff` block for each
//! organization follows, folded if it is long. GitHub refuses comments over 65,536 characters,
//! so what does not fit is left out, and the comment says how much.
//!
//! Untrusted text is always in code blocks, where Markdown, HTML, links and mentions have no effect; a handle in
//! the heading of a fold is in a code element, escaped as HTML.

mod comment;
#[cfg(test)]
mod tests;

pub use comment::{Commit, Label, Subject};

use std::fmt;

use super::escape::Clean;
use super::style::Style;
use super::text::{
    Ambiguous, Context, Remedies, Symbol, UPDATES, change_text, differences, footer, move_text,
    no_changes, refusals, scope_words, summary_line, update_words,
};
use super::words;
use crate::model::{Action, Calls};
use crate::plan::{Change, OrganizationPlan, Plan, Reason, calls_digest};

/// The longest comment, in bytes, so that it has at most as many characters.
pub const MARKDOWN_LIMIT: usize = 65_000;

/// Bytes reserved for headings, ends of blocks, and lines that say what was left out.
const RESERVE: usize = 2_000;

/// Bytes reserved for the heading and the ends of a fold, without the handle.
const FOLD: usize = 400;

/// An organization with more lines than this is folded.
const LONG: usize = 30;

/// After this many unfolded lines, all further organizations are folded.
const UNFOLDED: usize = 4 * LONG;

/// The number of ranks of [`danger`].
const RANKS: u8 = 5;

/// The plan as Markdown, at most [`MARKDOWN_LIMIT`] bytes long. Its first line is the marker
/// `<!-- ess-callbacks plan LABEL -->`.
///
/// Colour and width of `style` have no effect.
pub fn plan_markdown(plan: &Plan, subject: &Subject, style: &Style) -> String {
    let style = &Style {
        colour: false,
        width: 0,
        ..*style
    };
    let mut page = Page {
        text: format!(
            "{}### {}, {}: {}\n\n{}",
            subject.marker(),
            subject.program(),
            plan.environment,
            heading(plan),
            subject.commit(),
        ),
        unfolded: 0,
    };
    for refusal in refusals(plan, Remedies::Flags) {
        page.text.extend([
            "**Refused: ",
            refusal.title,
            ".** ",
            &with_code(&refusal.remedy),
            "\n\n",
        ]);
        // At most a quarter of the room for each kind of guard leaves room for the changes.
        let room = page.room() / 4;
        let left = page.block("text", refusal.rows(plan), |row| format!("  {row}\n"), room);
        page.left_out(left, 0, "of these");
    }
    if !plan.moves.is_empty() {
        let text = |item| written(|out| move_text(item, style, out));
        let room = page.room() / 4;
        let left = page.block("text", plan.moves.iter(), text, room);
        page.left_out(left, 0, "moves");
    }
    if plan.is_empty() {
        page.updates(plan);
        let text = written(|out| no_changes(plan, style, out));
        page.lines(&text);
        page.digest(plan);
        return page.text;
    }
    let (left, deletes) = page.overview(plan);
    page.left_out(left, deletes, "changes");
    page.updates(plan);
    let text = written(|out| footer(plan, style, out));
    page.lines(&text);
    page.digest(plan);
    let mut left = 0;
    let ambiguous = Ambiguous::of(plan);
    for organization in &plan.organizations {
        let context = Context::of(&ambiguous, organization);
        left += page.organization(organization, context, style);
    }
    page.left_out(left, 0, "changes");
    page.text
}

/// The comment if there is no plan, to replace an earlier comment. `error` is the printed error, without colour.
pub fn error_markdown(error: &str, subject: &Subject) -> String {
    let mut page = Page {
        text: format!(
            "{}### {}: no plan, because of an error\n\n{}",
            subject.marker(),
            subject.program(),
            subject.commit(),
        ),
        unfolded: 0,
    };
    // A block ends where a line begins with its fence.
    let kept = |line: &str| {
        let fence = line.trim_start().starts_with("```");
        format!("{}{line}\n", if fence { "    " } else { "" })
    };
    let room = page.room();
    let left = page.block("text", error.lines(), kept, room);
    page.left_out(left, 0, "lines");
    page.text
        .push_str("What this comment showed before may be out of date.\n");
    page.text
}

/// Puts the flag at the end into a code element.
fn with_code(remedy: &str) -> String {
    match remedy.find("--allow-deletes ") {
        Some(at) => format!("{}`{}`", &remedy[..at], &remedy[at..]),
        None => remedy.to_owned(),
    }
}

/// A text as HTML for a code element, in which `@all`, `#1` and addresses are no links.
fn html(text: &dyn fmt::Display) -> String {
    let clean = Clean(text);
    let mut text = String::new();
    for c in clean.to_string().chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            c => text.push(c),
        }
    }
    text
}

/// A change's block with its signs in the first column, which determines the colour in a `diff` block.
fn diff_text(change: &Change, context: Context<'_>, style: &Style) -> String {
    let block = written(|out| change_text(change, context, style, out));
    let mut text = String::with_capacity(block.len());
    for line in block.lines() {
        let body = line.trim_start();
        let indent = &line[..line.len() - body.len()];
        let signed = ["-/+ ", "+ ", "- ", "~ ", "* ", "! "]
            .into_iter()
            .find_map(|sign| Some((sign, body.strip_prefix(sign)?)));
        match signed {
            Some(("+ ", rest)) => text.extend(["+", indent, " ", rest, "\n"]),
            Some(("- ", rest)) => text.extend(["-", indent, " ", rest, "\n"]),
            Some(("-/+ ", rest)) => text.extend(["!   ", rest, "\n"]),
            Some((_, rest)) => text.extend(["!", indent, " ", rest, "\n"]),
            None => text.extend([line, "\n"]),
        }
    }
    text
}

fn heading(plan: &Plan) -> String {
    if plan.is_empty() && plan.records_something() {
        "no calls, only the record is updated".to_owned()
    } else if plan.is_empty() {
        "no changes".to_owned()
    } else {
        summary_line(plan)
            .trim_start_matches("Plan: ")
            .trim_end_matches('.')
            .to_owned()
    }
}

/// The rank of a change; the lowest is the most dangerous and comes first. `None` for a change without calls.
fn danger(change: &Change) -> Option<u8> {
    let symbol = Symbol::of(change)?;
    Some(match (change.calls(), symbol) {
        (Calls::Delete, _) => 0,
        (Calls::Replace, _) => 1,
        (_, Symbol::Finish) => 2,
        (_, Symbol::Add | Symbol::Delete | Symbol::Replace) => 3,
        (_, Symbol::Heal) => 4,
    })
}

fn ordered(plan: &Plan) -> impl Iterator<Item = (&OrganizationPlan, &Change)> {
    (0..RANKS).flat_map(move |rank| {
        plan.changes_by_organization()
            .filter(move |(_, change)| danger(change) == Some(rank))
    })
}

/// One line of the overview. Its first character decides its colour in a `diff` block.
fn overview_line(change: &Change, is_covered: bool, context: Context<'_>) -> String {
    let sign = match (change.action, change.calls()) {
        (_, Calls::Delete) => '-',
        (Action::Add, Calls::Add) => '+',
        _ => '!',
    };
    let action = words::plan_to(change.action);
    let by = match (change.action, change.calls()) {
        (Action::Finish, Calls::Add) => " an open call by an add",
        (Action::Finish, Calls::Delete) => " an open call by a delete",
        (Action::Finish, Calls::Replace) => " an open call by a delete and an add",
        _ => "",
    };
    let gap = match change.calls() {
        Calls::Replace if is_covered => " beside its twin, without a gap",
        Calls::Replace => " with a gap of about 1 round trip",
        Calls::Nothing | Calls::Add | Calls::Delete => "",
    };
    let why = if change.reason == Reason::NotRecorded {
        String::new()
    } else {
        format!(", because {}", change.reason)
    };
    let address = Clean(&change.address);
    // One URL may be deleted in one scope and added in another.
    let whose = match context {
        Context {
            successor: Some((old, new)),
            ..
        } => format!("; {}", differences(old, new).join(", ")),
        Context {
            scope: Some(scope), ..
        } => format!("; {}", scope_words(scope)),
        Context {
            scope: None,
            successor: None,
        } => String::new(),
    };
    format!("{sign} {address} ({action}{by}{gap}{why}{whose})\n")
}

fn written(write: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result) -> String {
    let mut text = String::new();
    write(&mut text).expect("a string takes everything");
    text
}

struct Page {
    text: String,
    /// The number of lines of changes that are not folded.
    unfolded: usize,
}

impl Page {
    /// The number of bytes left for content.
    fn room(&self) -> usize {
        (MARKDOWN_LIMIT - RESERVE).saturating_sub(self.text.len())
    }

    /// A code block with as many of the items as fit into `room`; returns how many don't fit. Those are
    /// not rendered, because there may be a hundred thousand.
    fn block<T>(
        &mut self,
        language: &str,
        mut items: impl Iterator<Item = T>,
        written: impl Fn(T) -> String,
        mut room: usize,
    ) -> usize {
        self.text.extend(["```", language, "\n"]);
        let mut left = 0;
        while let Some(item) = items.next() {
            let text = written(item);
            if text.len() > room {
                left = 1 + items.count();
                break;
            }
            room -= text.len();
            self.text.push_str(&text);
        }
        self.text.push_str("```\n\n");
        left
    }

    /// The lines of `text` as a code block, as many as fit.
    fn lines(&mut self, text: &str) {
        let room = self.room();
        let left = self.block("text", text.lines(), |line| format!("{line}\n"), room);
        self.left_out(left, 0, "lines");
    }

    fn digest(&mut self, plan: &Plan) {
        self.text.extend([
            "Digest: `",
            &calls_digest(plan),
            "`. A plan with the same digest makes the same calls; `apply --expect-digest` makes \
             these or none.\n\n",
        ]);
    }

    /// The changes of an organization, folded if they are long; returns how many don't fit.
    fn organization(
        &mut self,
        organization: &OrganizationPlan,
        context: Context<'_>,
        style: &Style,
    ) -> usize {
        let changes = organization.changes.iter();
        let mut called: Vec<(u8, &Change)> = changes
            .filter_map(|change| Some((danger(change)?, change)))
            .collect();
        // The most dangerous changes come first, so that they are not the ones left out.
        called.sort_by_key(|(rank, _)| *rank);
        let count = called.len();
        let handle = html(&organization.handle);
        let scope = context.scope.map(|scope| html(&scope_words(scope)));
        let scope = scope.map_or_else(String::new, |scope| format!(" <code>({scope})</code>"));
        if count == 0 || self.room() < handle.len() + scope.len() + FOLD {
            return count;
        }
        let mut texts = Vec::new();
        let mut lines = 0;
        // Later ones would not fit, and there may be a hundred thousand.
        let mut size = 0;
        for (_, change) in called {
            let gap = if texts.is_empty() { "" } else { "\n" };
            let text = format!("{gap}{}", diff_text(change, context, style));
            (lines, size) = (lines + text.lines().count(), size + text.len());
            texts.push(text);
            if size > self.room() {
                break;
            }
        }
        let short = lines <= LONG && self.unfolded + lines <= UNFOLDED;
        if short {
            self.unfolded += lines;
        }
        let unfolded = if short { " open" } else { "" };
        let changes = words::counted(count, "change", "changes");
        self.text.extend([
            "<details",
            unfolded,
            "><summary><code>",
            &handle,
            "</code>",
            &scope,
            ": ",
            &changes,
            "</summary>\n\n",
        ]);
        let shown = texts.len();
        let room = self.room();
        let left = self.block("diff", texts.into_iter(), |text| text, room);
        self.text.push_str("</details>\n\n");
        count - (shown - left)
    }

    /// One line per change; returns how many don't fit, and how many of these are deletes.
    fn overview(&mut self, plan: &Plan) -> (usize, usize) {
        // Two thirds of the room, so that the counts and some of the details fit as well.
        let room = self.room() / 3 * 2;
        let ambiguous = Ambiguous::of(plan);
        let covered = plan.covered();
        let line = |(organization, change): (&OrganizationPlan, &Change)| {
            let is_covered = covered.contains(&change.address);
            overview_line(change, is_covered, Context::of(&ambiguous, organization))
        };
        let left = self.block("diff", ordered(plan), line, room);
        let deletes = plan
            .changes()
            .filter(|change| danger(change) == Some(0))
            .count();
        // Deletes come first, so all shown lines are deletes if any delete was left out.
        let shown = plan.changes().count() - left;
        (left, deletes.saturating_sub(shown))
    }

    fn updates(&mut self, plan: &Plan) {
        let updates = plan.updates();
        if updates.is_empty() {
            return;
        }
        self.text.extend([UPDATES, "\n\n"]);
        let ambiguous = Ambiguous::of(plan);
        let line = |update| {
            let scope = ambiguous.scope_of(update);
            format!("! {}\n", update_words(update, scope))
        };
        let room = self.room() / 4;
        let left = self.block("diff", updates.iter(), line, room);
        self.left_out(left, 0, "of these");
    }

    fn left_out(&mut self, count: usize, deletes: usize, what: &str) {
        if count == 0 {
            return;
        }
        let of_them = match deletes {
            0 => String::new(),
            _ => format!(", {deletes} of them deletes"),
        };
        self.text.extend([format!(
            "**{count} more {what} left out for length{of_them}.** `ess-callbacks plan` shows \
             everything.\n\n"
        )]);
    }
}
