//! `state list`: the recorded addresses, one per line.

use super::find::{Found, find};
use super::show::print_json;
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::render::Clean;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these; * matches any text.
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<String>,
}

pub(super) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let recorded = settings.locations()?.recorded().await?;
    for Found { identity, address } in find(&recorded, &args.addresses)? {
        if ui.json() {
            print_json(&recorded, &identity, ui);
        } else {
            ui.print(format_args!("{}\n", Clean(address)));
        }
    }
    Ok(Exit::Done)
}
