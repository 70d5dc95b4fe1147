//! Log lines on standard error, for those who ask.

use tracing_subscriber::filter::LevelFilter;

use super::args::{Global, LogFormat};

/// Begins to log. Without `-v` only what is wrong is logged.
pub(super) fn start(global: &Global) {
    let level = match global.verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        // It would panic when the terminal was closed.
        .log_internal_errors(false)
        .with_ansi(false);
    match global.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}
