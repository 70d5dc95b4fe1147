//! A plan as a comment on a pull request.
//!
//! A hidden marker lets a bot find and update its comment. What can hurt comes first: guards, then
//! deletes, replaces and the rest, one line each in a `diff` block; then each organization in a
//! `diff` block of its own, folded when it is long. GitHub refuses comments over 65,536 characters,
//! so what does not fit is left out, and the comment says how much.
//!
//! Everything that came from outside stands in code blocks, where Markdown, HTML and mentions mean
//! nothing; a handle in the heading of a fold is escaped.

use std::fmt;

use super::escape::Clean;
use super::style::Style;
use super::text::{
    Fingerprinting, Symbol, change_text, footer, no_changes, refreshes, refusals, summary_line,
};
use super::words;
use crate::model::{Action, Handle, Steps};
use crate::plan::{Change, OrganizationPlan, Plan, Reason, calls_digest};

/// The longest comment, in bytes, and so in characters.
pub const MARKDOWN_LIMIT: usize = 65_000;

/// Always kept free, for headings, ends of blocks, and lines that say what was left out.
const RESERVE: usize = 2_000;

/// What the heading and the ends of a fold may take beside the handle.
const FOLD: usize = 400;

/// An organization with more lines than this is folded.
const LONG: usize = 30;

/// What can hurt most comes first.
const ORDER: [Symbol; 5] = [
    Symbol::Delete,
    Symbol::Replace,
    Symbol::Finish,
    Symbol::Add,
    Symbol::Heal,
];

/// The plan as Markdown, at most [`MARKDOWN_LIMIT`] bytes long. Its first line is the marker
/// `<!-- ess-callbacks plan ENVIRONMENT -->`.
///
/// Colour and width of `style` have no effect.
pub fn plan_markdown(plan: &Plan, style: &Style) -> String {
    let style = &Style {
        colour: false,
        width: 0,
        ..*style
    };
    let mut page = Page {
        text: format!(
            "<!-- ess-callbacks plan {} -->\n{}\n\n",
            plan.environment,
            heading(plan)
        ),
    };
    for refusal in refusals(plan) {
        page.text.extend([
            "**Refused: ",
            refusal.title,
            ".** ",
            &refusal.remedy,
            "\n\n",
        ]);
        let rows = refusal.rows(plan).map(|row| format!("  {row}\n"));
        // A quarter each for the guards of a kind leaves room for the changes.
        let left = page.block("text", rows, page.room() / 4);
        page.left_out(left, 0, "of these");
    }
    if plan.is_empty() {
        let text = written(|out| no_changes(plan, style, out));
        page.lines(&text);
        page.digest(plan);
        return page.text;
    }
    let (left, deletes) = page.overview(plan);
    page.left_out(left, deletes, "changes");
    let text = written(|out| footer(plan, style, out));
    page.lines(&text);
    page.digest(plan);
    let mut left = 0;
    for organization in &plan.organizations {
        left += page.organization(organization, plan, style);
    }
    page.left_out(left, 0, "changes");
    page.text
}

/// A handle as HTML, where nothing in it means anything.
fn html(handle: &Handle) -> String {
    let mut text = String::new();
    for c in Clean(handle).to_string().chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            '`' => text.push_str("&#96;"),
            '_' => text.push_str("&#95;"),
            '~' => text.push_str("&#126;"),
            '@' => text.push_str("&#64;"),
            '#' => text.push_str("&#35;"),
            c => text.push(c),
        }
    }
    text
}

/// A change's block with its signs in the first column, where a `diff` block colours by them.
fn diff_text(change: &Change, plan: &Plan, style: &Style) -> String {
    let block = written(|out| change_text(change, Fingerprinting::of(plan), style, out));
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
    let what = if plan.is_empty() && refreshes(plan) > 0 {
        "no calls, the record is brought up to date".to_owned()
    } else if plan.is_empty() {
        "no changes".to_owned()
    } else {
        summary_line(plan)
            .trim_start_matches("Plan: ")
            .trim_end_matches('.')
            .to_owned()
    };
    format!("### ess-callbacks, {}: {what}", plan.environment)
}

fn ordered(plan: &Plan) -> impl Iterator<Item = (Symbol, &Change)> {
    ORDER.into_iter().flat_map(move |symbol| {
        plan.changes()
            .filter(move |change| Symbol::of(change) == Some(symbol))
            .map(move |change| (symbol, change))
    })
}

/// One line of the overview. Its first character decides its colour in a `diff` block.
fn overview_line(symbol: Symbol, change: &Change) -> String {
    let sign = match symbol {
        Symbol::Add => '+',
        Symbol::Delete => '-',
        Symbol::Replace | Symbol::Heal | Symbol::Finish => '!',
    };
    let action = words::plan_to(change.action);
    let address = Clean(&change.address);
    let gap = if change.steps == Steps::DeleteThenAdd {
        " with a gap of about 1 round trip"
    } else {
        ""
    };
    let why = if change.reason == Reason::NotRecorded {
        String::new()
    } else {
        format!(", because {}", change.reason)
    };
    format!("{sign} {address} ({action}{gap}{why})\n")
}

