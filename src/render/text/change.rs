//! One change: what will happen to a callback, why, and which attributes change.

use std::fmt;

use super::Symbol;
use super::scope::{Ambiguous, differences, fields};
use crate::model::{Calls, Fingerprint, Presumed, Scope, SignedWrite, Write};
use crate::plan::{After, Before, Change, OrganizationPlan, Reason, Same};
use crate::render::escape::{Clean, Quoted};
use crate::render::style::{Style, Tone};
use crate::render::words;
use crate::render::wrap::write_wrapped;

/// What the text of a change depends on besides the change.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Its scope, if the handle is ambiguous.
    pub scope: Option<&'a Scope>,
    /// The old and the new scope of its organization, if they differ.
    pub successor: Option<(&'a Scope, &'a Scope)>,
}

impl<'a> Context<'a> {
    pub(crate) fn of(ambiguous: &Ambiguous<'_>, organization: &'a OrganizationPlan) -> Self {
        Self {
            scope: ambiguous.scope(organization),
            successor: organization
                .successor
                .as_deref()
                .map(|successor| (&*organization.scope, successor)),
        }
    }
}

/// Writes one change. A change without calls writes nothing.
pub fn change_text(
    change: &Change,
    context: Context<'_>,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let Some(symbol) = Symbol::of(change) else {
        return Ok(());
    };
    writeln!(
        out,
        "{}",
        style.paint(
            Tone::Strong,
            format_args!(
                "  # {} {}",
                Clean(&change.address),
                words::future(change.action, change.calls())
            )
        )
    )?;
    for remark in remarks(change, context, style) {
        write_wrapped(out, ("  # ", "  #  "), &remark, style.width)?;
    }
    writeln!(
        out,
        "{} callback {{",
        style.paint(symbol.tone(), symbol.text())
    )?;
    attributes(change, context, style, out)?;
    out.write_str("    }\n")
}

/// The comment lines under the heading.
fn remarks(change: &Change, context: Context<'_>, style: &Style) -> Vec<String> {
    let mut remarks = Vec::new();
    // A new callback needs no reason.
    if change.reason != Reason::NotRecorded {
        remarks.push(format!("(because {})", change.reason));
    }
    if let Some((old, new)) = context.successor {
        let differences = differences(old, new).into_iter();
        remarks.extend(differences.map(|difference| format!("({difference})")));
    }
    if let Some(lost) = change.fence
        && let Some(until) = lost.may_arrive_until(style.now)
    {
        remarks.push(format!(
            "(waits until {} UTC: an earlier {} may still arrive until then)",
            until.clock_time(),
            lost_word(lost),
        ));
    }
    if matches!(
        change.reason,
        Reason::OrganizationNotDeclared | Reason::ScopeChanged { .. } | Reason::Destroy
    ) {
        remarks.push(format!(
            "(in the name of operator {}, as recorded)",
            Clean(&change.operator)
        ));
    }
    remarks
}

/// What a lost call would do, as a noun.
pub(crate) const fn lost_word(lost: SignedWrite) -> &'static str {
    match lost.write {
        Write::Add(_) => "add",
        Write::Delete => "delete",
    }
}

struct Attribute {
    sign: Sign,
    name: &'static str,
    value: String,
}

#[derive(Clone, Copy)]
enum Sign {
    Comes,
    Goes,
    Changes,
    Stays,
}

fn attributes(
    change: &Change,
    context: Context<'_>,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let attributes = collect(change, context);
    let width = attributes
        .iter()
        .map(|attribute| attribute.name.len())
        .max()
        .unwrap_or(0);
    for Attribute { sign, name, value } in attributes {
        let (mark, tone) = match sign {
            Sign::Comes => ("+", Some(Tone::Add)),
            Sign::Goes => ("-", Some(Tone::Delete)),
            Sign::Changes => ("~", Some(Tone::Change)),
            Sign::Stays => (" ", None),
        };
        match tone {
            Some(tone) => write!(out, "      {}", style.paint(tone, mark))?,
            None => write!(out, "      {mark}")?,
        }
        writeln!(out, " {name:width$} = {value}")?;
    }
    Ok(())
}

fn collect(change: &Change, context: Context<'_>) -> Vec<Attribute> {
    let before = change.before.as_ref();
    let there = before.and_then(|before| before.belief.presumed());
    let sides = match (there, change.after()) {
        (_, None) => Sides::Goes(there),
        (None, Some(after)) => Sides::Comes(after),
        (Some(there), Some(after)) => Sides::Both(there, after),
    };
    let whole = match sides {
        Sides::Goes(_) => Sign::Goes,
        Sides::Comes(_) => Sign::Comes,
        Sides::Both(..) => Sign::Stays,
    };
    let mut attributes = vec![Attribute {
        sign: whole,
        name: "url",
        value: Quoted(&change.address.url).to_string(),
    }];
    let scope = context.scope.map(fields).into_iter().flatten();
    attributes.extend(scope.filter_map(|(name, value)| {
        Some(Attribute {
            sign: whole,
            name,
            value: value?,
        })
    }));
    for which in [Which::Key, Which::Token] {
        attributes.extend(secret(which, &sides, change.calls()));
    }
    attributes.extend(protect(before, change.after(), &sides));
    attributes
}

