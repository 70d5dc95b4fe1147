//! Appends receipts to a file: a line at a time, durable before the request is answered.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;
use crate::receiver::{MAX_RECEIPT_BODY, Receipt};

/// A file of receipts. Several programs may append to it at the same time.
#[derive(Debug)]
pub(super) struct Receipts {
    file: File,
    path: PathBuf,
    /// Whether the file may end inside of a line, that of a crash or of a full disk.
    torn: bool,
    /// Whether the last receipt could not be written, which was reported.
    failing: bool,
}

impl Receipts {
    /// Opens the file, or creates it for its owner only: unencrypted messages hold personal data. A file that does not
    /// begin with a receipt is not appended to.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::error(format!(
                "the receipts file `{}` can't be written: {error}",
                path.display()
            ))
        };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        // Opening a pipe would wait for its reader.
        if path.exists() && !path.is_file() {
            return Err(failed(io::Error::other("it is not a regular file")));
        }
        let mut file = options.open(path).map_err(failed)?;
        let mut first = Vec::new();
        // A line has its escaped body and little else.
        let longest = 6 * MAX_RECEIPT_BODY as u64 + (64 << 10);
        BufReader::new(&file)
            .take(longest)
            .read_until(b'\n', &mut first)
            .map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let complete = first.ends_with(b"\n");
        let receipt = std::str::from_utf8(&first).is_ok_and(|line| Receipt::parse(line).is_ok());
        // A first line that was torn begins like a receipt.
        let torn_first = !complete && first.starts_with(b"{\"received_at\":");
        if length > 0 && !receipt && !torn_first {
            let message = format!(
                "the file `{}` does not begin with a receipt; nothing was written to it",
                path.display()
            );
            return Err(Failure::error(message).advice("Give --receipts another file."));
        }
        let torn = ends_inside_a_line(&mut file).map_err(failed)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            torn,
            failing: false,
        })
    }

    /// Appends a receipt and waits until it is on the disk.
    pub(super) fn append(&mut self, receipt: &Receipt) -> Result<(), String> {
        let appended = self.reopen().and_then(|()| self.write(receipt));
        let again = std::mem::replace(&mut self.failing, appended.is_err());
        appended.map_err(|why| {
            if again {
                "its receipt could not be written either".to_owned()
            } else {
                format!("{why}. Until receipts can be written, messages get 500, so that eSign sends them again")
            }
        })
    }

    /// Appends the whole line or nothing.
    fn write(&mut self, receipt: &Receipt) -> Result<(), String> {
        // With one write, so that the lines of several programs do not mix.
        let mut line = String::new();
        if self.torn {
            line.push('\n');
        }
        line += &receipt.line();
        let written = append_whole(&mut self.file, line.as_bytes(), |file, part| {
            file.write(part)
        });
        self.torn = written.is_err() && ends_inside_a_line(&mut self.file).unwrap_or(true);
        written.map_err(|error| {
            format!(
                "the receipt could not be written to `{}`: {error}",
                self.path.display()
            )
        })
    }
}

impl Receipts {
    /// Opens the file again if it was moved or deleted: a receipt in a file without a name is lost.
    fn reopen(&mut self) -> Result<(), String> {
        if is_at(&self.file, &self.path) {
            return Ok(());
        }
        *self = Self::open(&self.path).map_err(|failure| failure.message)?;
        Ok(())
    }
}

impl Receipts {
    /// What to do if other users can read the file.
    #[cfg(unix)]
    pub(super) fn readable_by_others(&self) -> Option<String> {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = self.file.metadata().ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then(|| {
            format!(
                "other users can open the receipts file `{}` (mode {mode:04o}), which may hold personal data; \
                 `chmod 600 {}` keeps it to its owner",
                self.path.display(),
                crate::cli::shell::path(&self.path)
            )
        })
    }

    #[cfg(not(unix))]
    pub(super) const fn readable_by_others(&self) -> Option<String> {
        None
    }
}

