//! Against Ceph, which checks signatures and creates an object once, where it is installed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::*;

/// Where Debian's package has the gateway.
const GATEWAY: &str = "/usr/bin/radosgw";

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Starts it once for all tests. Its input ends with this process, and it with its input.
fn origin() -> Option<&'static str> {
    static RUNNING: OnceLock<(Child, String)> = OnceLock::new();
    if !Path::new(GATEWAY).exists() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI needs {GATEWAY}; tests/external/objects/run.sh installs it"
        );
        let skipped = format!("SKIPPED: no {GATEWAY}; tests/external/objects/run.sh installs it\n");
        std::io::stderr().write_all(skipped.as_bytes()).ok();
        return None;
    }
    let (_, origin) = RUNNING.get_or_init(|| {
        let script = "/tests/external/objects/ceph.sh";
        let mut child = Command::new(format!("{}{script}", env!("CARGO_MANIFEST_DIR")))
            .args([free_port(), free_port()].map(|port| port.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.find_map(|line| Some(line.ok()?.strip_prefix("Running on ")?.to_owned()));
        (child, ready.expect("it says where it listens"))
    });
    Some(origin)
}

fn objects(address: &str, secret_id: &str, secret_key: &str) -> Objects {
    let variables = [
        ("AWS_ACCESS_KEY_ID", secret_id),
        ("AWS_SECRET_ACCESS_KEY", secret_key),
    ];
    let mut machine = machine(&variables, Path::new("/nonexistent"));
    machine.clock = Arc::new(|| Timestamp(jiff::Timestamp::now().as_second()));
    Objects::new(Options {
        address: address.to_owned(),
        machine,
        extra_roots: None,
    })
    .unwrap()
}

fn known(address: &str) -> Objects {
    objects(address, "AKIDTEST", "canary-secret")
}

/// The address of a key in a new bucket.
async fn bucket(name: &str) -> Option<impl Fn(&str) -> String + Send + Sync + use<>> {
    let origin = origin()?;
    let bucket = name.to_owned();
    let address = move |key: &str| format!("s3://{bucket}/{}?endpoint={origin}", encode_path(key));
    let log = known(&address("x"));
    let request = Request {
        method: Method::PUT,
        ..log.of_bucket(String::new())
    };
    let (answer, _) = log.sender.send(&request).await.ok().expect("an answer");
    assert_eq!(answer.status, 200);
    Some(address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract() {
    let Some(address) = bucket("contract").await else {
        return;
    };
    let states = AtomicU64::new(0);
    let place = || {
        let address = address(&states.fetch_add(1, Ordering::SeqCst).to_string());
        Remote(Box::new(move || Arc::new(known(&address))))
    };
    holds_over(place).await;
    keeps_history(place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_is_signed_as_it_computes_it() {
    let Some(address) = bucket("signed").await else {
        return;
    };
    for key in [
        "a b/c  d",
        "a+b=c&d",
        "50%/%20/%2F",
        "a..b/.c/d.",
        "电子签/状态é",
        "(a)*!'~$@:;,#?[]",
    ] {
        let log = known(&address(key));
        let record = record(1, "a", Kind::Hold, 0, b"");
        assert_eq!(create(&log, &record).await, Created::Now, "{key}");
        assert_eq!(create(&log, &record).await, Created::Taken, "{key}");
        assert_eq!(log.head().await.unwrap().unwrap(), record.header, "{key}");
        assert_eq!(log.read().await.unwrap().unwrap().head.number, 1, "{key}");
        let request = log.request(Method::DELETE, 1);
        let (answer, _) = log.sender.send(&request).await.ok().expect("an answer");
        assert_eq!(answer.status, 204, "{key}");
        assert_eq!(log.head().await.unwrap(), None, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_told_apart() {
    let Some(address) = bucket("refused").await else {
        return;
    };
    let address = address("a");
    let mut skewed = known(&address);
    skewed.sender.clock = Arc::new(|| Timestamp(1_000_000_000));
    for (log, code, meaning) in [
        (
            objects(&address, "AKIDTEST", "canary-other"),
            "SignatureDoesNotMatch",
            "the secret key does not belong to the access key `AKIDTEST`",
        ),
        (
            objects(&address, "AKIDNONE", "canary-secret"),
            "InvalidAccessKeyId",
            "the store does not know the access key `AKIDNONE`",
        ),
        (skewed, "RequestTimeTooSkewed", "the clock of this machine"),
    ] {
        let record = record(1, "a", Kind::Hold, 0, b"");
        let NotCreated::Refused(written) = log.create(&record).await.unwrap_err() else {
            panic!("{code}");
        };
        for error in [log.head().await.unwrap_err(), written] {
            let text = error.to_string();
            assert!(text.contains(code) && text.contains(meaning), "{text}");
            assert!(!text.contains("canary"), "{text}");
        }
    }
    assert_eq!(known(&address).head().await.unwrap(), None);
}

/// Eight race for each of forty numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_writer_gets_each_number() {
    let Some(address) = bucket("race").await else {
        return;
    };
    let address = address("a");
    for number in 1..=40 {
        let races = (0..8).map(|racer| {
            let log = known(&address);
            tokio::spawn(async move {
                let record = record(number, &format!("racer {racer}"), Kind::Hold, 0, b"");
                create(&log, &record).await
            })
        });
        let created = join_all(races).await;
        let won = created
            .iter()
            .filter(|created| *created.as_ref().unwrap() == Created::Now);
        assert_eq!(won.count(), 1, "record {number}");
    }
    assert_eq!(known(&address).head().await.unwrap().unwrap().number, 40);
}
