//! The records of a state as objects of stores that behave, and of stores that don't.

mod ceph;
mod errors;
mod server;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;

use self::server::{Fake, Moto, real_time};
use super::*;
use crate::client::Endpoint;
use crate::client::credentials::HttpWeb;
use crate::model::{Environment, Timestamp};
use crate::state::contract::{Remote, holds_over, keeps_history, prune};
use crate::state::log::Kind;
use crate::state::{LockOwner, Store};

/// A machine with credentials that must be found nowhere.
pub(in crate::backend::objects) fn machine(variables: &[(&str, &str)], home: &Path) -> Machine {
    let variables: BTreeMap<String, OsString> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
        .collect();
    Machine {
        variables: Arc::new(move |name| variables.get(name).cloned()),
        home: Some(home.to_owned()),
        system_file: home.join("none"),
        folder: home.to_owned(),
        environment: Environment::Production,
        sts: Endpoint::sts(),
        metadata: Endpoint::metadata(),
        web: Arc::new(HttpWeb { extra_roots: None }),
        clock: Arc::new(|| Timestamp(1_790_000_000)),
    }
}

const VARIABLES: [(&str, &str); 6] = [
    ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
    ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
    ("AWS_SESSION_TOKEN", "canary-token"),
    ("TENCENTCLOUD_SECRET_ID", "AKIDTEST"),
    ("TENCENTCLOUD_SECRET_KEY", "canary-secret"),
    ("TENCENTCLOUD_TOKEN", "canary-token"),
];

/// A state in this bucket.
fn state(address: &str) -> Objects {
    let options = Options {
        address: address.to_owned(),
        machine: machine(&VARIABLES, Path::new("/nonexistent")),
        extra_roots: None,
    };
    Objects::new(options).unwrap()
}

fn s3(fake: &Fake) -> Objects {
    state(&format!(
        "s3://bucket/states/a?region=r-1&endpoint={}",
        fake.origin
    ))
}

fn cos(fake: &Fake) -> Objects {
    state(&format!(
        "cos://bucket-125/states/a?region=ap-guangzhou&endpoint={}",
        fake.origin
    ))
}

fn record(number: u64, id: &str, kind: Kind, since: u64, payload: &[u8]) -> Record {
    let header = json!({
        "version": 1, "number": number, "id": id, "since": since, "kind": kind, "bytes": payload.len(),
    });
    let mut text = serde_json::to_vec(&header).unwrap();
    text.push(b'\n');
    text.extend_from_slice(payload);
    Record::decode(&Place::new("test"), &text).unwrap()
}

async fn create(log: &Objects, record: &Record) -> Created {
    log.create(record).await.unwrap()
}

/// A bucket of a server that runs for one test.
struct Bucket {
    address: String,
    _moto: Option<Moto>,
}

impl Bucket {
    /// In a store of this process.
    fn fake_s3() -> Self {
        Self::of(
            &format!("s3://bucket/a?endpoint={}", Fake::start().origin),
            None,
        )
    }

    fn fake_cos() -> Self {
        let origin = Fake::start().origin;
        Self::of(
            &format!("cos://bucket-1/a?region=r-1&endpoint={origin}"),
            None,
        )
    }

    /// In moto; in the store of this process where it is not installed.
    fn moto() -> Self {
        let Some(moto) = Moto::start() else {
            return Self::fake_s3();
        };
        let bucket = Self::of(
            &format!("s3://bucket/a b/ü?endpoint={}", moto.origin),
            Some(moto),
        );
        let objects = state(&bucket.address);
        let request = Request {
            method: Method::PUT,
            ..objects.of_bucket(String::new())
        };
        std::thread::scope(|scope| {
            let created = scope.spawn(|| real_time().block_on(objects.sender.send(&request)));
            let (answer, _) = created.join().unwrap().ok().expect("an answer");
            assert_eq!(answer.status, 200);
        });
        bucket
    }

    fn of(address: &str, moto: Option<Moto>) -> Self {
        Self {
            address: address.to_owned(),
            _moto: moto,
        }
    }

