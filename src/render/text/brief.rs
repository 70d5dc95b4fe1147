//! A plan as a list: one line per change, with its symbol and its address.

use std::fmt;

use super::scope::{Ambiguous, differences, words};
use super::updates::update_words;
use super::{Context, Symbol, summary};
use crate::plan::Plan;
use crate::render::escape::Clean;
use crate::render::style::{Style, Tone};

/// Writes one line per change, and the counts, without the guards.
pub fn plan_summary(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let recorded = |line: String, out: &mut dyn fmt::Write| {
        writeln!(out, "{} {line}", style.paint(Tone::Change, "  ~"))
    };
    for item in &plan.moves {
        let differences = differences(&item.from, &item.to).join(", ");
        recorded(format!("{}: {differences}", Clean(&item.handle)), out)?;
    }
    let ambiguous = Ambiguous::of(plan);
    for (organization, change) in plan.changes_by_organization() {
        let Some(symbol) = Symbol::of(change) else {
            continue;
        };
        // One address may be deleted in one scope and added in another.
        let scope = match Context::of(&ambiguous, organization).scope {
            Some(scope) => format!(" ({})", words(scope)),
            None => String::new(),
        };
        writeln!(
            out,
            "{} {}{scope}",
            style.paint(symbol.tone(), symbol.text()),
            Clean(&change.address)
        )?;
    }
    let updates = plan.updates();
    for update in &updates {
        recorded(update_words(update, ambiguous.scope_of(update)), out)?;
    }
    if !plan.is_empty() || !plan.moves.is_empty() || !updates.is_empty() {
        out.write_char('\n')?;
    }
    if plan.is_empty() {
        summary::no_changes(plan, style, out)
    } else {
        summary::counts(plan, style, out)
    }
}
