//! The cache on paused time, with a scripted provider.

use std::collections::VecDeque;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::time::{advance, sleep};

use super::*;
use crate::model::Timestamp;
use crate::sign::CredentialProblem;

/// How long a fetch takes.
const TAKES: Duration = Duration::from_secs(2);

/// What a fetch does.
#[derive(Clone, Copy)]
enum Does {
    /// Gives a new credential that is valid for so many seconds.
    New(i64),
    /// Gives `AKID0` again, without an expiry.
    Zero,
    Fails,
    Panics,
    Hangs,
    GivesRubbish,
}

#[derive(Default)]
struct Script {
    does: VecDeque<Does>,
    fetches: usize,
}

#[derive(Clone, Default)]
struct Provider(Arc<Mutex<Script>>);

impl Provider {
    fn fetches(&self) -> usize {
        self.0.lock().unwrap().fetches
    }
}

fn credential(id: &str) -> Credential {
    Credential {
        secret_id: id.to_owned(),
        secret_key: Secret::new(format!("canary-key-of-{id}")),
        token: Some(Secret::new(format!("canary-token-of-{id}"))),
    }
}

fn unreachable() -> CredentialError {
    CredentialError::Provider {
        message: "the metadata service at 169.254.0.23 does not answer".to_owned(),
        advice: "run this on a CVM instance with a role".into(),
    }
}

impl CredentialProvider for Provider {
    fn fetch(&self) -> BoxFuture<'_, Result<Issued, CredentialError>> {
        let (does, number) = {
            let mut script = self.0.lock().unwrap();
            script.fetches += 1;
            (script.does.pop_front().unwrap(), script.fetches - 1)
        };
        async move {
            sleep(TAKES).await;
            // The issuer's clock is a year behind.
            let now = Timestamp(1_700_000_000);
            match does {
                Does::New(life) => {
                    let new = credential(&format!("AKID{number}"));
                    Ok(Issued::until(new, now.plus(life), now))
                }
                Does::Zero => Ok(Issued::lasting(credential("AKID0"))),
                Does::Fails => Err(unreachable()),
                Does::Panics => panic!("a bug of the provider"),
                Does::Hangs => std::future::pending().await,
                Does::GivesRubbish => Ok(Issued::lasting(credential("AK\nID"))),
            }
        }
        .boxed()
    }
}

fn cache(does: &[Does]) -> (CredentialCache, Provider) {
    let provider = Provider::default();
    provider.0.lock().unwrap().does.extend(does);
    (CredentialCache::new(provider.clone()), provider)
}

fn id(found: Result<Arc<Credential>, CredentialError>) -> Result<String, CredentialError> {
    found.map(|credential| credential.secret_id.clone())
}

