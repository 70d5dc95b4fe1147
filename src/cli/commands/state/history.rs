//! `state history`: the older states that are kept.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::harmless;
use crate::model::Timestamp;
use crate::render::Clean;
use crate::state::{LockOwner, Version, format};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the state with this serial, as a state file.
    #[arg(value_name = "SERIAL", value_parser = serial)]
    serial: Option<u64>,
}

fn serial(text: &str) -> Result<u64, &'static str> {
    let number = text.parse();
    number.map_err(|_| "a serial is a whole number; `state history` lists them")
}

pub(super) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let store = settings.locations()?.store()?;
    let Some(serial) = args.serial else {
        let versions = store.history().await?;
        // What is wrong with the newest, or where it is now.
        match store.peek().await {
            Err(error) if versions.is_empty() => return Err(error.into()),
            Err(error) => ui.warn(format_args!("Warning: {error}")),
            Ok(_) if versions.is_empty() => ui.note(format_args!("No state is kept there.")),
            Ok(_) => {}
        }
        if ui.json() {
            for version in &versions {
                ui.print(format_args!("{}\n", as_json(version)));
            }
        } else {
            ui.stream(|out| as_text(&versions, out));
        }
        return Ok(Exit::Done);
    };
    let Some(recorded) = store.version(serial).await? else {
        return Err(
            Failure::error(format!("no state with serial {serial} is kept"))
                .advice("`ess-callbacks state history` lists those that are."),
        );
    };
    ui.bytes(|mut out| format::write(&recorded, &mut out));
    Ok(Exit::Done)
}

/// Writes a line for each.
fn as_text(versions: &[Version], out: &mut dyn fmt::Write) -> fmt::Result {
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
fn as_json(version: &Version) -> String {
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::state::Place;

    #[test]
    fn the_history_names_who_wrote_each_state() {
        let version = |serial, writer| Version {
            serial,
            place: Place::new("callbacks.state.json"),
            writer,
        };
        let owner = LockOwner {
            id: "0192f0c1".into(),
            who: "ci".into(),
            host: "runner\x1b[31m".into(),
            pid: 4711,
            command: "apply".into(),
            since: Timestamp(1_795_435_200),
            job_url: Some("https://gitlab.example/jobs/7".into()),
        };
        let versions = [version(112, Some(owner)), version(9, None)];
        let mut text = String::new();
        as_text(&versions, &mut text).unwrap();
        assert_snapshot!(text, @r"
        112  2026-11-23T12:00:00Z  ci@runner\u{1b}[31m  apply  https://gitlab.example/jobs/7
          9  callbacks.state.json
        ");
        let lines: Vec<_> = versions.iter().map(as_json).collect();
        assert_snapshot!(lines.join("\n"), @r#"
        {"serial":112,"place":"callbacks.state.json","writer":{"who":"ci","host":"runner\u001b[31m","command":"apply","since":"2026-11-23T12:00:00Z","job_url":"https://gitlab.example/jobs/7"}}
        {"serial":9,"place":"callbacks.state.json"}
        "#);
    }
}
