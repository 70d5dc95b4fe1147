//! Against a server of our own that answers as GitLab or as Gitea does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use rstest::rstest;
use serde_json::{Value, json};
use url::Url;

use super::{Address, Options, open};
use crate::model::Environment;
use crate::secret::Secret;
use crate::state::contract::{Remote, holds_over};
use crate::state::log::{Created, Kind, Log, NotCreated, Record};
use crate::state::testing::{ADD, intent, lock};
use crate::state::{ErrorKind, Store};

/// Whose answers it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    GitLab,
    Gitea,
    /// Takes every document, like a server made for one user.
    Anything,
}

/// A server on a port of this machine, until it is dropped.
struct Server {
    url: Url,
    shared: Arc<Shared>,
}

struct Shared {
    flavour: Flavour,
    states: Mutex<BTreeMap<String, Versions>>,
    /// What it answers instead, so often.
    instead: Mutex<Option<(u32, StatusCode, String)>>,
    /// Whether a request that is answered otherwise takes effect.
    carries_out: Mutex<bool>,
    requests: AtomicU32,
}

#[derive(Default)]
struct Versions {
    documents: BTreeMap<u64, Value>,
    lock: Option<Value>,
}

impl Server {
    async fn start(flavour: Flavour) -> Self {
        let shared = Arc::new(Shared {
            flavour,
            states: Mutex::default(),
            instead: Mutex::default(),
            carries_out: Mutex::new(false),
            requests: AtomicU32::new(0),
        });
        let router = Router::new()
            .route("/state/{name}", get(read).post(write))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/state/", listener.local_addr().unwrap());
        drop(tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        }));
        Self {
            url: url.parse().unwrap(),
            shared,
        }
    }

    fn log(&self, name: &str) -> Arc<dyn Log> {
        self.log_of(name, Some(("ann".into(), Secret::new("canary-password"))))
    }

    fn log_of(&self, name: &str, user: Option<(String, Secret)>) -> Arc<dyn Log> {
        open(Options {
            address: Address::parse(self.url.join(name).unwrap()).unwrap(),
            user,
            extra_roots: None,
        })
        .unwrap()
    }

    fn answer(&self, times: u32, status: StatusCode, body: &str, carries_out: bool) {
        *self.shared.instead.lock().unwrap() = Some((times, status, body.into()));
        *self.shared.carries_out.lock().unwrap() = carries_out;
    }
}

impl Shared {
    fn instead(&self) -> Option<(StatusCode, String)> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut instead = self.instead.lock().unwrap();
        let (times, status, body) = instead.as_mut()?;
        *times = times.checked_sub(1)?;
        Some((*status, body.clone()))
    }
}

fn is_ann(headers: &HeaderMap) -> bool {
    let expected = "Basic YW5uOmNhbmFyeS1wYXNzd29yZA==";
    headers
        .get("authorization")
        .is_some_and(|value| value == expected)
}

async fn read(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, String) {
    if let Some(instead) = shared.instead() {
        return instead;
    }
    if !is_ann(&headers) {
        return (
            StatusCode::UNAUTHORIZED,
            r#"{"message":"401 Unauthorized"}"#.into(),
        );
    }
    let states = shared.states.lock().unwrap();
    match states
        .get(&name)
        .and_then(|versions| versions.documents.values().next_back())
    {
        Some(document) => (StatusCode::OK, document.to_string()),
        None => (
            StatusCode::NOT_FOUND,
            r#"{"message":"404 Not Found"}"#.into(),
        ),
    }
}

