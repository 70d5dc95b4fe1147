//! Logs on standard error.

use std::io::{self, IsTerminal as _, Write};

use tracing_subscriber::filter::LevelFilter;

use super::one_line::CLEARED;
use crate::cli::options::global::LogFormat;
use crate::cli::settings::Settings;
use crate::harmless::{neutral, write_fragment};

/// Starts to log. Without `-v`, only warnings and errors are logged.
pub(crate) fn start(settings: &Settings) {
    let global = &settings.flags;
    let level = match global.verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let json = matches!(global.log_format, LogFormat::Json);
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(move || Harmless { json })
        // It would panic when the terminal is closed.
        .log_internal_errors(false)
        .with_ansi(false);
    match global.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}

/// Standard error, for whole lines that may quote eSign or a file.
struct Harmless {
    json: bool,
}

impl Write for Harmless {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let err = io::stderr();
        if err.is_terminal() {
            err.lock().write_all(CLEARED.as_bytes())?;
        }
        if self.json {
            harmless_json(&text, &mut err.lock())?;
        } else {
            err.lock().write_all(neutral(&text).as_bytes())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Escapes what is not harmless, which only strings can hold.
fn harmless_json(text: &str, out: &mut impl Write) -> io::Result<()> {
    for line in text.split_inclusive('\n') {
        let json = line.strip_suffix('\n');
        write_fragment(out, json.unwrap_or(line))?;
        out.write_all(if json.is_some() { b"\n" } else { b"" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_stays_one() {
        let mut out = Vec::new();
        harmless_json("{\"a\":\"##[b]\\u001b中\u{202e}\"}\n", &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"a\":\"#\\u0023[b]\\u001b中\\u202e\"}\n"
        );
    }
}
