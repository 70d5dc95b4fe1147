//! The command line, word for word. What it means is resolved in `settings`; nothing deeper sees clap.

use clap::{Parser, Subcommand};

use super::commands::{
    apply, completions, explain, fmt, import, plan, sandbox, secret, show, state, unlock, validate,
};
use super::help;
use super::options::global::Global;

/// Declarative callback URLs for Tencent eSign (腾讯电子签).
///
/// callbacks.yaml says which URLs each organization shall have; `plan` shows what would change,
/// `apply` changes it, and a state file remembers what is proven, assumed and unknown of an API that
/// can't be read back.
#[derive(Debug, Parser)]
#[command(name = "ess-callbacks", version, propagate_version = true)]
#[command(max_term_width = 100, arg_required_else_help = true)]
#[command(after_long_help = help::examples_and_exit_codes())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented callbacks.yaml, its schema and .gitignore lines. Asks nothing.
    Init,
    /// Check the configuration, reporting every problem at once.
    Validate(validate::Args),
    /// Show what apply would change. Needs no eSign credentials and no network.
    #[command(after_long_help = help::exit_codes())]
    Plan(plan::Args),
    /// Make eSign hold what the configuration declares.
    #[command(after_long_help = help::credentials_and_exit_codes())]
    Apply(apply::Args),
    /// Show a saved plan, or the state.
    Show(show::Args),
    /// Record callbacks that eSign already has, as assumed. Makes no call.
    Import(import::Args),
    /// Look at the state, or repair it.
    #[command(subcommand)]
    State(state::Args),
    /// Remove a lock that its owner left behind.
    Unlock(unlock::Args),
    /// Make secrets.
    #[command(subcommand)]
    Secret(secret::Args),
    /// Serve the sandbox: an eSign of your own, for any client.
    Sandbox(sandbox::Args),
    /// Explain an error or warning, as docs/errors.md does.
    Explain(explain::Args),
    /// Format the configuration, and print the names of the files that changed.
    Fmt(fmt::Args),
    /// Print the version, as --version does.
    #[command(hide = true)]
    Version,
    /// Print the JSON Schema of callbacks.yaml.
    Schema,
    /// Print a completion script.
    Completions(completions::Args),
    /// Print the manual page.
    Man,
}
