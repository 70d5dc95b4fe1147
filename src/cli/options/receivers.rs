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
