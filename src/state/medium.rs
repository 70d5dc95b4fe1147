//! The seam below a state: where its bytes are kept, and who may write them.
//!
//! A medium knows nothing of what a state says. It keeps a snapshot and a journal that continues it, and
//! lets one holder at a time write them. Each operation returns only when its effect is durable, and each
//! that writes refuses to when the hold is no longer ours. Where the medium can't check and write in one step,
//! as with files, a hold that is broken in between lets that one write through. `contract` holds every medium to
//! the rest.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::load::Loaded;
use super::{LockOwner, Place, StateError, Version};
use crate::model::Recorded;

/// What an operation becomes.
pub(super) type Done<'a, T> = BoxFuture<'a, Result<T, StateError>>;

/// A place that keeps one state.
pub(super) trait Medium: fmt::Debug + Send + Sync {
    /// Where the snapshot is, for messages.
    fn place(&self) -> Place;

    /// How often a taken hold is worth another try.
    fn poll(&self) -> Duration;

    /// After how long a silent holder is taken over; `None` where the system frees what a dead one held.
    fn lease(&self) -> Option<Duration>;

    /// How often to look whether another holder has died, for who runs all the time; `None` when looking costs too much.
    fn watch(&self) -> Option<Duration>;

    /// Reads the snapshot and the journal; `None` when there never was a state here.
    ///
    /// Needs no hold: what comes back was recorded at one moment of the reading. For that the journal is opened
    /// before the snapshot is read: a snapshot that replaces the old one in between makes that journal one that
    /// is folded in already, never one that is ahead.
    fn load(&self) -> Done<'_, Option<Loaded>>;

    /// The snapshots that it has kept, the newest first.
    fn history(&self) -> Done<'_, Vec<Version>>;

    /// The snapshot with this serial, if it has kept it.
    fn version(&self, serial: u64) -> Done<'_, Option<Recorded>>;

    /// Tries once to become the only writer.
    fn hold<'a>(&'a self, owner: &'a LockOwner) -> Done<'a, Attempt>;

    /// Who is the writer, as far as the medium knows. It may have died without saying so.
    fn holder(&self) -> BoxFuture<'_, Option<LockOwner>>;

    /// Ends the hold with this id, whose owner is gone, and returns that owner. An owner that is alive
    /// after all finds out before it begins its next write. `host` names this machine.
    fn break_hold<'a>(&'a self, id: &'a str, host: &'a str) -> Done<'a, LockOwner>;
}

/// What a try to become the only writer gives.
pub(super) enum Attempt {
    /// The hold, and whom it belonged to before if that owner died without releasing it.
    Ours(Box<dyn Hold>, Option<LockOwner>),
    /// Another owner has it; its name is not always known.
    Theirs {
        owner: Option<LockOwner>,
        /// How long it takes to find out whether that owner is alive. `None` when it is, or when no time
        /// would tell.
        known_in: Option<Duration>,
    },
}

/// The right to write one state. Dropping it releases it as far as that needs no waiting.
pub(super) trait Hold: Send {
    /// Refuses a medium in which what is recorded could not be kept, before a call is made.
    fn prepare(&mut self) -> Done<'_, ()>;

    /// Adds a line to the journal. After a failure the journal's end is not known, and nothing may be
    /// appended before the next snapshot.
    fn append(&mut self, line: Line) -> Done<'_, ()>;

    /// Puts a new snapshot in the place of the old one, at once: who reads meanwhile gets one or the other.
    fn replace(&mut self, snapshot: Vec<u8>) -> Done<'_, ()>;

    fn forget_journal(&mut self) -> Done<'_, ()>;

    /// Lets others write.
    fn release(self: Box<Self>) -> Done<'static, ()>;
}

/// What is added to a journal.
pub(super) enum Line {
    /// Begins a new journal, in the place of one that is folded into the snapshot.
    First(Vec<u8>),
    /// Continues the journal that this hold began.
    Next(Vec<u8>),
}

impl Line {
    /// How long it is.
    pub(super) const fn len(&self) -> u64 {
        match self {
            Self::First(text) | Self::Next(text) => text.len() as u64,
        }
    }
}
