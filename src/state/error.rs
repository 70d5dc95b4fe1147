//! What can go wrong with a state, in words: what was tried, in which place, and what to do next.

use std::io;
use std::sync::Arc;

use super::{Hindrance, LockOwner, Place, advice};
use crate::model::{Environment, Lineage};

/// Why a state can't be read or written. What could not be understood is as it was.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StateError {
    /// The operating system refused.
    #[error("{doing} `{place}` failed")]
    Io {
        doing: &'static str,
        place: Place,
        source: Arc<io::Error>,
    },
    /// The snapshot or the journal is not what this program writes.
    #[error("`{place}`{}: {problem}", at_line(*line))]
    Corrupt {
        place: Place,
        part: Part,
        /// From 1, where it is known.
        line: Option<u64>,
        problem: String,
    },
    /// Git could not merge the state and left its marks in it.
    #[error("`{place}` line {line}: there is an unresolved merge conflict")]
    MergeConflict { place: Place, line: u64 },
    /// A later version of this program wrote it.
    #[error(
        "`{place}` was written by a newer version of ess-callbacks (format {found}; this one knows {known})"
    )]
    NewerVersion {
        place: Place,
        found: u64,
        /// The latest format known here.
        known: u64,
    },
    /// Production and test are never mixed.
    #[error(
        "`{place}` records the {recorded} environment, but the configuration says {configured}"
    )]
    Environment {
        place: Place,
        recorded: Environment,
        /// What was asked for.
        configured: Environment,
    },
    /// There is a journal, but not the state it continues.
    #[error(
        "there is a journal `{journal}`, but the state file `{state}` it belongs to is missing"
    )]
    StateMissing { state: Place, journal: Place },
    /// There is a backup, but not the state it was made of.
    #[error("the state file `{state}` is missing, but its backup `{backup}` is there")]
    OnlyBackup { state: Place, backup: Place },
    /// The state is in a cloud, and not on this machine.
    #[error("the state file `{state}` is not on this machine: `{placeholder}` is in its place")]
    NotDownloaded {
        state: Place,
        /// What the cloud's program has left in its place.
        placeholder: Place,
    },
    /// The folder of the state is not there.
    #[error("the folder `{folder}` of the state `{state}` {problem}")]
    NoFolder {
        state: Place,
        folder: Place,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something lies where the state's files are written.
    #[error("`{place}` would be overwritten with {what}, but {problem}; nothing was changed")]
    Foreign {
        place: Place,
        /// What is written there.
        what: &'static str,
        /// Why it is not overwritten.
        problem: &'static str,
    },
    /// The state can't be replaced by a new file.
    #[error(
        "the state `{state}` can't be replaced by a new version: {hindrance}; nothing was changed"
    )]
    Fixed {
        state: Place,
        folder: Place,
        hindrance: Hindrance,
    },
    /// An old state file was put back.
    #[error(
        "the state file `{state}` (serial {serial}) is older than its journal `{journal}`, which continues serial {base}"
    )]
    StateOlder {
        state: Place,
        serial: u64,
        journal: Place,
        base: u64,
    },
    /// The journal continues another state.
    #[error("the journal `{journal}` belongs to another state (lineage {found}, not {expected})")]
    ForeignJournal {
        journal: Place,
        found: Lineage,
        expected: Lineage,
    },
    /// Another program holds the lock.
    #[error("the state is locked{}", by(owner.as_deref()))]
    Locked {
        place: Place,
        /// Who; `None` when the lock file does not tell (yet).
        owner: Option<Box<LockOwner>>,
    },
    /// Our lock was broken.
    #[error("the lock `{place}` was broken while this program held it")]
    LockLost { place: Place },
    /// There is no lock to remove.
    #[error("the state is not locked: `{place}` names no owner")]
    NotLocked { place: Place },
    /// The lock has another id than the one to remove.
    #[error("no lock has the id `{given}`; the state's lock names {}", owner.name())]
    OtherLock {
        given: String,
        /// Whose lock it is.
        owner: Box<LockOwner>,
    },
    /// The owner of the lock is running on this machine.
    #[error("the state is in use{}", by(Some(owner)))]
    OwnerAlive { owner: Box<LockOwner> },
    /// A store refused, or did not answer.
    #[error("{doing} `{place}` failed: {problem}")]
    Remote {
        doing: &'static str,
        place: Place,
        problem: String,
        /// What to do next, as sentences.
        advice: String,
        /// Whether it may pass by itself, so that asking again makes sense.
        passing: bool,
    },
    /// No source has credentials for a store.
    #[error("there are no credentials for `{place}` ({})", .reasons.join("; "))]
    NoCredentials {
        place: Place,
        /// Why each source does not serve.
        reasons: Vec<String>,
        /// What to do next, as sentences.
        advice: String,
    },
    /// A log has a record that is not whole, or lacks one.
    #[error("the state `{place}` is damaged: {problem}")]
    Damaged { place: Place, problem: String },
    /// A store lets two programs write the same record.
    #[error(
        "`{place}` can't hold a state: it accepted a second record with a number that was taken"
    )]
    Unfenced { place: Place },
    /// A state is to be moved to where another one is.
    #[error("there is a state in `{place}` already; nothing was changed")]
    Occupied { place: Place },
    /// The state was migrated.
    #[error("the state is not in `{place}` any more: it was moved to `{to}`")]
    Moved { place: Place, to: String },
    /// Something is to be recorded in a state that has no lineage yet.
    #[error("`{place}` has no lineage yet, so nothing can be recorded in it")]
    Uninitialized { place: Place },
    /// A call can't be recorded, because the record could not be read again.
    #[error("`{address}` can't be recorded: {problem}")]
    Unrecordable { address: String, problem: String },
}

