//! A plan as text, in the form of Terraform's.
//!
//! [`plan_text`] writes the legend, the changes and the counts, [`plan_summary`] a line per change, and
//! [`change_text`] a single change. [`guards_text`] is separate, because a refusal is an error.

mod brief;
mod change;
mod guards;
mod scope;
mod summary;
mod updates;

#[cfg(test)]
mod tests;

pub use brief::plan_summary;
pub(crate) use change::shortened;
pub use change::{Context, change_text};
pub(crate) use guards::{Refusal, Remedies, refusals};
pub use guards::{guards_json, guards_text, refusal_sentences};
pub(super) use scope::{
    Ambiguous, differences, fields as scope_fields, move_text, words as scope_words,
};
pub(super) use summary::{footer, no_changes, summary_line};
pub(super) use updates::HEADING as UPDATES;
pub(crate) use updates::update_words;

use std::fmt;

use super::place;
use super::style::{Style, Tone};
use super::wrap::write_wrapped;
use crate::model::{Action, Calls};
use crate::plan::{Change, Plan};

/// Writes a whole plan, without the guards.
pub fn plan_text(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    if plan.is_empty() {
        moves(plan, style, out)?;
        updates::updates(plan, style, out)?;
        return no_changes(plan, style, out);
    }
    legend(plan, style, out)?;
    writeln!(
        out,
        "{}\n",
        style.paint(
            Tone::Strong,
            "ess-callbacks will perform the following actions:"
        )
    )?;
    moves(plan, style, out)?;
    let ambiguous = Ambiguous::of(plan);
    for (organization, change) in plan.changes_by_organization() {
        let context = Context::of(&ambiguous, organization);
        change_text(change, context, style, out)?;
        out.write_char('\n')?;
    }
    updates::updates(plan, style, out)?;
    summary::counts(plan, style, out)
}

/// The scopes that will be recorded under another account.
fn moves(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    for item in &plan.moves {
        move_text(item, style, out)?;
        out.write_char('\n')?;
    }
    Ok(())
}

/// Writes where the calls go and the question whether to apply the plan, up to the position of the answer.
pub fn question_text(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let width = style.width;
    out.write_char('\n')?;
    write_wrapped(
        out,
        ("", ""),
        "Do you want to perform these actions?",
        width,
    )?;
    for line in [
        "ess-callbacks will make the calls described above.",
        &place::of_plan(plan),
        "Only 'yes' will be accepted to approve.",
    ] {
        write_wrapped(out, ("  ", "  "), line, width)?;
    }
    out.write_str("\n  Enter a value: ")
}

/// The symbol before a change's block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symbol {
    Add,
    Delete,
    Replace,
    Heal,
    Finish,
}

impl Symbol {
    const ALL: [Self; 5] = [
        Self::Add,
        Self::Delete,
        Self::Replace,
        Self::Heal,
        Self::Finish,
    ];

    /// Three columns wide.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Add => "  +",
            Self::Delete => "  -",
            Self::Replace => "-/+",
            Self::Heal => "  *",
            Self::Finish => "  !",
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Delete => "delete",
            Self::Replace => "replace (delete, then add)",
            Self::Heal => "heal (add again)",
            Self::Finish => "finish (settle an open call)",
        }
    }

    pub(in crate::render) const fn tone(self) -> Tone {
        match self {
            Self::Add => Tone::Add,
            Self::Delete => Tone::Delete,
            Self::Replace => Tone::Change,
            Self::Heal => Tone::Heal,
            Self::Finish => Tone::Finish,
        }
    }

    /// `None` for a change without calls.
    pub const fn of(change: &Change) -> Option<Self> {
        match (change.action, change.calls()) {
            (_, Calls::Nothing) | (Action::NoOp, _) => None,
            (Action::Add, Calls::Replace) | (Action::Replace, _) => Some(Self::Replace),
            (Action::Add, _) => Some(Self::Add),
            (Action::Delete, _) => Some(Self::Delete),
            (Action::Heal, _) => Some(Self::Heal),
            (Action::Finish, _) => Some(Self::Finish),
        }
    }
}

/// Explains the symbols that this plan uses.
fn legend(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let mut used = [false; Symbol::ALL.len()];
    for symbol in plan.changes().filter_map(Symbol::of) {
        used[symbol as usize] = true;
    }
    out.write_str("Actions are indicated with the following symbols:\n")?;
    for symbol in Symbol::ALL {
        if used[symbol as usize] {
            writeln!(
                out,
                "{} {}",
                style.paint(symbol.tone(), symbol.text()),
                symbol.meaning()
            )?;
        }
    }
    out.write_char('\n')
}
