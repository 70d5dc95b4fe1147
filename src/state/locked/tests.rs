//! Tests of the writer: what waits for the disk, what is written when, and what failures leave.

use futures_util::future::join_all;

use crate::model::Environment::{Production, Test};
use crate::model::{Lineage, Presence, Recorded, Suspension, Write};
use crate::state::testing::{
    ADD, BACKUP, JOURNAL, NOW, SALT, STATE, applied, begin, identity, intent, interrupted, lineage,
    lock, locked, store, unknown,
};
use crate::state::{ErrorKind, Locked};
use crate::testing::MemoryFiles;

async fn found(files: &MemoryFiles) -> Recorded {
    store(files).read(Test).await.unwrap()
}

#[tokio::test]
async fn many_calls_share_one_sync() {
    let files = MemoryFiles::new(0);
    let locked = locked(&files).await;
    begin(&locked, 0).await.unwrap();
    let before = files.syncs();
    let ids = join_all((1..=100).map(|number| begin(&locked, number))).await;
    assert!(ids.iter().all(Result::is_ok));
    assert_eq!(files.syncs() - before, 1);
    // What has begun is durable: all of it survives a power cut.
    assert_eq!(found(&files.power_cut(1)).await.len(), 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_syncs_too() {
    let files = MemoryFiles::new(0);
    let locked = std::sync::Arc::new(locked(&files).await);
    let before = files.syncs();
    let tasks = (0..200).map(|number| {
        let locked = std::sync::Arc::clone(&locked);
        tokio::spawn(async move { begin(&locked, number).await.map(drop) })
    });
    for task in join_all(tasks).await {
        task.unwrap().unwrap();
    }
    assert!(files.syncs() - before <= 202);
    assert_eq!(found(&files.power_cut(1)).await.len(), 200);
}

#[tokio::test]
async fn outcomes_wait_for_the_next_intent_or_flush() {
    let files = MemoryFiles::new(0);
    let locked = locked(&files).await;
    let id = begin(&locked, 1).await.unwrap();
    let before = files.operations();
    let settled = locked.record_outcome(id, &applied(), NOW).unwrap();
    assert_eq!(settled.identity, identity(1));
    assert_eq!(locked.record_outcome(id, &applied(), NOW), None);
    assert_eq!(files.operations(), before);
    let open = found(&files).await;
    assert_eq!(
        open.iter().next().unwrap().2.belief.presence(),
        Presence::Unknown
    );
    locked.flush().await.unwrap();
    assert_eq!(
        found(&files).await.scopes,
        locked.read(|now| now.scopes.clone())
    );
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changed() {
    let files = MemoryFiles::new(0);
    let first = locked(&files).await;
    begin(&first, 1).await.unwrap();
    assert!(first.save().await.unwrap());
    let before = files.operations();
    assert!(!first.save().await.unwrap());
    first.edit(|_| false);
    assert!(!first.save().await.unwrap());
    assert_eq!(files.operations(), before);
    first.release().await.unwrap();
    let serial = found(&files).await.serial;
    let second = locked(&files).await;
    assert!(!second.save().await.unwrap());
    assert_eq!(found(&files).await.serial, serial);
}

#[tokio::test]
async fn the_serial_counts_changes_and_tells_contents_apart() {
    let files = MemoryFiles::new(0);
    let locked = locked(&files).await;
    let id = begin(&locked, 1).await.unwrap();
    assert_eq!(found(&files).await.serial, 2);
    locked.record_outcome(id, &applied(), NOW).unwrap();
    locked.flush().await.unwrap();
    let read = found(&files).await;
    assert_eq!(read.serial, 3);
    locked.save().await.unwrap();
    assert_eq!(found(&files).await.serial, 3);
    locked.edit(|recorded| {
        recorded
            .remove(&identity(1).scope, &identity(1).url)
            .is_some()
    });
    locked.save().await.unwrap();
    assert_eq!(found(&files).await.serial, 4);
}

#[tokio::test]
async fn plans_stay_good_until_more_than_notes_is_written() {
    let files = MemoryFiles::new(0);
    let first = locked(&files).await;
    begin(&first, 1).await.unwrap();
    first.save().await.unwrap();
    let planned = found(&files).await.serial;
    let note = |locked: &Locked| {
        locked.note(|noted| {
            let until = NOW.plus(noted.suspension.as_ref().map_or(0, |_| 1));
            let reason = "eSign moves".to_owned();
            *noted.suspension = Some(Suspension { reason, until });
            true
        });
    };
    note(&first);
    first.note(|_| false);
    first.save().await.unwrap();
    first.release().await.unwrap();
    // Another process goes on with it.
    let second = locked(&files).await;
    note(&second);
    second.save().await.unwrap();
    let noted = found(&files).await;
    assert_eq!(noted.serial, planned + 2);
    let good: Vec<_> = (0..10)
        .filter(|serial| noted.has_plans_of(*serial))
        .collect();
    assert_eq!(good, [planned, planned + 1, planned + 2]);
    begin(&second, 2).await.unwrap();
    note(&second);
    second.save().await.unwrap();
    let changed = found(&files).await;
    assert!(!changed.has_plans_of(planned + 2));
    assert!(changed.has_plans_of(planned + 3));
    assert!(changed.has_plans_of(planned + 4));
}

#[tokio::test]
async fn the_backup_is_the_state_before_the_run() {
    let files = MemoryFiles::new(0);
    let first = locked(&files).await;
    begin(&first, 1).await.unwrap();
    first.save().await.unwrap();
    first.release().await.unwrap();
    let before = files.contents(STATE);
    let second = locked(&files).await;
    for number in 2..4 {
        begin(&second, number).await.unwrap();
        second.save().await.unwrap();
    }
    assert_eq!(files.contents(BACKUP), before);
    assert_eq!(files.contents(JOURNAL), None);
}

#[tokio::test]
async fn a_checkpoint_keeps_the_calls_on_their_way() {
    let files = MemoryFiles::new(0);
    let store = store(&files).checkpoint_above(0);
    let locked = lock(&store).await.unwrap();
    let mut open = Vec::new();
    for number in 0..20 {
        open.push(begin(&locked, number).await.unwrap());
    }
    let state = String::from_utf8(files.contents(STATE).unwrap()).unwrap();
    assert!(state.contains("\"pending\""), "there was a checkpoint");
    for (id, number) in open.into_iter().zip(0..) {
        if number % 2 == 0 {
            locked.record_outcome(id, &applied(), NOW).unwrap();
        }
    }
    locked.flush().await.unwrap();
    let now = locked.read(interrupted);
    let later = found(&files.power_cut(3)).await;
    assert_eq!((later.scopes, later.serial), (now.scopes, now.serial));
}

#[tokio::test]
async fn the_journal_costs_the_same_for_every_call() {
    let files = MemoryFiles::new(0);
    let store = store(&files).checkpoint_above(1000);
    let locked = lock(&store).await.unwrap();
    for number in 0..300 {
        let id = begin(&locked, number).await.unwrap();
        locked.record_outcome(id, &applied(), NOW).unwrap();
    }
    let before = files.operations();
    for number in 300..600 {
        let id = begin(&locked, number).await.unwrap();
        locked.record_outcome(id, &applied(), NOW).unwrap();
    }
    // A write and a sync each, and a snapshot now and then: ever more rarely as it grows.
    let cost = files.operations() - before;
    assert!((600..700).contains(&cost), "{cost}");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_open() {
    let files = MemoryFiles::new(0);
    let locked = locked(&files).await;
    begin(&locked, 1).await.unwrap();
    let mut gone = 0;
    for polls in 0.. {
        let mut begun = Box::pin(locked.record_intents(vec![intent(2, ADD)]));
        let mut ready = false;
        for _ in 0..polls {
            ready = futures_util::poll!(begun.as_mut()).is_ready();
            if ready {
                break;
            }
            // What it has begun goes on by itself.
            tokio::task::yield_now().await;
        }
        if ready {
            break;
        }
        drop(begun);
        gone += 1;
        assert_eq!(locked.read(Recorded::len), 1);
        locked.flush().await.unwrap();
        assert_eq!(found(&files.power_cut(polls)).await.len(), 1);
    }
    assert!(
        gone > 2,
        "it was dropped before, while and after it was written"
    );
    let now = locked.read(interrupted);
    assert_eq!(found(&files.power_cut(9)).await.scopes, now.scopes);
}

#[tokio::test]
async fn after_a_failed_write_no_call_may_leave_but_all_can_be_saved() {
    let files = MemoryFiles::new(5);
    let locked = locked(&files).await;
    let id = begin(&locked, 1).await.unwrap();
    locked.record_outcome(id, &unknown(), NOW).unwrap();
    files.fail_at(files.operations() + 1);
    let results = join_all((2..5).map(|number| begin(&locked, number))).await;
    for error in results.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(
            error.to_string(),
            "writing `callbacks.state.journal` failed"
        );
        assert!(
            error.advice().starts_with("Make room"),
            "{}",
            error.advice()
        );
    }
    assert!(begin(&locked, 5).await.is_err());
    assert!(locked.flush().await.is_err());
    // A crash now loses nothing that was durable before.
    assert_eq!(found(&files.killed()).await.len(), 1);
    assert!(locked.save().await.unwrap());
    assert!(begin(&locked, 6).await.is_err());
    let saved = found(&files).await;
    assert_eq!(saved.scopes, locked.read(|now| now.scopes.clone()));
    assert_eq!(saved.len(), 1);
    locked.release().await.unwrap();
}

#[tokio::test]
async fn a_state_needs_a_lineage_before_anything_is_recorded() {
    let files = MemoryFiles::new(0);
    let owner = crate::state::testing::owner("1");
    let store = store(&files);
    let wait = std::time::Duration::ZERO;
    let locked = store.lock(Test, &owner, wait, |_| {}).await.unwrap();
    let error = begin(&locked, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    locked.initialize(lineage(), SALT).await.unwrap();
    locked
        .initialize(Lineage(uuid::Uuid::nil()), SALT)
        .await
        .unwrap();
    let recorded = found(&files).await;
    assert_eq!((recorded.lineage, recorded.serial), (Some(lineage()), 1));
}

#[tokio::test]
async fn what_could_not_be_read_again_is_not_recorded() {
    let files = MemoryFiles::new(0);
    let locked = locked(&files).await;
    let mut bad = intent(1, ADD);
    bad.operator = crate::model::OperatorId::new("");
    let error = locked
        .record_intents(vec![intent(2, ADD), bad])
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"`acme/https://h.example/1` can't be recorded: `operator` is empty");
    assert_eq!(locked.read(Recorded::len), 0);
}

#[tokio::test]
async fn a_state_can_be_replaced_by_another() {
    let files = MemoryFiles::new(0);
    let locked = locked(&files).await;
    begin(&locked, 1).await.unwrap();
    let mut new = Recorded::nothing(Test);
    assert!(locked.replace(new.clone()).await.is_err(), "no lineage");
    new.lineage = Some(Lineage(uuid::Uuid::nil()));
    new.salt = Some(SALT);
    new.serial = 100;
    let mut other = new.clone();
    other.environment = Production;
    assert!(locked.replace(other).await.is_err());
    locked.replace(new.clone()).await.unwrap();
    let recorded = found(&files).await;
    assert_eq!((recorded.lineage, recorded.serial), (new.lineage, 101));
    locked
        .record_intents(vec![intent(7, Write::Delete)])
        .await
        .unwrap();
    assert_eq!(found(&files.power_cut(2)).await.len(), 1);
}
