//! What is in the places where a state's files are written: the state's own files, or others.
//!
//! Everything here is looked at before anything is recorded, so that no call is made whose record would
//! then have no place, and nothing is lost that this program did not write.

#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::Path;

use crate::state::error::io;
use crate::state::local::kind::Kind;
use crate::state::local::paths::temporary;
use crate::state::local::{Files, Paths};
use crate::state::{StateError, format, pointer};

/// As much of a file as says what it is.
const HEAD: u64 = 1 << 12;

/// What a snapshot begins with.
const SNAPSHOT_BEGINS: &[u8] = b"{\n  \"version\": ";

/// What a journal begins with.
const JOURNAL_BEGINS: &[u8] = b"{\"version\":";

/// Refuses a place where something else lies: every file that a writer of this state will replace is
/// absent or its own.
pub(super) fn check<F: Files>(files: &F, paths: &Paths) -> Result<(), StateError> {
    let Paths {
        state,
        journal,
        lock,
        backup,
    } = paths;
    // What these two hold was read already.
    check_kind(files, state, "the state")?;
    check_kind(files, journal, "the state's journal")?;
    if check_kind(files, backup, "the state's backup")? {
        let head = head(files, backup)?;
        let is_ours = head.is_empty() || is_part_of(pointer::BEGINS, &head);
        if !is_ours && !holds_state(files, backup, &head)? {
            return Err(foreign(backup, "the state's backup", NOT_OURS));
        }
    }
    // Either may be the note of a state that was moved away.
    let ours = |head: &[u8]| is_part_of(SNAPSHOT_BEGINS, head) || is_part_of(pointer::BEGINS, head);
    check_temporary(files, state, |new, head| {
        Ok(ours(head) || holds_state(files, new, head)?)
    })?;
    check_temporary(files, backup, |new, head| {
        Ok(ours(head) || holds_state(files, new, head)?)
    })?;
    check_temporary(files, journal, |_, head| {
        Ok(is_part_of(JOURNAL_BEGINS, head))
    })?;
    check_new_lock(files, lock)
}

/// Refuses a place for a new lock file where something else lies.
pub(super) fn check_new_lock<F: Files>(files: &F, lock: &Path) -> Result<(), StateError> {
    check_temporary(files, lock, |_, head| Ok(head.is_empty()))
}

/// Whether there is a backup with a state in it.
pub(super) fn is_backup<F: Files>(files: &F, backup: &Path) -> Result<bool, StateError> {
    if files.kind(backup).map_err(io("looking at", backup))? != Kind::File {
        return Ok(false);
    }
    let head = head(files, backup)?;
    holds_state(files, backup, &head)
}

/// Whether a file is there at all. An error when it is none.
fn check_kind<F: Files>(files: &F, path: &Path, what: &'static str) -> Result<bool, StateError> {
    let problem = match files.kind(path).map_err(io("looking at", path))? {
        Kind::Nothing => return Ok(false),
        Kind::File => return Ok(true),
        Kind::Link => "it is a symbolic link",
        Kind::Folder => "it is a folder",
        Kind::Special => "it is not a regular file",
    };
    Err(foreign(path, what, problem))
}

const NOT_OURS: &str = "ess-callbacks did not write what is in it";

fn check_temporary<F: Files>(
    files: &F,
    path: &Path,
    is_ours: impl FnOnce(&Path, &[u8]) -> Result<bool, StateError>,
) -> Result<(), StateError> {
    let new = temporary(path);
    let what = "a new version of a file of the state";
    if check_kind(files, &new, what)? && !is_ours(&new, &head(files, &new)?)? {
        return Err(foreign(&new, what, NOT_OURS));
    }
    Ok(())
}

fn foreign(path: &Path, what: &'static str, problem: &'static str) -> StateError {
    StateError::Foreign {
        place: path.into(),
        what,
        problem,
    }
}

/// Whether this is what a crash may have left of a file that begins so: all of it, a part, or zeros.
fn is_part_of(begins: &[u8], head: &[u8]) -> bool {
    let kept = head.split(|byte| *byte == 0).next().unwrap_or_default();
    let is_part = |kept: &[u8]| kept.starts_with(begins) || begins.starts_with(kept);
    // A write that failed may have left a part, and was made again.
    (0..begins.len()).any(|part| kept.strip_prefix(&begins[..part]).is_some_and(is_part))
}

/// Whether the file with this head is a state, also one that was formatted in another way.
fn holds_state<F: Files>(files: &F, path: &Path, head: &[u8]) -> Result<bool, StateError> {
    let mark = b"\"lineage\"";
    if head.trim_ascii_start().starts_with(b"{")
        && head.windows(mark.len()).any(|part| part == mark)
    {
        return Ok(true);
    }
    let Some(mut file) = files.open(path).map_err(io("opening", path))? else {
        return Ok(false);
    };
    Ok(matches!(
        format::read(&path.into(), &mut file),
        Ok(_) | Err(StateError::NewerVersion { .. })
    ))
}

fn head<F: Files>(files: &F, path: &Path) -> Result<Vec<u8>, StateError> {
    let mut head = Vec::new();
    if let Some(file) = files.open(path).map_err(io("opening", path))? {
        file.take(HEAD)
            .read_to_end(&mut head)
            .map_err(io("reading", path))?;
    }
    Ok(head)
}
