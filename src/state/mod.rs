//! What is recorded, on disk: never lost, whatever crashes.
//!
//! A state is a snapshot ([`mod@format`]) and, while an apply runs or after it crashed, a journal of what
//! happened since ([`journal`]). A [`Store`] reads them; only the holder of the lock, a [`Locked`],
//! writes them. Every file operation goes through [`Files`], so that the same code runs over a
//! simulated disk that loses and tears what was not synced ([`memory`]).
//!
//! # Invariants
//!
//! * A call's intent is durable before [`Locked::begin`] returns.
//! * The serial counts changes: one for each journal record and one for each edit. A reader of a
//!   snapshot and a journal with `k` records sees the snapshot's serial plus `k`, which is what a
//!   recovery writes. So lineage and serial name one content, also across a crash.
//! * A journal belongs to the snapshot with the serial in its header. One with a smaller number is
//!   folded into the snapshot already. The snapshot is durable before the next journal begins.
//! * Files that can't be understood are never written.

pub mod files;
pub mod format;
pub mod memory;

mod advice;
mod error;
mod journal;
mod lock;
mod locked;
mod paths;
mod place;
mod replace;
mod store;
mod synced;
mod writer;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod lock_tests;
#[cfg(test)]
mod locked_tests;
#[cfg(test)]
mod place_tests;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod testing;

pub use error::{ErrorKind, StateError};
pub use files::{DurableFile, Files, RealFiles};
pub use lock::LockOwner;
pub use locked::Locked;
pub use paths::{Paths, followed};
pub use place::Kind;
pub use replace::Hindrance;
pub use store::Store;
pub use synced::conflict_copies;
