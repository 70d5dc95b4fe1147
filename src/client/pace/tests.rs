//! The rate limiter with callers that really wait, under paused time.

use std::sync::Mutex;

use tokio::task::JoinSet;
use tokio::time::{advance, sleep};

use super::*;
use crate::client::Random;

const SECOND: Duration = Duration::from_secs(1);

type Log = Arc<Mutex<Vec<Instant>>>;

fn pace(rate: f64) -> Pace {
    Pace::new(Rate::per_second(rate).unwrap())
}

fn fullest_second(log: &Log) -> usize {
    let mut sends = log.lock().unwrap().clone();
    sends.sort_unstable();
    (0..sends.len())
        .map(|first| {
            sends[first..]
                .iter()
                .take_while(|&&at| at - sends[first] < SECOND)
                .count()
        })
        .max()
        .unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_adds_take_fifty_seconds_whatever_the_latency() {
    for latency in [50_u64, 800] {
        let pace = pace(20.0);
        let (begun, log, random) = (Instant::now(), Log::default(), Random::new(1));
        let mut tasks = JoinSet::new();
        for _ in 0..1000 {
            let (pace, log) = (pace.clone(), Arc::clone(&log));
            let journal = Duration::from_millis(random.next() % 30);
            let answer = Duration::from_millis(latency / 2 + random.next() % latency);
            tasks.spawn(async move {
                let slot = pace.acquire().await;
                sleep(journal).await;
                let _: SentAt = slot.start().await;
                log.lock().unwrap().push(Instant::now());
                sleep(answer).await;
            });
        }
        tasks.join_all().await;
        let took = begun.elapsed();
        assert!(took <= Duration::from_millis(51_450), "{took:?}");
        assert_eq!(fullest_second(&log), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn an_urgent_call_goes_before_all_that_wait() {
    let pace = pace(20.0);
    let log = Log::default();
    let mut tasks = JoinSet::new();
    for _ in 0..400 {
        let (pace, log) = (pace.clone(), Arc::clone(&log));
        tasks.spawn(async move {
            let _: SentAt = pace.acquire().await.start().await;
            log.lock().unwrap().push(Instant::now());
        });
    }
    for wish in [3_000, 3_010, 7_000] {
        let (pace, log) = (pace.clone(), Arc::clone(&log));
        tasks.spawn(async move {
            sleep(Duration::from_millis(wish)).await;
            let wished = Instant::now();
            let _: SentAt = pace.acquire_urgent().await.use_now().await;
            log.lock().unwrap().push(Instant::now());
            let waited = wished.elapsed();
            assert!(waited <= Duration::from_millis(150), "{waited:?}");
        });
    }
    tasks.join_all().await;
    assert_eq!(log.lock().unwrap().len(), 403);
    assert!(fullest_second(&log) <= 20);
}

#[tokio::test(start_paused = true)]
async fn an_urgent_call_waits_for_the_pause_after_a_refusal() {
    let pace = pace(20.0);
    let sent = pace.acquire().await.start().await;
    pace.throttled(sent);
    let begun = Instant::now();
    let _: SentAt = pace.acquire_urgent().await.use_now().await;
    let pause = Duration::from_millis(100);
    assert!(begun.elapsed() >= pause, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_replace_adds_the_moment_its_delete_is_answered() {
    let pace = pace(20.0);
    let log = Log::default();
    let mut tasks = JoinSet::new();
    for number in 0..300_u64 {
        let (pace, log) = (pace.clone(), Arc::clone(&log));
        tasks.spawn(async move {
            if number % 3 == 0 {
                let _: SentAt = pace.acquire().await.start().await;
                log.lock().unwrap().push(Instant::now());
                return;
            }
            let (_, reservation) = pace.acquire_pair().await.start().await;
            log.lock().unwrap().push(Instant::now());
            sleep(Duration::from_millis(50 + number)).await;
            let answered = Instant::now();
            let _: SentAt = reservation.use_now().await;
            assert_eq!(answered.elapsed(), Duration::ZERO, "the gap grew");
            log.lock().unwrap().push(Instant::now());
        });
    }
    let begun = Instant::now();
    tasks.join_all().await;
    assert_eq!(log.lock().unwrap().len(), 500);
    assert_eq!(fullest_second(&log), 20);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn many_pairs_with_slow_answers_get_on_without_a_place_kept() {
    for rate in [1.0, 2.0, 3.0, 20.0] {
        let pace = pace(rate);
        let log = Log::default();
        let mut tasks = JoinSet::new();
        for _ in 0..60 {
            let (pace, log) = (pace.clone(), Arc::clone(&log));
            tasks.spawn(async move {
                let (_, reservation) = pace.acquire_pair().await.start().await;
                log.lock().unwrap().push(Instant::now());
                // Holds on to its reservation while it waits for a slot: a mistake, but no deadlock.
                sleep(Duration::from_secs(20)).await;
                let _: SentAt = pace.acquire().await.start().await;
                log.lock().unwrap().push(Instant::now());
                let _: SentAt = reservation.use_now().await;
                log.lock().unwrap().push(Instant::now());
            });
        }
        tasks.join_all().await;
        assert_eq!(log.lock().unwrap().len(), 180);
        assert!(fullest_second(&log) <= pace.schedule().places(), "{rate}");
    }
}

#[tokio::test(start_paused = true)]
async fn slots_go_out_in_the_order_they_were_asked_for() {
    let pace = pace(20.0);
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for number in 0..50 {
        let (pace, order) = (pace.clone(), Arc::clone(&order));
        tasks.spawn(async move {
            let _: SentAt = pace.acquire().await.start().await;
            order.lock().unwrap().push(number);
        });
        tokio::task::yield_now().await;
    }
    tasks.join_all().await;
    assert_eq!(*order.lock().unwrap(), (0..50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_gives_the_place_back() {
    let pace = pace(20.0);
    let begun = Instant::now();
    for round in 0..200 {
        match round % 4 {
            // Cancelled while it waits for its slot.
            0 => {
                let waiting = tokio::time::timeout(Duration::from_millis(1), pace.acquire());
                drop(waiting.await);
            }
            // Given back before it was started.
            1 => drop(pace.acquire().await),
            // The same, both places.
            2 => drop(pace.acquire_pair().await),
            // The second call is not made.
            _ => drop(pace.acquire_pair().await.start().await),
        }
    }
    // 50 calls left, the first one at once.
    let last: SentAt = pace.acquire().await.start().await;
    assert!(begun.elapsed() < Duration::from_millis(3200), "{last:?}");
    assert_eq!(pace.0.ahead.available_permits(), 8);
}

#[tokio::test(start_paused = true)]
async fn slots_that_are_not_started_hold_up_the_next_ones() {
    let pace = pace(20.0);
    let mut held = Vec::new();
    while let Ok(slot) = tokio::time::timeout(Duration::from_secs(60), pace.acquire()).await {
        held.push(slot);
    }
    assert_eq!(held.len(), 8);
    held.pop();
    assert!(
        tokio::time::timeout(SECOND, pace.acquire()).await.is_ok(),
        "a slot given back lets the next one go"
    );
}

#[tokio::test(start_paused = true)]
async fn throttling_slows_down_and_full_speed_comes_back_within_seconds() {
    let pace = pace(20.0);
    let mut sent = pace.acquire().await.start().await;
    for _ in 0..20 {
        sent = pace.acquire().await.start().await;
    }
    assert_eq!(pace.throttled(sent), Some(1080));
    assert_eq!(pace.throttled(sent), None, "one episode, one cut");
    sent = pace.acquire().await.start().await;
    let now = pace.rate_per_minute().unwrap();
    assert_eq!(pace.throttled(sent), Some(now / 2), "not the first");
    let cut = Instant::now();
    sent = pace.acquire().await.start().await;
    assert!(cut.elapsed() >= SECOND);
    assert_eq!(pace.rate_per_minute(), Some(now / 2));
    for _ in 0..95 {
        sent = pace.acquire().await.start().await;
    }
    assert!(cut.elapsed() < Duration::from_secs(8), "{sent:?}");
    assert_eq!(pace.rate_per_minute(), Some(1200));
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nobody_waits_unless_throttled() {
    let pace = Pace::new(Rate::LIFTED);
    let begun = Instant::now();
    let mut sent = pace.acquire().await.start().await;
    for _ in 0..10_000 {
        let (_, reservation) = pace.acquire_pair().await.start().await;
        sent = reservation.use_now().await;
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(pace.rate_per_minute(), None);
    assert_eq!(pace.throttled(sent), None);
    sent = pace.acquire().await.start().await;
    assert!(begun.elapsed() >= Duration::from_millis(100), "no hot loop");
    assert_eq!(pace.throttled(sent), None);
    let _: SentAt = pace.acquire().await.start().await;
    assert!(
        begun.elapsed() >= SECOND,
        "a refusal soon after is no jitter"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_rest_there_is_no_burst() {
    let pace = pace(20.0);
    for _ in 0..3 {
        advance(Duration::from_secs(100)).await;
        let begun = Instant::now();
        for call in 0..10 {
            let _: SentAt = pace.acquire().await.start().await;
            let due = Duration::from_micros(50_250) * call;
            assert!(begun.elapsed() >= due, "{call}");
        }
    }
}
