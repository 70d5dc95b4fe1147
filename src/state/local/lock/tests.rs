//! Tests of the lock: one writer, and what becomes of dead ones.

use std::time::Duration;

use crate::model::Environment::Test;
use crate::state::testing::{ADD, LOCK, intent, lock, owner, store};
use crate::state::{ErrorKind, LockOwner, StateError};
use crate::testing::MemoryFiles;

const WAIT: Duration = Duration::from_secs(300);

#[tokio::test(start_paused = true)]
async fn the_second_is_told_whom_it_waits_for_and_then_refused() {
    let store = store(&MemoryFiles::new(0));
    let locked = lock(&store).await.unwrap();
    let mut told = Vec::new();
    let error = store
        .lock(Test, &owner("2"), WAIT, |holder| told.push(holder.cloned()))
        .await
        .unwrap_err();
    assert_eq!(told, [Some(owner("1"))]);
    assert_eq!(error.kind(), ErrorKind::Locked);
    insta::assert_snapshot!(
        error,
        @"the state is locked by ci@runner-7, process 4711 (`apply`), since 2026-09-21T14:13:20Z, lock id 1"
    );
    assert!(error.advice().contains("unlock 1"));
    locked.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_second_gets_it_when_the_first_is_done() {
    let store = store(&MemoryFiles::new(0));
    let first = lock(&store).await.unwrap();
    let other = owner("2");
    let second = store.lock(Test, &other, WAIT, |_| {});
    let release = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        first.release().await
    };
    let (second, released) = tokio::join!(second, release);
    released.unwrap();
    assert_eq!(second.unwrap().taken_over(), None);
}

#[tokio::test(start_paused = true)]
async fn a_dead_owners_lock_is_free_at_once() {
    let files = MemoryFiles::new(0);
    let locked = lock(&store(&files)).await.unwrap();
    let after = store(&files.killed());
    drop(locked);
    let next = after
        .lock(Test, &owner("2"), Duration::ZERO, |_| {})
        .await
        .unwrap();
    assert_eq!(next.taken_over(), Some(&owner("1")));
}

#[tokio::test(start_paused = true)]
async fn unlock_needs_the_right_id_and_a_dead_owner() {
    let files = MemoryFiles::new(0);
    let store = store(&files);
    let error = store.unlock("1", "runner-7").await.unwrap_err();
    assert!(matches!(error, StateError::NotLocked { .. }));

    let locked = lock(&store).await.unwrap();
    let error = store.unlock("2", "runner-7").await.unwrap_err();
    assert!(matches!(error, StateError::OtherLock { .. }));
    let error = store.unlock("1", "runner-7").await.unwrap_err();
    assert!(matches!(error, StateError::OwnerAlive { .. }));

    drop(locked);
    assert_eq!(store.unlock("1", "runner-7").await.unwrap(), owner("1"));
    assert_eq!(files.contents(LOCK), Some(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_owner_whose_lock_was_broken_writes_no_more() {
    let files = MemoryFiles::new(0);
    let store = store(&files);
    let stalled = lock(&store).await.unwrap();
    stalled.record_intents(vec![intent(1, ADD)]).await.unwrap();
    // Its machine seems to be gone, and the file server keeps its lock.
    store.unlock("1", "another-machine").await.unwrap();
    let next = store
        .lock(Test, &owner("2"), Duration::ZERO, |_| {})
        .await
        .unwrap();
    let before = files.all();
    for error in [
        stalled
            .record_intents(vec![intent(2, ADD)])
            .await
            .unwrap_err(),
        stalled.save().await.unwrap_err(),
    ] {
        assert!(matches!(error, StateError::LockLost { .. }), "{error}");
    }
    let mut after = files.all();
    after.remove(std::path::Path::new("callbacks.state.json.tmp"));
    assert_eq!(after, before);
    next.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_lock_file_does_not_matter() {
    let files = MemoryFiles::new(0);
    files.put(LOCK, b"{\"who\":".to_vec());
    let locked = lock(&store(&files)).await.unwrap();
    assert_eq!(locked.taken_over(), None);
    let contents = files.contents(LOCK).unwrap();
    let told: LockOwner = serde_json::from_slice(&contents).unwrap();
    assert_eq!(told, owner("1"));
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cant_be_read_leaves_the_lock_free() {
    let files = MemoryFiles::new(0);
    files.put("callbacks.state.json", b"{".to_vec());
    let store = store(&files);
    for _ in 0..2 {
        let error = lock(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
    assert_eq!(files.contents(LOCK), Some(Vec::new()));
}
