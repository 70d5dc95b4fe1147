//! `unlock`: removes the lock of an owner on another machine that is gone.

use crate::cli::exit::{Exit, Failure};
use crate::cli::process::owner;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The ID of the lock, as the error about the lock prints it.
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let gone = settings
        .locations()?
        .store()?
        .unlock(&args.id, &owner::host())
        .await?;
    ui.say(format_args!("Unlocked. The owner was {gone}."));
    Ok(Exit::Done)
}
