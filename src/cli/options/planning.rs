//! The options that choose what is planned, for `plan` and `apply`.

use std::time::Duration;

use clap::Args;

use super::secret_commands::Commands;
use super::{duration, switch};

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Planning options")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
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
    /// The same and nothing else: other changes of callbacks.yaml are left for another apply.
    #[arg(long, env = "ESS_CALLBACKS_HEAL_ONLY", value_parser = switch::parse)]
    #[arg(conflicts_with_all = ["replace", "allow_deletes"])]
    pub(crate) heal_only: bool,
    /// With --heal: only callbacks last confirmed longer ago than this, such as 90m, 24h or 7d.
    #[arg(long, env = "ESS_CALLBACKS_OLDER_THAN", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) older_than: Option<Duration>,
    /// With --heal: heal only as many as make this many calls with the other changes, those confirmed longest ago first.
    #[arg(long, env = "ESS_CALLBACKS_MAX_CALLS", value_name = "N")]
    pub(crate) max_calls: Option<usize>,
    /// Delete every recorded callback.
    #[arg(long, env = "ESS_CALLBACKS_DESTROY", value_parser = switch::parse)]
    #[arg(conflicts_with_all = ["heal", "heal_only", "replace"])]
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
