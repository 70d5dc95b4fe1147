//! A replace by example: what it signs, and what comes between its two calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ess_callbacks::apply::{Lanes, Settings, Sink, WallClock};
use ess_callbacks::client::{Api, Rate, Renewal, Reply, ServerTime};
use ess_callbacks::diag::Place;
use ess_callbacks::model::{
    Account, AccountName, AccountSource, Adoption, Call, Callback, CallbackUrl, Desired,
    Destination, Environment, Event, Handle, HowUnfinished, Lineage, OperatorId, Organization,
    Recorded, Report, Salt, Scope, Timestamp,
};
use ess_callbacks::plan::{FingerprintTable, Options, Pattern, Plan, Secrets, plan};
use ess_callbacks::run::{Caller, Connection, Ended, Owners, Request, Start, run};
use ess_callbacks::state::{LockOwner, StateError, Store};
use ess_callbacks::testing::MemoryFiles;
use ess_callbacks::testing::esign::{Arrival, FakeApi, Fault};
use tokio::sync::watch;
use tokio::time::Instant;

const NOW: Timestamp = Timestamp(1_800_000_000);

/// An hour behind.
const BEHIND: Timestamp = NOW.plus(-3600);

struct WrongClock(Instant);

impl WallClock for WrongClock {
    fn now(&self) -> Timestamp {
        BEHIND.plus(i64::try_from(self.0.elapsed().as_secs()).unwrap())
    }
}

/// An eSign whose answers have this `Date`, or none.
#[derive(Clone)]
struct Dated(FakeApi, Option<Timestamp>);

impl Api for Dated {
    async fn attempt(&self, call: &Call, signed_at: Timestamp) -> Reply {
        Reply {
            server_time: self.1,
            ..self.0.attempt(call, signed_at).await
        }
    }

    async fn server_time(&self, _account: &AccountName) -> ServerTime {
        self.1.map_or(ServerTime::NotTold, ServerTime::Known)
    }

    async fn renew(&self, _account: &AccountName) -> Renewal {
        Renewal::Unchanged
    }
}

/// Replaces every callback of a file, and keeps every event.
struct Replacing<A> {
    api: A,
    desired: Desired,
    parallelism: usize,
    seen: Vec<Event>,
}

impl<A: Send> Sink for Replacing<A> {
    fn event(&mut self, event: Event) {
        self.seen.push(event);
    }
}

impl<A: Api + Clone> Caller for Replacing<A> {
    type Api = A;
    type Wall = WrongClock;
    type Error = StateError;

    fn plan(&mut self, recorded: &Recorded) -> Result<Plan, StateError> {
        let options = Options {
            replace: vec![Pattern::parse("*/*").unwrap()],
            ..Options::default()
        };
        let secrets = Secrets {
            salt: Salt([0; 16]),
            fingerprints: Some(&FingerprintTable::new()),
        };
        Ok(plan(&self.desired, recorded, secrets, &options))
    }

    async fn connect(&mut self, _plan: &Plan) -> Result<Connection<A>, StateError> {
        Ok(Connection {
            api: self.api.clone(),
            signers: BTreeMap::new(),
            unidentified: BTreeSet::new(),
            secrets: BTreeMap::new(),
        })
    }

    async fn owners(&mut self, _plan: &Plan) -> Owners {
        Owners::new()
    }

    async fn approve(
        &mut self,
        _plan: &Plan,
        _unproven: &[AccountName],
    ) -> Result<bool, StateError> {
        Ok(true)
    }

    fn start(&mut self, _plan: &Plan) -> Result<Start, StateError> {
        Ok(Start {
            settings: Settings {
                parallelism: self.parallelism,
                ..Settings::default()
            },
            lineage: Lineage(uuid::Uuid::from_u128(1)),
        })
    }
}

