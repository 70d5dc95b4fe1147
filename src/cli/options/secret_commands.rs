//! The options of the commands that resolve secrets.

use std::time::Duration;

use clap::Args;

use super::{duration, switch};

/// Whether and how `command` secret references run.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Commands {
    /// Run the commands of `command` secret references.
    #[arg(long, env = "ESS_CALLBACKS_ALLOW_COMMANDS", value_parser = switch::parse)]
    pub(crate) allow_commands: bool,
    /// Stop a command that takes longer than this, such as 30s or 5m.
    #[arg(long, env = "ESS_CALLBACKS_COMMAND_TIMEOUT", value_name = "DURATION", value_parser = duration::parse)]
    #[arg(default_value = "30s")]
    pub(crate) command_timeout: Duration,
}

impl Commands {
    /// The default of `--command-timeout`.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
}
