//! What one change of an organization has met that stops the others, which run side by side.

use std::sync::Mutex;

/// What stops the rest of an organization.
#[derive(Debug, Default)]
pub(super) struct Standing {
    flags: Mutex<Flags>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// eSign refuses every call for it.
    pub(super) stopped: bool,
    /// An add did not succeed.
    pub(super) adds_failed: bool,
}

impl Standing {
    pub(super) fn get(&self) -> Flags {
        *self.flags.lock().expect("no panic while held")
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Flags)) {
        change(&mut self.flags.lock().expect("no panic while held"));
    }

    /// eSign refuses every call for this organization.
    pub(super) fn stop(&self) {
        self.set(|flags| flags.stopped = true);
    }
}
