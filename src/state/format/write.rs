//! Writes a state file.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::VERSION;
use super::line::{CallbackLine, EndedLine};
use super::twin::TwinLine;
use crate::harmless::Json;
use crate::model::{Lineage, Notes, Recorded, Salt};
use crate::state::{EndedCall, Rescue};

/// Writes everything recorded, but what is not worth remembering. Streams: needs no memory of its
/// own. The serial is written as it is.
///
/// # Errors
///
/// Those of `out`; and [`io::ErrorKind::InvalidInput`] when there is no lineage or salt yet, or an entry that [`read`]
/// would refuse.
///
/// [`read`]: super::read()
pub fn write(recorded: &Recorded, out: &mut impl Write) -> io::Result<()> {
    write_all(recorded, &[], out)
}

/// Writes an emergency copy.
///
/// # Errors
///
/// Those of [`write()`].
pub fn write_copy(copy: &Rescue, out: &mut impl Write) -> io::Result<()> {
    write_all(&copy.recorded, &copy.ended, out)
}

fn write_all(recorded: &Recorded, ended: &[EndedCall], out: &mut impl Write) -> io::Result<()> {
    let (Some(lineage), Some(salt)) = (recorded.lineage, recorded.salt) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a state without lineage or salt",
        ));
    };
    write_head(recorded, lineage, salt, out)?;
    write_ended(ended, out)?;
    out.write_all(b"\n  \"callbacks\": [")?;
    let mut line = Vec::new();
    let mut end = "";
    for (scope, url, entry) in recorded.iter() {
        if entry.is_untouched() {
            continue;
        }
        let callback = CallbackLine::of(scope, url, entry);
        callback
            .check_names()
            .map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem))?;
        line.clear();
        harmless(&mut line, &callback)?;
        out.write_all(end.as_bytes())?;
        out.write_all(b"\n    ")?;
        out.write_all(&line)?;
        end = ",";
    }
    out.write_all(b"\n  ]\n}\n")
}

/// Only an emergency copy has any.
fn write_ended(ended: &[EndedCall], out: &mut impl Write) -> io::Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let mut start = "\n  \"ended_calls\": [";
    for call in ended {
        let line = text(&EndedLine::of(call))?;
        write!(out, "{start}\n    {line}")?;
        start = ",";
    }
    out.write_all(b"\n  ],")
}

/// A state is printed too, perhaps into a log.
fn harmless(out: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Json);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// A field with one line for each, left out when there are none.
fn by_name<K: Serialize, V: Serialize>(field: &str, all: &BTreeMap<K, V>) -> io::Result<String> {
    let mut lines = Vec::new();
    for (name, one) in all {
        lines.push(format!("\n    {}: {}", text(name)?, text(one)?));
    }
    Ok(if lines.is_empty() {
        String::new()
    } else {
        format!("\n  \"{field}\": {{{}\n  }},", lines.join(","))
    })
}

fn text(value: &impl Serialize) -> io::Result<String> {
    let mut out = Vec::new();
    harmless(&mut out, value)?;
    String::from_utf8(out).map_err(io::Error::other)
}

fn write_head(
    recorded: &Recorded,
    lineage: Lineage,
    salt: Salt,
    out: &mut impl Write,
) -> io::Result<()> {
    let destination = match &recorded.destination {
        Some(destination) => format!("\n  \"destination\": {},", text(destination)?),
        None => String::new(),
    };
    let accounts = by_name("accounts", &recorded.accounts)?;
    let suspended = match &recorded.suspension {
        Some(suspension) => format!("\n  \"suspended\": {},", text(suspension)?),
        None => String::new(),
    };
    let checkout = match &recorded.checkout {
        Some(checkout) => format!("\n  \"checkout\": {},", text(checkout)?),
        None => String::new(),
    };
    let told = by_name("told", &recorded.told)?;
    let notes = match recorded.notes {
        Some(Notes { after, until }) if until == recorded.serial => {
            format!("\n  \"notes_after\": {after},")
        }
        Some(_) | None => String::new(),
    };
    let mut twins = String::new();
    for (twin, of) in &recorded.twins {
        twins.push_str(if twins.is_empty() {
            "\n  \"twins\": [\n    "
        } else {
            ",\n    "
        });
        twins.push_str(&text(&TwinLine::of(twin, of))?);
    }
    if !twins.is_empty() {
        twins.push_str("\n  ],");
    }
    let salt = text(&salt)?;
    write!(
        out,
        r#"{{
  "version": {VERSION},
  "lineage": "{lineage}",
  "serial": {},
  "environment": "{}",{destination}{accounts}{suspended}{checkout}{told}{notes}{twins}
  "fingerprint_salt": {salt},"#,
        recorded.serial, recorded.environment
    )
}
