//! Another run that holds the lock of a state that is only read here: what is shown may be out of date
//! when it ends.

use crate::cli::process::owner;
use crate::cli::terminal::Ui;
use crate::render::Clean;
use crate::state::{LockOwner, Store};

/// Who holds the state's lock. Not whoever died on this machine without freeing it.
pub(crate) async fn holder(store: &Store) -> Option<LockOwner> {
    let holder = store.holder().await;
    holder.filter(|holder| !owner::is_gone(holder))
}

/// Says who, since when, and what that means for what was read.
pub(crate) fn note(holder: Option<&LockOwner>, what: &str, ui: &mut Ui) {
    if let Some(holder) = holder {
        ui.note(format_args!(
            "Note: the state's lock file names {}. If that run is still going, {what} may be out of date.",
            Clean(holder)
        ));
    }
}
