//! The options that choose what is planned, for `plan` and `apply`.

use std::time::Duration;

use clap::Args;

use super::secret_commands::Commands;
use super::{duration, switch};

/// What plan and apply have in common.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Planning options")]
pub(crate) struct Planning {
    /// Only these callbacks: handle or handle/URL, with * for any text. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_TARGET",
        value_name = "ADDRESS",
        value_delimiter = ' '
    )]
    pub(crate) target: Vec<String>,
    /// Delete these and add them again, which proves their key and token. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_REPLACE",
        value_name = "ADDRESS",
        value_delimiter = ' '
    )]
    pub(crate) replace: Vec<String>,
    /// Add again what is recorded as present, in case somebody else deleted it.
    #[arg(long, env = "ESS_CALLBACKS_HEAL", value_parser = switch::parse)]
    pub(crate) heal: bool,
    /// With --heal: only what was last confirmed longer ago than this (90m, 24h, 7d).
    #[arg(long, env = "ESS_CALLBACKS_OLDER_THAN", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) older_than: Option<Duration>,
    /// With --heal: no more than so many calls; the longest unconfirmed first.
    #[arg(long, env = "ESS_CALLBACKS_MAX_CALLS", value_name = "N")]
    pub(crate) max_calls: Option<usize>,
    /// Delete everything that is recorded.
    #[arg(long, env = "ESS_CALLBACKS_DESTROY", value_parser = switch::parse)]
    #[arg(conflicts_with_all = ["heal", "replace"])]
    pub(crate) destroy: bool,
    /// Allow exactly so many deletes by omission that a guard refuses.
    #[arg(long, env = "ESS_CALLBACKS_ALLOW_DELETES", value_name = "N")]
    pub(crate) allow_deletes: Option<usize>,
    #[command(flatten)]
    pub(crate) commands: Commands,
}