enum Sides<'a> {
    Comes(&'a After),
    Goes(Option<Presumed>),
    Both(Presumed, &'a After),
}

#[derive(Clone, Copy)]
enum Which {
    Key,
    Token,
}

impl Which {
    const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Token => "token",
        }
    }

    fn had(self, there: Presumed) -> Option<Fingerprint> {
        match self {
            Self::Key => there.fingerprints.key,
            Self::Token => there.fingerprints.token,
        }
    }

    fn gets(self, after: &After) -> Option<Declared> {
        let declared = match self {
            Self::Key => after.key.is_some(),
            Self::Token => after.token.is_some(),
        };
        declared.then_some(match (self, after.same) {
            (_, None) => Declared::NotChecked,
            (Self::Key, Some(Same { key: true, .. }))
            | (Self::Token, Some(Same { token: true, .. })) => Declared::Same,
            // A token's fingerprint depends on the key, so with another key it can't be compared.
            (Self::Token, Some(Same { key: false, .. })) => Declared::NotTold,
            (Self::Key | Self::Token, Some(_)) => Declared::Changed,
        })
    }
}

/// How a declared secret compares with the recorded one. Its own fingerprint is never shown:
/// see [`crate::plan::Same`].
#[derive(Clone, Copy)]
enum Declared {
    Same,
    Changed,
    NotTold,
    NotChecked,
}

fn secret(which: Which, sides: &Sides<'_>, calls: Calls) -> Option<Attribute> {
    let (sign, value) = match *sides {
        Sides::Goes(there) => (Sign::Goes, recorded(which.had(there?)?, there?.exact)),
        Sides::Comes(after) => (Sign::Comes, new(which.gets(after)?)),
        Sides::Both(there, after) => match (which.had(there), which.gets(after)) {
            (None, None) => return None,
            (None, Some(gets)) => (Sign::Comes, new(gets)),
            (Some(old), None) => (
                Sign::Goes,
                format!("{} -> (none)", recorded(old, there.exact)),
            ),
            (Some(old), Some(gets)) => compared(old, there.exact, gets, calls),
        },
    };
    Some(Attribute {
        sign,
        name: which.name(),
        value,
    })
}

fn new(declared: Declared) -> String {
    match declared {
        Declared::Same | Declared::Changed | Declared::NotTold => "(secret)",
        Declared::NotChecked => "(secret, not checked)",
    }
    .to_owned()
}

fn compared(old: Fingerprint, exact: bool, gets: Declared, calls: Calls) -> (Sign, String) {
    let was = recorded(old, exact);
    // A replace sets the secret; an add alone leaves the existing one.
    let certain_after = exact || calls != Calls::Replace;
    match gets {
        Declared::Same if certain_after => (Sign::Stays, was),
        Declared::Same => (Sign::Changes, format!("{was} -> {}", recorded(old, true))),
        Declared::Changed => (Sign::Changes, format!("{was} -> (secret, changed)")),
        Declared::NotTold => (Sign::Changes, format!("{was} -> (secret)")),
        Declared::NotChecked => (
            Sign::Stays,
            format!("(secret, fp {}, not checked)", shortened(old, 4)),
        ),
    }
}

fn recorded(fingerprint: Fingerprint, exact: bool) -> String {
    let doubt = if exact { "" } else { ", assumed" };
    format!("(secret, fp {}{doubt})", shortened(fingerprint, 4))
}

/// The first digits of a fingerprint.
pub(crate) fn shortened(fingerprint: Fingerprint, digits: usize) -> String {
    let mut text = fingerprint.to_string();
    if digits < text.len() {
        text.truncate(digits);
        text.push('…');
    }
    text
}

fn protect(before: Option<&Before>, after: Option<&After>, sides: &Sides<'_>) -> Option<Attribute> {
    let was = before.is_some_and(|before| before.protect);
    let will = after.is_some_and(|after| after.protect);
    let (sign, value) = match (sides, was, will) {
        (Sides::Goes(_), true, _) => (Sign::Goes, "true"),
        (Sides::Comes(_), _, true) => (Sign::Comes, "true"),
        (Sides::Both(..), false, true) => (Sign::Changes, "false -> true"),
        (Sides::Both(..), true, false) => (Sign::Changes, "true -> false"),
        (Sides::Both(..), true, true) => (Sign::Stays, "true"),
        (Sides::Goes(_), false, _)
        | (Sides::Comes(_), _, false)
        | (Sides::Both(..), false, false) => {
            return None;
        }
    };
    Some(Attribute {
        sign,
        name: "protect",
        value: value.to_owned(),
    })
}
