//! The arguments of `rotate`.

use crate::cli::options::calling::Calling;
use crate::cli::options::outputs::Outputs;
use crate::cli::options::receivers::Receivers;
use crate::cli::options::secret_commands::Commands;
use crate::cli::options::switch;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The callbacks whose key or token changed: HANDLE or HANDLE/URL, where * matches any text.
    #[arg(value_name = "ADDRESS", required = true)]
    pub(super) addresses: Vec<String>,
    /// A second URL of the receiver, for one callback. Without it, `esign-rotation=…` is added to the query of the
    /// callback's URL.
    #[arg(long, env = "ESS_CALLBACKS_TWIN", value_name = "URL")]
    pub(super) twin: Option<String>,
    /// Rotate without verifying first that the receivers take the new key and token.
    #[arg(long, env = "ESS_CALLBACKS_NO_VERIFY", value_parser = switch::parse)]
    pub(super) no_verify: bool,
    #[command(flatten)]
    pub(super) receivers: Receivers,
    /// Rotate without asking.
    #[arg(long, env = "ESS_CALLBACKS_AUTO_APPROVE", value_parser = switch::parse)]
    pub(super) auto_approve: bool,
    #[command(flatten)]
    pub(super) calling: Calling,
    /// Mark calls, and ask CloudAudit what became of those without an answer. Experimental: only ever tried against
    /// the sandbox.
    #[arg(long, env = "ESS_CALLBACKS_EXPERIMENTAL_CLOUDAUDIT", value_parser = switch::parse)]
    pub(super) experimental_cloudaudit: bool,
    #[command(flatten)]
    pub(super) commands: Commands,
    #[command(flatten)]
    pub(super) outputs: Outputs,
}
