//! A plan as a unified diff of the recorded and the desired callbacks, for tools that show diffs.
//!
//! Each organization with changes is a separate file. It begins with the changes of the whole
//! organization (its handle, operator or account); its callbacks follow. A secret with the recorded value is
//! shown by its recorded fingerprint, in full. Calls that do not change the record are not shown: a `heal`,
//! and the delete of an `absent:` URL that is not recorded.

mod files;
#[cfg(test)]
mod tests;

use std::fmt;

use similar::{ChangeTag, TextDiff};

use self::files::{Callback, File, files};
use super::escape::Clean;
use super::style::{Style, Tone};
use super::text::{Ambiguous, scope_words};
use crate::model::{
    Action, CallbackUrl, Calls, Evidence, Fingerprint, Fingerprints, Handle, Scope,
};
use crate::plan::{After, Plan, Same};

/// The number of unchanged lines around a changed one.
const CONTEXT: usize = 3;

/// Writes the diff; nothing if there is no difference.
pub fn plan_diff(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let ambiguous = Ambiguous::of(plan);
    files(plan)
        .into_iter()
        .try_for_each(|((handle, scope), file)| {
            let scope = ambiguous.names(handle).then_some(scope);
            organization_diff(handle, file, scope, style, out)
        })
}

/// One line of one side, or of both.
struct Line {
    tag: ChangeTag,
    text: String,
}

fn organization_diff(
    handle: &Handle,
    File { own, callbacks }: File<'_>,
    scope: Option<&Scope>,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    // The two sides of each callback, matched by URL, are compared separately, so that the time grows
    // linearly with the number of callbacks.
    let callbacks = callbacks
        .into_iter()
        .map(|(url, callback)| sides(url, &callback));
    let lines: Vec<Line> = own
        .into_iter()
        .chain(callbacks)
        .flat_map(|(recorded, desired)| {
            TextDiff::from_lines(&recorded, &desired)
                .iter_all_changes()
                .map(|line| Line {
                    tag: line.tag(),
                    text: line.value().trim_end_matches('\n').to_owned(),
                })
                .collect::<Vec<_>>()
        })
        .collect();
    if lines.iter().all(|line| line.tag == ChangeTag::Equal) {
        return Ok(());
    }
    let scope = scope.map(scope_words);
    let scope = scope.map_or_else(String::new, |scope| format!(" ({scope})"));
    for (mark, side) in [("---", "recorded"), ("+++", "desired")] {
        writeln!(
            out,
            "{}",
            style.paint(
                Tone::Strong,
                format_args!("{mark} {side}/{}{scope}", Clean(handle))
            )
        )?;
    }
    hunks(&lines, style, out)
}

fn hunks(lines: &[Line], style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let (mut old, mut new) = (1, 1);
    let mut written = 0;
    while let Some((start, end)) = next_hunk(lines, written) {
        count(&lines[written..start], &mut old, &mut new);
        let (first_old, first_new) = (old, new);
        count(&lines[start..end], &mut old, &mut new);
        writeln!(
            out,
            "@@ -{} +{} @@",
            range(first_old, old),
            range(first_new, new)
        )?;
        for Line { tag, text } in &lines[start..end] {
            match tag {
                ChangeTag::Equal => writeln!(out, " {text}")?,
                ChangeTag::Delete => {
                    writeln!(
                        out,
                        "{}",
                        style.paint(Tone::Delete, format_args!("-{text}"))
                    )?;
                }
                ChangeTag::Insert => {
                    writeln!(out, "{}", style.paint(Tone::Add, format_args!("+{text}")))?;
                }
            }
        }
        written = end;
    }
    Ok(())
}

/// The start and the end of the next hunk from `from` on, including its context.
fn next_hunk(lines: &[Line], from: usize) -> Option<(usize, usize)> {
    let differs = |line: &Line| line.tag != ChangeTag::Equal;
    let first = from + lines[from..].iter().position(differs)?;
    let mut last = first;
    // Two hunks with a gap of at most two contexts would touch.
    while let Some(gap) = lines[last + 1..]
        .iter()
        .take(2 * CONTEXT + 1)
        .position(differs)
    {
        last += gap + 1;
    }
    Some((
        first.saturating_sub(CONTEXT).max(from),
        (last + 1 + CONTEXT).min(lines.len()),
    ))
}

