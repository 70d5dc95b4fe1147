//! Temporary credentials that expire while calls are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ess_callbacks::client::credentials::{Answer, Machine, Request, Web, find};
use ess_callbacks::client::{
    CredentialCache, CredentialError, CredentialProvider, Endpoint, Issued,
};
use ess_callbacks::model::{
    AccountName, AccountSource, Environment, Event, HowUnfinished, NotAttempted, Report, Timestamp,
};
use ess_callbacks::plan::Options;
use ess_callbacks::secret::Secret;
use ess_callbacks::sign::Credential;
use ess_callbacks::testing::esign::Fault;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::world::{World, desired, scope};

const TROUBLE: &str = "the STS at sts.example does not answer";

/// Gives a credential for each of these lives in turn, and fails without end after the last. A life of zero is a
/// failure too.
struct Lives {
    seconds: Vec<i64>,
    fetches: Arc<AtomicUsize>,
    takes: Duration,
}

impl CredentialProvider for Lives {
    fn fetch(&self) -> BoxFuture<'_, Result<Issued, CredentialError>> {
        let number = self.fetches.fetch_add(1, Ordering::Relaxed);
        let life = self.seconds.get(number).copied().filter(|life| *life > 0);
        Box::pin(async move {
            sleep(self.takes).await;
            let failed = CredentialError::Provider {
                message: TROUBLE.to_owned(),
                advice: "check the network".into(),
            };
            let credential = Credential {
                secret_id: format!("AKID{number}"),
                secret_key: Secret::new("key"),
                token: Some(Secret::new("token")),
            };
            let issued = |life| Issued::until(credential, Timestamp(life), Timestamp(0));
            life.map(issued).ok_or(failed)
        })
    }
}

/// A world whose first credential is there already, and how often one was fetched.
async fn world(takes: Duration, seconds: &[i64]) -> (World, Arc<AtomicUsize>) {
    let fetches = Arc::new(AtomicUsize::new(0));
    let cache = CredentialCache::new(Lives {
        seconds: seconds.to_vec(),
        fetches: Arc::clone(&fetches),
        takes,
    });
    cache.get().await.unwrap();
    let world = World::new().with_api(|api| api.with_credentials(cache).with_limit(20));
    (world, fetches)
}

