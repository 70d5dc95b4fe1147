//! The option of the commands that write the state.

use std::time::Duration;

use clap::Args;

use super::duration;

/// What commands that write the state have in common.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Lock {
    /// Wait up to this long for an apply to finish (30s, 5m).
    #[arg(long, env = "ESS_CALLBACKS_LOCK_TIMEOUT", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) lock_timeout: Option<Duration>,
}
