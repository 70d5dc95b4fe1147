//! The options of the commands that change callbacks: how they make their calls.

use std::time::Duration;

use clap::Args;

use super::{duration, switch};
use crate::cli::exit::Failure;
use crate::client::Rate;

/// How calls are made.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Calling options")]
pub(crate) struct Calling {
    /// Requests per second for each set of credentials; 0 is no limit, for a sandbox.
    #[arg(
        long,
        env = "ESS_CALLBACKS_RATE",
        value_name = "N",
        default_value_t = 20
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) rate: u32,
    /// Maximum number of calls in flight for each set of credentials.
    #[arg(
        long,
        env = "ESS_CALLBACKS_PARALLELISM",
        value_name = "N",
        default_value_t = 900
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) parallelism: u32,
    /// How often to send a call again when its outcome is unknown.
    #[arg(
        long,
        env = "ESS_CALLBACKS_MAX_RETRIES",
        value_name = "N",
        default_value_t = 5
    )]
    pub(crate) max_retries: u32,
    /// Leave changes that must wait for a lost call to the next run (exit code 4).
    #[arg(long, env = "ESS_CALLBACKS_NO_WAIT", value_parser = switch::parse)]
    pub(crate) no_wait: bool,
    /// How long to wait for another apply to finish, such as 30s or 5m.
    #[arg(long, env = "ESS_CALLBACKS_LOCK_TIMEOUT", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) lock_timeout: Option<Duration>,
}

impl Calling {
    /// `--rate` as the rate limiter takes it.
    pub(crate) fn limit(&self) -> Result<Rate, Failure> {
        Rate::per_second(f64::from(self.rate))
            .ok_or_else(|| Failure::usage(format!("--rate {} is out of range", self.rate)))
    }
}
