//! The options of the commands that send something to receivers.

use clap::Args;

use super::switch;

/// Which receivers something may be sent to.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Receivers {
    /// Verify receivers at private addresses too, such as 10.0.0.1 or localhost.
    #[arg(long, env = "ESS_CALLBACKS_ALLOW_PRIVATE", value_parser = switch::parse)]
    pub(crate) allow_private: bool,
}

/// Whether receivers are verified before they are added.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Calling options")]
pub(crate) struct Verifying {
    /// Verify the receivers of adds and replaces first, and leave out those that fail (exit code 8).
    #[arg(long, env = "ESS_CALLBACKS_VERIFY", value_parser = switch::parse)]
    pub(crate) verify: bool,
    #[command(flatten)]
    pub(crate) receivers: Receivers,
}
