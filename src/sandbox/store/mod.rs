//! The cloud file: every change as one line of JSON, appended before the call is answered.
//!
//! A change costs one short write, whatever the cloud's size. What was answered survives the end of
//! the process, `kill -9` included (not a power failure: it is a sandbox). Opening drops a torn last
//! line, whose call was never answered, and rewrites the file when it holds more changes than
//! callbacks. Another sandbox is kept out by a lock on a file beside it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cloud::{Change, Cloud, Held, Place, Secrets};
use super::options::CloudFile;
use crate::secret::Secret;

const VERSION: u32 = 1;

/// Why the cloud file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// A file operation failed.
    #[error("can't {what} the sandbox's cloud {path}", path = .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The lock is taken.
    #[error("another sandbox is using {}; stop it, or use a separate file", .0.display())]
    InUse(PathBuf),
    /// The file is not a cloud file, or is damaged. It is left unchanged.
    #[error("line {line} of the sandbox's cloud {path} is invalid ({why}); the file is unchanged: remove it to begin with an empty cloud", path = .path.display())]
    Broken {
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In what way; never with the line's content.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    Cloud { version: u32 },
    Add(Added),
    Delete(Place),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Added {
    place: Place,
    has_key: bool,
    has_token: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// The open cloud file.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    file: File,
    length: u64,
    keep_secrets: bool,
    /// Held as long as the file is in use.
    _lock: File,
}

impl Store {
    /// Opens the file, or makes it, and reads the cloud in it.
    pub(super) fn open(options: &CloudFile) -> Result<(Self, Cloud), CloudError> {
        let CloudFile { path, keep_secrets } = options;
        if let Some(directory) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
            fs::create_dir_all(directory).map_err(error("create the directory of", path))?;
        }
        let lock = lock(path)?;
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(other) => return Err(error("read", path)(other)),
        };
        let (cloud, tidy) = read(path, &bytes)?;
        if !tidy {
            write_whole(path, &cloud, *keep_secrets)?;
        }
        let mut open = OpenOptions::new();
        let file = open.append(true).open(path).map_err(error("open", path))?;
        let length = file.metadata().map_err(error("read", path))?.len();
        let store = Self {
            path: path.clone(),
            file,
            length,
            keep_secrets: *keep_secrets,
            _lock: lock,
        };
        Ok((store, cloud))
    }

    /// Appends a change. When this fails the file is as it was before.
    pub(super) fn append(&mut self, change: &Change) -> Result<(), CloudError> {
        let line = encode(&line_of(change, self.keep_secrets));
        if let Err(source) = self.file.write_all(&line) {
            // The next line must not follow half a line. When this fails too, the file is
            // broken, and opening it reports that.
            let undone = self.file.set_len(self.length);
            return Err(error("append to", &self.path)(
                undone.err().unwrap_or(source),
            ));
        }
        self.length += u64::try_from(line.len()).unwrap_or(0);
        Ok(())
    }
}

fn error<'p>(what: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> CloudError + 'p {
    move |source| CloudError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

fn lock(path: &Path) -> Result<File, CloudError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut open = OpenOptions::new();
    let file = open
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(error("lock", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CloudError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(error("lock", path)(source)),
    }
}

/// The cloud in these bytes, and whether they need no rewriting.
fn read(path: &Path, bytes: &[u8]) -> Result<(Cloud, bool), CloudError> {
    let mut cloud = Cloud::default();
    // The first line was renamed into place whole: a file without it is not a cloud file.
    if !bytes.is_empty() && !bytes.contains(&b'\n') {
        return Err(CloudError::Broken {
            path: path.to_owned(),
            line: 1,
            why: "it has no header of a cloud file".to_owned(),
        });
    }
    let whole = bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |end| end + 1);
    let mut changes = 0;
    for (place, line) in bytes[..whole]
        .split_inclusive(|&byte| byte == b'\n')
        .enumerate()
    {
        let broken = |why: String| CloudError::Broken {
            path: path.to_owned(),
            line: place + 1,
            why,
        };
        // serde_json's message may quote a value; its position may not.
        let line = serde_json::from_slice(line).map_err(|error| {
            broken(format!(
                "{:?} error in column {}",
                error.classify(),
                error.column()
            ))
        })?;
        match (place, line) {
            (0, Line::Cloud { version: VERSION }) => {}
            (0, Line::Cloud { version }) => {
                return Err(broken(format!("version {version} is not {VERSION}")));
            }
            (0, _) => return Err(broken("it has no header of a cloud file".to_owned())),
            (_, Line::Cloud { .. }) => return Err(broken("duplicate header".to_owned())),
            (_, Line::Add(added)) => {
                changes += 1;
                cloud.apply(change_of(added));
            }
            (_, Line::Delete(place)) => {
                changes += 1;
                cloud.apply(Change::Delete(place));
            }
        }
    }
    let tidy = whole > 0 && whole == bytes.len() && changes == cloud.len();
    Ok((cloud, tidy))
}

fn write_whole(path: &Path, cloud: &Cloud, keep_secrets: bool) -> Result<(), CloudError> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let mut bytes = encode(&Line::Cloud { version: VERSION });
    for (place, secrets) in cloud.iter() {
        let change = Change::Add(place.clone(), secrets.clone());
        bytes.extend(encode(&line_of(&change, keep_secrets)));
    }
    // A temporary file is readable by its owner only, and stays so: it may hold keys.
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))
        .map_err(error("write", path))?;
    file.write_all(&bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(error("write", path))?;
    let persisted = file.persist(path).map_err(|failed| failed.error);
    persisted.map(drop).map_err(error("replace", path))
}

fn encode(line: &Line) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).expect("strings and flags are JSON");
    bytes.push(b'\n');
    bytes
}

fn line_of(change: &Change, keep_secrets: bool) -> Line {
    let written = |held: &Held| match held {
        Held::Value(secret) if keep_secrets => Some(secret.expose().to_owned()),
        Held::Value(_) | Held::Nothing | Held::Forgotten => None,
    };
    match change {
        Change::Add(place, Secrets { key, token }) => Line::Add(Added {
            place: place.clone(),
            has_key: key.is_set(),
            has_token: token.is_set(),
            key: written(key),
            token: written(token),
        }),
        Change::Delete(place) => Line::Delete(place.clone()),
    }
}

fn change_of(added: Added) -> Change {
    let held = |value: Option<String>, is_set| match value {
        Some(value) => Held::Value(Secret::new(value)),
        None if is_set => Held::Forgotten,
        None => Held::Nothing,
    };
    let secrets = Secrets {
        key: held(added.key, added.has_key),
        token: held(added.token, added.has_token),
    };
    Change::Add(added.place, secrets)
}

#[cfg(test)]
mod tests;
