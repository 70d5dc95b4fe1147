//! The applier in a small world, scenario by scenario.

mod credentials;
mod limits;
mod owners;
mod replaces;
mod world;

use std::time::Duration;

use ess_callbacks::model::{
    Blast, CallbackUrl, Drift, Event, Evidence, HowUnfinished, NotAttempted,
};
use ess_callbacks::plan::Options;
use ess_callbacks::testing::esign::Fault;
use tokio::time::Instant;

use world::{World, desired, scope};

#[tokio::test(start_paused = true)]
async fn adds_replaces_and_deletes_reach_what_is_declared() {
    let world = World::new();
    let first = desired("acme: /a, /b\nbeta: /c, -/old");
    let report = world.apply(&first, &Options::default()).await;
    assert_eq!(
        (report.tally.added, report.tally.destroyed, report.calls),
        (3, 1, 4)
    );
    world.assert_settled(&first).await;

    let second = desired("acme: /a OTHER, /new\nbeta: /c, -/old");
    let report = world.apply(&second, &Options::default()).await;
    assert_eq!(
        (
            report.tally.added,
            report.tally.destroyed,
            report.unfinished
        ),
        (2, 2, vec![])
    );
    world.holds(&[
        "https://acme.example/a",
        "https://acme.example/new",
        "https://beta.example/c",
    ]);
    world.assert_settled(&second).await;
}

