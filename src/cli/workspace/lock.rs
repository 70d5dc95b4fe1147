//! Taking the state's lock, and what is said of a state and of what lies beside it.

use std::path::Path;
use std::time::Duration;

use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::cli::process::owner;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::model::Environment;
use crate::state::{LockOwner, Locked, conflict_copies, followed};

/// Says that two machines may have written the state at once.
pub(crate) fn tell_copies(locations: &Locations, ui: &mut Ui) {
    for copy in conflict_copies(&followed(&locations.state)) {
        ui.note(format_args!(
            "Warning: `{}` looks like a copy of the state that was made because two machines wrote it at once. What \
             one of them did may be recorded there alone: compare the two, then move the copy away. Keep the state \
             out of folders that are synchronized.",
            copy.display()
        ));
    }
}

/// Takes the state's lock for a command that writes.
pub(crate) async fn lock(
    settings: &Settings,
    environment: Environment,
    timeout: Option<Duration>,
    ui: &mut Ui,
) -> Result<Locked, Failure> {
    let locations = settings.locations()?;
    if let Some(note) = locations.older_name() {
        ui.note(format_args!("{note}"));
    }
    let owner = owner::this_process(&settings.command)?;
    let waiting = |holder: Option<&LockOwner>| {
        let holder = holder.map_or_else(|| "another program".to_owned(), ToString::to_string);
        ui.note(format_args!(
            "Waiting for the state's lock, held by {holder} …"
        ));
    };
    if let Some(folder) = locations.cloud.as_deref().and_then(Path::parent) {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::error(format!(
                "the sandbox's folder `{}` can't be made: {error}",
                folder.display()
            ))
        })?;
    }
    let store = locations.store()?;
    let state = store
        .lock(environment, &owner, timeout.unwrap_or_default(), waiting)
        .await?;
    tell_copies(locations, ui);
    if let Some(gone) = state.taken_over() {
        ui.note(format_args!(
            "Note: the last owner of the lock ended without freeing it: {gone}"
        ));
    }
    Ok(state)
}
