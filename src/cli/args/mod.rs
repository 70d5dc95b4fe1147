//! The command line: the global options and the commands. The arguments of a command are beside it.

#[cfg(test)]
mod tests;

use clap::{Parser, Subcommand};

use crate::cli::commands::{
    apply, audit, completions, controller, doctor, explain, fmt, import, listen, observe, orgs,
    plan, report, rotate, sandbox, secret, show, state, unlock, validate, verify,
};
use crate::cli::help;
use crate::cli::options::global::Global;

/// Declarative callback URLs for Tencent eSign (腾讯电子签).
///
/// callbacks.yaml declares the URLs of each organization. `plan` shows what would change and `apply`
/// changes it. eSign can't be asked for its callbacks, so a state file records them, with what is proven,
/// assumed or unknown of each.
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented callbacks.yaml, its schema and .gitignore entries.
    Init,
    /// Check the configuration and report every problem.
    Validate(validate::Args),
    /// Show what apply would change. Makes no call and needs no eSign credentials.
    #[command(after_long_help = help::exit_codes())]
    Plan(plan::Args),
    /// Change the callbacks at eSign to match the configuration.
    #[command(after_long_help = help::credentials_and_exit_codes())]
    Apply(apply::Args),
    /// Change the key or token of callbacks without losing a message.
    ///
    /// A second URL of the receiver, the twin, takes the messages while a callback is replaced: it is added with the
    /// new key and token, the callback is replaced, and the twin is deleted. docs/rotation.md says what the receiver
    /// must do meanwhile.
    #[command(after_long_help = help::credentials_and_exit_codes())]
    Rotate(rotate::Args),
    /// Show a saved plan, or the state.
    Show(show::Args),
    /// Write a status page: what is recorded, what is pending, and what to do.
    Report(report::Args),
    /// Record declared callbacks that eSign already has. Makes no call.
    Import(import::Args),
    /// Show or repair the state.
    #[command(subcommand)]
    State(state::Args),
    /// Remove a lock whose owner is gone.
    Unlock(unlock::Args),
    /// Send receivers what eSign would, and report what is wrong with their answers.
    Verify(verify::Args),
    /// Receive callbacks for development: verify, decrypt and show them.
    Listen(listen::Args),
    /// Read receipts of eSign's messages, and record what they prove. Makes no call.
    #[command(after_long_help = help::exit_codes())]
    Observe(observe::Args),
    /// Generate secrets.
    #[command(subcommand)]
    Secret(secret::Args),
    /// Serve the sandbox, a local imitation of eSign, for any client.
    Sandbox(sandbox::Args),
    /// Keep eSign as declared until it is stopped, with a server for its status.
    #[command(after_long_help = help::controller())]
    Controller(controller::Args),
    /// Check all that an apply needs, from the network to the permissions.
    ///
    /// The permission is proven by asking eSign to delete a random URL that no one has. To eSign that is a change,
    /// which it logs; it finds nothing and changes nothing. doctor writes no state.
    #[command(after_long_help = help::credentials_and_exit_codes())]
    Doctor(doctor::Args),
    /// List the group's member organizations beside the configuration.
    Orgs(orgs::Args),
    /// List changes made by others, from CloudAudit. Experimental.
    ///
    /// CloudAudit is Tencent Cloud's log of calls. This was only ever tried against the sandbox's imitation of it, and
    /// whether CloudAudit logs the calls that change callbacks is not known. It needs the permission
    /// `cloudaudit:DescribeEvents` and changes nothing.
    Audit(audit::Args),
    /// Explain the code of an error or warning, of this program or of eSign.
    Explain(explain::Args),
    /// Format the configuration and print the names of the changed files.
    Fmt(fmt::Args),
    /// Print the version.
    #[command(hide = true)]
    Version,
    /// Print the JSON Schema of callbacks.yaml.
    Schema,
    /// Print a completion script.
    Completions(completions::Args),
    /// Print the manual page.
    Man,
}