fn count(lines: &[Line], old: &mut usize, new: &mut usize) {
    for line in lines {
        match line.tag {
            ChangeTag::Equal => {
                *old += 1;
                *new += 1;
            }
            ChangeTag::Delete => *old += 1,
            ChangeTag::Insert => *new += 1,
        }
    }
}

/// `first,count`; an empty range names the line before it.
fn range(first: usize, next: usize) -> String {
    match next - first {
        0 => format!("{},0", first - 1),
        1 => first.to_string(),
        count => format!("{first},{count}"),
    }
}

/// The lines of the recorded and of the desired callback.
fn sides(url: &CallbackUrl, callback: &Callback<'_>) -> (String, String) {
    let Callback { change, protect } = *callback;
    let Some(change) = change else {
        let (before, after) = protect.unwrap_or_default();
        let side = |protect| block(url, None, None, protect, false);
        return (side(before), side(after));
    };
    let there = change.before.as_ref().and_then(|before| {
        let presumed = before.belief.presumed()?;
        Some((presumed, before))
    });
    let recorded = there.map(|(presumed, before)| {
        let recorded = |protect| {
            // A replace proves what was assumed, so `assumed` is part of the difference.
            let doubt = if !presumed.exact && change.calls() == Calls::Replace {
                ", assumed"
            } else {
                ""
            };
            let open =
                before.belief.evidence() == Evidence::Unknown && change.action != Action::NoOp;
            block(
                url,
                presumed
                    .fingerprints
                    .key
                    .map(|value| format!("fp {value}{doubt}")),
                presumed
                    .fingerprints
                    .token
                    .map(|value| format!("fp {value}{doubt}")),
                protect,
                open,
            )
        };
        let (was, will) = protect.unwrap_or((before.protect, before.protect));
        (recorded(was), recorded(will))
    });
    let (recorded, protected) = recorded.unwrap_or_default();
    if change.action == Action::NoOp {
        return (recorded, protected);
    }
    let had = there.map(|(presumed, _)| presumed.fingerprints);
    let desired = change.after().map(|after| {
        let [key, token] = desired_secrets(after, had.unwrap_or_default());
        block(url, key, token, after.protect, false)
    });
    (recorded, desired.unwrap_or_default())
}

/// Key and token of the desired side, without any fingerprint that is not recorded already.
fn desired_secrets(after: &After, had: Fingerprints) -> [Option<String>; 2] {
    let same = |which: fn(Same) -> bool| after.same.map(which);
    let shown = |declared: bool, same: Option<bool>, had: Option<Fingerprint>| {
        declared.then(|| match (same, had) {
            (None, _) => "not checked".to_owned(),
            (Some(true), Some(had)) => format!("fp {had}"),
            (Some(false), Some(_)) => "(secret, changed)".to_owned(),
            (Some(_), None) => "(secret)".to_owned(),
        })
    };
    let key = shown(after.key.is_some(), same(|same| same.key), had.key);
    // With another key, it is unknown whether the token changed.
    let had_token = had
        .token
        .filter(|_| same(|same| same.key || same.token) != Some(false));
    let token = shown(after.token.is_some(), same(|same| same.token), had_token);
    [key, token]
}

fn block(
    url: &CallbackUrl,
    key: Option<String>,
    token: Option<String>,
    protect: bool,
    open: bool,
) -> String {
    let mut text = format!("{}\n", Clean(url));
    for (name, value) in [("key", key), ("token", token)] {
        if let Some(value) = value {
            text.extend(["    ", name, ": ", &value, "\n"]);
        }
    }
    if protect {
        text.push_str("    protect: true\n");
    }
    if open {
        text.push_str("    open: the outcome of a call was lost\n");
    }
    text
}
