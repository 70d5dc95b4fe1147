//! Changes of the record without a call, one line for each field of an organization or callback.

use std::fmt;

use super::scope::{Ambiguous, words};
use crate::model::{Address, Scope};
use crate::plan::{Plan, Update, Updated};
use crate::render::escape::{Clean, Quoted};
use crate::render::style::{Style, Tone};
use crate::render::words::counted;
use crate::render::wrap::write_wrapped;

pub(in crate::render) const HEADING: &str = "Changes to the record, without a call:";

/// Writes nothing if there are none.
pub(super) fn updates(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let updates = plan.updates();
    if updates.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", style.paint(Tone::Strong, HEADING))?;
    let ambiguous = Ambiguous::of(plan);
    for update in &updates {
        let words = update_words(update, ambiguous.scope_of(update));
        let mut line = String::new();
        write_wrapped(
            &mut line,
            ("", "      "),
            &words,
            style.width.saturating_sub(4),
        )?;
        write!(out, "{} {line}", style.paint(Tone::Change, "  ~"))?;
    }
    out.write_char('\n')
}

/// `acme: operator = "yD…" -> "yE…" (300 callbacks)`, `acme/https://…: protect = true -> false`
pub(crate) fn update_words(update: &Update<'_>, scope: Option<&Scope>) -> String {
    let Update {
        handle,
        scope: _,
        field,
    } = *update;
    let scope = scope.map_or_else(String::new, |scope| format!(" ({})", words(scope)));
    let of = |callbacks| counted(callbacks, "callback", "callbacks");
    match field {
        Updated::Handle {
            before,
            after,
            callbacks,
        } => format!(
            "{}{scope}: handle = {} -> {} ({})",
            Clean(handle),
            Quoted(before),
            Quoted(after),
            of(callbacks)
        ),
        Updated::Operator {
            before,
            after,
            callbacks,
        } => format!(
            "{}{scope}: operator = {} -> {} ({})",
            Clean(handle),
            Quoted(before),
            Quoted(after),
            of(callbacks)
        ),
        Updated::Protect { url, before, after } => {
            let address = Address {
                handle: handle.clone(),
                url: url.clone(),
            };
            format!("{}{scope}: protect = {before} -> {after}", Clean(address))
        }
    }
}
