//! What is recorded: never lost, whatever crashes.
//!
//! A state is a snapshot ([`mod@format`]) and, while an apply runs or after it crashed, a journal of what
//! happened since ([`journal`]). A [`Store`] reads them; only the holder of the lock, a [`Locked`],
//! writes them. Below them is a medium that keeps the bytes ([`medium`]): files of one folder ([`local`]),
//! and with the same code a simulated disk that loses and tears what was not synced.
//!
//! # Invariants
//!
//! * A call's intent is durable before [`Locked::record_intents`] returns.
//! * The serial counts changes: one for each journal record and one for each edit. A reader of a
//!   snapshot and a journal with `k` records sees the snapshot's serial plus `k`, which is what a
//!   recovery writes. So lineage and serial name one content, also across a crash.
//! * A journal belongs to the snapshot with the serial in its header. One with a smaller number is
//!   folded into the snapshot already. The snapshot is durable before the next journal begins.
//! * What can't be understood is never written over.

pub mod format;

mod advice;
mod commit;
mod error;
mod hindrance;
pub(crate) mod history;
mod joined;
mod journal;
mod load;
mod local;
mod locked;
pub(crate) mod log;
mod medium;
mod owner;
mod place;
mod pointer;
mod rescue;
mod store;

#[cfg(test)]
pub(crate) mod contract;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use error::{ErrorKind, Part, StateError};
pub use hindrance::Hindrance;
pub use history::Version;
pub use local::{
    DurableFile, Files, Kind, Paths, RealFiles, check_folder, conflict_copies, followed,
};
pub use locked::{Locked, Noted};
pub use owner::LockOwner;
pub use place::Place;
pub use rescue::{EndedCall, Homecoming, Rescue};
pub(crate) use store::patience::{asked, soon};
pub use store::{Patience, Store};
