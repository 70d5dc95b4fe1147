//! What a name on a file system leads to.

use std::io;
use std::path::Path;

/// What a name leads to, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is nothing of that name.
    Nothing,
    File,
    Link,
    Folder,
    /// A device, a pipe or a socket.
    Special,
}

/// What the operating system's files are of this kind.
pub(super) fn kind_of(path: &Path) -> io::Result<Kind> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Ok(Kind::Link),
        Ok(found) if found.is_dir() => Ok(Kind::Folder),
        Ok(found) if found.is_file() => Ok(Kind::File),
        Ok(_) => Ok(Kind::Special),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kind::Nothing),
        Err(error) => Err(error),
    }
}