/// The parts of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is recorded, as it was saved last.
    Snapshot,
    /// What happened since.
    Journal,
}

/// The kinds of failure that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Reading or writing failed.
    Io,
    /// Files that are not what they should be, or don't belong together.
    Corrupt,
    /// Written by a newer version.
    NewerVersion,
    Environment,
    /// Locked by another program.
    Locked,
    /// `unlock` was refused.
    Unlock,
    /// A mistake of this program.
    Internal,
}

impl StateError {
    /// Which kind it is.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. }
            | Self::NotDownloaded { .. }
            | Self::NoFolder { .. }
            | Self::Foreign { .. }
            | Self::Fixed { .. }
            | Self::Remote { .. }
            | Self::NoCredentials { .. }
            | Self::Unfenced { .. }
            | Self::Occupied { .. }
            | Self::Moved { .. } => ErrorKind::Io,
            Self::Corrupt { .. }
            | Self::MergeConflict { .. }
            | Self::StateMissing { .. }
            | Self::OnlyBackup { .. }
            | Self::StateOlder { .. }
            | Self::ForeignJournal { .. }
            | Self::Damaged { .. } => ErrorKind::Corrupt,
            Self::NewerVersion { .. } => ErrorKind::NewerVersion,
            Self::Environment { .. } => ErrorKind::Environment,
            Self::Locked { .. } | Self::LockLost { .. } => ErrorKind::Locked,
            Self::NotLocked { .. } | Self::OtherLock { .. } | Self::OwnerAlive { .. } => {
                ErrorKind::Unlock
            }
            Self::Uninitialized { .. } | Self::Unrecordable { .. } => ErrorKind::Internal,
        }
    }

    /// How the lock may have been lost, as a sentence; `None` for other errors.
    pub const fn how_lost(&self) -> Option<&'static str> {
        if let Self::LockLost { place } = self {
            return Some(advice::how_lost(place));
        }
        None
    }

    /// What to do next, as sentences.
    pub fn advice(&self) -> String {
        match self {
            Self::Io { doing, source, .. } => advice::of(doing, source).into(),
            Self::Corrupt { part: Part::Journal, .. } => {
                "The file was left as it is. If it was edited, undo that: its sums are there so \
                 that no edit goes unnoticed. If it can't be fixed, wait until six minutes have \
                 passed since the last apply, move the journal away and run `plan`. What only the \
                 journal knew is forgotten then: what is declared is planned again, which does no \
                 harm; list under `absent:` what was added and is not declared any more."
                    .into()
            }
            Self::Corrupt { part: Part::Snapshot, .. } => {
                "The file was left as it is. Restore it from version control or from the \
                 `.backup` beside the state file, or fix the line by hand; then run `plan`."
                    .into()
            }
            Self::MergeConflict { .. } => {
                "Resolve it so that each callback has one line, keep the larger serial, and run \
                 `plan`. Of two lines for one callback, keep the one of the later apply."
                    .into()
            }
            Self::NewerVersion { .. } => {
                "Use at least the version that wrote it. The file was left as it is.".into()
            }
            Self::Environment { .. } => {
                "Use a separate state file for each environment (--state), or correct \
                 `environment:` in the configuration."
                    .into()
            }
            Self::StateMissing { state, .. } => format!(
                "Restore `{state}` from version control or its `.backup`. Only if you are sure that \
                 this is a new start, move the journal away."
            ),
            Self::OnlyBackup { state, backup } => format!(
                "Without it everything would be planned as if nothing were recorded, and added again. \
                 Restore it from version control, or copy the backup, which is the state before the \
                 last run that changed it: `cp {backup} {state}`. To begin again with nothing recorded, move \
                 the backup away."
            ),
            Self::NotDownloaded { .. } => {
                "Let the program that synchronizes the folder download it. Better keep the state in \
                 a folder that no such program touches."
                    .into()
            }
            Self::NoFolder { folder, .. } => format!(
                "Correct --state, mount the disk that the folder is on, or create it: `mkdir -p {folder}`. \
                 A state in a new folder begins with nothing recorded."
            ),
            Self::Foreign { .. } => {
                "The file was left as it is. Move it away, or name another state with --state.".into()
            }
            Self::Fixed {
                state,
                folder,
                hindrance,
            } => fixed_advice(state, folder, *hindrance),
            Self::StateOlder { .. } => {
                "Put the newer state file back. If the older one is meant, move the journal away \
                 first; what it says of calls whose outcome is open is lost then."
                    .into()
            }
            Self::ForeignJournal { .. } => {
                "Put the state file and the journal together that belong together, or move the \
                 journal away."
                    .into()
            }
            Self::Locked { place, owner } => match owner {
                Some(owner) => format!(
                    "Wait for it, or let the command wait longer, such as with `--lock-timeout 5m`. A lock frees itself when \
                     its owner dies; if it does not, run `ess-callbacks unlock {}`.",
                    owner.id
                ),
                None => format!(
                    "Wait for its owner, or let the command wait longer, such as with `--lock-timeout 5m`. The lock of `{place}` does \
                     not say whose it is."
                ),
            },
            Self::LockLost { place } => format!(
                "{} Nothing more was written. Make sure that no other apply runs, then run `plan`: it shows what is \
                 open.",
                advice::how_lost(place)
            ),
            Self::NotLocked { .. } => "There is nothing to do.".into(),
            // Without the id: whoever mistyped it would break the lock of a run that works.
            Self::OtherLock { .. } => {
                "Copy the id from the error or the note that names the owner. Unlock only if that run is gone.".into()
            }
            Self::OwnerAlive { owner } => format!(
                "Wait for it or end process {}: the lock is free when it has ended.",
                owner.pid
            ),
            Self::Remote { advice, .. } | Self::NoCredentials { advice, .. } => advice.clone(),
            Self::Damaged { .. } => advice::DAMAGED.into(),
            Self::Unfenced { .. } => advice::UNFENCED.into(),
            Self::Occupied { .. } => advice::OCCUPIED.into(),
            Self::Moved { to, .. } => format!("Use it there: --state '{to}'."),
            Self::Uninitialized { .. } | Self::Unrecordable { .. } => {
                "This is a bug: please report it.".into()
            }
        }
    }
}

/// Turns an [`io::Error`] into a [`StateError`] that says what was done in which place.
pub(super) fn io<P: Into<Place>>(
    doing: &'static str,
    place: P,
) -> impl FnOnce(io::Error) -> StateError {
    move |source| StateError::Io {
        doing,
        place: place.into(),
        source: Arc::new(source),
    }
}

fn fixed_advice(state: &Place, folder: &Place, hindrance: Hindrance) -> String {
    match hindrance {
        Hindrance::Mounted => format!(
            "A state is saved by putting a new file in its place, which no system allows for a file that is \
             mounted by itself. Mount its folder `{folder}` instead (in Kubernetes a volume without `subPath`)."
        ),
        Hindrance::Sticky(_) => {
            "In such a folder, like /tmp, only its owner may replace a file. Keep the state in a folder that \
             this user owns, or in one that a group shares and that has no sticky bit (`chmod -t`)."
                .into()
        }
        Hindrance::Immutable => {
            format!("Take the mark off: `chattr -i -a {state}`.")
        }
    }
}

fn at_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" line {line}"))
}

fn by(owner: Option<&LockOwner>) -> String {
    owner.map_or_else(String::new, |owner| format!(" by {owner}"))
}
