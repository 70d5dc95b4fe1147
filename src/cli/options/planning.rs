//! The options that choose what is planned, for `plan` and `apply`.

use std::time::Duration;

use clap::Args;

use super::secret_commands::Commands;
use super::{duration, switch};

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Planning options")]
pub(crate) struct Planning {
    /// Plan only these callbacks: HANDLE or HANDLE/URL, where * matches any text. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_TARGET",
        value_name = "ADDRESS",
        value_delimiter = ' '
    )]
    pub(crate) target: Vec<String>,
    /// Delete these callbacks and add them again, to confirm their key and token. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_REPLACE",
        value_name = "ADDRESS",
        value_delimiter = ' '
    )]
    pub(crate) replace: Vec<String>,
    /// Add recorded callbacks again, in case something else deleted them.
    #[arg(long, env = "ESS_CALLBACKS_HEAL", value_parser = switch::parse)]
    pub(crate) heal: bool,
    /// With --heal: only callbacks last confirmed longer ago than this, such as 90m, 24h or 7d.
    #[arg(long, env = "ESS_CALLBACKS_OLDER_THAN", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) older_than: Option<Duration>,
    /// With --heal: at most this many calls, for the callbacks confirmed longest ago.
    #[arg(long, env = "ESS_CALLBACKS_MAX_CALLS", value_name = "N")]
    pub(crate) max_calls: Option<usize>,
    /// Delete every recorded callback.
    #[arg(long, env = "ESS_CALLBACKS_DESTROY", value_parser = switch::parse)]
    #[arg(conflicts_with_all = ["heal", "replace"])]
    pub(crate) destroy: bool,
    /// Allow exactly this many deletes of undeclared callbacks, where a guard refuses them.
    #[arg(long, env = "ESS_CALLBACKS_ALLOW_DELETES", value_name = "N")]
    pub(crate) allow_deletes: Option<usize>,
    /// Leave out all deletes but those of replaces.
    #[arg(skip)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) commands: Commands,
}
