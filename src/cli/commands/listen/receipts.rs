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
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::End(-1)).map_err(failed)?;
            file.read_exact(&mut last).map_err(failed)?;
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            torn: last != *b"\n",
        })
    }

    /// Appends a receipt and waits until it is on the disk.
    pub(super) fn append(&mut self, receipt: &Receipt) -> Result<(), String> {
        self.reopen()?;
        // With one write, so that the lines of several programs do not mix.
        let mut line = String::new();
        if self.torn {
            line.push('\n');
        }
        line += &receipt.line();
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data());
        self.torn = written.is_err();
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
        Receipts::open(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
