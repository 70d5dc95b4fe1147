//! The rate limit, on virtual time: full use of it, and never over it.

use std::time::Duration;

use ess_callbacks::client::fake::Fault;
use ess_callbacks::model::Event;
use ess_callbacks::plan::Options;
use tokio::time::Instant;

use super::world::{World, desired};

fn adds(organizations: usize, callbacks: usize) -> String {
    let one = |n: usize| {
        let urls: Vec<String> = (0..callbacks).map(|u| format!("/{u}")).collect();
        format!("o{n:04}: {}\n", urls.join(","))
    };
    (0..organizations).map(one).collect()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_adds_use_the_whole_limit_whatever_the_latency() {
    for (latency, spread) in [(50, 0.0), (800, 0.5)] {
        let latency = Duration::from_millis(latency);
        let world =
            World::new().with_api(|api| api.with_latency(latency, spread, 7).with_limit(20));
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
    }
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
