//! The arguments of `doctor`.

use std::path::PathBuf;

use crate::cli::options::switch;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Check only these accounts. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_ACCOUNT",
        value_name = "NAME",
        value_delimiter = ' '
    )]
    pub(super) account: Vec<String>,
    /// Check only these organizations. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_ORGANIZATION",
        value_name = "HANDLE",
        value_delimiter = ' '
    )]
    pub(super) organization: Vec<String>,
    /// Probe the permission for every organization, not only for a few of each operator.
    #[arg(long, env = "ESS_CALLBACKS_ALL", value_parser = switch::parse)]
    pub(super) all: bool,
    /// Probes per second for each set of credentials, which leaves room for an apply; 0 is no limit.
    #[arg(
        long,
        env = "ESS_CALLBACKS_RATE",
        value_name = "N",
        default_value_t = 10
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(super) rate: u32,
    /// Instead, find out what eSign's documentation leaves open, with this URL of yours that nothing
    /// uses: it is added and deleted several times, and deleted at the end.
    #[arg(
        long,
        env = "ESS_CALLBACKS_PROBE_API",
        value_name = "URL",
        conflicts_with = "all"
    )]
    pub(super) probe_api: Option<String>,
    /// With --probe-api: begin without asking.
    #[arg(long, env = "ESS_CALLBACKS_AUTO_APPROVE", value_parser = switch::parse)]
    pub(super) auto_approve: bool,
    /// With --probe-api: also write the report to this file.
    #[arg(long, env = "ESS_CALLBACKS_REPORT", value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
}
