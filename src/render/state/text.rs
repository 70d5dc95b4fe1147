//! Recorded state as text.

use std::fmt;

use crate::model::{
    Address, CallbackUrl, Entry, Evidence, Missing, Presence, Presumed, Recorded, Scope, Sighting,
    SignedWrite, Write,
};
use crate::render::escape::{Clean, Quoted};
use crate::render::place;
use crate::render::style::{Style, Tone};
use crate::render::text::shortened;
use crate::render::words::{ago, counted};

/// The width of the names in a block.
const NAMES: usize = 12;

/// Writes every entry and the counts.
pub fn state_text(recorded: &Recorded, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    if recorded.is_empty() {
        writeln!(out, "Nothing is recorded.")?;
        return identity(recorded, out);
    }
    for (scope, url, entry) in recorded.by_handle() {
        entry_text(scope, url, entry, style, out)?;
        out.write_char('\n')?;
    }
    counts(recorded, style, out)
}

fn counts(recorded: &Recorded, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let counted_as = |evidence| {
        recorded
            .iter()
            .filter(|(_, _, entry)| entry.belief.evidence() == evidence)
            .count()
    };
    let kinds: Vec<String> = [Evidence::Proven, Evidence::Assumed, Evidence::Unknown]
        .into_iter()
        .map(|evidence| (counted_as(evidence), evidence))
        .filter(|(count, _)| *count > 0)
        .map(|(count, evidence)| format!("{count} {evidence}"))
        .collect();
    writeln!(
        out,
        "{} in {}: {}.",
        style.paint(
            Tone::Strong,
            counted(recorded.len(), "callback", "callbacks")
        ),
        counted(recorded.scopes.len(), "organization", "organizations"),
        kinds.join(", ")
    )?;
    identity(recorded, out)
}

fn identity(recorded: &Recorded, out: &mut dyn fmt::Write) -> fmt::Result {
    write!(out, "Environment {}", place::of_state(recorded))?;
    if let Some(lineage) = recorded.lineage {
        write!(out, ", lineage {lineage}")?;
    }
    writeln!(out, ", serial {}.", recorded.serial)
}

pub fn entry_text(
    scope: &Scope,
    url: &CallbackUrl,
    entry: &Entry,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let Entry {
        handle: _,
        operator,
        protect,
        belief,
        lost,
        traces: _,
        pending,
        proof,
        sighting: Sighting { seen_at, missing },
    } = entry;
    writeln!(
        out,
        "{}",
        style.paint(
            Tone::Strong,
            format_args!("# {}", Clean(address(url, entry)))
        )
    )?;
    out.write_str("callback {\n")?;
    row(out, "url", &Quoted(url))?;
    row(out, "status", &status(belief.presence()))?;
    row(out, "evidence", &evidence(belief.evidence()))?;
    if let Some(presumed) = belief.presumed() {
        secrets(presumed, out)?;
    }
    scope_rows(scope, out)?;
    row(out, "operator", &Quoted(operator))?;
    if *protect {
        row(out, "protect", &true)?;
    }
    match proof {
        Some(proof) => row(
            out,
            "confirmed",
            &format_args!(
                "{} ({}, request id {})",
                ago(style.now, proof.at),
                proof.at,
                Clean(&proof.request_id)
            ),
        )?,
        None => row(out, "confirmed", &"never")?,
    }
    if let Some(at) = *seen_at {
        let seen = format_args!("{} ({at}, by a message)", ago(style.now, at));
        row(out, "seen", &seen)?;
    }
    if let Some(Missing { since, messages }) = *missing {
        let count = counted(messages.get() as usize, "message", "messages");
        row(
            out,
            "missing",
            &format_args!("{count} since {since} went to others only"),
        )?;
    }
    if let Some(pending) = pending {
        open_call(("open call", pending.call), "on its way", style, out)?;
    }
    if let Some(lost) = lost {
        // A call that repeats what is known leaves nothing open, but may still arrive late.
        let name = if entry.is_open() {
            "open call"
        } else {
            "late call"
        };
        open_call((name, *lost), "without an answer", style, out)?;
    }
    out.write_str("}\n")
}

fn row(out: &mut dyn fmt::Write, name: &str, value: &dyn fmt::Display) -> fmt::Result {
    writeln!(out, "    {name:NAMES$} = {value}")
}

fn secrets(presumed: Presumed, out: &mut dyn fmt::Write) -> fmt::Result {
    let Presumed {
        fingerprints,
        exact,
    } = presumed;
    let doubt = if exact { "" } else { ", assumed" };
    for (name, fingerprint) in [("key", fingerprints.key), ("token", fingerprints.token)] {
        if let Some(fingerprint) = fingerprint {
            row(
                out,
                name,
                &format_args!("(secret, fp {}{doubt})", shortened(fingerprint, 4)),
            )?;
        }
    }
    Ok(())
}

fn scope_rows(scope: &Scope, out: &mut dyn fmt::Write) -> fmt::Result {
    let Scope {
        environment,
        account,
        organization,
        app_id,
    } = scope;
    row(out, "environment", environment)?;
    row(out, "account", &Quoted(account))?;
    match organization {
        Some(id) => row(out, "organization", &Quoted(id))?,
        None => row(out, "organization", &"the account's own")?,
    }
    match app_id {
        Some(id) => row(out, "app_id", &Quoted(id)),
        None => Ok(()),
    }
}

/// A call that may still arrive, or the last one that got no answer.
///
/// The time of the signature is left out: a signature with a short life is backdated, so it is not the time
/// when the call was sent.
fn open_call(
    (name, call): (&str, SignedWrite),
    how: &str,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let dead_at = call.dead_at();
    let arrival = match call.may_arrive_until(style.now) {
        Some(until) => format!("it may still arrive until {until}"),
        None if dead_at <= style.now => format!("it can't arrive any more (since {dead_at})"),
        None => "it can't arrive any more: it was signed by a clock that was far off".to_owned(),
    };
    let word = match call.write {
        Write::Add(_) => "an add",
        Write::Delete => "a delete",
    };
    row(out, name, &format_args!("{word} {how}; {arrival}"))
}

const fn status(presence: Presence) -> &'static str {
    match presence {
        Presence::Present => "present",
        Presence::Absent => "absent",
        Presence::Unknown => "present or absent",
    }
}

const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Proven => "proven",
        Evidence::Assumed => "assumed (perhaps with another key or token)",
        Evidence::Unknown => "unknown (the outcome of a call is open)",
    }
}

fn address(url: &CallbackUrl, entry: &Entry) -> Address {
    Address {
        handle: entry.handle.clone(),
        url: url.clone(),
    }
}