fn desired(urls: &[&str]) -> Desired {
    let callback = |url: &&str| Callback {
        enabled: true,
        url: CallbackUrl::new(*url),
        key: None,
        token: None,
        protect: false,
        description: None,
        place: Place::default(),
    };
    Desired {
        environment: Environment::Test,
        accounts: BTreeMap::from([(
            AccountName::default_account(),
            Account::of(AccountSource::Default {}),
        )]),
        organizations: vec![Organization {
            handle: Handle::new("acme"),
            scope: Arc::new(Scope {
                environment: Environment::Test,
                account: AccountName::default_account(),
                organization: None,
                app_id: None,
            }),
            operator: OperatorId::new("operator"),
            adoption: Adoption::Keep,
            suspend: false,
            callbacks: urls.iter().map(callback).collect(),
            absent: Vec::new(),
            place: Place::default(),
        }],
        secrets: Vec::new(),
    }
}

/// Replaces all of them.
async fn replace(api: &(impl Api + Clone), urls: &[&str], parallelism: usize) -> Report {
    replace_telling(api, urls, parallelism).await.0
}

async fn replace_telling(
    api: &(impl Api + Clone),
    urls: &[&str],
    parallelism: usize,
) -> (Report, Vec<Event>) {
    let (ended, seen) = replace_in(MemoryFiles::new(1), api, urls, parallelism).await;
    let Ok(Ended::Called { report, .. }) = ended else {
        panic!("nothing was called");
    };
    (report, seen)
}

async fn replace_in(
    files: MemoryFiles,
    api: &(impl Api + Clone),
    urls: &[&str],
    parallelism: usize,
) -> (Result<Ended, StateError>, Vec<Event>) {
    let owner = LockOwner {
        id: "id".to_owned(),
        who: "who".to_owned(),
        host: "host".to_owned(),
        pid: 1,
        command: "apply".to_owned(),
        since: NOW,
        job_url: None,
    };
    let store = Store::in_files(files, "state.json");
    let request = Request {
        environment: Environment::Test,
        destination: &Destination::Esign,
        owner: &owner,
        lock_timeout: Duration::ZERO,
        expected_digest: None,
        rate: Rate::ESIGN,
        wall: &WrongClock(Instant::now()),
        stop: &watch::Sender::new(false).subscribe(),
    };
    let mut replacing = Replacing {
        api: api.clone(),
        desired: desired(urls),
        parallelism,
        seen: Vec::new(),
    };
    let ended = run(&store, &request, &mut Lanes::default(), &mut replacing).await;
    (ended, replacing.seen)
}

/// How old each signature was when its call arrived, in seconds.
fn ages(arrivals: &[Arrival], begun: Instant) -> Vec<i64> {
    let age = |arrival: &Arrival| {
        let elapsed = i64::try_from((arrival.at - begun).as_secs()).unwrap();
        NOW.plus(elapsed).seconds_since(arrival.signed_at)
    };
    arrivals.iter().map(age).collect()
}

