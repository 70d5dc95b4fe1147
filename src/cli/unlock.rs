//! `unlock`: frees a lock whose owner is gone and whose machine can't tell.

use super::args::{self, Global};
use super::exit::{Exit, Failure};
use super::locations::Locations;
use super::owner;
use super::ui::Ui;

pub(super) async fn run(
    global: &Global,
    args: &args::Unlock,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let gone = Locations::of(global)?
        .store()?
        .unlock(&args.id, &owner::host())
        .await?;
    ui.say(format_args!("Unlocked. The owner was {gone}."));
    Ok(Exit::Done)
}
