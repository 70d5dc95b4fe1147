//! Whether a file can be replaced where it lies, found out without touching it.
//!
//! A state is saved by putting a new file in its place. That fails for a file that is mounted by itself,
//! one that is marked as immutable, or one of another user in a folder like /tmp, however writable it
//! is. It would fail after the calls were made.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use crate::state::Hindrance;

/// What the system knows of a file.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    mounted: bool,
    immutable: bool,
    /// Its owner, when the folder's sticky bit holds us back.
    sticky: Option<u32>,
}

/// What keeps `path` from being replaced. `scratch` lies beside it; it is made and removed.
///
/// # Errors
///
/// No file can be made or removed in the folder.
pub(super) fn hindrance(path: &Path, scratch: &Path) -> io::Result<Option<Hindrance>> {
    match fs::remove_file(scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    drop(
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(scratch)?,
    );
    fs::remove_file(scratch)?;
    if !path.exists() {
        return Ok(None);
    }
    let marks = marks(path);
    // Its second name could not be removed in a sticky folder.
    if marks.sticky.is_some() {
        return Ok(verdict(Ok(()), marks));
    }
    let linked = fs::hard_link(path, scratch);
    if linked.is_ok() {
        fs::remove_file(scratch)?;
    }
    Ok(verdict(linked, marks))
}

/// A file that is mounted by itself can't get a second name in its own folder, on any system. Other
/// errors say nothing: not all file systems have second names, and not all allow them.
fn verdict(linked: io::Result<()>, marks: Marks) -> Option<Hindrance> {
    let crosses = linked.is_err_and(|error| error.kind() == io::ErrorKind::CrossesDevices);
    if crosses || marks.mounted {
        Some(Hindrance::Mounted)
    } else if marks.immutable {
        Some(Hindrance::Immutable)
    } else {
        marks.sticky.map(Hindrance::Sticky)
    }
}

#[cfg(unix)]
fn marks(path: &Path) -> Marks {
    let (mounted, immutable) = attributes(path);
    Marks {
        mounted,
        immutable,
        sticky: sticky(path),
    }
}

#[cfg(not(unix))]
fn marks(_path: &Path) -> Marks {
    Marks::default()
}

/// Whether a file is a mount point, and whether it is immutable. Older kernels don't say.
#[cfg(target_os = "linux")]
fn attributes(path: &Path) -> (bool, bool) {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

    let Ok(found) = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE) else {
        return (false, false);
    };
    let has = |attribute| found.stx_attributes.intersects(attribute);
    (
        has(StatxAttributes::MOUNT_ROOT),
        has(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND),
    )
}

#[cfg(all(unix, not(target_os = "linux")))]
fn attributes(_path: &Path) -> (bool, bool) {
    (false, false)
}

/// The owner of a file that only its owner, the folder's owner and root may replace, unless we are one
/// of them.
#[cfg(unix)]
fn sticky(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    const STICKY: u32 = 0o1000;
    let (file, folder) = (
        fs::symlink_metadata(path).ok()?,
        fs::metadata(super::paths::folder_of(path)).ok()?,
    );
    let us = rustix::process::geteuid().as_raw();
    let free = us == 0 || file.uid() == us || folder.uid() == us || folder.mode() & STICKY == 0;
    (!free).then(|| file.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_signs_say_that_a_file_cant_be_replaced() {
        let none = Marks::default();
        let failed = |kind: io::ErrorKind| Err(kind.into());
        let cases = [
            (Ok(()), none, None),
            // A file system without second names, and one that does not let everybody make them.
            (failed(io::ErrorKind::Unsupported), none, None),
            (failed(io::ErrorKind::PermissionDenied), none, None),
            (
                failed(io::ErrorKind::CrossesDevices),
                none,
                Some(Hindrance::Mounted),
            ),
            (
                failed(io::ErrorKind::Unsupported),
                Marks {
                    mounted: true,
                    ..none
                },
                Some(Hindrance::Mounted),
            ),
            (
                failed(io::ErrorKind::PermissionDenied),
                Marks {
                    immutable: true,
                    ..none
                },
                Some(Hindrance::Immutable),
            ),
            (
                Ok(()),
                Marks {
                    sticky: Some(7),
                    ..none
                },
                Some(Hindrance::Sticky(7)),
            ),
        ];
        for (linked, marks, expected) in cases {
            assert_eq!(verdict(linked, marks), expected, "{marks:?}");
        }
    }

    #[test]
    fn a_file_that_can_be_replaced_is_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (file, scratch) = (folder.path().join("a"), folder.path().join("a.tmp"));
        assert_eq!(hindrance(&file, &scratch).unwrap(), None);
        fs::write(&file, "precious").unwrap();
        fs::write(&scratch, "left by a crash").unwrap();
        assert_eq!(hindrance(&file, &scratch).unwrap(), None);
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        assert!(hindrance(&folder.path().join("no/a"), &folder.path().join("no/a.tmp")).is_err());
    }
}