async fn write(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    if let Some(instead) = shared.instead() {
        if *shared.carries_out.lock().unwrap() {
            accept(&shared, &name, &body);
        }
        return instead;
    }
    if !is_ann(&headers) {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    accept(&shared, &name, &body)
}

fn accept(shared: &Shared, name: &str, body: &[u8]) -> (StatusCode, String) {
    let document: Value = serde_json::from_slice(body).unwrap();
    let valid = document["version"] == 4
        && document["terraform_version"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
        && document["lineage"]
            .as_str()
            .is_some_and(|text| text.len() == 36)
        && document["resources"].is_array()
        && document["outputs"].is_object();
    assert!(valid, "{document}");
    let serial = document["serial"]
        .as_u64()
        .filter(|serial| *serial >= 1)
        .unwrap();
    let mut states = shared.states.lock().unwrap();
    let versions = states.entry(name.into()).or_default();
    if let Some(lock) = &versions.lock {
        return match shared.flavour {
            Flavour::GitLab => (StatusCode::CONFLICT, lock.to_string()),
            Flavour::Gitea | Flavour::Anything => (StatusCode::LOCKED, lock.to_string()),
        };
    }
    if versions.documents.contains_key(&serial) && shared.flavour != Flavour::Anything {
        return match shared.flavour {
            Flavour::GitLab => (
                StatusCode::UNPROCESSABLE_ENTITY,
                r#"{"message":{"version":["has already been taken"]}}"#.into(),
            ),
            Flavour::Gitea | Flavour::Anything => (StatusCode::CONFLICT, "exists".into()),
        };
    }
    versions.documents.insert(serial, document);
    let status = match shared.flavour {
        Flavour::GitLab | Flavour::Anything => StatusCode::OK,
        Flavour::Gitea => StatusCode::CREATED,
    };
    (status, String::new())
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract(#[values(Flavour::GitLab, Flavour::Gitea)] flavour: Flavour) {
    let server = Arc::new(Server::start(flavour).await);
    let names = AtomicU32::new(0);
    holds_over(|| {
        let name = format!("s{}", names.fetch_add(1, Ordering::Relaxed));
        let server = Arc::clone(&server);
        Remote(Box::new(move || server.log(&name)))
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn a_run_leaves_a_state_that_terraform_reads(
    #[values(Flavour::GitLab, Flavour::Gitea)] flavour: Flavour,
) {
    let server = Server::start(flavour).await;
    let store = Store::in_log(server.log("prod"));
    let locked = lock(&store).await.unwrap();
    locked.record_intents(vec![intent(1, ADD)]).await.unwrap();
    locked.save().await.unwrap();
    locked.release().await.unwrap();
    assert_eq!(store.read(Environment::Test).await.unwrap().len(), 1);
    let states = server.shared.states.lock().unwrap();
    let documents = &states["prod"].documents;
    assert_eq!(
        documents.keys().copied().collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    let lineages: Vec<_> = documents
        .values()
        .map(|document| &document["lineage"])
        .collect();
    assert!(lineages.iter().all(|lineage| *lineage == lineages[0]));
    let last = &documents[&5]["ess_callbacks"];
    assert_eq!(last["header"]["kind"], json!("release"));
    assert!(last["snapshot"].as_str().unwrap().contains("h.example/1"));
    assert_eq!(last.get("journal"), None);
}

#[tokio::test]
async fn a_server_that_takes_a_serial_twice_is_refused() {
    let server = Server::start(Flavour::Anything).await;
    let error = lock(&Store::in_log(server.log("prod"))).await.unwrap_err();
    assert!(
        error.to_string().contains("accepted a second record"),
        "{error}"
    );
}

/// One record of each writer has the number 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_one_wins() {
    let server = Server::start(Flavour::GitLab).await;
    for round in 0..20 {
        let name = format!("race{round}");
        let writers = (0..8).map(|writer| {
            let log = server.log(&name);
            let record = Record::after(None, (format!("w{writer}"), Kind::Hold), Vec::new(), None);
            tokio::spawn(async move { log.create(&record).await.unwrap() })
        });
        let mut won = 0;
        for writer in writers.collect::<Vec<_>>() {
            won += u32::from(writer.await.unwrap() == Created::Now);
        }
        assert_eq!(won, 1);
    }
}

#[tokio::test]
async fn a_write_without_an_answer_is_looked_for() {
    let server = Server::start(Flavour::GitLab).await;
    let store = Store::in_log(server.log("prod"));
    let locked = lock(&store).await.unwrap();
    // Carried out, though the gateway says otherwise; then not carried out.
    for carries_out in [true, false] {
        server.answer(1, StatusCode::BAD_GATEWAY, "<html>", carries_out);
        let number = usize::from(carries_out);
        locked
            .record_intents(vec![intent(number, ADD)])
            .await
            .unwrap();
    }
    locked.release().await.unwrap();
    assert_eq!(store.read(Environment::Test).await.unwrap().len(), 2);
    let states = server.shared.states.lock().unwrap();
    let numbers: Vec<_> = states["prod"].documents.keys().copied().collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_the_server_says_is_explained() {
    let server = Server::start(Flavour::GitLab).await;
    let nobody = Store::in_log(server.log_of("prod", None));
    let mut said = String::new();
    let mut note = |what: &str, error: crate::state::StateError| {
        let text = format!("{error}\n  {}", error.advice());
        let text = text.replace(server.url.as_str(), "https://git.example/state/");
        assert!(!text.contains("canary"), "{text}");
        said.push_str(&format!("{what}: {text}\n"));
    };
    note("no user", nobody.peek().await.unwrap_err());
    let store = Store::in_log(server.log("prod"));
    for (status, body) in [
        (StatusCode::FORBIDDEN, r#"{"message":"403 Forbidden"}"#),
        (
            StatusCode::NOT_FOUND,
            r#"{"message":"404 Project Not Found"}"#,
        ),
        (StatusCode::FOUND, ""),
        (StatusCode::OK, "<html>a page</html>"),
        (
            StatusCode::OK,
            r#"{"version":4,"terraform_version":"1.9","serial":3,"lineage":"x","outputs":{},"resources":[]}"#,
        ),
    ] {
        server.answer(1, status, body, false);
        note(status.as_str(), store.peek().await.unwrap_err());
    }
    drop(lock(&store).await.unwrap());
    let lock = json!({"ID": "11-22", "Who": "ann@laptop", "Operation": "apply"});
    server
        .shared
        .states
        .lock()
        .unwrap()
        .get_mut("prod")
        .unwrap()
        .lock = Some(lock);
    let record = {
        let log = server.log("prod");
        let head = log.head().await.unwrap();
        let record = Record::after(head.as_ref(), ("x".into(), Kind::Hold), Vec::new(), None);
        match log.create(&record).await.unwrap_err() {
            NotCreated::Refused(error) => error,
            NotCreated::Unclear(error) => panic!("{error}"),
        }
    };
    assert_eq!(record.kind(), ErrorKind::Io);
    note("locked", record);
    insta::assert_snapshot!(said);
}

#[rstest]
#[case("https://ann:pw@git.example/state/x")]
#[case("http://git.example/state/x")]
#[case("https://git.example/")]
#[case("https://git.example/state/x#y")]
fn an_address_that_can_t_work_is_refused(#[case] text: &str) {
    let problem = Address::parse(text.parse().unwrap()).unwrap_err();
    assert!(!problem.contains("pw"), "{problem}");
}