/// What `write` writes.
fn written(write: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result) -> String {
    let mut text = String::new();
    write(&mut text).expect("a string takes everything");
    text
}

struct Page {
    text: String,
}

impl Page {
    /// How many bytes content may still have.
    fn room(&self) -> usize {
        (MARKDOWN_LIMIT - RESERVE).saturating_sub(self.text.len())
    }

    /// A code block with as many of the items as fit into `room`; returns how many don't.
    fn block(
        &mut self,
        language: &str,
        items: impl Iterator<Item = String>,
        mut room: usize,
    ) -> usize {
        self.text.extend(["```", language, "\n"]);
        let mut items = items.peekable();
        while let Some(item) = items.next_if(|item| item.len() <= room) {
            room -= item.len();
            self.text.push_str(&item);
        }
        self.text.push_str("```\n\n");
        items.count()
    }

    /// The lines of `text` as a code block, as many as fit.
    fn lines(&mut self, text: &str) {
        let lines = text.lines().map(|line| format!("{line}\n"));
        let left = self.block("text", lines, self.room());
        self.left_out(left, 0, "lines");
    }

    /// What a later run can be compared with.
    fn digest(&mut self, plan: &Plan) {
        self.text.extend([
            "Digest of the calls: `",
            &calls_digest(plan),
            "`. A plan with the same digest makes the same calls.\n\n",
        ]);
    }

    /// The changes of an organization, folded when they are many; returns how many don't fit.
    fn organization(
        &mut self,
        organization: &OrganizationPlan,
        plan: &Plan,
        style: &Style,
    ) -> usize {
        let called = || {
            let changes = organization.changes.iter();
            changes.filter(|change| change.steps != Steps::Nothing)
        };
        let count = called().count();
        let handle = html(&organization.handle);
        if count == 0 || self.room() < handle.len() + FOLD {
            return count;
        }
        let mut texts = Vec::new();
        let mut lines = 0;
        // Later ones would not fit, and rendering a hundred thousand takes its time.
        let mut size = 0;
        for change in called() {
            let text = diff_text(change, plan, style);
            (lines, size) = (lines + text.lines().count(), size + text.len());
            texts.push(text);
            if size > self.room() {
                break;
            }
        }
        let unfolded = if lines <= LONG { " open" } else { "" };
        let changes = words::counted(count, "change", "changes");
        self.text.extend([
            "<details",
            unfolded,
            "><summary><b>",
            &handle,
            "</b>: ",
            &changes,
            "</summary>\n\n",
        ]);
        let shown = texts.len();
        let left = self.block("diff", texts.into_iter(), self.room());
        self.text.push_str("</details>\n\n");
        count - (shown - left)
    }

