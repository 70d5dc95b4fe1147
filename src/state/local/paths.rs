//! Which files belong to a state.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The files of one state, all in one folder.
///
/// Of a state `x.state.json` they are `x.state.journal`, `x.state.lock` and `x.state.json.backup`;
/// of any other name `n` they are `n.journal`, `n.lock` and `n.backup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    pub state: PathBuf,
    /// What happened since the snapshot.
    pub journal: PathBuf,
    pub lock: PathBuf,
    /// The snapshot as it was before the last run.
    pub backup: PathBuf,
}

impl Paths {
    /// The files beside the state file `state`.
    pub fn beside(state: impl Into<PathBuf>) -> Self {
        let state = state.into();
        let stem = if state.to_string_lossy().ends_with(".state.json") {
            state.with_extension("")
        } else {
            state.clone()
        };
        Self {
            journal: with_suffix(&stem, ".journal"),
            lock: with_suffix(&stem, ".lock"),
            backup: with_suffix(&state, ".backup"),
            state,
        }
    }

    /// The files of the state that this path leads to, symbolic links followed.
    pub fn of(state: &Path) -> Self {
        Self::beside(followed(state))
    }

    /// Each of them and each of the names that new versions of them are written under, and what it is.
    pub fn all(&self) -> Vec<(PathBuf, &'static str)> {
        let Self {
            state,
            journal,
            lock,
            backup,
        } = self;
        let files = [
            (state, "the state"),
            (journal, "the state's journal"),
            (lock, "the state's lock"),
            (backup, "the state's backup"),
        ];
        let names = files.into_iter().flat_map(|(path, what)| {
            let new = temporary(path);
            [
                (path.clone(), what),
                (new, "where a new version of a file of the state is written"),
            ]
        });
        names.collect()
    }

    /// The folder they are in.
    pub fn folder(&self) -> &Path {
        folder_of(&self.state)
    }
}

/// Where a new version of `path` is written before it takes its place. The name is always the same,
/// so that crashes leave no litter; only the holder of the lock uses it.
pub(super) fn temporary(path: &Path) -> PathBuf {
    with_suffix(path, ".tmp")
}

/// Where a file is in truth: at the end of the symbolic links, whether or not there is a file yet. Links
/// that lead in a circle are followed no further than a system does.
pub fn followed(path: &Path) -> PathBuf {
    const LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = path.read_link() else {
            break;
        };
        // A link begins at the folder it is in.
        path = match path.parent() {
            Some(folder) => folder.join(target),
            None => target,
        };
    }
    path
}

/// The folder a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(state: &str) -> [String; 3] {
        let Paths {
            state: _,
            journal,
            lock,
            backup,
        } = Paths::beside(state);
        [journal, lock, backup].map(|path| path.to_string_lossy().into_owned())
    }

    #[test]
    fn the_files_stand_beside_the_state() {
        assert_eq!(
            names("a/callbacks.state.json"),
            [
                "a/callbacks.state.journal",
                "a/callbacks.state.lock",
                "a/callbacks.state.json.backup"
            ]
        );
        assert_eq!(
            names("prod.json"),
            ["prod.json.journal", "prod.json.lock", "prod.json.backup"]
        );
    }

    #[test]
    fn a_bare_name_is_in_the_current_folder() {
        assert_eq!(
            Paths::beside("callbacks.state.json").folder(),
            Path::new(".")
        );
        assert_eq!(Paths::beside("/a/b").folder(), Path::new("/a"));
    }
}
