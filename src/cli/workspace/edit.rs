//! Edits the state under its lock, without calls.

use super::lock::{done, freed, lock};
use crate::cli::exit::Failure;
use crate::cli::options::lock::Lock;
use crate::cli::process::signals::Signals;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::model::{Environment, Recorded};
use crate::state::Locked;

/// Locks the state, does `work`, and releases the lock whether the work succeeded or not. A signal ends the waiting for
/// the lock, and nothing later.
pub(crate) async fn locked<T>(
    settings: &Settings,
    environment: Environment,
    wait: Lock,
    ui: &mut Ui,
    work: impl AsyncFnOnce(&Locked) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let signals = Signals::new();
    let stop = signals.asked();
    let state = lock(settings, environment, wait.lock_timeout, stop, ui).await?;
    let worked = done(work(&state), stop).await;
    let released = freed(state, stop).await;
    let worked = worked?;
    released?;
    Ok(worked)
}

/// Locks the state, edits it with `change`, saves it and releases the lock. `change` returns whether it changed
/// anything; if it fails, it must not have.
pub(crate) async fn edit(
    settings: &Settings,
    environment: Environment,
    wait: Lock,
    ui: &mut Ui,
    change: impl FnOnce(&mut Recorded) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    locked(settings, environment, wait, ui, async |state| {
        let mut refused = None;
        state.edit(|recorded| match change(recorded) {
            Ok(changed) => changed,
            Err(failure) => {
                refused = Some(failure);
                false
            }
        });
        if let Some(failure) = refused {
            return Err(failure);
        }
        state.save().await?;
        Ok(())
    })
    .await
}
