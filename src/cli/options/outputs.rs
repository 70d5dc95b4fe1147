//! Where else a run that makes calls writes, and whether it prints.

use std::path::PathBuf;

use crate::cli::options::switch;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct Outputs {
    /// Also write JSON events to this file.
    #[arg(long, env = "ESS_CALLBACKS_JSON_INTO", value_name = "FILE")]
    pub(crate) json_into: Option<PathBuf>,
    /// Write metrics to this file at the end, for the textfile collector of Prometheus' node exporter.
    #[arg(long, env = "ESS_CALLBACKS_METRICS_FILE", value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,
    /// Print nothing unless a change was not made, drift was found or a guard refused. For cron.
    #[arg(long, env = "ESS_CALLBACKS_QUIET", value_parser = switch::parse)]
    pub(crate) quiet: bool,
}
