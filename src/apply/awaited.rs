//! Counts the calls that Ctrl-C waits for.

use std::sync::atomic::{AtomicUsize, Ordering};

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Awaited<'a>(&'a AtomicUsize);

impl<'a> Awaited<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
