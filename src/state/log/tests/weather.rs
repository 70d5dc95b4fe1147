//! Some runners that stand still now and then, over a log in any weather.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Sleep, sleep};

use super::logged;
use crate::random::SplitMix64;
use crate::state::StateError;
use crate::state::log::{Header, Kind, Record};
use crate::state::medium::{Attempt, Hold, Line, Medium as _};
use crate::state::testing::owner;
use crate::testing::{MemoryLog, Weather};

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
