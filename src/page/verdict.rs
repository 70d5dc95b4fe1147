//! Is everything well, and if not, what has to be done? The answer at the top of the page.

use super::survey::{Known, Survey};
use super::times::minute;
use super::{Keeping, Next, Page, Run, RunEnd};
use crate::diag::Severity;
use crate::model::{Entry, masked_in};
use crate::plan::{Plan, calls_digest};
use crate::render::{Clean, Refusal, Remedies, counted, plural, refusals, update_words};

/// How urgent something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Well,
    /// Changes will be made, or wait to be.
    Pending,
    Warning,
    Error,
}

/// One thing to know, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) level: Level,
    pub(super) headline: String,
    /// What exactly, a line each.
    pub(super) rows: Vec<String>,
    /// How many more rows there would be.
    pub(super) more: usize,
    pub(super) remedy: Option<String>,
}

/// The answer, and what it follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) level: Level,
    pub(super) headline: String,
    pub(super) remark: Option<String>,
    /// The most urgent first.
    pub(super) tasks: Vec<Task>,
    /// Of the plan, if it has calls.
    pub(super) digest: Option<String>,
}

/// The most rows of a task.
const NAMED: usize = 10;

impl Level {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Well => "Well",
            Self::Pending => "Pending",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Error => Self::Error,
            Severity::Warning => Self::Warning,
        }
    }
}

