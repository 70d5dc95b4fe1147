//! What programs that synchronize folders leave beside a state: copies made when two machines wrote at
//! once, and placeholders of files that are not on this machine.

use std::path::{Path, PathBuf};

use super::paths::folder_of;

/// The files beside `state` that look like copies of it, made when two machines wrote it at once.
pub fn conflict_copies(state: &Path) -> Vec<PathBuf> {
    let Some(name) = state.file_name().and_then(|name| name.to_str()) else {
        return Vec::new();
    };
    let Ok(entries) = folder_of(state).read_dir() else {
        return Vec::new();
    };
    let is_copy = |path: &PathBuf| {
        let other = path.file_name().and_then(|name| name.to_str());
        other.is_some_and(|other| is_conflict_copy(name, other))
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut copies: Vec<PathBuf> = paths.filter(is_copy).collect();
    copies.sort();
    copies
}

/// Whether `other` is the name of a copy of `name`, as Dropbox, `OneDrive`, iCloud, Google Drive, Syncthing,
/// Nextcloud, Seafile and Nutstore make them.
fn is_conflict_copy(name: &str, other: &str) -> bool {
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        Some(_) | None => (name, ""),
    };
    let added = other
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_suffix(extension));
    let Some(added) = added.filter(|added| !added.is_empty()) else {
        return false;
    };
    if added.to_lowercase().contains("conflict") || added.contains("冲突") {
        return true;
    }
    // ` 2` and ` (1)`.
    let number = added.strip_prefix(' ').unwrap_or_default();
    let number = number
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// What iCloud leaves in the place of a file that is not on this machine.
pub(super) fn placeholder(state: &Path) -> Option<PathBuf> {
    let name = state.file_name()?.to_str()?;
    Some(state.with_file_name(format!(".{name}.icloud")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_known_by_their_names() {
        let name = "callbacks.state.json";
        for copy in [
            "callbacks.state (conflicted copy 2026-11-26).json",
            "callbacks.state (Ann's conflicted copy 2026-11-26).json",
            "callbacks.state.sync-conflict-20261126-101500-ABCDEFG.json",
            "callbacks.state (SFConflict ann@example.com 2026-11-26).json",
            "callbacks.state (冲突文件 Ann 2026-11-26 10_15_00).json",
            "callbacks.state 2.json",
            "callbacks.state (1).json",
        ] {
            assert!(is_conflict_copy(name, copy), "{copy}");
        }
        for other in [
            name,
            "callbacks.state.json.backup",
            "callbacks.state.journal",
            "callbacks.state.prod.json",
            "callbacks.state 2b.json",
            "sandbox.state (conflicted copy).json",
            "2.json",
        ] {
            assert!(!is_conflict_copy(name, other), "{other}");
        }
        assert!(is_conflict_copy("state", "state 2"));
    }

    #[test]
    fn they_are_looked_for_beside_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("callbacks.state.json");
        assert!(conflict_copies(&state).is_empty());
        let copy = folder.path().join("callbacks.state 2.json");
        for path in [&state, &copy] {
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(conflict_copies(&state), [copy]);
    }
}
