//! Takes the state's lock, and warns of copies of the state.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use crate::cli::exit::{Exit, Failure};
use crate::cli::locations::{Locations, StateAt};
use crate::cli::process::owner;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::model::{Environment, Lineage};
use crate::state::{
    LockOwner, Locked, Patience, StateError, Store, conflict_copies, followed, soon,
};

/// Warns of copies that a synchronized folder makes when two machines write the state at once.
pub(crate) fn warn_of_copies(locations: &Locations, ui: &mut Ui) {
    let Some(state) = locations.state.file() else {
        return;
    };
    for copy in conflict_copies(&followed(state)) {
        ui.note(format_args!(
            "Warning: `{}` looks like a copy of the state, made because two machines wrote it at once. Changes of one \
             machine may be recorded only there: compare the two, then move the copy away. Keep the state out of \
             synchronized folders.",
            copy.display()
        ));
    }
}

/// The state of a command that writes. The folder of the sandbox is created with it.
pub(crate) fn store(locations: &Locations, ui: &mut Ui) -> Result<Store, Failure> {
    if let Some(note) = locations.older_name() {
        ui.note(format_args!("{note}"));
    }
    if let Some(folder) = locations.cloud.as_deref().and_then(Path::parent) {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::error(format!(
                "the folder `{}` of the sandbox can't be created: {error}",
                folder.display()
            ))
        })?;
    }
    locations.store()
}

/// Says whose lock is waited for, and for how long at most if its owner is dead: the lease of [`Store::lease`].
pub(crate) fn report_waiting(lease: Option<Duration>, holder: Option<&LockOwner>, ui: &mut Ui) {
    let holder = holder.map_or_else(|| "another program".to_owned(), ToString::to_string);
    let takes_over = lease.map_or_else(String::new, |lease| {
        format!(
            " If that run was killed, this one takes over in about {} s.",
            lease.as_secs()
        )
    });
    ui.note(format_args!(
        "Waiting for the state's lock, held by {holder} …{takes_over}"
    ));
}

/// Says what is noteworthy once the lock is taken.
pub(crate) fn report_taken(locations: &Locations, taken_over: Option<&LockOwner>, ui: &mut Ui) {
    warn_of_copies(locations, ui);
    if let Some(gone) = taken_over {
        ui.note(format_args!(
            "Note: the last owner of the lock ended without releasing it: {gone}"
        ));
    }
}

/// Says that a store has no state yet, one without a lineage: its address may be mistyped.
pub(crate) fn report_new(state: &StateAt, lineage: Option<Lineage>, ui: &mut Ui) {
    if let StateAt::Remote(address) = state
        && lineage.is_none()
    {
        ui.note(format_args!(
            "Note: there is no state in `{address}` yet, so everything counts as new."
        ));
    }
}

/// Takes the state's lock for a command that writes. A signal ends the waiting.
pub(crate) async fn lock(
    settings: &Settings,
    environment: Environment,
    timeout: Option<Duration>,
    stop: &watch::Receiver<bool>,
    ui: &mut Ui,
) -> Result<Locked, Failure> {
    let locations = settings.locations()?;
    let owner = owner::this_process(&settings.command)?;
    let store = store(locations, ui)?;
    let lease = store.lease();
    let waiting = |holder: Option<&LockOwner>| report_waiting(lease, holder, ui);
    let taking = store.lock(environment, &owner, patience(timeout, stop), waiting);
    let state = taken(taking, stop).await??;
    report_taken(locations, state.taken_over(), ui);
    Ok(state)
}

/// For the lock of a command without calls.
pub(crate) fn patience(timeout: Option<Duration>, stop: &watch::Receiver<bool>) -> Patience {
    Patience {
        timeout: timeout.unwrap_or_default(),
        stop: Some(stop.clone()),
    }
}

/// What waiting for a lock came to. A lock that is taken in spite of a signal is released.
pub(crate) async fn taken(
    taking: impl Future<Output = Result<Locked, StateError>>,
    stop: &watch::Receiver<bool>,
) -> Result<Result<Locked, StateError>, Failure> {
    match soon(taking, stop).await {
        Some(taken) if !*stop.borrow() => return Ok(taken),
        Some(Ok(state)) => drop(freed(state, stop).await),
        Some(Err(_)) | None => {}
    }
    let message = "interrupted; nothing was changed";
    Err(Failure::new(Exit::Interrupted, message))
}

/// Releases the lock. One that is not released soon after a signal is taken over, like that of a dead owner.
pub(crate) async fn freed(state: Locked, stop: &watch::Receiver<bool>) -> Result<(), StateError> {
    soon(state.release(), stop).await.unwrap_or(Ok(()))
}

/// Does this under the lock to its end, in spite of a signal: it is short, unless the store does not answer.
pub(crate) async fn done<T, E: Into<Failure>>(
    work: impl Future<Output = Result<T, E>>,
    stop: &watch::Receiver<bool>,
) -> Result<T, Failure> {
    match soon(work, stop).await {
        Some(done) => done.map_err(Into::into),
        None => Err(Failure::new(
            Exit::Interrupted,
            "interrupted while the store of the state did not answer; whether the change is in it is unknown",
        )
        .advice("Run the same command again.")),
    }
}
