//! The rate limit, on virtual time: full use of it, and never over it.

use std::collections::BTreeMap;
use std::time::Duration;

use ess_callbacks::apply::Lanes;
use ess_callbacks::client::Api as _;
use ess_callbacks::model::{Call, CallbackUrl, Event, Operation, OperatorId};
use ess_callbacks::plan::Options;
use ess_callbacks::testing::esign::{Arrival, Fault};
use tokio::time::Instant;

use super::world::{World, desired, scope};

fn adds(organizations: usize, callbacks: usize) -> String {
    let one = |n: usize| {
        let urls: Vec<String> = (0..callbacks).map(|u| format!("/{u}")).collect();
        format!("o{n:04}: {}\n", urls.join(","))
    };
    (0..organizations).map(one).collect()
}

const SECOND: Duration = Duration::from_secs(1);
const SPIKE: Duration = Duration::from_secs(5);

/// The most calls that a server counts in any second of its own: in windows that begin with a call,
/// which are the fullest there are, and in fixed ones, whenever its seconds begin.
#[track_caller]
fn assert_within_limit(arrivals: &[Arrival]) {
    assert_within(20, arrivals);
}

fn assert_within(limit: usize, arrivals: &[Arrival]) {
    let since = |at: Instant| at.duration_since(arrivals[0].at);
    for (first, arrival) in arrivals.iter().enumerate() {
        let inside = |other: &&Arrival| other.at.duration_since(arrival.at) < SECOND;
        let sliding = arrivals[first..].iter().take_while(inside).count();
        assert!(sliding <= limit, "{sliding} from {:?}", since(arrival.at));
    }
    for phase in (0..10).map(|tenth| Duration::from_millis(tenth * 100)) {
        let mut fixed = BTreeMap::<u64, usize>::new();
        for arrival in arrivals {
            let second = (since(arrival.at) + phase).as_secs();
            *fixed.entry(second).or_default() += 1;
        }
        assert!(fixed.values().all(|&calls| calls <= limit), "{fixed:?}");
    }
}

/// How long after `since` the first second begins in which the limit is used in full.
#[track_caller]
fn until_full_rate<'a>(
    arrivals: impl IntoIterator<Item = &'a Arrival>,
    since: Instant,
) -> Duration {
    let after = arrivals.into_iter().filter(|arrival| arrival.at >= since);
    let after: Vec<Instant> = after.map(|arrival| arrival.at).collect();
    let full = after
        .windows(20)
        .find(|calls| calls[19] - calls[0] < SECOND);
    full.expect("the limit is used in full again")[0] - since
}

