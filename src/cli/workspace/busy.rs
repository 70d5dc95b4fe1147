//! The note that another run holds the lock of a state that is only read: the output may be out of date.

use crate::cli::process::owner;
use crate::cli::terminal::Ui;
use crate::render::Clean;
use crate::state::{LockOwner, Store};

/// The owner of the state's lock, unless it ran on this machine and has ended.
pub(crate) async fn holder(store: &Store) -> Option<LockOwner> {
    let holder = store.holder().await;
    holder.filter(|holder| !owner::is_gone(holder))
}

/// Prints the note about `what` is shown.
pub(crate) fn note(holder: Option<&LockOwner>, what: &str, ui: &mut Ui) {
    if let Some(holder) = holder {
        ui.note(format_args!(
            "Note: the state's lock names {}. If that run is still in progress, {what} may be out of date.",
            Clean(holder)
        ));
    }
}
