//! Who may write: one program a state.
//!
//! The operating system's lock on the lock file decides; the file's contents only say who holds it.
//! The lock of a dead owner is free at once, whatever it left in the file. Only a lock that a file
//! server keeps for a machine that is gone has to be broken by hand, with [`unlock`]: the file is
//! replaced by a new one, and an owner that is alive after all notices before its next write.

#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::Path;

use crate::state::error::io;
use crate::state::local::Files;
use crate::state::local::files::LONGEST_LOCK;
use crate::state::local::paths::{folder_of, temporary};
use crate::state::local::surroundings::check_new_lock;
use crate::state::{LockOwner, StateError};

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

/// What a try to take the lock gives.
pub(super) enum Taken<L> {
    Ours(L, Option<LockOwner>),
    Theirs(Option<LockOwner>),
}

/// Tries once to take the lock. Returns what a dead owner left.
pub(super) async fn attempt<F: Files>(
    files: &F,
    path: &Path,
    owner: &LockOwner,
) -> Result<Taken<F::Lock>, StateError> {
    let mut contents = serde_json::to_vec(owner).expect("plain values always become JSON");
    contents.push(b'\n');
    let (own_files, path) = (files.clone(), path.to_owned());
    files
        .run(move || {
            let taken = own_files
                .try_lock(&path, &contents)
                .map_err(io("locking", path.as_path()))?;
            Ok(match taken {
                Some((lock, left)) => Taken::Ours(lock, serde_json::from_slice(&left).ok()),
                None => Taken::Theirs(read_owner(&own_files, &path)),
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
        return Err(StateError::NotLocked { place: path.into() });
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
            // It may have changed hands since.
            if let Some(now) = read_owner(files, path).filter(|now| now.id != id) {
                return Err(StateError::OtherLock {
                    given: id.to_owned(),
                    owner: Box::new(now),
                });
            }
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
    file.take(LONGEST_LOCK).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