impl Task {
    const fn new(level: Level, headline: String) -> Self {
        Self {
            level,
            headline,
            rows: Vec::new(),
            more: 0,
            remedy: None,
        }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn rows(mut self, mut rows: impl Iterator<Item = String>) -> Self {
        self.rows = rows.by_ref().take(NAMED).collect();
        self.more = rows.count();
        self
    }
}

impl Verdict {
    pub(super) fn of(page: &Page<'_>, survey: &Survey<'_>) -> Self {
        let mut tasks: Vec<Task> = page
            .problems
            .iter()
            .map(|problem| Task {
                remedy: problem.remedy.as_deref().map(foreign),
                rows: problem.details.iter().map(|row| foreign(row)).collect(),
                ..Task::new(
                    problem.severity.into(),
                    capitalized(&foreign(&problem.headline)),
                )
            })
            .collect();
        tasks.extend(
            page.plan
                .map(|plan| refused(page, plan))
                .into_iter()
                .flatten(),
        );
        tasks.extend(last_run(page));
        tasks.extend(suspended(page));
        tasks.extend(behind(page));
        tasks.extend(open(page, survey));
        tasks.extend(page.plan.and_then(|plan| pending(page, plan)));
        tasks.extend(page.plan.and_then(records));
        // Stable: those of one level stay in this order.
        tasks.sort_by_key(|task| std::cmp::Reverse(task.level));
        let level = tasks.iter().map(|task| task.level).max();
        let level = level.unwrap_or(Level::Well);
        let count = |level| tasks.iter().filter(|task| task.level == level).count();
        let (headline, remark) = match level {
            Level::Error => (counted(count(Level::Error), "problem", "problems"), None),
            Level::Warning => (counted(count(Level::Warning), "warning", "warnings"), None),
            Level::Pending => (pending_headline(survey), None),
            Level::Well => well(page, survey),
        };
        Self {
            level,
            headline,
            remark,
            tasks,
            digest: page.plan.filter(|plan| !plan.is_empty()).map(calls_digest),
        }
    }
}

/// The longest text from elsewhere, in characters.
const LONGEST: usize = 600;

/// Text from elsewhere, as people may see it.
pub(super) fn foreign(text: &str) -> String {
    let masked = masked_in(text);
    match masked.char_indices().nth(LONGEST) {
        Some((end, _)) => Clean(format_args!("{}\u{2026}", &masked[..end])).to_string(),
        None => Clean(masked).to_string(),
    }
}

fn well(page: &Page<'_>, survey: &Survey<'_>) -> (String, Option<String>) {
    const NOTHING_PENDING: &str = "Nothing is pending: what is declared is what is recorded.";
    // A controller keeps no plan that says no more than the state.
    let last_round = page.keeping.and_then(|keeping| keeping.last_round);
    if let Some(at) = last_round {
        let remark = format!("{NOTHING_PENDING} The last round was at {}.", minute(at));
        return ("All is well".to_owned(), Some(remark));
    }
    let (headline, remark) = match page.plan {
        Some(plan) if plan.summary.not_checked > 0 => (
            "All is well",
            "Nothing is pending. The plan was made without secrets, so a changed key or token does not show.",
        ),
        Some(_) => ("All is well", NOTHING_PENDING),
        None if survey.counts.all() == 0 => (
            "Nothing is recorded",
            "The first apply records what it does.",
        ),
        None => (
            "Nothing is open",
            "The outcome of every call is known. What is pending is not: this page was made without the \
             configuration.",
        ),
    };
    (headline.to_owned(), Some(remark.to_owned()))
}

/// A task for each kind of guard that refuses the plan.
fn refused(page: &Page<'_>, plan: &Plan) -> Vec<Task> {
    let remedies = page.keeping.map_or(Remedies::Flags, |keeping| {
        Remedies::Approval(keeping.configuration)
    });
    let task = |refusal: &Refusal| {
        Task::new(Level::Error, capitalized(refusal.title))
            .rows(refusal.rows(plan))
            .remedy(refusal.remedy.clone())
    };
    refusals(plan, remedies).iter().map(task).collect()
}

fn last_run(page: &Page<'_>) -> Option<Task> {
    let mut ended = page.runs?.iter().rev();
    let last: &Run = ended.find(|run| run.end != RunEnd::Running)?;
    // What else ended a run is among the problems, or shows in the plan.
    let how = match &last.end {
        RunEnd::Failed(why) if why.is_empty() => "the last run failed".to_owned(),
        RunEnd::Failed(why) => format!("the last run failed: {}", foreign(why)),
        RunEnd::Incomplete => "the last run did not make all changes".to_owned(),
        RunEnd::Running | RunEnd::Complete | RunEnd::Refused | RunEnd::Interrupted => return None,
    };
    Some(Task::new(Level::Warning, capitalized(&how)))
}

fn suspended(page: &Page<'_>) -> Option<Task> {
    let suspension = page.recorded.suspended(page.now)?;
    let headline = format!(
        "The controller makes no calls until {}: {}",
        minute(suspension.until),
        foreign(&suspension.reason)
    );
    Some(Task::new(Level::Warning, headline).remedy("`POST /resume` ends it earlier."))
}

/// The files are not those in force. When that lasts, it is among the problems.
fn behind(page: &Page<'_>) -> Option<Task> {
    let since = page.keeping?.behind?;
    let headline = format!(
        "This replica waits for newer files: others are in force since {}",
        minute(since)
    );
    Some(Task::new(Level::Warning, headline))
}

/// Calls whose outcome is unknown.
fn open(page: &Page<'_>, survey: &Survey<'_>) -> Option<Task> {
    let count = survey.counts.of(Known::Unknown);
    let headline = format!(
        "The outcome of the last call is unknown for {}",
        counted(count, "callback", "callbacks")
    );
    let it = plural(count, "it", "them");
    let rows = survey.groups.iter().flat_map(|group| &group.rows);
    let unknown = rows.filter(|row| row.known() == Known::Unknown);
    let address = |entry: &Entry, url| format!("{}/{}", Clean(&entry.handle), Clean(url));
    let rows = unknown.filter_map(|row| Some(address(row.entry?, row.url)));
    (count > 0).then(|| {
        Task::new(Level::Warning, headline)
            .rows(rows)
            .remedy(match next(page) {
                None => format!("Run `ess-callbacks apply`: it settles {it}."),
                Some(Next::Round | Next::Approved) => format!("The next round settles {it}."),
                Some(Next::Resumed) => {
                    format!("The first round after the suspension settles {it}.")
                }
                Some(Next::Solved) => {
                    format!("The first round without the problems above settles {it}.")
                }
            })
    })
}

/// When a controller makes what is pending. `None` where there is none.
fn next(page: &Page<'_>) -> Option<Next> {
    let Keeping { next, .. } = page.keeping?;
    Some(next)
}

fn pending_headline(survey: &Survey<'_>) -> String {
    let count = survey.counts.pending;
    let are = plural(count, "is", "are");
    format!("{} {are} pending", counted(count, "change", "changes"))
}

fn pending(page: &Page<'_>, plan: &Plan) -> Option<Task> {
    let refused = !plan.tripped.is_empty();
    if plan.is_empty() || refused {
        return None;
    }
    let summary = &plan.summary;
    let headline = format!(
        "{} to add, {} to change, {} to destroy",
        summary.to_add, summary.to_change, summary.to_destroy
    );
    let remedy = match next(page) {
        None => "Run `ess-callbacks apply` to make these changes.",
        Some(Next::Round) => "The next round makes these changes.",
        Some(Next::Resumed) => "They are made after the suspension ends.",
        Some(Next::Approved) => "They are made when they are approved.",
        Some(Next::Solved) => "They are made when the problems above are solved.",
    };
    Some(Task::new(Level::Pending, headline).remedy(remedy))
}

/// What changes in the record without a call. It is never urgent.
fn records(plan: &Plan) -> Option<Task> {
    let updates = plan.updates();
    let moves = plan.moves.iter().map(|item| {
        format!(
            "{}: {} recorded under the account {} now",
            Clean(&item.handle),
            counted(item.callbacks, "callback is", "callbacks are"),
            Clean(&item.to.account)
        )
    });
    let updates = updates.iter().map(|update| update_words(update, None));
    plan.records_something().then(|| {
        let headline = "The record changes without a call".to_owned();
        Task::new(Level::Well, headline).rows(moves.chain(updates))
    })
}

fn capitalized(text: &str) -> String {
    // Not a name such as eSign.
    if text.chars().nth(1).is_some_and(char::is_uppercase) {
        return text.to_owned();
    }
    let mut all = text.chars();
    all.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(all).collect()
    })
}
