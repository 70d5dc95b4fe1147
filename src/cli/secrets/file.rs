//! Reads a secret file: a regular file of limited size. A device may be endless or act when it is opened, a pipe may
//! block, and a file below `/proc` may be the environment of another program.

use std::fs::{File, FileType, OpenOptions};
use std::io::Read as _;
use std::path::Path;

use super::MAX_BYTES;
use crate::config::SecretProblem;
use crate::secret::SecretReference;

/// The bytes of the file at `path`, which messages call `shown`. Symbolic links are followed, as Kubernetes mounts
/// secrets through them; the file that was opened is checked.
pub(crate) fn read(
    path: &Path,
    shown: &str,
    reference: &SecretReference,
) -> Result<Vec<u8>, SecretProblem> {
    let unreadable = |error: std::io::Error| SecretProblem::unreadable(shown, &error.to_string());
    let refused = |what: &str| SecretProblem::not_a_file(shown, what);
    // Checked before it is opened, as that may have an effect on a device, and again after, when it can't be
    // replaced any more.
    let before = std::fs::metadata(path).map_err(unreadable)?;
    if let Some(what) = other_kind(before.file_type()) {
        return Err(refused(what));
    }
    let file = open(path).map_err(unreadable)?;
    let opened = file.metadata().map_err(unreadable)?;
    if let Some(what) = other_kind(opened.file_type()) {
        return Err(refused(what));
    }
    if let Some(what) = kernel_file(&file) {
        return Err(refused(what));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        return Err(SecretProblem::too_much(reference, MAX_BYTES));
    }
    Ok(bytes)
}

/// Opens without blocking if a pipe has replaced the file.
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;

        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    }
    options.open(path)
}

/// The kind of what is not a regular file.
fn other_kind(kind: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;

        if kind.is_fifo() {
            return Some("a named pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    if kind.is_dir() {
        return Some("a directory");
    }
    (!kind.is_file()).then_some("something else")
}

/// Whether the file is below /proc. The file system decides, as one file has many paths.
#[cfg(target_os = "linux")]
fn kernel_file(file: &File) -> Option<&'static str> {
    let system = rustix::fs::fstatfs(file).ok()?;
    (system.f_type == rustix::fs::PROC_SUPER_MAGIC).then_some("a part of /proc")
}

#[cfg(not(target_os = "linux"))]
fn kernel_file(_: &File) -> Option<&'static str> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn tried(path: &Path) -> Result<Vec<u8>, String> {
        let reference = SecretReference::File("x".to_owned());
        read(path, "x", &reference).map_err(|problem| problem.to_string())
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "value").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(tried(&file).unwrap(), b"value");
        assert_eq!(tried(&link).unwrap(), b"value");

        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let to_device = folder.path().join("to-device");
        std::os::unix::fs::symlink("/dev/zero", &to_device).unwrap();
        for (path, what) in [
            (folder.path(), "a directory"),
            (&pipe, "a named pipe"),
            (&socket, "a socket"),
            (&to_device, "a device"),
            (Path::new("/dev/zero"), "a device"),
        ] {
            let expected = format!("the secret file x is {what}, not a regular file");
            assert_eq!(tried(path), Err(expected));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_of_proc_is_read_by_whatever_path() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/proc/self/environ", &link).unwrap();
        for path in [
            Path::new("/proc/self/environ"),
            Path::new("/proc/../proc/version"),
            &link,
        ] {
            let expected = "the secret file x is a part of /proc, not a regular file".to_owned();
            assert_eq!(tried(path), Err(expected));
        }
    }

    #[test]
    fn a_file_has_a_largest_size() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, vec![b'a'; MAX_BYTES]).unwrap();
        assert_eq!(tried(&file).unwrap().len(), MAX_BYTES);
        std::fs::write(&file, vec![b'a'; MAX_BYTES + 1]).unwrap();
        assert!(tried(&file).unwrap_err().contains("more than 64 KiB"));
    }
}
