//! A state in files of one folder.
//!
//! [`Local`] is the medium, [`Files`] the few operations that it needs of a file system. The simulated disk
//! of the crash tests is another [`Files`].

mod files;
mod hold;
mod kind;
mod lock;
mod paths;
mod replace;
mod surroundings;
mod synced;

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

pub use self::files::{DurableFile, Files, RealFiles};
pub use self::kind::Kind;
pub use self::paths::{Paths, followed};
pub use self::synced::conflict_copies;

use self::hold::Held;
use self::lock::Taken;
use self::paths::folder_of;
use self::synced::placeholder;
use super::error::io;
use super::load::{Loaded, load};
use super::medium::{Attempt, Done, Medium};
use super::{LockOwner, Place, StateError, Version, history};
use crate::model::Recorded;

/// How often a taken lock is tried again.
const INTERVAL: Duration = Duration::from_millis(250);

/// The files of one state on one file system.
pub(super) struct Local<F: Files> {
    files: F,
    paths: Paths,
}

impl<F: Files> Local<F> {
    /// The state in this file. Nothing is read yet.
    pub(super) fn new(files: F, state: impl Into<PathBuf>) -> Self {
        Self {
            files,
            paths: Paths::beside(state),
        }
    }
}

impl<F: Files> Medium for Local<F> {
    fn place(&self) -> Place {
        Place::from(&self.paths.state)
    }

    fn poll(&self) -> Duration {
        INTERVAL
    }

    /// The system frees the lock of a program that has died.
    fn lease(&self) -> Option<Duration> {
        None
    }

    fn watch(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }

    fn load(&self) -> Done<'_, Option<Loaded>> {
        let (files, paths) = (self.files.clone(), self.paths.clone());
        let work = self.files.run(move || load_files(&files, &paths));
        work.boxed()
    }

    /// The state, and its backup.
    fn history(&self) -> Done<'_, Vec<Version>> {
        let (files, paths) = (self.files.clone(), self.paths.clone());
        let version = |path: &PathBuf, beginning: &[u8]| {
            Some(Version {
                serial: history::serial(beginning)?,
                place: path.into(),
                writer: None,
            })
        };
        let work = self.files.run(move || {
            let mut found = Vec::new();
            for path in [&paths.state, &paths.backup] {
                let Some(file) = files.open(path).map_err(io("opening", path))? else {
                    continue;
                };
                let mut beginning = Vec::new();
                let mut file = file.take(history::BEGINNING as u64);
                file.read_to_end(&mut beginning)
                    .map_err(io("reading", path))?;
                found.extend(version(path, &beginning));
            }
            Ok(found)
        });
        work.boxed()
    }

    fn version(&self, serial: u64) -> Done<'_, Option<Recorded>> {
        async move {
            let versions = self.history().await?;
            let Some(found) = versions.into_iter().find(|found| found.serial == serial) else {
                return Ok(None);
            };
            let path = if found.place == Place::from(&self.paths.state) {
                self.paths.state.clone()
            } else {
                self.paths.backup.clone()
            };
            let files = self.files.clone();
            let work = self.files.run(move || {
                let file = files.open(&path).map_err(io("opening", &path))?;
                file.map_or(Ok(None), |file| {
                    history::version(&(&path).into(), file, serial)
                })
            });
            work.await
        }
        .boxed()
    }

    fn hold<'a>(&'a self, owner: &'a LockOwner) -> Done<'a, Attempt> {
        let attempt = async {
            let (files, paths) = (self.files.clone(), self.paths.clone());
            Ok(match lock::attempt(&files, &paths.lock, owner).await? {
                Taken::Ours(lock, left) => {
                    Attempt::Ours(Box::new(Held::new(files, paths, lock)), left)
                }
                // The system frees the lock of a program that has died.
                Taken::Theirs(owner) => Attempt::Theirs {
                    owner,
                    known_in: None,
                },
            })
        };
        attempt.boxed()
    }

    fn holder(&self) -> BoxFuture<'_, Option<LockOwner>> {
        let (files, path) = (self.files.clone(), self.paths.lock.clone());
        let work = self.files.run(move || lock::read_owner(&files, &path));
        work.boxed()
    }

    fn break_hold<'a>(&'a self, id: &'a str, host: &'a str) -> Done<'a, LockOwner> {
        lock::unlock(&self.files, &self.paths.lock, id, host).boxed()
    }
}

impl<F: Files> fmt::Debug for Local<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

/// In the order that [`Medium::load`] asks for.
fn load_files<F: Files>(files: &F, paths: &Paths) -> Result<Option<Loaded>, StateError> {
    let Paths {
        state,
        journal,
        lock: _,
        backup,
    } = paths;
    let records = files.open(journal).map_err(io("opening", journal))?;
    let Some(snapshot) = files.open(state).map_err(io("opening", state))? else {
        return match records {
            None => never_there(files, state, backup),
            Some(_) => Err(StateError::StateMissing {
                state: state.into(),
                journal: journal.into(),
            }),
        };
    };
    load((&state.into(), snapshot), (&journal.into(), records)).map(Some)
}

/// A state that is not there was never there, unless something else says that it was.
fn never_there<F: Files>(
    files: &F,
    state: &Path,
    backup: &Path,
) -> Result<Option<Loaded>, StateError> {
    let is_file = |path: &Path| {
        let kind = files.kind(path).map_err(io("looking at", path))?;
        Ok(kind == Kind::File)
    };
    if let Some(placeholder) = placeholder(state)
        && is_file(&placeholder)?
    {
        return Err(StateError::NotDownloaded {
            state: state.into(),
            placeholder: placeholder.as_path().into(),
        });
    }
    // A writer may have made both since.
    if surroundings::is_backup(files, backup)? && !is_file(state)? {
        return Err(StateError::OnlyBackup {
            state: state.into(),
            backup: backup.into(),
        });
    }
    Ok(None)
}

/// Refuses a state whose folder is not there: the path may be mistyped, or a disk not mounted.
///
/// # Errors
/// [`StateError::NoFolder`].
pub fn check_folder(state: &Path) -> Result<(), StateError> {
    let state = followed(state);
    let folder = folder_of(&state);
    let problem = match folder.metadata() {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => "is not a folder",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist",
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => "is not a folder",
        // Opening the state gives a better error.
        Err(_) => return Ok(()),
    };
    Err(StateError::NoFolder {
        state: state.as_path().into(),
        folder: folder.into(),
        problem,
    })
}