/// Appends a line durably. After an error, what was written of it is taken back, so that the file ends as before, unless
/// another program has appended after it.
fn append_whole(
    file: &mut File,
    line: &[u8],
    mut write: impl FnMut(&mut File, &[u8]) -> io::Result<usize>,
) -> io::Result<()> {
    let mut done = 0;
    let written = loop {
        if done == line.len() {
            break file.sync_data();
        }
        match write(file, &line[done..]) {
            Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    if written.is_err() {
        // If this fails too, the next line begins after a line end.
        drop(take_back(file, &line[..done]));
    }
    written
}

/// Cuts off the end of a file if it is `part`.
fn take_back(file: &mut File, part: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    let Some(begin) = length.checked_sub(part.len() as u64) else {
        return Ok(());
    };
    let mut end = vec![0; part.len()];
    file.seek(SeekFrom::Start(begin))?;
    file.read_exact(&mut end)?;
    if end == part {
        file.set_len(begin)?;
    }
    Ok(())
}

fn ends_inside_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok(last != *b"\n")
}

/// Whether this open file is the one at this path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |found: io::Result<std::fs::Metadata>| found.ok().map(|it| (it.dev(), it.ino()));
    let open = id(file.metadata());
    open.is_some() && open == id(path.metadata())
}

/// Whether there is a file at this path: an open one can't be moved here.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallbackUrl, Timestamp};

    fn receipt(body: &str) -> Receipt {
        let url = CallbackUrl::new("https://a.example/x");
        Receipt::new(Timestamp(0), url, body.as_bytes(), None).unwrap()
    }

    #[test]
    fn receipts_are_appended_after_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        Receipts::open(&path)
            .unwrap()
            .append(&receipt("{}"))
            .unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        for torn in 1..first.len() {
            std::fs::write(&path, &first[..torn]).unwrap();
            let Ok(mut receipts) = Receipts::open(&path) else {
                assert!(torn < 16, "{torn}");
                continue;
            };
            receipts.append(&receipt("{ }")).unwrap();
            receipts.append(&receipt("{ }")).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            let read = text.lines().filter_map(|line| Receipt::parse(line).ok());
            assert!(read.count() >= 2, "{text}");
            assert!(!text.contains("\n\n"), "{text}");
        }
    }

    #[test]
    fn what_a_full_disk_left_of_a_line_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        let mut receipts = Receipts::open(&path).unwrap();
        receipts.append(&receipt("{}")).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for room in 0..whole.len() {
            let mut left = room;
            let full = append_whole(&mut receipts.file, &whole, |file, part| {
                if left == 0 {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                let count = file.write(&part[..left.min(part.len())])?;
                left -= count;
                Ok(count)
            });
            assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
            assert_eq!(std::fs::read(&path).unwrap(), whole, "{room}");
        }
        // What another program appended after it stays.
        let mut other = OpenOptions::new().append(true).open(&path).unwrap();
        let mut begun = false;
        let full = append_whole(&mut receipts.file, b"half", |file, part| {
            if begun {
                other.write_all(b"other\n")?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            begun = true;
            file.write(&part[..2])
        });
        full.unwrap_err();
        assert!(std::fs::read(&path).unwrap().ends_with(b"haother\n"));
    }

    #[test]
    fn a_file_that_was_moved_or_deleted_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        let lines = |path: &Path| std::fs::read_to_string(path).unwrap().lines().count();
        let mut receipts = Receipts::open(&path).unwrap();
        receipts.append(&receipt("{}")).unwrap();
        let moved = folder.path().join("receipts.1");
        std::fs::rename(&path, &moved).unwrap();
        receipts.append(&receipt("{}")).unwrap();
        receipts.append(&receipt("{}")).unwrap();
        assert_eq!((lines(&moved), lines(&path)), (1, 2));
        std::fs::remove_file(&path).unwrap();
        receipts.append(&receipt("{}")).unwrap();
        assert_eq!(lines(&path), 1);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "version: 1\n").unwrap();
        receipts.append(&receipt("{}")).unwrap_err();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "version: 1\n");
    }

    #[test]
    fn other_files_are_not_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("callbacks.yaml");
        std::fs::write(&path, "version: 1\n").unwrap();
        let failure = Receipts::open(&path).unwrap_err();
        assert!(
            failure.message.contains("does not begin with a receipt"),
            "{}",
            failure.message
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "version: 1\n");
        assert!(Receipts::open(folder.path()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_a_new_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        let receipts = Receipts::open(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(receipts.readable_by_others(), None);
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&path, open).unwrap();
        let advice = Receipts::open(&path).unwrap().readable_by_others();
        let advice = advice.unwrap();
        assert!(
            advice.contains("mode 0644") && advice.contains("chmod 600"),
            "{advice}"
        );
    }
}
