//! The arguments of `apply`.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::options::calling::Calling;
use crate::cli::options::form::Brief;
use crate::cli::options::outputs::Outputs;
use crate::cli::options::planning::Planning;
use crate::cli::options::receivers::Verifying;
use crate::cli::options::{duration, switch};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A plan saved by `plan --out`; without it, apply makes a new plan and asks.
    #[arg(value_name = "PLAN", conflicts_with_all = ["target", "replace", "heal", "heal_only", "older_than", "max_calls", "destroy", "allow_deletes"])]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) planning: Planning,
    #[command(flatten)]
    pub(super) brief: Brief,
    /// Apply without asking.
    #[arg(long, help_heading = "Calling options", env = "ESS_CALLBACKS_AUTO_APPROVE", value_parser = switch::parse)]
    pub(super) auto_approve: bool,
    #[command(flatten)]
    pub(super) verifying: Verifying,
    #[command(flatten)]
    pub(super) calling: Calling,
    /// Call nothing unless the plan has this digest (exit code 7). `plan --json`, `plan --format json`
    /// and comments show the digest.
    #[arg(long, help_heading = "Calling options", env = "ESS_CALLBACKS_EXPECT_DIGEST", value_name = "DIGEST", value_parser = digest)]
    pub(super) expect_digest: Option<String>,
    /// Mark calls, and ask CloudAudit what became of those without an answer. Experimental: only ever tried against
    /// the sandbox.
    #[arg(long, help_heading = "Calling options", env = "ESS_CALLBACKS_EXPERIMENTAL_CLOUDAUDIT", value_parser = switch::parse)]
    pub(super) experimental_cloudaudit: bool,
    /// Start after a random delay of up to this, so that many cron jobs don't call at once.
    #[arg(long, help_heading = "Calling options", env = "ESS_CALLBACKS_JITTER", value_name = "DURATION", value_parser = duration::parse)]
    pub(super) jitter: Option<Duration>,
    #[command(flatten)]
    pub(super) outputs: Outputs,
}

/// Refuses what `calls_digest` can't return, which would be reported as a stale plan otherwise.
fn digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    if digits.len() == 64 && digits.chars().all(hexadecimal) {
        Ok(text.to_owned())
    } else {
        Err("a digest is `sha256:` followed by 64 hexadecimal digits".to_owned())
    }
}
