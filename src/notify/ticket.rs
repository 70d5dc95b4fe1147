//! What became of one notice at each of its targets.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One notice that was handed over. Clones share it.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<Mutex<Progress>>);

#[derive(Debug)]
struct Progress {
    /// The names of the targets that are still to get it.
    open: BTreeSet<String>,
    is_taken: bool,
}

/// How a notice ends at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Taken,
    /// It was refused, repeated for too long, dropped, or replaced by a newer one about the same.
    GivenUp,
}

impl Ticket {
    pub(super) fn new(open: BTreeSet<String>) -> Self {
        let is_taken = false;
        Self(Arc::new(Mutex::new(Progress { open, is_taken })))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of the targets that are still to get it. A notifier that was finished leaves those that failed.
    pub fn open(&self) -> BTreeSet<String> {
        self.progress().open.clone()
    }

    /// Whether a target has taken it.
    pub fn is_taken(&self) -> bool {
        self.progress().is_taken
    }

    pub(super) fn is_open(&self, name: &str) -> bool {
        self.progress().open.contains(name)
    }

    pub(super) fn end(&self, name: &str, how: End) {
        let mut progress = self.progress();
        progress.open.remove(name);
        progress.is_taken |= match how {
            End::Taken => true,
            End::GivenUp => false,
        };
    }
}
