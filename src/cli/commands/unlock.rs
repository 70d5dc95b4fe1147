//! `unlock`: removes the lock of an owner on another machine that is gone.

use crate::cli::exit::{Exit, Failure};
use crate::cli::process::owner;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::state::StateError;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The ID of the lock, as the error about the lock prints it.
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = settings.locations()?;
    let store = locations.store()?;
    // A store does not know which processes run. The lock of a file does.
    if locations.state.file().is_none()
        && let Some(holder) = store.holder().await
        && holder.id == args.id
        && holder.host == owner::host()
        && !owner::is_gone(&holder)
    {
        let owner = Box::new(holder);
        return Err(StateError::OwnerAlive { owner }.into());
    }
    let gone = store.unlock(&args.id, &owner::host()).await?;
    ui.say(format_args!("Unlocked. The owner was {gone}."));
    Ok(Exit::Done)
}
