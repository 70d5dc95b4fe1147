//! The options of the commands that resolve secrets.

use std::time::Duration;

use clap::Args;

use crate::cli::duration;

/// Whether and how `command` secret references run.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(in crate::cli) struct Commands {
    /// Allow `command` secret references to run.
    #[arg(long, env = "ESS_CALLBACKS_ALLOW_COMMANDS", value_parser = super::super::parse::switch)]
    pub(in crate::cli) allow_commands: bool,
    /// Stop a secret's command that has not ended after this time (30s, 5m).
    #[arg(long, env = "ESS_CALLBACKS_COMMAND_TIMEOUT", value_name = "DURATION", value_parser = duration::parse)]
    #[arg(default_value = "30s")]
    pub(in crate::cli) command_timeout: Duration,
}

impl Commands {
    /// The default.
    pub(in crate::cli) const TIMEOUT: Duration = Duration::from_secs(30);
}