    fn objects(&self) -> Objects {
        state(&self.address)
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract(
    #[values(Bucket::fake_s3(), Bucket::fake_cos(), Bucket::moto())] bucket: Bucket,
) {
    let bucket = Arc::new(bucket);
    let states = AtomicU64::new(0);
    let place = || {
        let number = states.fetch_add(1, Ordering::SeqCst);
        let bucket = Arc::clone(&bucket);
        Remote(Box::new(move || {
            let address = bucket.address.replacen("/a", &format!("/a{number}"), 1);
            Arc::new(state(&address))
        }))
    };
    holds_over(place).await;
    keeps_history(place).await;
}

#[tokio::test]
async fn a_record_is_one_object_and_the_newest_comes_first() {
    let fake = Fake::start();
    let log = s3(&fake);
    assert_eq!(log.head().await.unwrap(), None);
    assert_eq!(log.read().await.unwrap(), None);
    // A folder's marker, and what does not belong to the state.
    for other in [
        "states/a/",
        "states/a/!",
        "states/a/00000-1",
        "states/a/zzz",
        "states/ab/1",
    ] {
        fake.inside()
            .objects
            .insert(other.into(), (b"other".to_vec(), 0));
    }
    assert_eq!(log.head().await.unwrap(), None);
    assert_eq!(
        create(&log, &record(1, "a", Kind::Hold, 0, b"")).await,
        Created::Now
    );
    assert_eq!(
        create(&log, &record(1, "b", Kind::Hold, 0, b"")).await,
        Created::Taken
    );
    for number in 2..=12 {
        let record = record(number, "a", Kind::Beat, 0, b"");
        assert_eq!(create(&log, &record).await, Created::Now);
    }
    assert_eq!(log.head().await.unwrap().unwrap().number, 12);
    assert_eq!(log.read().await.unwrap().unwrap().head.number, 12);
    let names: Vec<_> = fake.inside().objects.keys().cloned().collect();
    assert!(
        names.contains(&"states/a/18446744073709551603-12".to_owned()),
        "{names:?}"
    );
}

#[tokio::test]
async fn conditions_and_the_hash_of_the_body_are_signed() {
    for (is_cos, condition) in [(false, "if-none-match"), (true, "x-cos-forbid-overwrite")] {
        let fake = Fake::start();
        let log = if is_cos { cos(&fake) } else { s3(&fake) };
        assert_eq!(
            create(&log, &record(1, "a", Kind::Hold, 0, b"")).await,
            Created::Now
        );
        assert_eq!(
            create(&log, &record(1, "b", Kind::Hold, 0, b"")).await,
            Created::Taken
        );
        let inside = fake.inside();
        for ((method, path, authorization), headers) in inside.requests.iter().zip(&inside.headers)
        {
            let (_, signed) = authorization.split_once("SignedHeaders=").unwrap();
            let signed: Vec<_> = signed.split(',').next().unwrap().split(';').collect();
            assert_eq!(
                signed.contains(&condition),
                *method == Method::PUT,
                "{path}"
            );
            for name in [
                "host",
                "x-amz-content-sha256",
                "x-amz-date",
                "x-amz-security-token",
            ] {
                assert!(signed.contains(&name), "{path}: {name}");
            }
            assert!(!path.contains("canary"), "{path}");
            assert_eq!(headers["x-amz-security-token"], "canary-token");
        }
        let asked = inside
            .requests
            .iter()
            .filter(|(_, path, _)| path.contains("versioning"))
            .count();
        assert_eq!(asked, usize::from(is_cos));
    }
}

#[tokio::test]
async fn a_state_of_many_records_is_read_whole() {
    let fake = Fake::start();
    let log = s3(&fake);
    let text = |number| format!("line {number}\n").into_bytes();
    let big = vec![b'x'; 100_000];
    create(&log, &record(1, "s", Kind::Snapshot, 1, &big)).await;
    create(&log, &record(2, "f", Kind::First, 1, b"first\n")).await;
    let name = |number| log.name(number);
    for number in 3..=1203 {
        let record = record(number, "n", Kind::Next, 1, &text(number));
        fake.inside()
            .objects
            .insert(name(number), (record.encode(), 0));
    }
    let contents = log.read().await.unwrap().unwrap();
    assert_eq!(contents.snapshot.unwrap(), big);
    let lines = String::from_utf8(contents.journal).unwrap();
    assert_eq!(lines.lines().count(), 1202);
    assert!(lines.ends_with("line 1202\nline 1203\n"));
    // A record in the middle is gone.
    fake.inside().objects.remove(&name(700));
    let error = log.read().await.unwrap_err();
    assert!(
        error.to_string().contains("its record 700 is missing"),
        "{error}"
    );
}

#[tokio::test]
async fn a_record_that_vanishes_after_its_list_is_listed_again() {
    let fake = Fake::start();
    let log = s3(&fake);
    create(&log, &record(1, "a", Kind::Snapshot, 1, b"old")).await;
    create(&log, &record(2, "b", Kind::Snapshot, 2, b"new")).await;
    let left = Arc::new(AtomicU64::new(1));
    fake.inside().instead = Some(Box::new(move |method, uri| {
        let is_record = *method == Method::GET && uri.path().ends_with("-2");
        let vanishes = is_record
            && left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                })
                .is_ok();
        vanishes.then(|| server::error(404, "NoSuchKey"))
    }));
    let contents = log.read().await.unwrap().unwrap();
    assert_eq!(contents.snapshot.unwrap(), b"new");
}

