//! What to do when the operating system refuses to work on a file of the state, or a store does.

use std::io;

use super::Place;

pub(super) const DAMAGED: &str = "Nothing was changed. Records may have been deleted by hand or by a lifecycle \
     rule of the store: restore them there. Otherwise begin again in another place, with a copy of the state: \
     `state push FILE` with another --state, or `import`.";

pub(super) const UNFENCED: &str = "Two programs that write at once would overwrite each other without noticing. On \
     Tencent COS this is so in a bucket that has, or ever had, versioning: use another bucket. Other stores need \
     conditional writes (`If-None-Match: *`).";

pub(super) const OCCUPIED: &str =
    "Give another place. To see what is there, run `state list` with that --state.";

/// How this lock may have been lost, as a sentence.
pub(super) const fn how_lost(place: &Place) -> &'static str {
    if place.is_file() {
        "`unlock` was run, or the lock file was removed."
    } else {
        "`unlock` was run, or this run wrote nothing for so long that another one took over."
    }
}

/// What to do next, as sentences.
pub(super) fn of(doing: &str, source: &io::Error) -> &'static str {
    let kind = source.kind();
    if cannot_lock(source) {
        "This file system can't lock files, or its server's lock service does not run (on NFS that is \
         rpc.statd, and the mount option `nolock` switches it off). Nothing else would keep two applies \
         apart, so keep the state on a local disk. A git branch carries it from machine to machine: see \
         docs/pipelines.md."
    } else if is_loop(source) {
        "Symbolic links lead in a circle. Make the link lead to a file, or name another state with --state."
    } else if matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        "Make room on the disk and run the command again; nothing recorded is lost."
    } else if is_of_another_user(doing, source) {
        "The lock file holds nothing but the name of its last owner. When no program holds it, remove it, or let its owner \
         do that. Where several users apply, let them share a group that may write the state's folder and \
         every file in it (umask 002), or let one user apply for all."
    } else if matches!(
        kind,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    ) {
        "Make the state file and its folder readable and writable for this user, or name another \
         with --state. The folder counts: the state is replaced by a new file."
    } else if kind == io::ErrorKind::AlreadyExists {
        "The file was left as it is. Name another state with --state, or move that file away."
    } else if is_in_use(source) {
        "Another program uses the file: one that synchronizes the folder, a backup or a virus scanner. \
         Keep the state out of such folders, or run the command again; nothing recorded is lost."
    } else {
        "Run the command again when the cause is fixed; nothing recorded is lost."
    }
}

/// Whether the file system has no locks to give.
fn cannot_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || is_errno(error, NO_LOCKS)
}

/// Whether it is a lock file that belongs to another user: what `files` says of it is no
/// error of the system.
fn is_of_another_user(doing: &str, error: &io::Error) -> bool {
    let denied = error.kind() == io::ErrorKind::PermissionDenied;
    doing == "locking" && denied && error.raw_os_error().is_none()
}

fn is_loop(error: &io::Error) -> bool {
    is_errno(error, LOOPS)
}

/// Whether another program has the file, and only for now.
fn is_in_use(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy | io::ErrorKind::WouldBlock | io::ErrorKind::Deadlock
    ) || is_errno(error, IN_USE)
}

fn is_errno(error: &io::Error, numbers: &[i32]) -> bool {
    error
        .raw_os_error()
        .is_some_and(|number| numbers.contains(&number))
}

#[cfg(unix)]
const NO_LOCKS: &[i32] = &[
    rustix::io::Errno::NOLCK.raw_os_error(),
    rustix::io::Errno::NOTSUP.raw_os_error(),
    rustix::io::Errno::OPNOTSUPP.raw_os_error(),
    rustix::io::Errno::NOSYS.raw_os_error(),
];
#[cfg(unix)]
const LOOPS: &[i32] = &[rustix::io::Errno::LOOP.raw_os_error()];
#[cfg(unix)]
const IN_USE: &[i32] = &[];

/// `ERROR_INVALID_FUNCTION` and `ERROR_NOT_SUPPORTED`.
#[cfg(not(unix))]
const NO_LOCKS: &[i32] = &[1, 50];
/// `ERROR_CANT_RESOLVE_FILENAME`.
#[cfg(not(unix))]
const LOOPS: &[i32] = &[1921];
/// `ERROR_SHARING_VIOLATION` and `ERROR_LOCK_VIOLATION`.
#[cfg(not(unix))]
const IN_USE: &[i32] = &[32, 33];

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn only_a_file_has_a_lock_file() {
        let path = std::path::Path::new("callbacks.state.lock");
        assert!(how_lost(&path.into()).contains("lock file"));
        assert!(!how_lost(&Place::new("postgres://h/d?name=n")).contains("lock file"));
    }

    #[test]
    fn each_cause_has_its_own_advice() {
        for (doing, errno, expected) in [
            ("locking", Errno::NOLCK, "keep the state on a local disk"),
            (
                "locking",
                Errno::OPNOTSUPP,
                "keep the state on a local disk",
            ),
            ("locking", Errno::ACCESS, "its folder"),
            ("opening", Errno::LOOP, "in a circle"),
            ("replacing", Errno::BUSY, "synchronizes the folder"),
            ("opening", Errno::AGAIN, "synchronizes the folder"),
            ("reading", Errno::DEADLK, "synchronizes the folder"),
            ("writing", Errno::NOSPC, "Make room"),
            ("creating", Errno::ROFS, "its folder"),
            ("creating", Errno::ACCESS, "its folder"),
            ("writing", Errno::IO, "when the cause is fixed"),
        ] {
            let advice = of(doing, &errno.into());
            assert!(advice.contains(expected), "{doing} {errno}: {advice}");
        }
        let theirs = io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to uid 7");
        assert!(of("locking", &theirs).contains("share a group"));
    }
}
