//! What can go wrong with a state, in words: what was tried, on which file, and what to do next.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::paths::folder_of;
use super::{Hindrance, LockOwner, advice};
use crate::model::{Environment, Lineage};

/// Why a state can't be read or written. Whenever one of these comes back, every file that could not
/// be understood is as it was.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StateError {
    /// The operating system refused.
    #[error("{doing} `{}` failed", path.display())]
    Io {
        /// Like `writing`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// A file is not what this program writes.
    #[error("`{}`{}: {problem}", path.display(), at_line(*line))]
    Corrupt {
        /// Which.
        path: PathBuf,
        /// From 1, where it is known.
        line: Option<u64>,
        /// What is wrong.
        problem: String,
    },
    /// Git could not merge the state and left its marks in it.
    #[error("`{}` line {line}: there is an unresolved merge conflict", path.display())]
    MergeConflict {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: u64,
    },
    /// A later version of this program wrote it.
    #[error("`{}` was written by a newer version of ess-callbacks (format {found}; this one knows {known})", path.display())]
    NewerVersion {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The latest format known here.
        known: u64,
    },
    /// Production and test are never mixed.
    #[error("`{}` records the {recorded} environment, but the configuration says {configured}", path.display())]
    Environment {
        /// The state file.
        path: PathBuf,
        /// What it says.
        recorded: Environment,
        /// What was asked for.
        configured: Environment,
    },
    /// There is a journal, but not the state it continues.
    #[error("there is a journal `{}`, but the state file `{}` it belongs to is missing", journal.display(), state.display())]
    StateMissing {
        /// The state file.
        state: PathBuf,
        /// The journal.
        journal: PathBuf,
    },
    /// There is a backup, but not the state it was made of.
    #[error("the state file `{}` is missing, but its backup `{}` is there", state.display(), backup.display())]
    OnlyBackup {
        /// The state file.
        state: PathBuf,
        /// The backup.
        backup: PathBuf,
    },
    /// The state is in a cloud, and not on this machine.
    #[error("the state file `{}` is not on this machine: `{}` stands for it", state.display(), placeholder.display())]
    NotDownloaded {
        /// The state file.
        state: PathBuf,
        /// What the cloud's program has left in its place.
        placeholder: PathBuf,
    },
    /// The folder of the state is not there.
    #[error("the folder `{}` of the state `{}` {problem}", folder.display(), state.display())]
    NoFolder {
        /// The state file.
        state: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something lies where the state's files are written.
    #[error("`{}` would be overwritten with {what}, but {problem}; nothing was changed", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What is written there.
        what: &'static str,
        /// Why it is not overwritten.
        problem: &'static str,
    },
    /// The state can't be replaced by a new file.
    #[error("the state `{}` can't be replaced by a new version: {hindrance}; nothing was changed", path.display())]
    Fixed {
        /// The state file.
        path: PathBuf,
        /// What keeps it.
        hindrance: Hindrance,
    },
    /// Somebody put back an old state file.
    #[error("the state file `{}` (serial {serial}) is older than its journal `{}`, which continues serial {base}", state.display(), journal.display())]
    StateOlder {
        /// The state file.
        state: PathBuf,
        /// Its serial.
        serial: u64,
        /// The journal.
        journal: PathBuf,
        /// What it continues.
        base: u64,
    },
    /// The journal continues another state.
    #[error("the journal `{}` belongs to another state (lineage {found}, not {expected})", journal.display())]
    ForeignJournal {
        /// The journal.
        journal: PathBuf,
        /// Its lineage.
        found: Lineage,
        /// The state's.
        expected: Lineage,
    },
    /// Another program holds the lock.
    #[error("the state is locked{}", by(owner.as_deref()))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who; `None` when the lock file does not tell (yet).
        owner: Option<Box<LockOwner>>,
    },
    /// Somebody broke our lock.
    #[error("the lock `{}` was broken while this program held it", path.display())]
    LockLost {
        /// The lock file.
        path: PathBuf,
    },
    /// There is no lock to remove.
    #[error("the state is not locked: `{}` names no owner", path.display())]
    NotLocked {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock has another id than the one to remove.
    #[error("the lock has the id `{}`, not `{given}`", owner.id)]
    OtherLock {
        /// What was given.
        given: String,
        /// Whose lock it is.
        owner: Box<LockOwner>,
    },
    /// The owner of the lock is running on this machine.
    #[error("the state is in use{}", by(Some(owner)))]
    OwnerAlive {
        /// Who.
        owner: Box<LockOwner>,
    },
    /// Something is to be recorded in a state that has no lineage yet.
    #[error("`{}` has no lineage yet, so nothing can be recorded in it", path.display())]
    Uninitialized {
        /// The state file.
        path: PathBuf,
    },
    /// A call can't be recorded, because the record could not be read again.
    #[error("`{address}` can't be recorded: {problem}")]
    Unrecordable {
        /// Of the callback.
        address: String,
        /// Why not.
        problem: String,
    },
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
    /// Of another environment.
    Environment,
    /// Locked by somebody else.
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
            | Self::Fixed { .. } => ErrorKind::Io,
            Self::Corrupt { .. }
            | Self::MergeConflict { .. }
            | Self::StateMissing { .. }
            | Self::OnlyBackup { .. }
            | Self::StateOlder { .. }
            | Self::ForeignJournal { .. } => ErrorKind::Corrupt,
            Self::NewerVersion { .. } => ErrorKind::NewerVersion,
            Self::Environment { .. } => ErrorKind::Environment,
            Self::Locked { .. } | Self::LockLost { .. } => ErrorKind::Locked,
            Self::NotLocked { .. } | Self::OtherLock { .. } | Self::OwnerAlive { .. } => {
                ErrorKind::Unlock
            }
            Self::Uninitialized { .. } | Self::Unrecordable { .. } => ErrorKind::Internal,
        }
    }

    /// What to do next, as sentences.
    pub fn advice(&self) -> String {
        match self {
            Self::Io { doing, source, .. } => advice::of(doing, source).into(),
            Self::Corrupt { path, .. } if is_journal(path) => {
                "The file was left as it is. If it was edited, undo that: its sums are there so \
                 that no edit goes unnoticed. If it can't be mended, wait until six minutes have \
                 passed since the last apply, move the journal away and run `plan`. What only the \
                 journal knew is forgotten then: what is declared is planned again, which does no \
                 harm; list under `absent:` what was added and is not declared any more."
                    .into()
            }
            Self::Corrupt { .. } => {
                "The file was left as it is. Restore it from version control or from the \
                 `.backup` beside the state file, or mend the line by hand; then run `plan`."
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
                "Use a state file of its own for each environment (--state), or correct \
                 `environment:` in the configuration."
                    .into()
            }
            Self::StateMissing { state, .. } => format!(
                "Restore `{}` from version control or its `.backup`. Only if you are sure that \
                 this is a new start, move the journal away.",
                state.display()
            ),
            Self::OnlyBackup { state, backup } => format!(
                "Without it everything would be planned as if nothing were recorded, and added again. \
                 Restore it from version control, or copy the backup, which is the state before the \
                 last run that changed it: `cp {} {}`. If you want to begin anew, with nothing \
                 recorded, move the backup away.",
                backup.display(),
                state.display()
            ),
            Self::NotDownloaded { .. } => {
                "Let the program that synchronizes the folder download it. Better keep the state in \
                 a folder that no such program touches."
                    .into()
            }
            Self::NoFolder { folder, .. } => format!(
                "Correct --state, mount the disk that the folder is on, or create it: `mkdir -p {}`. \
                 A state in a new folder begins with nothing recorded.",
                folder.display()
            ),
            Self::Foreign { .. } => {
                "The file was left as it is. Move it away, or name another state with --state.".into()
            }
            Self::Fixed { path, hindrance } => fixed_advice(path, *hindrance),
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
            Self::Locked { path, owner } => match owner {
                Some(owner) => format!(
                    "Wait for it, or give --lock-timeout a longer time. A lock frees itself when \
                     its owner dies; if it does not, run `ess-callbacks unlock {}`.",
                    owner.id
                ),
                None => format!(
                    "Wait for its owner, or give --lock-timeout a longer time. `{}` does not say \
                     who that is.",
                    path.display()
                ),
            },
            Self::LockLost { .. } => {
                "Somebody ran `unlock`, or removed the lock file. Nothing more was written. Make \
                 sure that only one apply runs, then run `plan`: it shows what is open."
                    .into()
            }
            Self::NotLocked { .. } => "There is nothing to do.".into(),
            Self::OtherLock { owner, .. } => format!(
                "Another program took the lock meanwhile. If that one is gone too, run \
                 `ess-callbacks unlock {}`.",
                owner.id
            ),
            Self::OwnerAlive { owner } => format!(
                "Wait for it or end process {}: the lock is free when it has ended.",
                owner.pid
            ),
            Self::Uninitialized { .. } | Self::Unrecordable { .. } => {
                "This is a bug: please report it.".into()
            }
        }
    }
}

/// Turns an [`io::Error`] into a [`StateError`] that says what was done on which file.
pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io {
        doing,
        path,
        source: Arc::new(source),
    }
}

fn fixed_advice(path: &Path, hindrance: Hindrance) -> String {
    match hindrance {
        Hindrance::Mounted => format!(
            "A state is saved by putting a new file in its place, which no system allows for a file that is \
             mounted by itself. Mount its folder `{}` instead (in Kubernetes a volume without `subPath`).",
            folder_of(path).display()
        ),
        Hindrance::Sticky(_) => {
            "In such a folder, like /tmp, only its owner may replace a file. Keep the state in a folder of \
             this user's, or in one that a group shares and that has no sticky bit (`chmod -t`)."
                .into()
        }
        Hindrance::Immutable => {
            format!("Take the mark off: `chattr -i -a {}`.", path.display())
        }
    }
}

/// Whether this is a journal by its name, which [`Paths`](super::Paths) chose.
fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "journal")
}

fn at_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" line {line}"))
}

fn by(owner: Option<&LockOwner>) -> String {
    owner.map_or_else(String::new, |owner| format!(" by {owner}"))
}
