//! The protocol with several runners, over a network that loses, delays and repeats, where each runner may stand
//! still at any await.

use std::collections::{BTreeSet, VecDeque};
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use tokio::time::{Sleep, sleep};

use super::{Beginning, Contents, Created, Header, Kind, Log, Logged, NotCreated, Record, Timing};
use crate::model::Environment;
use crate::random::SplitMix64;
use crate::state::medium::{Attempt, Hold, Line, Medium as _};
use crate::state::testing::{ADD, NOW, applied, intent, owner};
use crate::state::{ErrorKind, Place, StateError};
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

/// The next record arrives twice, and its sender sees the second answer only. Then the newest record can't be
/// read, and the next try is refused.
#[derive(Debug)]
struct Copied {
    log: MemoryLog,
    trouble: Mutex<VecDeque<Trouble>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Doubled,
    Unreadable,
    Refused,
    /// The machine sleeps for an hour, and then what is there does not show yet.
    Slept,
}

impl Copied {
    fn next(&self, trouble: Trouble) -> bool {
        let mut coming = self.trouble.lock().unwrap();
        let is_next = coming.front() == Some(&trouble);
        if is_next {
            coming.pop_front();
        }
        is_next
    }

    fn away(&self) -> StateError {
        StateError::Remote {
            doing: "reading",
            place: self.log.place(),
            problem: "no answer".into(),
            advice: String::new(),
            passing: true,
        }
    }
}

impl Log for Copied {
    fn place(&self) -> Place {
        self.log.place()
    }

    fn timing(&self) -> Timing {
        self.log.timing()
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Header>, StateError>> {
        if self.next(Trouble::Unreadable) {
            return ready(Err(self.away())).boxed();
        }
        if self.next(Trouble::Slept) {
            let hour = Duration::from_secs(3_600);
            return sleep(hour).map(|()| Ok(None)).boxed();
        }
        self.log.head()
    }

    fn read(&self) -> BoxFuture<'_, Result<Option<Contents>, StateError>> {
        self.log.read()
    }

    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<Beginning>, StateError>> {
        self.log.snapshots()
    }

