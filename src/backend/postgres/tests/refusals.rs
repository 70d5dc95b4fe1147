//! What a server refuses, and how that is explained.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::super::{Options, open};
use super::server::{PASSWORD, Server, free_port, log_at, log_with, parse};
use super::{created, grow, next};
use crate::secret::Secret;
use crate::state::StateError;
use crate::state::contract::prune;
use crate::state::log::{Kind, Log, NotCreated};

/// Collects errors as they are shown, without what differs each time.
struct Said {
    text: String,
    replaced: Vec<(String, &'static str)>,
}

impl Said {
    fn new(server: &Server) -> Self {
        Self {
            text: String::new(),
            replaced: vec![
                (server.folder.path().display().to_string(), "/run/pg"),
                (format!("PGSQL.{}", server.port), "PGSQL.5432"),
                (format!(":{}", server.port), ""),
                (format!("&port={}", server.port), ""),
            ],
        }
    }

    fn note(&mut self, what: &str, error: &StateError) {
        let mut text = format!("{what}: {error}\n  {}", error.advice());
        for (from, to) in &self.replaced {
            text = text.replace(from, to);
        }
        assert!(!text.contains("canary"), "{text}");
        let _infallible = writeln!(self.text, "{text}");
    }

    async fn read(&mut self, what: &str, log: &dyn Log) {
        self.note(what, &log.head().await.unwrap_err());
        let error = log.read().await.unwrap_err();
        assert!(matches!(error, StateError::Remote { .. }), "{error}");
    }

