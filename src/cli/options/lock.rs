//! The option of the commands that write the state and make no calls.

use std::time::Duration;

use clap::Args;

use super::duration;

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Lock {
    /// How long to wait for an apply to finish, such as 30s or 5m.
    #[arg(long, env = "ESS_CALLBACKS_LOCK_TIMEOUT", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) lock_timeout: Option<Duration>,
}