    fn record(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>, StateError>> {
        self.log.record(number)
    }

    fn create<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<Created, NotCreated>> {
        if self.next(Trouble::Refused) {
            return ready(Err(NotCreated::Refused(self.away()))).boxed();
        }
        async move {
            if self.next(Trouble::Doubled) {
                self.log.create(record).await?;
            }
            self.log.create(record).await
        }
        .boxed()
    }

    fn prune<'a>(&'a self, head: &'a Header) -> BoxFuture<'a, Result<(), StateError>> {
        self.log.prune(head)
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_our_own_request_is_not_taken_for_another_writer() {
    let log = MemoryLog::new(1);
    let copied = Arc::new(Copied {
        log: log.clone(),
        trouble: Mutex::default(),
    });
    let medium = Logged::new(Arc::clone(&copied) as Arc<dyn Log>);
    let Attempt::Ours(mut hold, _) = medium.hold(&owner("1")).await.unwrap() else {
        panic!("nobody else is there");
    };
    hold.replace(b"a snapshot\n".to_vec()).await.unwrap();
    *copied.trouble.lock().unwrap() =
        [Trouble::Doubled, Trouble::Unreadable, Trouble::Refused].into();
    let refused = hold.append(Line::First(b"a line\n".to_vec())).await;
    assert!(matches!(refused, Err(StateError::Remote { .. })));
    assert!(copied.trouble.lock().unwrap().is_empty());
    hold.replace(b"another\n".to_vec()).await.unwrap();
    assert_eq!(kinds(&log), "hold snapshot first snapshot");
}

#[tokio::test(start_paused = true)]
async fn who_slept_looks_again_for_a_record_that_is_said_to_be_there() {
    let log = MemoryLog::new(1);
    let copied = Arc::new(Copied {
        log: log.clone(),
        trouble: Mutex::default(),
    });
    let medium = Logged::new(Arc::clone(&copied) as Arc<dyn Log>);
    let Attempt::Ours(mut hold, _) = medium.hold(&owner("1")).await.unwrap() else {
        panic!("nobody else is there");
    };
    hold.replace(b"a snapshot\n".to_vec()).await.unwrap();
    *copied.trouble.lock().unwrap() = [Trouble::Doubled, Trouble::Slept].into();
    hold.append(Line::First(b"a line\n".to_vec()))
        .await
        .unwrap();
    assert_eq!(kinds(&log), "hold snapshot first");
}

/// Stands still for a while, now and then, when it is polled: a process that is stopped, or swapped out.
struct Stalling<F> {
    work: Pin<Box<F>>,
    random: SplitMix64,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<F: Future> Future for Stalling<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        } else if self.random.below(20) == 0 {
            let time = Duration::from_millis(self.random.below(200_000));
            let mut pause = Box::pin(sleep(time));
            if pause.as_mut().poll(context).is_pending() {
                self.pause = Some(pause);
                return Poll::Pending;
            }
        }
        self.work.as_mut().poll(context)
    }
}

/// What a runner saw to be durable: the id of the hold, and the journal's line.
type Durable = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Takes the hold again and again, and writes a few lines each time.
async fn run(log: MemoryLog, name: usize, durable: Durable, mut random: SplitMix64) {
    let medium = logged(&log);
    for round in 0..4 {
        let id = format!("{name}-{round}");
        let mut hold = loop {
            match medium.hold(&owner(&id)).await {
                Ok(Attempt::Ours(hold, _)) => break hold,
                Ok(Attempt::Theirs { .. }) | Err(_) => sleep(medium.poll()).await,
            }
        };
        // Whatever fails, another one goes on.
        drop(write_some(&mut *hold, &id, &durable, &mut random).await);
        if random.below(4) > 0 {
            drop(hold.release().await);
        }
        sleep(Duration::from_secs(random.below(30))).await;
    }
}

async fn write_some(
    hold: &mut dyn Hold,
    id: &str,
    durable: &Durable,
    random: &mut SplitMix64,
) -> Result<(), StateError> {
    hold.prepare().await?;
    hold.replace(b"a snapshot\n".to_vec()).await?;
    for number in 0..random.below(6) {
        let line = format!("{id} writes {number}\n").into_bytes();
        let first = number == 0;
        let wrap = if first { Line::First } else { Line::Next };
        hold.append(wrap(line.clone())).await?;
        durable.lock().unwrap().push((id.to_owned(), line));
        sleep(Duration::from_secs(random.below(20))).await;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One log; what a writer was told to be durable is there, under its own hold; and only the holder writes.
    #[test]
    fn whatever_the_weather(
        seed: u64,
        runners in 2_usize..4,
        (lost_requests, lost_replies, late, doubled, stale) in (0..10_u32, 0..10_u32, 0..10_u32, 0..10_u32, 0..20_u32),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let log = MemoryLog::new(seed);
            log.set_weather(Weather {
                lost_requests, lost_replies, late, doubled, stale,
                latency: Duration::from_millis(400),
            });
            let durable = Durable::default();
            let mut random = SplitMix64::new(seed);
            let running = (0..runners).map(|name| {
                let work = run(log.clone(), name, Arc::clone(&durable), SplitMix64::new(random.next()));
                tokio::spawn(Stalling { work: Box::pin(work), random: SplitMix64::new(random.next()), pause: None })
            });
            for runner in running.collect::<Vec<_>>() {
                runner.await.unwrap();
            }
            check(&log.records(), &durable.lock().unwrap());
        });
    }
}

fn check(records: &[Record], durable: &[(String, Vec<u8>)]) {
    let mut holder: Option<String> = None;
    let mut written = Vec::new();
    let mut ids = BTreeSet::new();
    for (record, number) in records.iter().zip(1..) {
        let Header {
            number: found,
            id,
            kind,
            holder: named,
            ..
        } = &record.header;
        assert_eq!(*found, number, "one log without a gap");
        assert!(ids.insert(id.clone()), "{id} is there twice");
        let named = named.as_ref().map(|owner| owner.id.clone());
        match kind {
            Kind::Hold => holder = named,
            Kind::Release => {
                let by = id.split('.').next().map(str::to_owned);
                assert_eq!(by, holder, "only the holder releases");
                holder = None;
            }
            Kind::Beat | Kind::First | Kind::Next | Kind::Snapshot => {
                assert_eq!(named, holder, "only the holder writes: {:?}", record.header);
                if *kind == Kind::First || *kind == Kind::Next {
                    written.push((holder.clone().unwrap(), record.payload.clone()));
                }
            }
            Kind::Unlock => panic!("nobody did that"),
        }
    }
    for one in durable {
        assert!(written.contains(one), "{one:?} was durable");
    }
}
