//! Against a server of our own that answers as GitLab or as Gitea does.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rstest::rstest;
use serde_json::json;

use super::{Address, Options, open};
use crate::model::Environment;
use crate::secret::Secret;
use crate::state::contract::{Remote, holds_over};
use crate::state::log::{Created, Kind, Log, NotCreated, Record};
use crate::state::testing::{ADD, intent, lock};
use crate::state::{ErrorKind, StateError, Store};
use crate::testing::{Flavour, TerraformServer};

fn log_of(server: &TerraformServer, name: &str, user: Option<(&str, &str)>) -> Arc<dyn Log> {
    open(Options {
        address: Address::parse(server.url(name).parse().unwrap()).unwrap(),
        user: user.map(|(name, password)| (name.to_owned(), Secret::new(password))),
        extra_roots: None,
    })
    .unwrap()
}

fn log(server: &TerraformServer, name: &str) -> Arc<dyn Log> {
    log_of(
        server,
        name,
        Some((TerraformServer::USER, TerraformServer::PASSWORD)),
    )
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract(#[values(Flavour::GitLab, Flavour::Gitea)] flavour: Flavour) {
    let server = Arc::new(TerraformServer::start(flavour).await.unwrap());
    let names = AtomicU32::new(0);
    holds_over(|| {
        let name = format!("s{}", names.fetch_add(1, Ordering::Relaxed));
        let server = Arc::clone(&server);
        Remote(Box::new(move || log(&server, &name)))
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn a_run_leaves_a_state_that_terraform_reads(
    #[values(Flavour::GitLab, Flavour::Gitea)] flavour: Flavour,
) {
    let server = TerraformServer::start(flavour).await.unwrap();
    let store = Store::in_log(log(&server, "prod"));
    let locked = lock(&store).await.unwrap();
    locked.record_intents(vec![intent(1, ADD)]).await.unwrap();
    locked.save().await.unwrap();
    locked.release().await.unwrap();
    assert_eq!(store.read(Environment::Test).await.unwrap().len(), 1);
    let documents = server.documents("prod");
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
    let server = TerraformServer::start(Flavour::Careless).await.unwrap();
    let error = lock(&Store::in_log(log(&server, "prod")))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("accepted a second record"),
        "{error}"
    );
}

/// One record of each writer has the number 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_one_wins() {
    let server = TerraformServer::start(Flavour::GitLab).await.unwrap();
    for round in 0..20 {
        let name = format!("race{round}");
        let writers = (0..8).map(|writer| {
            let log = log(&server, &name);
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
    let server = TerraformServer::start(Flavour::GitLab).await.unwrap();
    let store = Store::in_log(log(&server, "prod"));
    let locked = lock(&store).await.unwrap();
    // Carried out, though the gateway says otherwise; then not carried out.
    let lost = [502, 429, 200]
        .into_iter()
        .zip([true, false].into_iter().cycle());
    let lost = lost.chain([(502, false), (429, true), (200, true)]);
    for (number, (status, carries_out)) in lost.enumerate() {
        server.answer(1, status, "<html>", carries_out);
        locked
            .record_intents(vec![intent(number, ADD)])
            .await
            .unwrap();
    }
    locked.release().await.unwrap();
    assert_eq!(store.read(Environment::Test).await.unwrap().len(), 6);
    let numbers: Vec<_> = server.documents("prod").keys().copied().collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_terraform_writes_ends_a_run() {
    let server = TerraformServer::start(Flavour::GitLab).await.unwrap();
    let log = log(&server, "prod");
    let first = Record::after(None, ("a".into(), Kind::Hold), Vec::new(), None);
    assert_eq!(log.create(&first).await.unwrap(), Created::Now);
    let mut document = server.documents("prod").remove(&1).unwrap();
    document["serial"] = json!(2);
    document.as_object_mut().unwrap().remove("ess_callbacks");
    let written = reqwest::Client::new()
        .post(server.url("prod"))
        .basic_auth(TerraformServer::USER, Some(TerraformServer::PASSWORD))
        .body(document.to_string());
    assert_eq!(written.send().await.unwrap().status(), 200);
    let head = Some(&first.header);
    let record = Record::after(head, ("b".into(), Kind::Beat), Vec::new(), None);
    // Not tried again: it would be the same.
    let NotCreated::Refused(error) = log.create(&record).await.unwrap_err() else {
        panic!("it is refused for good");
    };
    assert!(
        error
            .to_string()
            .ends_with("a state of Terraform is stored there"),
        "{error}"
    );
}

#[tokio::test]
async fn what_the_server_says_is_explained() {
    let server = TerraformServer::start(Flavour::GitLab).await.unwrap();
    let anonymous = Store::in_log(log_of(&server, "prod", None));
    let mut said = String::new();
    let mut note = |what: &str, error: StateError| {
        let text = format!("{error}\n  {}", error.advice());
        let text = text.replace(&server.url(""), "https://git.example/state/");
        assert!(!text.contains("canary"), "{text}");
        let _infallible = writeln!(said, "{what}: {text}");
    };
    note("no user", anonymous.peek().await.unwrap_err());
    let store = Store::in_log(log(&server, "prod"));
    for (status, body) in [
        (403, r#"{"message":"403 Forbidden"}"#),
        (404, r#"{"message":"404 Project Not Found"}"#),
        (302, ""),
        (200, "<html>a page</html>"),
        (
            200,
            r#"{"version":4,"terraform_version":"1.9","serial":3,"lineage":"x","outputs":{},"resources":[]}"#,
        ),
    ] {
        server.answer(1, status, body, false);
        note(&status.to_string(), store.peek().await.unwrap_err());
    }
    for flavour in [Flavour::GitLab, Flavour::Gitea] {
        let server = TerraformServer::start(flavour).await.unwrap();
        let log = log(&server, "prod");
        server.lock("prod", json!({"ID": "11-22", "Who": "ann@laptop"}));
        let record = Record::after(None, ("x".into(), Kind::Hold), Vec::new(), None);
        let error = match (log.create(&record).await.unwrap_err(), flavour) {
            // It may be something else, which passes.
            (NotCreated::Unclear(error), Flavour::GitLab)
            | (NotCreated::Refused(error), Flavour::Gitea) => error,
            (other, _) => panic!("{other:?}"),
        };
        assert_eq!(error.kind(), ErrorKind::Io);
        let text = format!("{error}\n  {}", error.advice());
        let text = text.replace(&server.url(""), "https://git.example/state/");
        let _infallible = writeln!(said, "locked, {flavour:?}: {text}");
    }
    insta::assert_snapshot!(said);
}

#[rstest]
#[case("https://ann:pw@git.example/state/x")]
#[case("http://git.example/state/x")]
#[case("https://git.example/")]
#[case("https://git.example/state/x#y")]
#[case("https://git.example/state/x?private_token=pw")]
fn an_address_that_can_t_work_is_refused(#[case] text: &str) {
    let problem = Address::parse(text.parse().unwrap()).unwrap_err();
    assert!(!problem.contains("pw"), "{problem}");
}