    /// Every change in a line; returns how many don't fit, and how many of them delete.
    fn overview(&mut self, plan: &Plan) -> (usize, usize) {
        // Two thirds of the room, so that the counts and some of the details fit as well.
        let lines = ordered(plan).map(|(symbol, change)| overview_line(symbol, change));
        let left = self.block("diff", lines, self.room() / 3 * 2);
        let deletes = plan
            .changes()
            .filter(|change| change.action == Action::Delete)
            .count();
        // Deletes come first, so those that are left out are what the shown ones don't cover.
        let shown = plan.changes().count() - left;
        (left, deletes.saturating_sub(shown))
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;
    use crate::model::Timestamp;
    use crate::plan::{Tripped, arbitrary};
    use crate::render::fixtures::*;

    #[test]
    fn deletions_come_first_and_details_are_folded() {
        let mut plan = plan(vec![
            add("acme", "https://hooks.acme.example/esign"),
            replace("acme-shanghai", "https://sh.acme.example/cb"),
            delete("beta", "https://old.beta.example/cb"),
        ]);
        plan.summary.unchanged = 14;
        plan.summary.deletes_by_omission = 1;
        plan.tripped = vec![Tripped::LastOfOrganization {
            handle: Handle::new("beta"),
            deletes: 1,
        }];
        assert_snapshot!(plan_markdown(&plan, &plain()), @r#"
        <!-- ess-callbacks plan production -->
        ### ess-callbacks, production: 2 to add, 0 to change, 2 to destroy

        **Refused: this plan deletes more than the guards allow and will not be applied.** These callbacks are deleted because callbacks.yaml leaves them out. If that is meant, say how many: --allow-deletes 1

        ```text
          beta: its last callback; none would be left
        ```

        ```diff
        - beta/https://old.beta.example/cb (delete, because it is not in callbacks.yaml)
        ! acme-shanghai/https://sh.acme.example/cb (replace with a gap of about 1 round trip, because its key changed)
        + acme/https://hooks.acme.example/esign (add)
        ```

        ```text
        4 calls, about 1 s at 20/s; 1 replace with a gap of about 1 round trip. 14 unchanged.
        ```

        Digest of the calls: `sha256:e887040b64b0763ff694d2d6bbb4395b5cedc326e8023532ee716069c3b2e88e`. A plan with the same digest makes the same calls.

        <details open><summary><b>acme</b>: 1 change</summary>

        ```diff
          # acme/https://hooks.acme.example/esign will be added
        +   callback {
        +       url   = "https://hooks.acme.example/esign"
        +       key   = (secret, fp 9c9c…)
        +       token = (secret, fp 7777…)
            }
        ```

        </details>

        <details open><summary><b>acme-shanghai</b>: 1 change</summary>

        ```diff
          # acme-shanghai/https://sh.acme.example/cb must be replaced
          # (because its key changed)
        !   callback {
                url   = "https://sh.acme.example/cb"
        !       key   = (secret, fp 0202…) -> (secret, fp 8181…)
                token = (secret, fp 7777…)
            }
        ```

        </details>

        <details open><summary><b>beta</b>: 1 change</summary>

        ```diff
          # beta/https://old.beta.example/cb will be deleted
          # (because it is not in callbacks.yaml)
        -   callback {
        -       url   = "https://old.beta.example/cb"
        -       key   = (secret, fp 9c9c…)
        -       token = (secret, fp 7777…)
            }
        ```

        </details>
        "#);
    }

    #[test]
    fn no_changes_still_says_what_that_is_worth() {
        let mut plan = plan(Vec::new());
        plan.summary.unchanged = 14;
        assert_snapshot!(plan_markdown(&plan, &plain()), @"
        <!-- ess-callbacks plan production -->
        ### ess-callbacks, production: no changes

        ```text
        No changes. Your configuration matches the recorded state.

        eSign can't be read back: what somebody changed in its console would not show here. Nothing has been proven yet.
        14 unchanged.
        ```

        Digest of the calls: `sha256:96942b01122b4b4dcaf03fe1613e0929fa09f196bf162140f5be0765599d6455`. A plan with the same digest makes the same calls.
        ");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let long = "x".repeat(100);
        let mut changes: Vec<Change> = (0..1000)
            .map(|n| delete("acme", &format!("https://a.example/{n}/{long}")))
            .collect();
        changes.extend((0..1000).map(|n| add("beta", &format!("https://b.example/{n}/{long}"))));
        let shown = plan_markdown(&plan(changes), &plain());
        assert!(shown.len() <= MARKDOWN_LIMIT, "{}", shown.len());
        assert!(
            shown.len() > MARKDOWN_LIMIT * 9 / 10,
            "room is wasted: {}",
            shown.len()
        );
        let left: Vec<&str> = shown
            .lines()
            .filter(|line| line.contains("left out"))
            .collect();
        assert_snapshot!(left.join("\n"), @"
        **1762 more changes left out for length, 762 of them deletes.** `ess-callbacks plan` shows everything.
        **1952 more changes left out for length.** `ess-callbacks plan` shows everything.
        ");
        assert!(
            shown.ends_with("left out for length.** `ess-callbacks plan` shows everything.\n\n")
        );
        assert_eq!(shown.matches("```").count() % 2, 0);
    }

    #[test]
    fn a_handle_means_nothing_as_html() {
        let shown = plan_markdown(
            &plan(vec![add("<b>@all&`", "https://a.example/cb")]),
            &plain(),
        );
        assert!(
            shown.contains("<b>&lt;b&gt;&#64;all&amp;&#96;</b>: 1 change"),
            "{shown}"
        );
    }

    fn repeated<T: Clone>(items: &[T], times: usize) -> Vec<T> {
        let count = items.len() * times;
        items.iter().cycle().take(count).cloned().collect()
    }

    proptest! {
        #[test]
        fn no_plan_makes_a_comment_that_github_refuses(
            plan in arbitrary::plan(),
            repeat in 1_usize..400,
        ) {
            let mut plan = plan;
            for organization in &mut plan.organizations {
                let changes = std::mem::take(&mut organization.changes);
                organization.changes = repeated(&changes, repeat);
            }
            plan.tripped = repeated(&plan.tripped, repeat);
            let shown = plan_markdown(&plan, &Style::plain(Timestamp(0)));
            prop_assert!(shown.len() <= MARKDOWN_LIMIT);
            prop_assert!(shown.starts_with("<!-- ess-callbacks plan "));
            // Nothing from outside can open or close a block.
            let fences = shown.lines().filter(|line| line.starts_with("```")).count();
            prop_assert_eq!(fences % 2, 0);
        }
    }
}