#[tokio::test]
async fn old_records_go_by_the_store_s_clock_and_snapshots_stay() {
    let fake = Fake::start();
    let log = s3(&fake);
    let start = fake.inside().clock;
    // 40 runs, ten minutes apart: a hold, a snapshot, a release.
    let mut number = 0;
    let mut since = 0;
    for run in 0..40 {
        fake.inside().clock = start + run * 600;
        for kind in [Kind::Hold, Kind::Snapshot, Kind::Release] {
            number += 1;
            if kind == Kind::Snapshot {
                since = number;
            }
            create(&log, &record(number, "x", kind, since, b"")).await;
        }
        prune(&log).await.unwrap();
    }
    let clock = fake.inside().clock;
    let left: Vec<(u64, i64)> = {
        let inside = fake.inside();
        let numbers = inside
            .objects
            .iter()
            .map(|(key, (_, at))| (log.number(key).unwrap(), clock - at));
        numbers.collect()
    };
    for number in 1..=120 {
        let run = (number - 1) / 3;
        let is_snapshot = number % 3 == 2;
        let is_young = (39 - run) * 600 <= 3600;
        let is_kept = is_snapshot && run >= 20;
        let is_left = left.iter().any(|(left, _)| *left == number);
        assert_eq!(
            is_left,
            is_young || is_kept || number > since,
            "record {number}"
        );
    }
    assert!(log.read().await.unwrap().is_some());
}

/// The number that it used next was another run's, and is free again.
#[tokio::test]
async fn who_slept_until_its_number_was_removed_is_told_that_it_is_taken() {
    let fake = Fake::start();
    let sleeper = s3(&fake);
    create(&sleeper, &record(1, "sleeper", Kind::Hold, 0, b"")).await;
    create(&sleeper, &record(2, "sleeper", Kind::Snapshot, 2, b"")).await;
    let start = fake.inside().clock;
    let other = s3(&fake);
    for (number, kind, since) in [
        (3, Kind::Hold, 2),
        (4, Kind::Snapshot, 4),
        (5, Kind::Release, 4),
    ] {
        let next = record(number, "other", kind, since, b"");
        assert_eq!(create(&other, &next).await, Created::Now);
    }
    for number in 6..30 {
        let next = record(number, "other", Kind::Snapshot, number, b"");
        assert_eq!(create(&other, &next).await, Created::Now);
    }
    fake.inside().clock = start + 7200;
    prune(&other).await.unwrap();
    let is_there = |number| {
        let name = sleeper.name(number);
        fake.inside().objects.keys().any(|key| key.ends_with(&name))
    };
    assert!(!is_there(3), "otherwise this tests nothing");
    let next = record(3, "sleeper", Kind::First, 2, b"a line");
    assert_eq!(create(&sleeper, &next).await, Created::Taken);
    // What it wrote is before the newest snapshot, and is not read.
    let read = s3(&fake).read().await.unwrap().unwrap();
    assert_eq!((read.head.number, read.journal), (29, Vec::new()));
    // Who slept and was not overtaken goes on.
    fake.inside().clock += 7200;
    let next = record(30, "other", Kind::Beat, 29, b"");
    assert_eq!(create(&other, &next).await, Created::Now);
}

#[tokio::test]
async fn one_writer_gets_each_number() {
    one_winner(Bucket::fake_s3()).await;
    one_winner(Bucket::fake_cos()).await;
    one_winner(Bucket::moto()).await;
}

/// Eight race for each of forty numbers.
async fn one_winner(bucket: Bucket) {
    let bucket = Arc::new(bucket);
    for number in 1..=40 {
        let races = (0..8).map(|racer| {
            let bucket = Arc::clone(&bucket);
            real_time().spawn(async move {
                let record = record(number, &format!("racer {racer}"), Kind::Hold, 0, b"");
                create(&bucket.objects(), &record).await
            })
        });
        let created = join_all(races).await;
        let winners = created
            .into_iter()
            .filter(|created| *created.as_ref().unwrap() == Created::Now)
            .count();
        assert_eq!(winners, 1, "record {number}");
    }
    let log = bucket.objects();
    assert_eq!(log.head().await.unwrap().unwrap().number, 40);
    assert_eq!(log.read().await.unwrap().unwrap().head.number, 40);
    prune(&log).await.unwrap();
}

#[tokio::test]
async fn a_store_that_ignores_conditions_can_t_hold_a_state() {
    let fake = Fake::start();
    fake.inside().ignores_conditions = true;
    let store = Store::in_log(Arc::new(s3(&fake)));
    let owner = LockOwner {
        id: "1".into(),
        who: "ci".into(),
        host: "runner-7".into(),
        pid: 1,
        command: "apply".into(),
        since: Timestamp(0),
        job_url: None,
    };
    let locked = store
        .lock(Environment::Test, &owner, Duration::ZERO, |_| ())
        .await;
    let error = locked.map(drop).unwrap_err();
    assert!(matches!(error, StateError::Unfenced { .. }), "{error}");
}
