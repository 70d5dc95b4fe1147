//! The older states that a medium has kept.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::harmless;
use crate::model::Timestamp;
use crate::render::escape::Clean;
use crate::state::{LockOwner, Version};

/// Writes a line for each.
pub fn history_text(versions: &[Version], out: &mut dyn fmt::Write) -> fmt::Result {
    let serial = |version: &Version| version.serial.to_string();
    let width = versions.iter().map(|version| serial(version).len()).max();
    let width = width.unwrap_or_default();
    for version in versions {
        let mut line = format!("{:>width$}", serial(version));
        match &version.writer {
            None => write!(line, "  {}", Clean(&version.place))?,
            Some(LockOwner {
                id: _,
                who,
                host,
                pid: _,
                command,
                since,
                job_url,
            }) => {
                write!(
                    line,
                    "  {since}  {}@{}  {}",
                    Clean(who),
                    Clean(host),
                    Clean(command)
                )?;
                if let Some(url) = job_url {
                    write!(line, "  {}", Clean(url))?;
                }
            }
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// One of them as a JSON object, without a line end.
pub fn history_json(version: &Version) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        serial: u64,
        place: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        writer: Option<Writer<'a>>,
    }
    #[derive(Serialize)]
    struct Writer<'a> {
        who: &'a str,
        host: &'a str,
        command: &'a str,
        since: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        job_url: Option<&'a str>,
    }
    let Version {
        serial,
        place,
        writer,
    } = version;
    let line = Line {
        serial: *serial,
        place: place.to_string(),
        writer: writer.as_ref().map(|writer| Writer {
            who: &writer.who,
            host: &writer.host,
            command: &writer.command,
            since: writer.since,
            job_url: writer.job_url.as_deref(),
        }),
    };
    let mut bytes = Vec::new();
    line.serialize(&mut serde_json::Serializer::with_formatter(
        &mut bytes,
        harmless::Json,
    ))
    .expect("names, numbers and times are always JSON");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}
