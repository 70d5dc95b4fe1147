//! `state history`: the older states that are kept.

use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::render;
use crate::state::format;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the state with this serial, as a state file.
    #[arg(value_name = "SERIAL")]
    serial: Option<u64>,
}

pub(super) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let store = settings.locations()?.store()?;
    let Some(serial) = args.serial else {
        let versions = store.history().await?;
        if versions.is_empty() {
            ui.note(format_args!("No state is kept there."));
        }
        if ui.json() {
            for version in &versions {
                ui.print(format_args!("{}\n", render::history_json(version)));
            }
        } else {
            ui.stream(|out| render::history_text(&versions, out));
        }
        return Ok(Exit::Done);
    };
    let Some(recorded) = store.version(serial).await? else {
        return Err(
            Failure::error(format!("no state with serial {serial} is kept"))
                .advice("`ess-callbacks state history` lists those that are."),
        );
    };
    ui.bytes(|mut out| format::write(&recorded, &mut out));
    Ok(Exit::Done)
}