#[tokio::test(start_paused = true)]
async fn the_delete_of_a_replace_is_signed_to_expire_soon() {
    let (api, begun) = (FakeApi::new(NOW), Instant::now());
    let report = replace(&api, &["https://a.example/"], 900).await;
    assert_eq!((report.tally.added, report.tally.destroyed), (1, 1));
    assert_eq!(ages(&api.arrivals(), begun), [275, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_delete_of_a_replace_costs_a_minute() {
    let api = FakeApi::new(NOW);
    api.script([Fault::LostAfter]);
    let begun = Instant::now();
    let (report, events) = replace_telling(&api, &["https://a.example/"], 900).await;
    assert_eq!(report.tally.added, 1);
    let took = begun.elapsed();
    assert!((60..=62).contains(&took.as_secs()), "{took:?}");
    // It is told how long that takes, and not only how long the back-off is.
    let told = events.iter().find_map(|event| {
        if let Event::Retrying { delay_ms, .. } = event {
            Some(*delay_ms)
        } else {
            None
        }
    });
    assert!(
        told.is_some_and(|ms| (59_000..=61_000).contains(&ms)),
        "{told:?}"
    );
}

/// No `Date`, 1970, the year 9999: the fence goes by our own time, and ends.
#[tokio::test(start_paused = true)]
async fn without_the_server_s_clock_a_fence_goes_by_our_own_time() {
    for date in [
        None,
        Some(Timestamp(0)),
        Some(Timestamp(253_370_764_800)),
        Some(Timestamp(i64::MIN)),
        Some(Timestamp(i64::MAX)),
    ] {
        let api = Dated(FakeApi::new(BEHIND), date);
        api.0.script([Fault::LostAfter]);
        let begun = Instant::now();
        let (report, events) = replace_telling(&api, &["https://a.example/"], 900).await;
        assert_eq!((report.tally.added, report.unfinished), (1, vec![]));
        let took = begun.elapsed().as_secs();
        assert!((690..=710).contains(&took), "{date:?}: {took}");
        let until = events.iter().find_map(|event| {
            if let Event::FenceWait { until, seconds, .. } = event {
                Some((*until, *seconds))
            } else {
                None
            }
        });
        let (until, seconds) = until.unwrap();
        assert!(until > BEHIND && seconds <= 690, "{until}");
        assert_eq!(ages(&api.0.arrivals()[..1], begun), [3600]);
    }
}

#[tokio::test(start_paused = true)]
async fn where_short_lives_are_refused_the_full_life_does() {
    let (api, begun) = (FakeApi::new(NOW), Instant::now());
    api.script([Fault::ClockOff]);
    let urls = ["https://a.example/", "https://b.example/"];
    let report = replace(&api, &urls, 1).await;
    assert_eq!((report.tally.added, report.unfinished), (2, vec![]));
    assert_eq!(ages(&api.arrivals(), begun), [275, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_between_the_two_calls_of_a_replace() {
    let api = FakeApi::new(NOW);
    api.script_for(
        "https://b.example/",
        [Fault::None, Fault::Throttled, Fault::NotSent],
    );
    let urls = [
        "https://a.example/",
        "https://b.example/",
        "https://c.example/",
    ];
    let report = replace(&api, &urls, 1).await;
    assert_eq!(report.tally.added, 3);
    let arrivals = api.arrivals();
    let order: Vec<_> = arrivals
        .iter()
        .map(|arrival| (arrival.url.as_str(), arrival.is_add))
        .collect();
    assert_eq!(
        order,
        [
            ("https://a.example/", false),
            ("https://a.example/", true),
            ("https://b.example/", false),
            ("https://b.example/", true),
            ("https://b.example/", true),
            ("https://c.example/", false),
            ("https://c.example/", true),
        ]
    );
}

/// Somebody else uses up the limit, and does not stop.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_throttled_for_ever_is_given_up() {
    let api = FakeApi::new(NOW);
    api.script(std::iter::repeat_n(Fault::Throttled, 300));
    let report = replace(&api, &["https://a.example/"], 900).await;
    assert_eq!((report.tally.added, report.unfinished.len()), (0, 1));
    assert_eq!(api.arrivals().len(), 101);
}

/// The disk is full between the delete and the add: no call leaves without its intent, and it is said what is
/// missing now.
#[tokio::test(start_paused = true)]
async fn a_replace_whose_add_can_not_be_recorded_says_what_is_missing() {
    let url = "https://a.example/";
    let mut missing = 0;
    for operation in 1..60 {
        let api = FakeApi::new(NOW);
        let files = MemoryFiles::new(1);
        files.fail_at(operation);
        let replaced = replace_in(files, &api, &[url], 900).await;
        let Ok(Ended::Called { report, .. }) = replaced.0 else {
            continue;
        };
        if api.arrivals().len() != 1 {
            continue;
        }
        missing += 1;
        assert_eq!((report.tally.failed, report.tally.not_attempted), (1, 0));
        assert!(report.journal_error.is_some());
        let HowUnfinished::Failed(error) = &report.unfinished[0].how else {
            panic!("{:?}", report.unfinished);
        };
        assert!(error.message.contains("deleted, but not added again"));
    }
    assert!(missing > 0, "the disk was never full between the two");
}
