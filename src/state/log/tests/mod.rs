//! The protocol: who holds the log, who takes it over, and what is made durable.

mod trouble;
mod weather;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Logged;
use crate::model::Environment;
use crate::state::ErrorKind;
use crate::state::medium::{Attempt, Hold, Medium as _};
use crate::state::testing::{ADD, NOW, applied, intent, owner};
use crate::testing::{MemoryLog, Weather};

const LEASE: Duration = Duration::from_secs(60);

fn logged(log: &MemoryLog) -> Logged {
    Logged::new(Arc::new(log.clone()))
}

/// Takes the hold without waiting for anybody.
async fn taken(log: &MemoryLog, id: &str) -> Box<dyn Hold> {
    match logged(log).hold(&owner(id)).await.unwrap() {
        Attempt::Ours(hold, _) => hold,
        Attempt::Theirs { owner, .. } => panic!("{owner:?} has it"),
    }
}

fn kinds(log: &MemoryLog) -> String {
    let kinds = log.numbers().into_iter().map(|(_, kind)| kind);
    kinds.collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_alive_is_not_taken_over() {
    let log = MemoryLog::new(1);
    let hold = taken(&log, "1").await;
    let other = logged(&log);
    let mut asked = 0;
    while asked < 100 {
        match other.hold(&owner("2")).await.unwrap() {
            Attempt::Ours(..) => panic!("two holders"),
            Attempt::Theirs { owner, known_in } => {
                assert_eq!(owner.map(|owner| owner.id), Some("1".into()));
                // After the first sign of life no time tells more.
                assert_eq!(known_in.is_none(), asked > 4, "{asked}");
            }
        }
        asked += 1;
        sleep(other.poll()).await;
    }
    hold.release().await.unwrap();
    assert!(matches!(
        other.hold(&owner("2")).await.unwrap(),
        Attempt::Ours(_, None)
    ));
    assert!(
        kinds(&log).starts_with("hold beat beat beat"),
        "{}",
        kinds(&log)
    );
    assert!(
        kinds(&log).ends_with("beat release hold"),
        "{}",
        kinds(&log)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_holder_is_taken_over_after_its_lease_however_short_the_timeout() {
    let log = MemoryLog::new(1);
    drop(taken(&log, "1").await);
    let begun = tokio::time::Instant::now();
    let locked = log
        .state()
        .lock(Environment::Test, &owner("2"), Duration::ZERO, |_| {})
        .await
        .unwrap();
    assert!(
        (LEASE..LEASE * 2).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(locked.taken_over(), Some(&owner("1")));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_ignores_conditions_is_refused() {
    let log = MemoryLog::new(1);
    log.ignore_conditions();
    let refused = log
        .state()
        .lock(Environment::Test, &owner("1"), Duration::ZERO, |_| {})
        .await
        .unwrap_err();
    insta::assert_snapshot!(refused, @"`memory://state` can't hold a state: it accepted a second record with a number that was taken");
    // Before anything was recorded, and the hold was released.
    assert_eq!(kinds(&log), "hold release");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_missing_is_an_error_and_nothing_is_written() {
    let log = MemoryLog::new(1);
    let locked = crate::state::testing::lock(&log.state()).await.unwrap();
    locked.record_intents(vec![intent(1, ADD)]).await.unwrap();
    locked.record_intents(vec![intent(2, ADD)]).await.unwrap();
    drop(locked);
    let before = log.numbers();
    assert_eq!(kinds(&log), "hold snapshot first next");
    log.lose(3);
    let error = log.state().read(Environment::Test).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    insta::assert_snapshot!(error, @"the state `memory://state` is damaged: its record 3 is missing");
    assert_eq!(log.numbers().len(), before.len() - 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_gone_stops_a_run_in_time_and_the_next_goes_on() {
    let log = MemoryLog::new(1);
    let locked = crate::state::testing::lock(&log.state()).await.unwrap();
    locked.record_intents(vec![intent(1, ADD)]).await.unwrap();
    log.cut(Duration::from_secs(600));
    let begun = tokio::time::Instant::now();
    let error = locked
        .record_intents(vec![intent(2, ADD)])
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "writing `memory://state` failed: no answer"
    );
    // A sign of life may be on its way first, with the same patience.
    assert!(begun.elapsed() <= LEASE * 2, "{:?}", begun.elapsed());
    // It is waited for once, not at each thing that a run does at its end.
    let begun = tokio::time::Instant::now();
    assert!(locked.save().await.is_err());
    assert!(
        begun.elapsed() <= Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    sleep(Duration::from_secs(600)).await;
    assert!(locked.save().await.unwrap());
    locked.release().await.unwrap();
    assert_eq!(log.state().read(Environment::Test).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_looked_at_a_dead_holder_does_not_wait_again() {
    let log = MemoryLog::new(1);
    drop(taken(&log, "1").await);
    let store = log.state();
    let begun = tokio::time::Instant::now();
    assert_eq!(store.holder().await, Some(owner("1")));
    sleep(LEASE / 2).await;
    let locked = store
        .lock(Environment::Test, &owner("2"), Duration::ZERO, |_| {})
        .await
        .unwrap();
    assert!(
        (LEASE..LEASE + LEASE / 4).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(locked.taken_over(), Some(&owner("1")));
}

#[tokio::test(start_paused = true)]
async fn old_records_are_removed_after_an_hour_and_some_snapshots_stay() {
    let log = MemoryLog::new(1);
    for round in 0..30 {
        let locked = crate::state::testing::lock(&log.state()).await.unwrap();
        let ids = locked
            .record_intents(vec![intent(round, ADD)])
            .await
            .unwrap();
        locked.record_outcome(ids[0], &applied(), NOW).unwrap();
        locked.save().await.unwrap();
        locked.release().await.unwrap();
    }
    assert_eq!(log.numbers().len(), 5 + 29 * 4);
    sleep(Duration::from_secs(3601)).await;
    let locked = crate::state::testing::lock(&log.state()).await.unwrap();
    locked.release().await.unwrap();
    let snapshots = log
        .numbers()
        .iter()
        .filter(|(_, kind)| kind == "snapshot")
        .count();
    assert_eq!(snapshots, super::KEPT);
    assert!(log.numbers().len() < 30, "{:?}", log.numbers());
    assert_eq!(log.state().read(Environment::Test).await.unwrap().len(), 30);
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_does_not_begin_with_an_older_view() {
    let mut taken = 0;
    for seed in 0..50 {
        let log = MemoryLog::new(seed);
        let dead = crate::state::testing::lock(&log.state()).await.unwrap();
        for number in 0..4 {
            dead.record_intents(vec![intent(number, ADD)])
                .await
                .unwrap();
        }
        drop(dead);
        log.set_weather(Weather {
            stale: 40,
            ..Weather::default()
        });
        let locked = log
            .state()
            .lock(Environment::Test, &owner("2"), Duration::ZERO, |_| {})
            .await;
        match locked {
            Ok(locked) => {
                assert_eq!(locked.read(crate::model::Recorded::len), 4, "seed {seed}");
                taken += 1;
            }
            // An older view and then a newer one look like a holder that is alive.
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::Locked | ErrorKind::Corrupt),
                "seed {seed}: {error}"
            ),
        }
    }
    assert!(taken > 10, "{taken}");
}
