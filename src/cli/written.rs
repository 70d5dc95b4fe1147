//! Writes the files that options name: completely or not at all. Streams are written to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::state::followed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// The user who wrote it.
    Owner,
    /// Every user.
    All,
}

/// Writes a file completely or not at all, at the end of symbolic links. A device, a pipe or an open stream can't be
/// replaced and is written to.
pub(crate) fn write(
    path: &Path,
    readers: Readers,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if let Some(stream) = stream(path) {
        return write_all(&stream?, write);
    }
    let path = &followed(path);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    // Not *.prom, which a collector of metrics would read half written.
    let file = tempfile::Builder::new()
        .prefix(".ess-callbacks-")
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(|error| of_folder(folder, &error))?;
    write_all(file.as_file(), write)?;
    if readers == Readers::All {
        readable_by_all(file.as_file())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The error about the folder, without the name of the temporary file.
fn of_folder(folder: &Path, error: &io::Error) -> io::Error {
    let (shown, missing) = (folder.display(), !folder.exists());
    let text = match error.raw_os_error() {
        _ if missing => format!("the folder `{shown}` does not exist"),
        Some(code) => format!("in `{shown}`: {}", io::Error::from_raw_os_error(code)),
        // An error with a path has no number.
        None => format!("in `{shown}`: {}", error.kind()),
    };
    io::Error::new(error.kind(), text)
}

fn write_all(file: &File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.flush()
}

/// Opens a file for events, which are written one by one.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    stream(path).unwrap_or_else(|| File::create(path))
}

/// Whether this is a device, a pipe or an open stream, and not a file that could be overwritten.
pub(crate) fn is_stream(path: &Path) -> bool {
    descriptor(path).is_some() || path.exists() && !path.is_file()
}

/// Opens a device, a pipe or a stream of this process; `None` for a file.
fn stream(path: &Path) -> Option<io::Result<File>> {
    match descriptor(path) {
        #[cfg(unix)]
        Some(number @ (1 | 2)) => Some(standard(number)),
        Some(_) => Some(OpenOptions::new().append(true).open(path)),
        None if is_stream(path) => Some(OpenOptions::new().write(true).open(path)),
        None => None,
    }
}

/// The number of the open stream behind a path such as /dev/stdout.
fn descriptor(path: &Path) -> Option<u32> {
    const LINKS: usize = 40;
    let own = format!("/proc/{}/fd", std::process::id());
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let folder = path.parent()?;
        if [
            Path::new("/dev/fd"),
            Path::new("/proc/self/fd"),
            Path::new(&own),
        ]
        .contains(&folder)
        {
            return path.file_name()?.to_str()?.parse().ok();
        }
        path = folder.join(path.read_link().ok()?);
    }
    None
}

/// Standard output or error. Opened by its path, a file would be written from the start.
#[cfg(unix)]
fn standard(number: u32) -> io::Result<File> {
    use std::os::fd::AsFd as _;

    let stream = if number == 1 {
        io::stdout().as_fd().try_clone_to_owned()
    } else {
        io::stderr().as_fd().try_clone_to_owned()
    };
    stream.map(File::from)
}

#[cfg(unix)]
fn readable_by_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn streams_are_known_by_where_their_paths_lead() {
        let own = format!("/proc/{}/fd/7", std::process::id());
        for (path, number) in [
            ("/dev/stdout", Some(1)),
            ("/dev/stderr", Some(2)),
            ("/dev/fd/3", Some(3)),
            ("/proc/self/fd/4", Some(4)),
            (&own, Some(7)),
            ("/dev/null", None),
            ("plan.json", None),
            ("/", None),
        ] {
            assert_eq!(descriptor(Path::new(path)), number, "{path}");
        }
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
        assert_eq!(descriptor(&link), Some(1));
    }

    #[test]
    fn a_link_stays_one_and_leads_to_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("new"));
        std::os::unix::fs::symlink("new", &link).unwrap();
        for text in ["one", "two"] {
            write(&link, Readers::All, |out| out.write_all(text.as_bytes())).unwrap();
            assert_eq!(std::fs::read_to_string(&target).unwrap(), text);
            assert!(link.is_symlink() && !target.is_symlink());
        }
    }
}