fn urls(number: usize) -> String {
    let urls: Vec<_> = (0..number).map(|number| format!("/{number}")).collect();
    format!("acme: {}", urls.join(", "))
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn one_that_esign_refuses_is_renewed_once_for_all_calls() {
    let (world, fetches) = world(SECOND, &[7200, 7200]).await;
    // All of them leave before the first answer.
    let world = world.with_api(|api| api.with_latency(SECOND, 0.0, 1));
    world.api.script([Fault::TokenExpired; 10]);
    let report = world.apply(&desired(&urls(100)), &Options::default()).await;
    assert_eq!((report.tally.added, report.throttled), (100, 0));
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
}

/// A call can outlive more than one credential, and the others are none the worse for it.
#[tokio::test(start_paused = true)]
async fn a_second_refusal_of_one_call_stops_no_account() {
    let (world, fetches) = world(SECOND, &[7200, 7200, 7200]).await;
    let url = "https://acme.example/0";
    let faults = [Fault::TokenExpired, Fault::TokenExpired];
    world.api.script_for(url, faults);
    let report = world.apply(&desired(&urls(10)), &Options::default()).await;
    assert_eq!((report.tally.added, report.unfinished), (10, vec![]));
    assert_eq!(fetches.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn one_that_can_not_be_renewed_stops_its_account() {
    let world = World::new();
    world.api.script([Fault::TokenExpired]);
    let report = world.apply(&desired(&urls(100)), &Options::default()).await;
    // One was on its way.
    assert_eq!((report.tally.added, report.tally.failed), (1, 1));
    let account = AccountName::default_account();
    let stopped = NotAttempted::AccountStopped(account);
    assert_eq!(reasons(&report), [&stopped; 98]);
}

/// Calls that waited for a credential don't leave together.
#[tokio::test(start_paused = true)]
async fn the_rate_is_kept_when_one_expires_and_its_successor_is_late() {
    let (world, fetches) = world(5 * SECOND, &[50, 0, 0, 7200]).await;
    let report = world
        .apply(&desired(&urls(1000)), &Options::default())
        .await;
    assert_eq!((report.tally.added, report.throttled), (1000, 0));
    assert_eq!(fetches.load(Ordering::Relaxed), 4);
    let stopped = |event: &Event| matches!(event, Event::AccountStopped { .. });
    assert!(!world.events.lock().unwrap().iter().any(stopped));
}

#[tokio::test(start_paused = true)]
async fn short_lives_are_renewed_before_they_end() {
    let (world, _fetches) = world(SECOND, &[70; 100]).await;
    let report = world
        .apply(&desired(&urls(1000)), &Options::default())
        .await;
    assert_eq!((report.tally.added, report.calls), (1000, 1000));
    let again = |event: &Event| matches!(event, Event::Retrying { .. });
    assert!(!world.events.lock().unwrap().iter().any(again));
}

fn reasons(report: &Report) -> Vec<&NotAttempted> {
    let mut reasons = Vec::new();
    for unfinished in &report.unfinished {
        if let HowUnfinished::NotAttempted(why) = &unfinished.how {
            reasons.push(why);
        }
    }
    reasons
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_for_good_stops_the_account_and_is_named() {
    let (world, fetches) = world(SECOND, &[7200]).await;
    world.api.script([Fault::TokenExpired]);
    let begun = Instant::now();
    let report = world
        .apply(&desired(&urls(1000)), &Options::default())
        .await;
    assert!(begun.elapsed() < 60 * SECOND, "{:?}", begun.elapsed());
    assert!(fetches.load(Ordering::Relaxed) < 10);
    // Some had left before the refusal was there.
    assert_eq!(
        report.tally.added + report.tally.failed + report.tally.not_attempted,
        1000
    );
    assert_eq!(report.tally.unknown, 0);
    let whys = reasons(&report);
    assert!(whys.len() > 500 && whys.len() == report.tally.not_attempted);
    for why in whys {
        assert!(
            matches!(why, NotAttempted::AccountUnsigned(_, error) if error.contains(TROUBLE)),
            "{why:?}"
        );
    }
    let events = world.events.lock().unwrap();
    let mut stopped = Vec::new();
    for event in &*events {
        if let Event::AccountStopped { error, .. } = event {
            stopped.push(error.message.as_str());
        }
    }
    let expected = format!("no credential to sign calls of account `default`: {TROUBLE}");
    assert_eq!(stopped, [expected.as_str()]);
}

/// The provider fails between the two calls of a replace.
#[tokio::test(start_paused = true)]
async fn the_add_of_a_replace_is_made_as_soon_as_there_is_a_credential() {
    let (world, _fetches) = world(Duration::ZERO, &[7200, 0, 0, 0, 7200]).await;
    let first = desired("acme: /a");
    world.apply(&first, &Options::default()).await;
    // The delete, then the add.
    world.api.script([Fault::None, Fault::TokenExpired]);
    let report = world
        .apply(&desired("acme: /a OTHER"), &Options::default())
        .await;
    assert_eq!((report.tally.added, report.tally.unknown), (1, 0));
    assert!(
        world
            .api
            .held(&scope(&first, "acme"), "https://acme.example/a")
            .is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_credential() {
    let (world, _fetches) = world(20 * SECOND, &[7200, 7200]).await;
    world.api.script([Fault::TokenExpired]);
    let begun = Instant::now();
    let started = |event: &Event| matches!(event, Event::Started { .. });
    let report = world
        .apply_until(&desired("acme: /a"), &Options::default(), Some(started))
        .await;
    assert!(report.interrupted);
    assert_eq!(reasons(&report), [&NotAttempted::Interrupted]);
    assert!(begun.elapsed() < 10 * SECOND);
}

/// A token service whose credentials are valid for two minutes.
#[derive(Default)]
struct Sts(AtomicUsize);

impl Web for Sts {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, String>> {
        Box::pin(async move {
            sleep(SECOND).await;
            let timestamp = request
                .headers
                .iter()
                .find(|(name, _)| *name == "x-tc-timestamp");
            let now: i64 = timestamp.unwrap().1.parse().unwrap();
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            let body = format!(
                r#"{{"Response":{{"Credentials":{{"TmpSecretId":"AKID{number}","TmpSecretKey":"key","Token":"token"}},"ExpiredTime":{},"RequestId":"r"}}}}"#,
                now + 120
            );
            Ok(Answer {
                status: 200,
                body: body.into_bytes(),
                date: None,
            })
        })
    }
}

/// The chain's renewal as a run sees it: 6000 calls take five minutes.
#[tokio::test(start_paused = true)]
async fn an_apply_outlives_the_credentials_of_its_role() {
    let begun = Instant::now();
    let sts = Arc::new(Sts::default());
    let web = Arc::clone(&sts);
    let machine = Machine {
        variables: Arc::new(|name| match name {
            "TENCENTCLOUD_SECRET_ID" => Some("AKID".into()),
            "TENCENTCLOUD_SECRET_KEY" => Some("key".into()),
            "TENCENTCLOUD_ROLE_ARN" => Some("qcs::cam::uin/1:roleName/callbacks".into()),
            _ => None,
        }),
        home: None,
        system_file: "/nowhere".into(),
        folder: "/".into(),
        environment: Environment::Test,
        sts: Endpoint::sts(),
        metadata: Endpoint::metadata(),
        web,
        clock: Arc::new(move || {
            let seconds = i64::try_from(begun.elapsed().as_secs()).unwrap();
            Timestamp(1_790_000_000 + seconds)
        }),
    };
    let found = find(&AccountSource::Default {}, &machine).await.unwrap();
    let world = World::new();
    let world = world.with_api(|api| api.with_credentials(found.cache).with_limit(20));
    let report = world
        .apply(&desired(&urls(6000)), &Options::default())
        .await;
    assert_eq!(
        (report.tally.added, report.calls, report.throttled),
        (6000, 6000, 0)
    );
    // Each was renewed after a minute.
    let fetched = sts.0.load(Ordering::Relaxed);
    assert!((5..=6).contains(&fetched), "{fetched}");
    let trouble =
        |event: &Event| matches!(event, Event::AccountStopped { .. } | Event::Retrying { .. });
    assert!(!world.events.lock().unwrap().iter().any(trouble));
}
