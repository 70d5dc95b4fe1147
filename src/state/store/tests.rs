//! Tests of reading: which files belong together, and that the others are left alone.

use crate::model::Environment::{Production, Test};
use crate::model::{Belief, Evidence, Recorded};
use crate::state::format;
use crate::state::testing::{ADD, JOURNAL, NOW, STATE, applied, intent, lock, store};
use crate::state::{ErrorKind, StateError};
use crate::testing::MemoryFiles;

/// A disk with a state of one callback and a journal of one open call.
async fn crashed() -> MemoryFiles {
    let files = MemoryFiles::new(0);
    let locked = lock(&store(&files)).await.unwrap();
    let id = locked.record_intents(vec![intent(1, ADD)]).await.unwrap()[0];
    locked.record_outcome(id, &applied(), NOW).unwrap();
    locked.save().await.unwrap();
    locked.record_intents(vec![intent(2, ADD)]).await.unwrap();
    files.killed()
}

async fn read(files: &MemoryFiles) -> Result<Recorded, StateError> {
    store(files).read(Test).await
}

/// Reading and locking are refused, and every file but the lock is as it was.
async fn refused(files: &MemoryFiles) -> StateError {
    let before = files.all();
    let error = read(files).await.unwrap_err();
    let again = lock(&store(files)).await.unwrap_err();
    assert_eq!(error.to_string(), again.to_string());
    let mut after = files.all();
    after.retain(|path, _| before.contains_key(path));
    let mut before = before;
    for all in [&mut before, &mut after] {
        all.remove(std::path::Path::new(crate::state::testing::LOCK));
    }
    assert_eq!(after, before);
    assert!(!error.advice().is_empty());
    error
}

#[tokio::test]
async fn nothing_is_recorded_before_the_first_apply() {
    let files = MemoryFiles::new(0);
    assert_eq!(read(&files).await.unwrap(), Recorded::nothing(Test));
    assert!(store(&files).peek().await.unwrap().is_none());
    assert!(files.all().is_empty());
}

#[tokio::test]
async fn a_crash_leaves_the_call_open() {
    let files = crashed().await;
    let recorded = read(&files).await.unwrap();
    let beliefs: Vec<Belief> = recorded.iter().map(|(_, _, entry)| entry.belief).collect();
    assert_eq!(beliefs[0].evidence(), Evidence::Assumed);
    assert_eq!(beliefs[1].evidence(), Evidence::Unknown);
    let lost = recorded.iter().nth(1).unwrap().2.lost.unwrap();
    assert_eq!(lost, intent(2, ADD).call);
}

#[tokio::test]
async fn environments_are_never_mixed() {
    let files = crashed().await;
    let error = store(&files).read(Production).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Environment);
    insta::assert_snapshot!(
        error,
        @"`callbacks.state.json` records the test environment, but the configuration says production"
    );
}

#[tokio::test]
async fn a_journal_without_its_state_is_refused() {
    let files = crashed().await;
    let journal = files.contents(JOURNAL).unwrap();
    let files = MemoryFiles::new(0);
    files.put(JOURNAL, journal);
    let error = refused(&files).await;
    assert!(matches!(error, StateError::StateMissing { .. }));
}

#[tokio::test]
async fn an_old_state_beside_a_newer_journal_is_refused() {
    let files = crashed().await;
    let state = String::from_utf8(files.contents(STATE).unwrap()).unwrap();
    files.put(STATE, state.replace("\"serial\": 3", "\"serial\": 2"));
    let error = refused(&files).await;
    assert!(matches!(
        error,
        StateError::StateOlder {
            serial: 2,
            base: 3,
            ..
        }
    ));
}

#[tokio::test]
async fn a_journal_of_an_earlier_snapshot_is_ignored() {
    let files = crashed().await;
    let state = String::from_utf8(files.contents(STATE).unwrap()).unwrap();
    files.put(STATE, state.replace("\"serial\": 3", "\"serial\": 4"));
    let recorded = read(&files).await.unwrap();
    assert_eq!((recorded.len(), recorded.serial), (1, 4));
    // And it does not come back when new calls are recorded.
    let locked = lock(&store(&files)).await.unwrap();
    locked.record_intents(vec![intent(3, ADD)]).await.unwrap();
    let recorded = read(&files).await.unwrap();
    assert_eq!((recorded.len(), recorded.serial), (2, 5));
}

#[tokio::test]
async fn a_foreign_journal_is_refused() {
    let files = crashed().await;
    let state = String::from_utf8(files.contents(STATE).unwrap()).unwrap();
    files.put(STATE, state.replace("0192f0c1", "0292f0c1"));
    let error = refused(&files).await;
    assert!(matches!(error, StateError::ForeignJournal { .. }));
}

#[tokio::test]
async fn damaged_files_are_refused_and_left_alone() {
    let files = crashed().await;
    let (state, journal) = (
        files.contents(STATE).unwrap(),
        files.contents(JOURNAL).unwrap(),
    );
    for broken in [&state[..state.len() / 2], b"", b"{}", b"<<<<<<< HEAD\n"] {
        let files = files.killed();
        files.put(STATE, broken);
        assert_eq!(refused(&files).await.kind(), ErrorKind::Corrupt);
    }
    for broken in [&b""[..], b"{}\n", &journal[..20]] {
        let files = files.killed();
        files.put(JOURNAL, broken);
        assert_eq!(refused(&files).await.kind(), ErrorKind::Corrupt);
    }
    let newer = String::from_utf8(state).unwrap();
    files.put(STATE, newer.replace("\"version\": 2", "\"version\": 3"));
    assert_eq!(refused(&files).await.kind(), ErrorKind::NewerVersion);
}

#[tokio::test]
async fn what_is_saved_is_what_was_recorded() {
    let files = crashed().await;
    let locked = lock(&store(&files)).await.unwrap();
    let recorded = locked.read(Clone::clone);
    assert!(locked.save().await.unwrap());
    assert_eq!(files.contents(JOURNAL), None);
    let mut text = Vec::new();
    format::write(&recorded, &mut text).unwrap();
    assert_eq!(files.contents(STATE), Some(text));
    assert_eq!(read(&files).await.unwrap().scopes, recorded.scopes);
}