/// Asks once a second for so many seconds, as calls do.
async fn ask(cache: &CredentialCache, seconds: u64) -> Vec<Result<String, CredentialError>> {
    let mut found = Vec::new();
    for _ in 0..seconds {
        sleep(Duration::from_secs(1)).await;
        found.push(id(cache.current()));
    }
    found
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_in_time_and_no_one_waits() {
    for (life, renewed_after) in [(7200, 6480), (1000, 700), (200, 100)] {
        let (cache, provider) = cache(&[Does::New(life), Does::New(life)]);
        assert_eq!(id(cache.get().await).unwrap(), "AKID0");
        // Its life began with its fetch.
        let quiet = renewed_after - TAKES.as_secs() - 1;
        let found = ask(&cache, quiet).await;
        assert!(found.iter().all(|found| *found == Ok("AKID0".to_owned())));
        assert_eq!(provider.fetches(), 1);
        let found = ask(&cache, 5).await;
        let ids: Vec<_> = found.into_iter().map(Result::unwrap).collect();
        assert_eq!(ids, ["AKID0", "AKID0", "AKID0", "AKID1", "AKID1"]);
        assert_eq!(provider.fetches(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_share_one_fetch() {
    let (cache, provider) = cache(&[Does::New(7200)]);
    assert_eq!(cache.current().unwrap_err(), CredentialError::Pending);
    let all = join_all((0..100).map(|_| cache.get())).await;
    assert!(all.into_iter().all(|found| id(found).unwrap() == "AKID0"));
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_leaves_the_valid_one_in_use_and_is_repeated_later() {
    let mut does = vec![Does::New(7200)];
    does.extend([Does::Fails; 6]);
    does.push(Does::New(7200));
    let (cache, provider) = cache(&does);
    drop(cache.get().await);
    advance(Duration::from_secs(6480)).await;
    let found = ask(&cache, 60).await;
    assert!(found.iter().all(Result::is_ok), "{found:?}");
    assert_eq!(found.last().unwrap().as_deref(), Ok("AKID7"));
    // Seven fetches in a minute in which it was asked 60 times.
    assert_eq!(provider.fetches(), 8);
}

#[tokio::test(start_paused = true)]
async fn without_a_valid_one_the_error_is_the_providers() {
    let (cache, provider) = cache(&[Does::New(7200), Does::Fails, Does::Fails, Does::New(7200)]);
    drop(cache.get().await);
    advance(Duration::from_secs(7200)).await;
    assert_eq!(cache.current().unwrap_err(), CredentialError::Pending);
    let all = join_all((0..100).map(|_| cache.get())).await;
    assert!(all.into_iter().all(|found| id(found) == Err(unreachable())));
    // Before the next try is due, everyone gets the same error at once.
    let asked = Instant::now();
    assert_eq!(cache.get().await.unwrap_err(), unreachable());
    assert_eq!(cache.current().unwrap_err(), unreachable());
    assert_eq!((asked.elapsed(), provider.fetches()), (Duration::ZERO, 2));
    sleep(delay(1, 1.0)).await;
    assert_eq!(cache.get().await.unwrap_err(), unreachable());
    sleep(delay(2, 1.0)).await;
    assert_eq!(id(cache.get().await).unwrap(), "AKID3");
}

#[tokio::test(start_paused = true)]
async fn one_that_esign_refused_is_renewed_at_once_and_once() {
    let (cache, provider) = cache(&[Does::New(7200), Does::New(7200)]);
    let old = cache.get().await.unwrap();
    let account = AccountName::default_account();
    assert_eq!(cache.renew(&account).await, Renewal::Renewed);
    assert_eq!(provider.fetches(), 1, "none was refused");

    cache.refuse(&old);
    assert_eq!(cache.current().unwrap_err(), CredentialError::Pending);
    let all = join_all((0..100).map(|_| cache.renew(&account))).await;
    assert!(all.iter().all(|renewal| *renewal == Renewal::Renewed));
    // A call with the old one that was answered late.
    cache.refuse(&old);
    assert_eq!(cache.renew(&account).await, Renewal::Renewed);
    assert_eq!(id(cache.current()).unwrap(), "AKID1");
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_refused_one_again_is_no_renewal() {
    let account = AccountName::default_account();
    let (renewable, provider) = cache(&[Does::Zero, Does::Zero]);
    let fixed = CredentialCache::fixed(credential("AKID0")).unwrap();
    for cache in [&renewable, &fixed] {
        let old = cache.get().await.unwrap();
        cache.refuse(&old);
        assert_eq!(cache.renew(&account).await, Renewal::Unchanged);
        assert_eq!(cache.current().unwrap_err(), CredentialError::Unchanged);
    }
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fixed_one_is_there_at_once_and_for_ever() {
    let cache = CredentialCache::fixed(credential("AKID")).unwrap();
    for _ in 0..3 {
        assert_eq!(id(cache.current()).unwrap(), "AKID");
        assert!(!cache.0.state().fetching);
        advance(Duration::from_secs(1 << 30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_goes_on_when_its_caller_stops_waiting() {
    let (cache, provider) = cache(&[Does::New(7200)]);
    timeout(TAKES / 2, cache.get()).await.unwrap_err();
    let asked = Instant::now();
    assert_eq!(id(cache.get().await).unwrap(), "AKID0");
    assert_eq!((asked.elapsed(), provider.fetches()), (TAKES / 2, 1));
}

#[tokio::test(start_paused = true)]
async fn every_fetch_ends_and_the_next_one_can_succeed() {
    let unusable = CredentialError::Unusable(CredentialProblem::Characters("SecretId"));
    for (does, expected) in [
        (Does::Panics, CredentialError::Aborted),
        (Does::Hangs, CredentialError::TimedOut),
        (Does::New(0), CredentialError::Expired),
        (Does::New(-10), CredentialError::Expired),
        (Does::New(1), CredentialError::Expired),
        (Does::New(32), CredentialError::Expired),
        (Does::GivesRubbish, unusable),
    ] {
        let (cache, provider) = cache(&[does, Does::New(7200)]);
        assert_eq!(cache.get().await.unwrap_err(), expected);
        sleep(delay(1, 1.0)).await;
        assert_eq!(id(cache.get().await).unwrap(), "AKID1");
        assert_eq!(provider.fetches(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn debugging_shows_no_secret() {
    let (cache, _provider) = cache(&[Does::New(7200), Does::GivesRubbish]);
    let found = cache.get().await;
    advance(Duration::from_secs(7200)).await;
    let error = cache.get().await.unwrap_err();
    let issued = Issued::lasting(credential("AKID"));
    let shown = format!("{cache:?} {found:?} {error:?} {error} {issued:?}");
    assert!(
        shown.contains("AKID0") && !shown.contains("canary"),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_half_minute_signs_nothing_and_the_last_minute_nothing_when_renewing_fails() {
    let fails = [&[Does::New(200)][..], &[Does::Fails; 20]].concat();
    let hangs = [Does::New(200), Does::Hangs, Does::Hangs, Does::Hangs];
    for (does, last) in [(fails, 140), (hangs.to_vec(), 140)] {
        let (cache, _provider) = cache(&does);
        drop(cache.get().await);
        // Its life began with its fetch.
        let found = ask(&cache, 190).await;
        let valid = found.iter().take_while(|found| found.is_ok()).count() as u64 + TAKES.as_secs();
        assert!((last - 1..=last).contains(&valid), "{valid}");
    }
    let (cache, _provider) = cache(&[Does::New(40), Does::New(7200)]);
    drop(cache.get().await);
    let found = ask(&cache, 20).await;
    let pending = found.iter().filter(|found| found.is_err()).count();
    assert!((1..=3).contains(&pending), "{found:?}");
    assert_eq!(found[19].as_deref(), Ok("AKID1"));
}

/// What a provider gives without a word about itself is still an error of that provider.
#[tokio::test(start_paused = true)]
async fn errors_name_the_provider() {
    for (does, problem) in [
        (Does::Hangs, "the login: no credential arrived within 30 s"),
        (
            Does::Panics,
            "the login: the fetch of a credential was aborted",
        ),
        (
            Does::GivesRubbish,
            "the login: the SecretId holds a character",
        ),
        (
            Does::New(10),
            "the login: the credential had expired before it arrived",
        ),
    ] {
        let provider = Provider::default();
        provider.0.lock().unwrap().does.extend([does]);
        let cache = CredentialCache::boxed("the login".to_owned(), Box::new(provider));
        let error = cache.get().await.unwrap_err();
        assert!(error.to_string().starts_with(problem), "{error}");
    }
}
