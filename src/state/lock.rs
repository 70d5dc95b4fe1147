//! Who may write: one program a state.
//!
//! The operating system's lock on the lock file decides; the file's contents only say who holds it.
//! The lock of a dead owner is free at once, whatever it left in the file. Only a lock that a file
//! server keeps for a machine that is gone has to be broken by hand, with [`unlock`]: the file is
//! replaced by a new one, and an owner that is alive after all notices before its next write.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::error::io;
use super::paths::{folder_of, temporary};
use super::place::check_new_lock;
use super::{Files, StateError};
use crate::model::Timestamp;

/// How often a taken lock is tried again.
const INTERVAL: Duration = Duration::from_millis(250);

/// More than any lock file has.
const LONGEST: u64 = 1 << 16;

/// What the lock file says of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOwner {
    /// Names this lock for `unlock`.
    pub id: String,
    /// The user.
    pub who: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// What it runs, like `apply`.
    pub command: String,
    /// Since when it wants or has the lock.
    pub since: Timestamp,
    /// The CI job it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_url: Option<String>,
}

impl fmt::Display for LockOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            who,
            host,
            pid,
            command,
            since,
            job_url,
        } = self;
        write!(
            f,
            "{who}@{host}, process {pid} (`{command}`), since {since}, lock id {id}"
        )?;
        match job_url {
            Some(url) => write!(f, ", {url}"),
            None => Ok(()),
        }
    }
}

/// Takes the lock, waiting for it up to `timeout`. Tells `waiting` for whom, once an owner. Returns
/// what a dead owner left.
pub(super) async fn acquire<F: Files>(
    files: &F,
    path: &Path,
    owner: &LockOwner,
    timeout: Duration,
    mut waiting: impl FnMut(Option<&LockOwner>) + Send,
) -> Result<(F::Lock, Option<LockOwner>), StateError> {
    let deadline = Instant::now().checked_add(timeout);
    let mut told = None;
    loop {
        let theirs = match attempt(files, path, owner).await? {
            Attempt::Ours(lock, left) => return Ok((lock, left)),
            Attempt::Theirs(theirs) => theirs,
        };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(StateError::Locked {
                path: path.to_owned(),
                owner: theirs.map(Box::new),
            });
        }
        if told.as_ref() != Some(&theirs) {
            waiting(theirs.as_ref());
            told = Some(theirs);
        }
        tokio::time::sleep(left.map_or(INTERVAL, |left| left.min(INTERVAL))).await;
    }
}

/// Frees the lock with this id, for an owner that is gone. `host` is the machine this runs on: an
/// owner on it that holds the lock is alive.
pub(super) async fn unlock<F: Files>(
    files: &F,
    path: &Path,
    id: &str,
    host: &str,
) -> Result<LockOwner, StateError> {
    let (id, host) = (id.to_owned(), host.to_owned());
    let (own_files, path) = (files.clone(), path.to_owned());
    files
        .run(move || unlock_now(&own_files, &path, &id, &host))
        .await
}

enum Attempt<L> {
    Ours(L, Option<LockOwner>),
    Theirs(Option<LockOwner>),
}

async fn attempt<F: Files>(
    files: &F,
    path: &Path,
    owner: &LockOwner,
) -> Result<Attempt<F::Lock>, StateError> {
    let mut contents = serde_json::to_vec(owner).expect("plain values always become JSON");
    contents.push(b'\n');
    let (own_files, path) = (files.clone(), path.to_owned());
    files
        .run(move || {
            let taken = own_files
                .try_lock(&path, &contents)
                .map_err(io("locking", &path))?;
            Ok(match taken {
                Some((lock, left)) => Attempt::Ours(lock, serde_json::from_slice(&left).ok()),
                None => Attempt::Theirs(read_owner(&own_files, &path)),
            })
        })
        .await
}

fn unlock_now<F: Files>(
    files: &F,
    path: &Path,
    id: &str,
    host: &str,
) -> Result<LockOwner, StateError> {
    let Some(owner) = read_owner(files, path) else {
        return Err(StateError::NotLocked {
            path: path.to_owned(),
        });
    };
    if owner.id != id {
        return Err(StateError::OtherLock {
            given: id.to_owned(),
            owner: Box::new(owner),
        });
    }
    let taken = files.try_lock(path, b"").map_err(io("locking", path))?;
    match taken {
        Some((lock, _)) => files.unlock(lock).map_err(io("unlocking", path))?,
        None if owner.host == host => {
            return Err(StateError::OwnerAlive {
                owner: Box::new(owner),
            });
        }
        None => {
            check_new_lock(files, path)?;
            let new = temporary(path);
            drop(files.create(&new, path).map_err(io("creating", &new))?);
            files.rename(&new, path).map_err(io("replacing", path))?;
            files
                .sync_folder(folder_of(path))
                .map_err(io("syncing the folder of", path))?;
        }
    }
    Ok(owner)
}

/// What the lock file says. It is for people only, so nothing is made of an unreadable one: it may
/// be half written, and some systems don't let others read a locked file.
pub(super) fn read_owner<F: Files>(files: &F, path: &Path) -> Option<LockOwner> {
    let mut text = Vec::new();
    let file = files.open(path).ok()??;
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
