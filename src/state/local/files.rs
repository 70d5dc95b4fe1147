//! The file operations a state is made of, and the real ones.
//!
//! [`Files`] is as small as a crash-safe state allows: files are written once from beginning to end
//! under a temporary name, synced and renamed into place; the journal is appended to through the
//! handle that made it. Nothing is ever overwritten in place, except the lock file, whose contents
//! don't matter for safety.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write};
use std::path::{Path, PathBuf};

use super::kind::{Kind, kind_of};
use super::replace;
use crate::state::Hindrance;
use crate::state::joined::joined;

/// A file that is being written.
pub trait DurableFile: Write + Send + 'static {
    /// Returns when everything written so far survives a power cut.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file system. All operations block; [`Files::run`] takes them off the executor.
pub trait Files: Clone + Send + Sync + 'static {
    /// Reads a file from its beginning.
    type Reader: io::Read + Send;
    /// Writes a new file.
    type File: DurableFile;
    /// An exclusive lock. Freed when it is dropped or its process dies.
    type Lock: Send + Sync + 'static;

    /// Runs blocking work to its end, even if the returned future is dropped once the work has begun.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send;

    /// Opens a file for reading; `None` when there is none.
    fn open(&self, path: &Path) -> io::Result<Option<Self::Reader>>;

    /// What a name leads to, links not followed.
    fn kind(&self, path: &Path) -> io::Result<Kind>;

    /// What would keep [`Files::rename`] from putting a file in the place of `path`. `scratch` lies
    /// beside it, and nothing is there afterwards.
    fn hindrance(&self, path: &Path, scratch: &Path) -> io::Result<Option<Hindrance>>;

    /// Creates a file, in the place of any leftover of that name, with the permissions of `like`
    /// where that exists.
    fn create(&self, path: &Path, like: &Path) -> io::Result<Self::File>;

    /// Puts `from` in the place of `to`, at once. Durable after [`Files::sync_folder`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives the contents of `from` the name `to` too, in the place of any leftover of that name.
    fn duplicate(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file if it is there.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Returns when all names in a folder are durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Locks a file, creating it where necessary, and writes `contents` into it for others to read.
    /// Returns what a dead owner left in it. `None` when another owner holds it.
    fn try_lock(&self, path: &Path, contents: &[u8]) -> io::Result<Option<(Self::Lock, Vec<u8>)>>;

    /// Whether the locked file is still the one of that name. It is not after the lock was
    /// broken by replacing the file.
    fn still_locked(&self, lock: &Self::Lock) -> io::Result<bool>;

    /// Empties the locked file and frees it. The file itself stays: removing it could leave two
    /// owners, one of a file that has no name any more.
    fn unlock(&self, lock: Self::Lock) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFiles;

/// A lock on a real file.
#[derive(Debug)]
pub struct RealLock {
    path: PathBuf,
    file: File,
}

impl DurableFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

impl Files for RealFiles {
    type Reader = File;
    type File = File;
    type Lock = RealLock;

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        joined(tokio::task::spawn_blocking(work)).await
    }

    fn open(&self, path: &Path) -> io::Result<Option<File>> {
        // Opening a pipe would wait for its writer.
        if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(io::Error::other("it is not a regular file"));
        }
        match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        kind_of(path)
    }

    fn hindrance(&self, path: &Path, scratch: &Path) -> io::Result<Option<Hindrance>> {
        replace::hindrance(path, scratch)
    }

    fn create(&self, path: &Path, like: &Path) -> io::Result<File> {
        self.remove(path)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
        let file = options.open(path)?;
        match fs::metadata(like) {
            Ok(metadata) => file.set_permissions(metadata.permissions())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn duplicate(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.remove(to)?;
        if fs::hard_link(from, to).is_ok() {
            return Ok(());
        }
        // Some file systems have no hard links.
        fs::copy(from, to)?;
        File::open(to)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Elsewhere folders can't be opened, and renames are durable by themselves.
        if cfg!(unix) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn try_lock(&self, path: &Path, contents: &[u8]) -> io::Result<Option<(RealLock, Vec<u8>)>> {
        loop {
            refuse_special(path)?;
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path);
            let mut file = match opened {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return another_users(path, error);
                }
                Err(error) => return Err(error),
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if !has_name(&file, path)? {
                continue;
            }
            let mut left = Vec::new();
            (&file).take(LONGEST_LOCK).read_to_end(&mut left)?;
            if !is_lock(&left) {
                return Err(not_ours("it is not a lock of ess-callbacks"));
            }
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(contents)?;
            let path = path.to_owned();
            return Ok(Some((RealLock { path, file }, left)));
        }
    }

    fn still_locked(&self, lock: &RealLock) -> io::Result<bool> {
        has_name(&lock.file, &lock.path)
    }

    fn unlock(&self, lock: RealLock) -> io::Result<()> {
        lock.file.set_len(0)
    }
}

/// More bytes than any lock file has.
pub(super) const LONGEST_LOCK: u64 = 1 << 16;

/// What a lock file begins with: the first field of a [`LockOwner`](crate::state::LockOwner).
const LOCK_BEGINS: &[u8] = b"{\"id\":";

/// Whether the owner of a lock may have left this: nothing, its name, or what a crash made of either.
fn is_lock(left: &[u8]) -> bool {
    left.starts_with(LOCK_BEGINS)
        || LOCK_BEGINS.starts_with(left)
        || left.iter().all(|byte| *byte == 0)
}

/// The lock file of another user, which we may not write: `None` when its owner holds it, else an error
/// that says whose it is.
fn another_users<T>(path: &Path, error: io::Error) -> io::Result<Option<T>> {
    let Some(owner) = owner_of(path) else {
        return Err(error);
    };
    // Reading is enough to see whether it is held.
    let held = match File::open(path).map(|file| file.try_lock_shared()) {
        Ok(Ok(())) => "no program holds it",
        Ok(Err(TryLockError::WouldBlock)) => return Ok(None),
        Ok(Err(TryLockError::Error(_))) | Err(_) => "whether a program holds it can't be seen",
    };
    let problem = format!("{error}: it belongs to {owner}, and {held}");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
}

/// Whose a file is, if there is one and the system says it.
#[cfg(unix)]
fn owner_of(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let uid = fs::symlink_metadata(path).ok()?.uid();
    Some(format!("uid {uid}"))
}

#[cfg(not(unix))]
fn owner_of(path: &Path) -> Option<String> {
    path.exists().then(|| "another user".to_owned())
}

/// A link would empty the file it leads to, and a device or a pipe keeps nothing.
fn refuse_special(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            Err(not_ours("it is a symbolic link, and a lock is a file"))
        }
        Ok(found) if !found.is_file() => {
            Err(not_ours("it is not a regular file, and a lock is one"))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn not_ours(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, problem)
}

/// Whether `path` is still the name of this open file, and not of a link to it.
#[cfg(unix)]
fn has_name(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;

    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere a file that is open can't be replaced.
#[cfg(not(unix))]
fn has_name(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}
