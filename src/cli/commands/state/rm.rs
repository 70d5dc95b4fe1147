//! `state rm`: forgets callbacks, which stay at eSign.

use super::find::{Found, find};
use super::open;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::lock::Lock;
use crate::cli::options::switch;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::edit::edit;
use crate::render::{Clean, counted};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recorded addresses; * matches any text.
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<String>,
    /// Only print what would be forgotten.
    #[arg(long, env = "ESS_CALLBACKS_DRY_RUN", value_parser = switch::parse)]
    dry_run: bool,
    #[command(flatten)]
    lock: Lock,
}

pub(super) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let Args {
        addresses,
        dry_run,
        lock,
    } = args;
    let recorded = settings.locations()?.recorded().await?;
    let found = find(&recorded, addresses)?;
    if *dry_run {
        open::check(&recorded, &found)?;
    } else {
        edit(settings, recorded.environment, *lock, ui, |recorded| {
            open::check(recorded, &found)?;
            let gone = found.iter().filter(|Found { identity, .. }| {
                recorded.remove(&identity.scope, &identity.url).is_some()
            });
            Ok(gone.count() > 0)
        })
        .await?;
    }
    let forgot = if *dry_run { "Would forget" } else { "Forgot" };
    for Found { address, .. } in &found {
        ui.say(format_args!("{forgot} {}", Clean(address)));
    }
    ui.note(format_args!(
        "{forgot} {}. Nothing was called: what eSign has, it still has.",
        counted(found.len(), "callback", "callbacks")
    ));
    Ok(Exit::Done)
}
