//! Noticing that the files have changed: a cheap signature of them, taken again and again.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cli::sources;
use crate::model::Timestamp;

/// How the files of a configuration look from outside. What is behind a symbolic link counts, so that the swap of a
/// link, as `ConfigMap`s and git-sync do it, is a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl Signature {
    /// Of a file, or of the files of a directory. What can't be read has none.
    pub(super) fn of(path: &Path) -> Self {
        let files = sources::files(path).unwrap_or_default();
        let look = |file: PathBuf| {
            let real = file.canonicalize().ok()?;
            let found = real.metadata().ok()?;
            Some((real, found.len(), found.modified().ok()))
        };
        Self(files.into_iter().filter_map(look).collect())
    }
}

/// When the files became what they are, by the times of files: the newest of theirs, and of the links on the way there. What
/// is moved or linked keeps the time of its contents, so the time of its entry counts. That of the folder does not: it
/// changes with anything in it.
pub(super) fn since(path: &Path) -> Option<Timestamp> {
    let files = sources::files(path).unwrap_or_default();
    let links = path.ancestors().filter(|part| part.is_symlink());
    let entries = files.iter().map(PathBuf::as_path);
    let found = entries.clone().filter_map(|entry| entry.metadata().ok());
    let on_the_way = entries.chain(links);
    let found = found.chain(on_the_way.filter_map(|entry| entry.symlink_metadata().ok()));
    found.map(|found| changed(&found)).max()
}

#[cfg(unix)]
fn changed(found: &Metadata) -> Timestamp {
    use std::os::unix::fs::MetadataExt as _;
    Timestamp(found.ctime())
}

#[cfg(not(unix))]
fn changed(found: &Metadata) -> Timestamp {
    let modified = found.modified().ok();
    let since = modified.and_then(|it| it.duration_since(SystemTime::UNIX_EPOCH).ok());
    let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    Timestamp(seconds.unwrap_or_default())
}

/// Notices changes, once the files have come to rest.
#[derive(Debug)]
pub(super) struct Watch {
    path: PathBuf,
    /// As the last round found them.
    known: Signature,
    /// As the last look found them.
    last: Signature,
}

impl Watch {
    pub(super) fn new(path: &Path) -> Self {
        let now = Signature::of(path);
        Self {
            path: path.to_owned(),
            known: now.clone(),
            last: now,
        }
    }

    /// A round reads the files now.
    pub(super) fn begin(&mut self) {
        self.known = Signature::of(&self.path);
        self.last = self.known.clone();
    }

    /// Whether the files have changed since, and are the same as at the look before: a checkout writes one after the
    /// other.
    pub(super) fn look(&mut self) -> bool {
        let now = Signature::of(&self.path);
        let rests = now == self.last;
        self.last = now;
        rests && self.last != self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_counts_when_the_files_have_come_to_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("a.yaml"), "1").unwrap();
        let mut watch = Watch::new(folder.path());
        assert!(!watch.look());
        fs::write(file("a.yaml"), "12").unwrap();
        assert!(!watch.look(), "it may be half written");
        fs::write(file("b.yaml"), "1").unwrap();
        assert!(!watch.look());
        assert!(watch.look());
        watch.begin();
        assert!(!watch.look());
        fs::write(file("notes.txt"), "1").unwrap();
        fs::write(file(".hidden.yaml"), "1").unwrap();
        assert!(!watch.look() && !watch.look());
        fs::remove_file(file("b.yaml")).unwrap();
        assert!(!watch.look() && watch.look());
    }

    #[cfg(unix)]
    #[test]
    fn the_swap_of_a_link_is_a_change() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["one", "two"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("a.yaml"), "same size").unwrap();
        }
        symlink("one", at("..data")).unwrap();
        fs::create_dir(at("config")).unwrap();
        symlink("../..data/a.yaml", at("config").join("a.yaml")).unwrap();
        let mut watch = Watch::new(&at("config"));
        symlink("two", at("..tmp")).unwrap();
        fs::rename(at("..tmp"), at("..data")).unwrap();
        assert!(!watch.look() && watch.look());
    }
}
