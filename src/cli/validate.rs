//! `validate`: every problem in the configuration, at once.

use super::args::{self, Global};
use super::exit::{Exit, Failure};
use super::ui::Ui;
use super::workspace::{Loaded, Locations};
use crate::render::counted;

pub(super) fn run(global: &Global, args: &args::Validate, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = Locations::of(global)?;
    let loaded = Loaded::read(global, &locations, args.allow_commands, args.secrets, ui)?;
    let organizations = &loaded.desired.organizations;
    let callbacks = organizations
        .iter()
        .map(|organization| organization.callbacks.len())
        .sum();
    let warnings = match loaded.warnings.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "warning", "warnings")),
    };
    ui.say(format_args!(
        "Success! The configuration is valid: {}, {}{warnings}.",
        counted(organizations.len(), "organization", "organizations"),
        counted(callbacks, "callback", "callbacks"),
    ));
    Ok(Exit::Done)
}
