//! `unlock`: frees a lock whose owner is gone and whose machine can't tell.

use crate::cli::exit::{Exit, Failure};
use crate::cli::process::owner;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The lock's id, as the error that names it prints it.
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
