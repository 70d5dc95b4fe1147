//! `state pull`: what is recorded, with the journal folded in, as a state file.

use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::state::format;

pub(super) async fn run(settings: &Settings, ui: &mut Ui) -> Result<Exit, Failure> {
    let recorded = settings.locations()?.recorded().await?;
    ui.bytes(|mut out| format::write(&recorded, &mut out));
    Ok(Exit::Done)
}
