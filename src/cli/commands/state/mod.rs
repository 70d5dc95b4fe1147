//! `state …`: shows what is recorded, or repairs it. None of these commands makes a call.

mod find;
mod history;
mod list;
mod migrate;
mod mv;
mod open;
mod pull;
mod push;
mod rm;
mod show;

use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Args {
    /// List the recorded addresses, one per line.
    List(list::Args),
    /// Show everything that is recorded of some callbacks.
    Show(show::Args),
    /// Forget callbacks. Makes no call: they stay at eSign.
    Rm(rm::Args),
    /// Record a callback under another declared organization or account.
    Mv(mv::Args),
    /// Print the whole state, including what is only in the journal.
    Pull,
    /// List the older states that are kept, or print one of them.
    History(history::Args),
    /// Put a state file in the state's place, or bring an emergency copy home.
    Push(push::Args),
    /// Move the state to another file or store, leaving a note where it was.
    Migrate(migrate::Args),
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    match args {
        Args::List(args) => list::run(settings, &args, ui).await,
        Args::Show(args) => show::run(settings, &args, ui).await,
        Args::Rm(args) => rm::run(settings, &args, ui).await,
        Args::Mv(args) => mv::run(settings, &args, ui).await,
        Args::Pull => pull::run(settings, ui).await,
        Args::History(args) => history::run(settings, &args, ui).await,
        Args::Push(args) => push::run(settings, &args, ui).await,
        Args::Migrate(args) => migrate::run(settings, &args, ui).await,
    }
}
