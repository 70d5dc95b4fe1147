//! `state show`: everything that is recorded of some callbacks.

use super::find::{Found, find};
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::model::{Identity, Recorded};
use crate::render;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recorded addresses; * matches any text.
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<String>,
}

pub(super) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let recorded = &settings.locations()?.recorded().await?;
    let found = find(recorded, &args.addresses)?;
    let identities = found.into_iter().map(|Found { identity, .. }| identity);
    for (position, identity) in identities.enumerate() {
        if ui.json() {
            print_json(recorded, &identity, ui);
            continue;
        }
        let Some(entry) = recorded.get(&identity.scope, &identity.url) else {
            continue;
        };
        let style = ui.style(20);
        let gap = if position > 0 { "\n" } else { "" };
        ui.print(format_args!("{gap}"));
        ui.stream(|out| render::entry_text(&identity.scope, &identity.url, entry, &style, out));
    }
    Ok(Exit::Done)
}

/// Prints a recorded callback as one line of JSON.
pub(super) fn print_json(recorded: &Recorded, identity: &Identity, ui: &mut Ui) {
    if let Some(entry) = recorded.get(&identity.scope, &identity.url) {
        ui.print(format_args!(
            "{}\n",
            render::entry_json(&identity.scope, &identity.url, entry)
        ));
    }
}