    async fn write(&mut self, what: &str, log: &dyn Log) {
        let head = log.head().await.unwrap();
        let record = next(head.as_ref(), "w", Kind::Beat, b"");
        match log.create(&record).await {
            Err(NotCreated::Refused(error)) => self.note(what, &error),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn who_may_not_read_or_write_learns_what_to_do() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let mut said = Said::new(&server);
    server
        .sql("CREATE ROLE ann LOGIN; CREATE ROLE reader LOGIN; REVOKE CONNECT ON DATABASE template1 FROM public")
        .await;
    let ann = log_at(&server.socket("ann", "prod"));
    let reader = log_at(&server.socket("reader", "prod"));
    // Reading makes nothing.
    assert_eq!(reader.head().await.unwrap(), None);
    assert_eq!(reader.read().await.unwrap(), None);
    said.write("no schema", &*ann).await;
    server.sql("CREATE SCHEMA ess_callbacks").await;
    // Nor without a right in the schema.
    assert_eq!(reader.head().await.unwrap(), None);
    assert_eq!(reader.read().await.unwrap(), None);
    said.write("no table", &*ann).await;
    server
        .sql("GRANT USAGE, CREATE ON SCHEMA ess_callbacks TO ann")
        .await;
    grow(&*ann, &[Kind::Snapshot, Kind::First]).await;
    said.read("no right to read", &*reader).await;
    server
        .sql(
            "GRANT USAGE ON SCHEMA ess_callbacks TO reader; GRANT SELECT ON ess_callbacks.records TO reader",
        )
        .await;
    let contents = reader.read().await.unwrap().unwrap();
    assert_eq!(contents.head, ann.head().await.unwrap().unwrap());
    said.write("no right to write", &*reader).await;
    let error = prune(&*reader).await.unwrap_err();
    said.note("no right to remove", &error);
    server
        .sql("ALTER ROLE ann SET default_transaction_read_only = on")
        .await;
    said.write("read-only", &*log_at(&server.socket("ann", "prod")))
        .await;
    let address = server.socket("ann", "prod");
    let other = address.replace("/postgres?", "/template1?");
    said.read("no right to connect", &*log_at(&other)).await;
    server
        .sql("CREATE SCHEMA other; CREATE TABLE other.records (name text, number bigint, header int); GRANT USAGE ON SCHEMA other TO ann; GRANT ALL ON other.records TO ann; INSERT INTO other.records VALUES ('prod', 1, 1)")
        .await;
    let other = format!("{address}&schema=other");
    said.read("another table", &*log_at(&other)).await;
    insta::assert_snapshot!(said.text);
}

#[tokio::test]
async fn a_server_that_can_t_be_used_is_explained() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let mut said = Said::new(&server);
    let address = server.address("postgres?name=prod");
    // It is there.
    let log = log_with(&address, Some(PASSWORD));
    grow(&*log, &[Kind::Snapshot]).await;
    let wrong = log_with(&address, Some("canary-wrong"));
    said.read("wrong password", &*wrong).await;
    said.read("no password", &*log_at(&address)).await;
    let unknown = server.address("nowhere?name=prod");
    said.read("no database", &*log_with(&unknown, Some(PASSWORD)))
        .await;
    let other = format!("postgres://boss@127.0.0.1:{}/postgres?name=p", free_port());
    let other = log_with(&other, Some(PASSWORD));
    let error = other.head().await.unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
    let moved = server
        .socket("boss", "prod")
        .replace(&format!("port={}", server.port), "port=1");
    said.read("no socket", &*log_at(&moved)).await;
    let unknown = "postgres://boss@no-host.invalid/postgres?name=prod&sslmode=disable";
    let error = log_at(unknown).head().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the host `no-host.invalid` can't be resolved"),
        "{error}"
    );
    let plain = format!("{address}&sslmode=require");
    said.read("no TLS", &*log_with(&plain, Some(PASSWORD)))
        .await;
    // The password file is read, if no one else can read it.
    let file = server.file(
        "pgpass",
        format!("127.0.0.1:*:postgres:boss:{PASSWORD}\n").as_bytes(),
    );
    let with_file = |user| {
        open(Options {
            address: parse(&address.replace("boss@", &format!("{user}@"))),
            user: None,
            password: None,
            password_file: Some(file.clone()),
            extra_roots: None,
        })
        .unwrap()
    };
    assert!(with_file("boss").head().await.unwrap().is_some());
    said.read("not in the password file", &*with_file("ann"))
        .await;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    said.read("public password file", &*with_file("boss")).await;
    insta::assert_snapshot!(said.text);
}

#[test]
fn without_a_user_nothing_is_tried() {
    let options = |user: Option<&str>, rest: &str| Options {
        address: parse(&format!("postgres://db.example/e?name=p{rest}")),
        user: user.map(Into::into),
        password: Some(Secret::new("canary")),
        password_file: None,
        extra_roots: None,
    };
    let error = open(options(None, "")).unwrap_err();
    assert!(error.to_string().contains("no user"), "{error}");
    let error = open(options(Some("ann"), "&sslrootcert=/nowhere.pem")).unwrap_err();
    assert!(error.to_string().contains("`/nowhere.pem`"), "{error}");
    let log = open(options(Some("ann"), "")).unwrap();
    assert!(!format!("{log:?}").contains("canary"));
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "Test Authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn the_server_has_to_prove_who_it_is() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let (root, foreign) = (authority(), authority());
    let root_file = server.file("root.pem", root.pem().as_bytes());
    let foreign_file = server.file("foreign.pem", foreign.pem().as_bytes());
    let restart = |expired: bool| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        if expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &root).unwrap();
        let chain = server.file("chain.pem", certificate.pem().as_bytes());
        let key = server.file("key.pem", key.serialize_pem().as_bytes());
        server.kill();
        server.run(&[
            "ssl=on",
            &format!("ssl_cert_file={}", chain.display()),
            &format!("ssl_key_file={}", key.display()),
        ]);
    };
    let log = |host: &str, rest: &str| {
        let address = format!(
            "postgres://boss@{host}:{}/postgres?name=tls{rest}",
            server.port
        );
        log_with(&address, Some(PASSWORD))
    };
    let trusting =
        |file: &std::path::Path| format!("&sslmode=verify-full&sslrootcert={}", file.display());
    let refused = async |log: Arc<dyn Log>, words: &str| {
        let error = log.head().await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    restart(false);
    let good = log("localhost", &trusting(&root_file));
    grow(&*good, &[Kind::Snapshot]).await;
    let encrypted = "SELECT count(*) FROM pg_catalog.pg_stat_ssl WHERE ssl";
    assert_eq!(server.one(encrypted).await, 1);
    // Encrypted, by whatever certificate.
    for mode in ["&sslmode=require", "&sslmode=prefer"] {
        assert!(log("127.0.0.1", mode).head().await.unwrap().is_some());
    }
    refused(log("127.0.0.1", &trusting(&root_file)), "for another host").await;
    refused(
        log("localhost", &trusting(&foreign_file)),
        "not from a trusted authority",
    )
    .await;
    let none = server.file("none.pem", b"");
    refused(log("localhost", &trusting(&none)), "there is none in it").await;
    // The authority may be given by `--ca-file` as well.
    let by_file = open(Options {
        address: parse(&format!(
            "postgres://boss@localhost:{}/postgres?name=tls&sslmode=verify-full",
            server.port
        )),
        user: None,
        password: Some(Secret::new(PASSWORD)),
        password_file: None,
        extra_roots: Some(crate::client::ExtraRoots {
            file: "root.pem".into(),
            pem: root.pem().into_bytes(),
        }),
    })
    .unwrap();
    let head = by_file.head().await.unwrap();
    assert!(created(&*by_file, &next(head.as_ref(), "x", Kind::Beat, b"")).await);
    restart(true);
    refused(log("localhost", &trusting(&root_file)), "has expired").await;
}