#[tokio::test(start_paused = true)]
async fn a_thousand_adds_use_the_whole_limit_whatever_the_latency() {
    let spikes = [[Fault::None; 9].as_slice(), &[Fault::Slow(SPIKE)]].concat();
    for (latency, spread, faults) in [
        (50, 0.0, Vec::new()),
        (800, 0.5, Vec::new()),
        // Not among the last: nothing can make up for those.
        (50, 0.0, spikes.repeat(85)),
    ] {
        let latency = Duration::from_millis(latency);
        let world =
            World::new().with_api(|api| api.with_latency(latency, spread, 7).with_limit(20));
        world.api.script(faults);
        let wanted = desired(&adds(100, 10));
        let begun = Instant::now();
        let report = world.apply(&wanted, &Options::default()).await;
        let took = begun.elapsed();
        assert_eq!((report.tally.added, report.throttled), (1000, 0));
        assert!(
            took <= Duration::from_millis(51_500),
            "{latency:?}: {took:?}"
        );
        assert!(
            took >= Duration::from_secs(49),
            "{latency:?}: {took:?} is faster than allowed"
        );
        assert_within_limit(&world.api.arrivals());
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_rate_is_back_within_a_second() {
    for outage in [Fault::NotSent, Fault::LostBefore, Fault::LostAfter] {
        let world = World::new().with_api(|api| api.with_limit(20));
        // A handful, and then one call at a time.
        let faults = [[Fault::None; 40].as_slice(), &[outage; 10]].concat();
        world.api.script(faults);
        let report = world
            .apply(&desired(&adds(40, 10)), &Options::default())
            .await;
        assert_eq!((report.tally.added, report.throttled), (400, 0));
        let arrivals = world.api.arrivals();
        let first_again = if outage == Fault::LostAfter { 50 } else { 40 };
        let idle = until_full_rate(&arrivals, arrivals[first_again].at);
        assert!(idle <= SECOND, "{outage:?}: {idle:?}");
        assert_within_limit(&arrivals);
    }
}

#[tokio::test(start_paused = true)]
async fn after_another_client_s_calls_the_rate_is_back_within_seconds() {
    let world = World::new().with_api(|api| api.with_limit(20));
    let wanted = desired(&adds(60, 10));
    let rival = async {
        tokio::time::sleep(3 * SECOND).await;
        for number in 0..100 {
            let call = Call {
                scope: scope(&wanted, "o0000"),
                operator: OperatorId::new("rival"),
                url: CallbackUrl::new(format!("https://rival.example/{number}")),
                operation: Operation::Delete,
                nonce: None,
                new_connection: false,
            };
            let next = Instant::now() + SECOND / 10;
            drop(world.api.attempt(&call, world.api.now()).await);
            tokio::time::sleep_until(next).await;
        }
    };
    let options = Options::default();
    let (report, ()) = tokio::join!(world.apply(&wanted, &options), rival);
    assert_eq!(report.tally.added, 600);
    assert!(report.throttled > 0, "nobody was in the way");
    let arrivals = world.api.arrivals();
    let (rivals, ours): (Vec<_>, Vec<_>) = arrivals
        .iter()
        .partition(|arrival| arrival.url.as_str().starts_with("https://rival"));
    let since = rivals.last().unwrap().at;
    let took = until_full_rate(ours, since);
    assert!(took <= 10 * SECOND, "{took:?}");
}

/// The fullest second of two runs, the second of which begins when the first one has ended or was killed.
#[tokio::test(start_paused = true)]
async fn two_runs_back_to_back_keep_to_one_limit() {
    let wanted = desired(&adds(10, 10));
    for killed_after in [None, Some(1500), Some(2020), Some(3990)] {
        let world = World::new().with_api(|api| {
            api.with_latency(Duration::from_millis(300), 0.5, 7)
                .with_limit(20)
        });
        let options = Options::default();
        let first = desired(&adds(5, 10));
        let kill = killed_after.map_or(SECOND * 60, Duration::from_millis);
        drop(tokio::time::timeout(kill, world.apply(&first, &options)).await);
        let between = world.api.arrivals().len();
        let begun = Instant::now();
        let report = world.apply(&wanted, &options).await;
        assert_eq!(report.throttled, 0);
        world.assert_settled(&wanted).await;
        let arrivals = world.api.arrivals();
        assert_within_limit(&arrivals);
        let idle = arrivals[between].at - begun;
        assert!(idle <= SECOND + SECOND / 5, "{idle:?}");
    }
}

/// Deleted callbacks leave the record; the calls that deleted them count all the same.
#[tokio::test(start_paused = true)]
async fn a_run_after_a_destroy_counts_its_deletes() {
    let wanted = desired(&adds(4, 10));
    let world = World::new().with_api(|api| api.with_limit(20));
    world.apply(&wanted, &Options::default()).await;
    tokio::time::sleep(10 * SECOND).await;
    let destroy = Options {
        destroy: true,
        allow_deletes: Some(40),
        ..Options::default()
    };
    let report = world.apply(&wanted, &destroy).await;
    assert_eq!(report.tally.destroyed, 40);
    assert!(world.recorded().await.is_empty());
    let report = world.apply(&wanted, &Options::default()).await;
    assert_eq!((report.tally.added, report.throttled), (40, 0));
    assert_within_limit(&world.api.arrivals());
}

/// What the state has of the calls before helps only while our clock does not jump.
#[tokio::test(start_paused = true)]
async fn a_second_run_in_one_process_knows_the_calls_of_the_first() {
    let wanted = desired(&adds(10, 10));
    for stopped_after in [1500, 2020, 2510, 3990] {
        let mut world = World::new().with_api(|api| {
            api.with_latency(Duration::from_millis(300), 0.5, 7)
                .with_limit(20)
        });
        let (options, mut lanes) = (Options::default(), Lanes::default());
        let first = world.apply_in(&mut lanes, &wanted, &options, None);
        drop(tokio::time::timeout(Duration::from_millis(stopped_after), first).await);
        world = world.with_clock_ahead(7_200);
        let report = world.apply_in(&mut lanes, &wanted, &options, None).await;
        assert_eq!(report.throttled, 0);
        assert_within_limit(&world.api.arrivals());
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_rest_a_run_begins_at_once() {
    let world = World::new().with_api(|api| api.with_limit(20));
    let options = Options::default();
    world.apply(&desired(&adds(5, 10)), &options).await;
    let before = world.api.arrivals().len();
    tokio::time::sleep(2 * SECOND).await;
    let begun = Instant::now();
    world.apply(&desired(&adds(10, 10)), &options).await;
    let idle = world.api.arrivals()[before].at - begun;
    assert!(idle < SECOND / 5, "{idle:?}");
}

#[tokio::test(start_paused = true)]
async fn one_organization_alone_uses_the_whole_limit() {
    let world = World::new().with_api(|api| {
        api.with_latency(Duration::from_millis(800), 0.5, 7)
            .with_limit(20)
    });
    let begun = Instant::now();
    let report = world
        .apply(&desired(&adds(1, 200)), &Options::default())
        .await;
    assert_eq!((report.tally.added, report.throttled), (200, 0));
    assert!(
        begun.elapsed() <= Duration::from_millis(11_500),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn two_accounts_run_side_by_side() {
    let world = World::new().with_api(|api| api.with_limit(20));
    let urls: Vec<String> = (0..200).map(|n| format!("/{n}")).collect();
    let wanted = desired(&format!("acme: {0}\npartner: {0}", urls.join(",")));
    let begun = Instant::now();
    let report = world.apply(&wanted, &Options::default()).await;
    assert_eq!((report.tally.added, report.throttled), (400, 0));
    assert!(
        begun.elapsed() <= Duration::from_millis(10_500),
        "{:?}",
        begun.elapsed()
    );
    let mut accounts = BTreeMap::<_, Vec<Arrival>>::new();
    for arrival in world.api.arrivals() {
        let account = arrival.scope.account.clone();
        accounts.entry(account).or_default().push(arrival);
    }
    assert_eq!(accounts.len(), 2);
    for arrivals in accounts.values() {
        assert_within_limit(arrivals);
    }
}

/// For credentials that others use at the same time, with a state that is not shared.
#[tokio::test(start_paused = true)]
async fn an_account_keeps_to_a_rate_below_that_of_the_run() {
    let world = World::new().with_api(|api| api.with_limit(20));
    let urls: Vec<String> = (0..60).map(|n| format!("/{n}")).collect();
    let mut wanted = desired(&format!("acme: {0}\npartner: {0}", urls.join(",")));
    for (name, account) in &mut wanted.accounts {
        if name.as_str() == "partner" {
            account.rate = Some(5);
        }
    }
    let begun = Instant::now();
    let report = world.apply(&wanted, &Options::default()).await;
    assert_eq!((report.tally.added, report.throttled), (120, 0));
    assert!((11.0..13.0).contains(&begun.elapsed().as_secs_f64()));
    let arrivals = world.api.arrivals();
    let of_partner = |arrival: &&Arrival| arrival.scope.account.as_str() == "partner";
    let slow: Vec<_> = arrivals.iter().filter(of_partner).cloned().collect();
    assert_eq!(slow.len(), 60);
    assert_within(5, &slow);
}

#[tokio::test(start_paused = true)]
async fn throttling_costs_no_retry_and_the_rate_comes_back() {
    let mut world = World::new();
    world.settings.max_retries = 0;
    world.api.script([Fault::Throttled; 10]);
    let begun = Instant::now();
    let report = world
        .apply(&desired(&adds(20, 20)), &Options::default())
        .await;
    assert_eq!((report.tally.added, report.throttled), (400, 10));
    assert!(
        begun.elapsed() <= Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        world
            .events
            .lock()
            .unwrap()
            .iter()
            .any(|event| matches!(event, Event::Throttled { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn slow_answers_hold_up_nobody_else() {
    let world = World::new().with_api(|api| api.with_limit(20));
    world.api.script([Fault::Slow(Duration::from_secs(5)); 3]);
    let begun = Instant::now();
    let report = world
        .apply(&desired(&adds(40, 5)), &Options::default())
        .await;
    assert_eq!((report.tally.added, report.throttled), (200, 0));
    assert!(
        begun.elapsed() <= Duration::from_millis(10_700),
        "{:?}",
        begun.elapsed()
    );
}