#[tokio::test(start_paused = true)]
async fn a_replace_proves_key_and_token_and_an_add_alone_does_not() {
    let world = World::new();
    let first = desired("acme: /a");
    world.api.put(
        &scope(&first, "acme"),
        "https://acme.example/a",
        Some("somebody else's"),
        None,
    );
    world.apply(&first, &Options::default()).await;
    let evidence = async || {
        let recorded = world.recorded().await;
        recorded.iter().next().unwrap().2.belief.evidence()
    };
    assert_eq!(evidence().await, Evidence::Assumed);

    let options = Options {
        replace: vec!["acme/*".parse_pattern()],
        ..Options::default()
    };
    world.apply(&first, &options).await;
    assert_eq!(evidence().await, Evidence::Proven);
    let held = world
        .api
        .held(&scope(&first, "acme"), "https://acme.example/a")
        .unwrap();
    assert!(held.is(
        Some(&"KEY".chars().cycle().take(32).collect::<String>()),
        None
    ));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_with_the_same_call() {
    for fault in [Fault::LostBefore, Fault::LostAfter] {
        let world = World::new();
        let wanted = desired("acme: /a");
        world.api.script([fault]);
        let report = world.apply(&wanted, &Options::default()).await;
        assert_eq!((report.tally.added, report.calls), (1, 2), "{fault:?}");
        world.holds(&["https://acme.example/a"]);
        world.assert_settled(&wanted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_stays_unknown_is_left_open_and_the_next_run_finishes_it() {
    let world = World::new();
    let wanted = desired("acme: /a");
    world.api.script([Fault::LostAfter; 6]);
    let report = world.apply(&wanted, &Options::default()).await;
    assert_eq!((report.tally.unknown, report.calls), (1, 6));
    assert_eq!(
        world
            .plan(&wanted, &Options::default())
            .await
            .summary
            .finish,
        1
    );
    let report = world.apply(&wanted, &Options::default()).await;
    assert_eq!(report.tally.added, 1);
    world.assert_settled(&wanted).await;
}

#[tokio::test(start_paused = true)]
async fn the_opposite_of_a_lost_call_waits_until_that_is_dead() {
    let mut world = World::new();
    let with = desired("acme: /a, /b");
    world.apply(&with, &Options::default()).await;
    // The delete is lost and will arrive four minutes later, if nobody waits for it.
    world.api.script([
        Fault::Late(Duration::from_secs(240)),
        Fault::LostBefore,
        Fault::LostBefore,
    ]);
    let impatient = Options {
        allow_deletes: Some(1),
        ..Options::default()
    };
    world.settings.max_retries = 2;
    let report = world.apply(&desired("acme: /b"), &impatient).await;
    assert_eq!(report.tally.unknown, 1);

    let begun = Instant::now();
    let report = world.apply(&with, &Options::default()).await;
    assert_eq!(report.tally.added, 1);
    assert!(
        begun.elapsed() > Duration::from_secs(325),
        "it waited {:?}",
        begun.elapsed()
    );
    assert!(
        world
            .events
            .lock()
            .unwrap()
            .iter()
            .any(|event| matches!(event, Event::FenceWait { .. }))
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    world.holds(&["https://acme.example/a", "https://acme.example/b"]);
    world.assert_settled(&with).await;
}

#[tokio::test(start_paused = true)]
async fn without_waiting_the_fenced_is_left_for_the_next_run() {
    let mut world = World::new();
    let with = desired("acme: /a, /b");
    world.apply(&with, &Options::default()).await;
    world.settings.max_retries = 0;
    world.settings.wait = false;
    world.api.script([Fault::LostAfter]);
    world.apply(&desired("acme: /b"), &Options::default()).await;
    let report = world.apply(&with, &Options::default()).await;
    let [unfinished] = report.unfinished.as_slice() else {
        panic!("{:?}", report.unfinished)
    };
    assert!(matches!(
        unfinished.how,
        HowUnfinished::NotAttempted(NotAttempted::Fenced(_))
    ));
    assert!(report.fenced);
    tokio::time::sleep(Duration::from_secs(340)).await;
    let report = world.apply(&with, &Options::default()).await;
    assert_eq!(report.tally.added, 1);
    world.assert_settled(&with).await;
}

#[tokio::test(start_paused = true)]
async fn an_old_address_stays_when_the_new_one_failed() {
    let world = World::new();
    world
        .apply(
            &desired("acme: /old, /other, /more, /last"),
            &Options::default(),
        )
        .await;
    let moved = desired("acme: /new, /other, /more, /last");
    world
        .api
        .script_for("https://acme.example/new", [Fault::Rejected(Blast::Call)]);
    let report = world.apply(&moved, &Options::default()).await;
    assert_eq!((report.tally.failed, report.tally.not_attempted), (1, 1));
    assert!(
        world
            .api
            .held(&scope(&moved, "acme"), "https://acme.example/old")
            .is_some()
    );
    let report = world.apply(&moved, &Options::default()).await;
    assert_eq!((report.tally.added, report.tally.destroyed), (1, 1));
    world.assert_settled(&moved).await;
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_stop_their_account_and_no_other() {
    let world = World::new();
    let wanted = desired("acme: /a, /b, /c\npartner: /p");
    world
        .api
        .script_for("https://acme.example/a", [Fault::Rejected(Blast::Account)]);
    let report = world.apply(&wanted, &Options::default()).await;
    assert_eq!(report.tally.failed, 1);
    assert!(
        world
            .api
            .held(&scope(&wanted, "partner"), "https://partner.example/p")
            .is_some()
    );
    let stopped = |event: &&Event| matches!(event, Event::AccountStopped { .. });
    assert_eq!(
        world.events.lock().unwrap().iter().filter(stopped).count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_organization_stops_and_others_go_on() {
    let world = World::new();
    let wanted = desired("acme: /a OTHER\nbeta: /b");
    world
        .apply(
            &desired("acme: /a, /gone, /x, /y\nbeta: /b"),
            &Options::default(),
        )
        .await;
    world.api.script_for(
        "https://acme.example/a",
        [Fault::Rejected(Blast::Organization)],
    );
    let options = Options {
        allow_deletes: Some(3),
        ..Options::default()
    };
    let report = world.apply(&wanted, &options).await;
    assert_eq!((report.tally.failed, report.tally.not_attempted), (1, 3));
    world
        .assert_settled(&desired("beta: /b\nacme: /a, /gone, /x, /y"))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_corrected_once() {
    let world = World::new().with_clock_ahead(4000);
    let wanted = desired("acme: /a, /b");
    let report = world.apply(&wanted, &Options::default()).await;
    assert_eq!((report.tally.added, report.tally.failed), (2, 0));
    let told = |event: &&Event| matches!(event, Event::ClockOffset { seconds: -4000, .. });
    assert_eq!(world.events.lock().unwrap().iter().filter(told).count(), 1);
    world.assert_settled(&wanted).await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_deleted_is_reported_as_drift() {
    let world = World::new();
    let wanted = desired("acme: /a");
    world.apply(&wanted, &Options::default()).await;
    world
        .api
        .remove(&scope(&wanted, "acme"), "https://acme.example/a");
    let report = world
        .apply(&desired("acme: -/a"), &Options::default())
        .await;
    assert_eq!(report.tally.destroyed, 1);
    assert!(matches!(report.drifted.as_slice(), [(_, Drift::WasGone)]));
}

#[tokio::test(start_paused = true)]
async fn a_stop_makes_no_new_calls_but_brings_a_replaced_callback_back() {
    let world = World::new();
    world
        .apply(&desired("acme: /a, /b"), &Options::default())
        .await;
    let wanted = desired("acme: /a OTHER, /b OTHER, /c");
    // The add is under way when the stop comes, and then only the first replace has begun.
    let begun = |event: &Event| matches!(event, Event::Started { calls, .. } if calls.count() == 2);
    let report = world
        .apply_until(&wanted, &Options::default(), Some(begun))
        .await;
    assert!(report.interrupted);
    let awaited = |event: &Event| {
        if let Event::Interrupted { in_flight } = event {
            Some(*in_flight)
        } else {
            None
        }
    };
    let told: Vec<_> = world
        .events
        .lock()
        .unwrap()
        .iter()
        .filter_map(awaited)
        .collect();
    assert_eq!(told, [1]);
    for url in ["https://acme.example/a", "https://acme.example/b"] {
        assert!(
            world.api.held(&scope(&wanted, "acme"), url).is_some(),
            "{url} is gone"
        );
    }
    world.apply(&wanted, &Options::default()).await;
    world.assert_settled(&wanted).await;
}

#[tokio::test(start_paused = true)]
async fn no_call_leaves_when_the_journal_can_not_be_written() {
    let world = World::new();
    let wanted = desired("acme: /a, /b, /c");
    world.apply(&desired("acme: /z"), &Options::default()).await;
    let before = world.api.arrivals().len();
    world.files.fail_at(world.files.operations() + 6);
    let report = world.apply(&wanted, &Options::default()).await;
    if let Some(error) = report.journal_error {
        assert!(!error.is_empty());
        assert!(report.tally.not_attempted > 0);
    }
    let recorded = world.recorded().await;
    for arrival in &world.api.arrivals()[before..] {
        let known = recorded.get(&arrival.scope, &CallbackUrl::new(arrival.url.as_str()));
        assert!(
            known.is_some(),
            "{:?} was called and is not recorded",
            arrival.url
        );
    }
    world.apply(&wanted, &Options::default()).await;
    world.assert_settled(&wanted).await;
}

trait ParsePattern {
    fn parse_pattern(&self) -> ess_callbacks::plan::Pattern;
}

impl ParsePattern for str {
    fn parse_pattern(&self) -> ess_callbacks::plan::Pattern {
        ess_callbacks::plan::Pattern::parse(self).unwrap()
    }
}

/// The port is closed, or what answers is not eSign.
#[tokio::test(start_paused = true)]
async fn where_nothing_answers_a_handful_of_calls_is_enough() {
    for fault in [Fault::NotSent, Fault::LostBefore] {
        let mut world = World::new();
        world.api.script(std::iter::repeat_n(fault, 1000));
        let urls: Vec<String> = (0..100).map(|number| format!("/{number}")).collect();
        let wanted = desired(&format!("acme: {}", urls.join(", ")));
        let begun = Instant::now();
        let report = world.apply(&wanted, &Options::default()).await;
        assert!(report.calls <= 10, "{fault:?}: {} calls", report.calls);
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert_eq!(report.unfinished.len(), 100);
        let unreachable = |event: &&Event| matches!(event, Event::AccountStopped { .. });
        let told = world
            .events
            .lock()
            .unwrap()
            .iter()
            .filter(unreachable)
            .count();
        assert_eq!(told, 1);
        // Nothing is lost by it.
        world.api = ess_callbacks::testing::esign::FakeApi::new(world::START);
        world.apply(&wanted, &Options::default()).await;
        world.assert_settled(&wanted).await;
    }
}

/// It worked before: an outage of half a minute costs a few calls, and nothing fails.
#[tokio::test(start_paused = true)]
async fn a_short_outage_in_mid_run_is_ridden_out() {
    let world = World::new();
    let urls: Vec<String> = (0..60).map(|number| format!("/{number}")).collect();
    let wanted = desired(&format!("acme: {}", urls.join(", ")));
    let mut faults = vec![Fault::None; 20];
    faults.extend([Fault::NotSent; 12]);
    world.api.script(faults);
    let begun = Instant::now();
    let report = world.apply(&wanted, &Options::default()).await;
    assert_eq!((report.tally.added, report.calls), (60, 72));
    let took = begun.elapsed().as_secs();
    assert!((4..70).contains(&took), "{took}");
    world.assert_settled(&wanted).await;
}

/// It goes on and on: the run gives up after two minutes, and not after hundreds of calls.
#[tokio::test(start_paused = true)]
async fn a_long_outage_ends_the_run() {
    let world = World::new();
    let urls: Vec<String> = (0..200).map(|number| format!("/{number}")).collect();
    let wanted = desired(&format!("acme: {}", urls.join(", ")));
    let mut faults = vec![Fault::None; 20];
    faults.extend(std::iter::repeat_n(Fault::NotSent, 2000));
    world.api.script(faults);
    let begun = Instant::now();
    let report = world.apply(&wanted, &Options::default()).await;
    assert_eq!(report.tally.added, 20);
    assert!(report.calls <= 50, "{} calls", report.calls);
    let took = begun.elapsed().as_secs();
    assert!((120..200).contains(&took), "{took}");
}
