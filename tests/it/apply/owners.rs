//! One callback, one owner: what eSign holds when accounts, members and handles change.

use std::sync::Arc;

use ess_callbacks::config::{Source, parse};
use ess_callbacks::model::{Desired, HowUnfinished, NotAttempted, Report};
use ess_callbacks::plan::Options;

use super::world::World;

/// A configuration with these accounts and organizations.
fn configuration(accounts: &str, organizations: &str) -> Desired {
    let yaml = format!(
        "version: 1\nenvironment: test\ndefaults: {{ operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }}\n\
         accounts: {{ {accounts} }}\norganizations:\n{organizations}\n"
    );
    let source = Source {
        name: Arc::from("callbacks.yaml"),
        text: yaml.clone().into_bytes(),
    };
    parse(&[source])
        .unwrap_or_else(|problems| panic!("{problems:#?}\n{yaml}"))
        .desired
}

fn organization(handle: &str, keys: &str, paths: impl IntoIterator<Item = usize>) -> String {
    let urls: Vec<_> = paths
        .into_iter()
        .map(|n| format!("https://h.example/{n}"))
        .collect();
    format!("  {handle}: {{ {keys}callbacks: [{}] }}\n", urls.join(", "))
}

fn allowing(deletes: usize) -> Options {
    Options {
        allow_deletes: Some(deletes),
        ..Options::default()
    }
}

fn added_failed_left_out(report: &Report) -> (usize, usize, usize) {
    let tally = report.tally;
    (tally.added, tally.failed, tally.not_attempted)
}

const HELD: [&str; 3] = [
    "https://h.example/0",
    "https://h.example/1",
    "https://h.example/2",
];

#[tokio::test(start_paused = true)]
async fn an_account_with_a_new_name_keeps_its_callbacks() {
    let world = World::new().with_api(|api| api.with_alias("main", "default"));
    let before = configuration("", &organization("acme", "", 0..3));
    world.apply(&before, &Options::default()).await;
    world.holds(&HELD);

    let unnamed = configuration(
        "main: { profile: p }",
        &organization("acme", "account: main, ", 0..3),
    );
    assert!(!world.plan(&unnamed, &allowing(3)).await.tripped.is_empty());

    let named = configuration(
        "main: { profile: p, formerly: default }",
        &organization("acme", "account: main, ", 0..3),
    );
    let report = world.apply(&named, &Options::default()).await;
    assert_eq!(report.calls, 0);
    world.assert_settled(&named).await;
    // The record can be used under the new name.
    let fewer = configuration(
        "main: { profile: p, formerly: default }",
        &organization("acme", "account: main, ", 0..2),
    );
    world.apply(&fewer, &allowing(1)).await;
    world.holds(&HELD[..2]);
    world.assert_settled(&fewer).await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_another_account_acts_for_keeps_its_callbacks() {
    let world = World::new();
    let of = |account: &str, paths| {
        let keys = format!("account: {account}, proxy_organization_id: member, ");
        configuration("other: { profile: p }", &organization("m", &keys, paths))
    };
    world.apply(&of("default", 0..3), &Options::default()).await;
    let moved = of("other", 0..4);
    let report = world.apply(&moved, &Options::default()).await;
    assert_eq!((report.calls, report.tally.added), (1, 1));
    world.holds(&[HELD[0], HELD[1], HELD[2], "https://h.example/3"]);
    world.assert_settled(&moved).await;
}

/// All adds failed, all deletes ran, and nothing was left.
#[tokio::test(start_paused = true)]
async fn a_mistyped_member_costs_nothing() {
    let world = World::new().with_api(|api| api.without_member("mistyped"));
    let of = |member: &str, handle: &str| {
        let keys = format!("proxy_organization_id: {member}, ");
        configuration("", &organization(handle, &keys, 0..3))
    };
    world
        .apply(&of("member", "acme"), &Options::default())
        .await;
    for handle in ["acme", "renamed-as-well"] {
        let mistyped = of("mistyped", handle);
        let report = world.apply(&mistyped, &allowing(3)).await;
        assert_eq!(added_failed_left_out(&report), (0, 3, 3), "{handle}");
        let why = report.unfinished.iter().filter_map(|left| match &left.how {
            HowUnfinished::NotAttempted(why) => Some(why.clone()),
            HowUnfinished::Failed(_) | HowUnfinished::Unknown(_) => None,
        });
        assert_eq!(why.collect::<Vec<_>>(), vec![NotAttempted::AddsFailed; 3]);
        world.holds(&HELD);
    }
    let right = of("member", "acme");
    world.apply(&right, &Options::default()).await;
    world.holds(&HELD);
    world.assert_settled(&right).await;
}

#[tokio::test(start_paused = true)]
async fn an_organization_moves_to_another_member_new_before_old() {
    let world = World::new();
    let of = |member: &str| {
        let keys = format!("proxy_organization_id: {member}, ");
        configuration("", &organization("acme", &keys, 0..2))
    };
    world.apply(&of("one"), &Options::default()).await;
    let moved = of("two");
    let report = world.apply(&moved, &allowing(2)).await;
    assert_eq!((report.tally.added, report.tally.destroyed), (2, 2));
    let order: Vec<bool> = world
        .api
        .arrivals()
        .iter()
        .map(|call| call.is_add)
        .collect();
    assert_eq!(order, [true, true, true, true, false, false]);
    world.holds(&HELD[..2]);
    world.assert_settled(&moved).await;
}

/// The same across two accounts, which run side by side.
#[tokio::test(start_paused = true)]
async fn deletes_of_one_account_wait_for_the_adds_of_another() {
    for parallelism in [1, 900] {
        let mut world = World::new().with_api(|api| api.without_member("mistyped"));
        world.settings.parallelism = parallelism;
        let accounts = "other: { profile: p }";
        let before = organization("acme", "proxy_organization_id: one, ", 0..2)
            + &organization("beta", "proxy_organization_id: two, ", 2..3);
        world
            .apply(&configuration(accounts, &before), &Options::default())
            .await;
        let wrong = organization(
            "acme",
            "account: other, proxy_organization_id: mistyped, ",
            0..2,
        ) + &organization("beta", "proxy_organization_id: two, ", 2..3);
        let report = world
            .apply(&configuration(accounts, &wrong), &allowing(2))
            .await;
        assert_eq!(added_failed_left_out(&report), (0, 2, 2));
        world.holds(&HELD);
        let right = organization(
            "acme",
            "account: other, proxy_organization_id: three, ",
            0..2,
        ) + &organization("beta", "proxy_organization_id: two, ", 2..3);
        let right = configuration(accounts, &right);
        let report = world.apply(&right, &allowing(2)).await;
        assert_eq!((report.tally.added, report.tally.destroyed), (2, 2));
        world.holds(&HELD);
        world.assert_settled(&right).await;
    }
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_ends_the_wait_for_another_organization() {
    let world = World::new();
    let of = |member: &str| {
        let keys = format!("proxy_organization_id: {member}, ");
        configuration("", &organization("acme", &keys, 0..2))
    };
    world.apply(&of("one"), &Options::default()).await;
    let stop = |event: &ess_callbacks::model::Event| {
        matches!(event, ess_callbacks::model::Event::Started { .. })
    };
    let report = world
        .apply_until(&of("two"), &allowing(2), Some(stop))
        .await;
    assert!(report.interrupted);
    assert_eq!(report.tally.destroyed, 0);
}
