//! The backend against a real server.

mod outages;
mod refusals;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rstest::rstest;
use tokio::sync::Barrier;

use self::server::{Server, free_port, log_at, wait_for};
use crate::model::Environment;
use crate::state::contract::{Remote, holds_over, keeps_history, prune};
use crate::state::log::{Created, Header, KEPT, Kind, Log, NotCreated, Record};
use crate::state::testing::{ADD, intent, lock};
use crate::state::{StateError, Store};

/// The record after this one.
fn next(head: Option<&Header>, id: &str, kind: Kind, payload: &[u8]) -> Record {
    Record::after(head, (id.into(), kind), payload.to_vec(), None)
}

/// Creates records of these kinds, and gives the last one.
async fn grow(log: &dyn Log, kinds: &[Kind]) -> Header {
    let mut head = log.head().await.unwrap();
    for (number, kind) in kinds.iter().enumerate() {
        let record = next(head.as_ref(), &format!("g{number}"), *kind, b"x");
        assert_eq!(log.create(&record).await.unwrap(), Created::Now);
        head = Some(record.header);
    }
    head.unwrap()
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let names = AtomicU32::new(0);
    let place = || {
        let name = format!("s{}", names.fetch_add(1, Ordering::Relaxed));
        let server = Arc::clone(&server);
        Remote(Box::new(move || server.log(&name)))
    };
    holds_over(place).await;
    keeps_history(place).await;
}

/// Tries to create a record as the engine does: what is unclear is looked up, and sent again.
async fn created(log: &dyn Log, record: &Record) -> bool {
    loop {
        let unclear = match log.create(record).await {
            Ok(Created::Now) => return true,
            Ok(Created::Taken) => false,
            Err(NotCreated::Unclear(_)) => true,
            Err(NotCreated::Refused(error)) => panic!("{error}"),
        };
        let head = log.head().await.unwrap();
        let head = head.filter(|head| head.number >= record.header.number);
        match head {
            Some(head) => return head.id == record.header.id,
            None => assert!(unclear, "taken, and not there"),
        }
    }
}

/// The first round also makes the schema and the table, eight times at once.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_one_creates_a_record(
    #[values("read committed", "repeatable read", "serializable")] isolation: &str,
) {
    const WRITERS: usize = 8;
    const ROUNDS: u64 = 40;
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let sql = format!("ALTER DATABASE postgres SET default_transaction_isolation = '{isolation}'");
    server.sql(&sql).await;
    let barrier = Arc::new(Barrier::new(WRITERS));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (log, barrier) = (server.log("race"), Arc::clone(&barrier));
            tokio::spawn(async move {
                let mut won = 0;
                for round in 0..ROUNDS {
                    let head = log.head().await.unwrap();
                    assert_eq!(head.as_ref().map_or(0, |head| head.number), round);
                    let record = next(
                        head.as_ref(),
                        &format!("{writer}.{round}"),
                        Kind::Snapshot,
                        b"x",
                    );
                    barrier.wait().await;
                    won += u64::from(created(&*log, &record).await);
                    barrier.wait().await;
                }
                won
            })
        })
        .collect();
    let mut won = 0;
    for writer in writers {
        won += writer.await.unwrap();
    }
    assert_eq!(won, ROUNDS);
}

#[tokio::test]
async fn a_run_is_recorded_and_read_by_others() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let store = Store::in_log(server.log("prod"));
    let locked = lock(&store).await.unwrap();
    locked.record_intents(vec![intent(1, ADD)]).await.unwrap();
    locked.release().await.unwrap();
    let other = Store::in_log(server.log("other"));
    assert!(other.peek().await.unwrap().is_none(), "names are separate");
    let seen = Store::in_log(server.log("prod")).peek().await.unwrap();
    assert_eq!(seen.unwrap().environment, Environment::Test);
}

/// What is written is what is read, however large, and with every byte.
#[tokio::test]
async fn a_large_state_comes_back_as_it_was() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let log = server.log("large");
    let payload: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let record = next(None, "执行 \u{1f511}", Kind::Snapshot, &payload);
    assert_eq!(log.create(&record).await.unwrap(), Created::Now);
    assert_eq!(log.create(&record).await.unwrap(), Created::Taken);
    let contents = server.log("large").read().await.unwrap().unwrap();
    assert_eq!(contents.head, record.header);
    assert_eq!(contents.snapshot, Some(payload));
}

#[tokio::test]
async fn old_records_are_removed_by_the_clock_of_the_server() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let log = server.log("old");
    // Nothing to do, and no table.
    prune(&*log).await.unwrap();
    for _ in 0..KEPT + 2 {
        grow(&*log, &[Kind::Hold, Kind::Snapshot, Kind::First]).await;
    }
    let head = grow(&*log, &[Kind::Next]).await;
    let count = async || {
        server
            .one("SELECT count(*) FROM ess_callbacks.records")
            .await
    };
    let all = count().await;
    prune(&*log).await.unwrap();
    assert_eq!(count().await, all, "none is an hour old");
    let age = |age: &str| {
        format!("UPDATE ess_callbacks.records SET written_at = now() - interval '{age}'")
    };
    server.sql(&age("59 minutes")).await;
    prune(&*log).await.unwrap();
    assert_eq!(count().await, all);
    server.sql(&age("61 minutes")).await;
    prune(&*log).await.unwrap();
    // Of the older ones the snapshots, and all that continue the newest.
    assert_eq!(count().await, i64::try_from(KEPT).unwrap() + 2);
    assert_eq!(log.head().await.unwrap(), Some(head.clone()));
    assert_eq!(log.read().await.unwrap().unwrap().head, head);
    // A number that was removed is not used again.
    let late = next(None, "late", Kind::Hold, b"");
    assert_eq!(log.create(&late).await.unwrap(), Created::Taken);
}

/// After a fail-over to a replica that was behind.
#[tokio::test]
async fn lost_records_are_noticed() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let log = server.log("lost");
    let head = grow(&*log, &[Kind::Snapshot, Kind::Beat, Kind::Beat]).await;
    server
        .sql("DELETE FROM ess_callbacks.records WHERE number > 1")
        .await;
    let record = next(Some(&head), "x", Kind::Beat, b"");
    let Err(NotCreated::Refused(error)) = log.create(&record).await else {
        panic!("it was written over a gap");
    };
    assert!(matches!(error, StateError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("lost records"), "{error}");
}

/// In this mode each transaction may get another session, with what others left in it.
#[tokio::test]
async fn a_pool_in_transaction_mode_serves() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let programs = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(std::path::Path::new);
    let Some(program) = programs.into_iter().find(|program| program.exists()) else {
        assert!(std::env::var_os("CI").is_none(), "CI has PgBouncer");
        return;
    };
    let port = free_port();
    let folder = server.folder.path().display().to_string();
    let settings = format!(
        "[databases]\npostgres = host={folder} port={} dbname=postgres\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = trust\nauth_file = users.txt\npool_mode = transaction\ndefault_pool_size = 2\n",
        server.port
    );
    server.file("users.txt", b"\"boss\" \"\"\n");
    let file = server.file("pool.ini", settings.as_bytes());
    let mut command = server.command_at(program);
    command
        .arg(file)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let mut pool = wait_for(command, "process up").unwrap();
    let names = AtomicU32::new(0);
    let place = || {
        let name = format!("s{}", names.fetch_add(1, Ordering::Relaxed));
        Remote(Box::new(move || {
            log_at(&format!(
                "postgres://boss@127.0.0.1:{port}/postgres?name={name}"
            ))
        }))
    };
    holds_over(place).await;
    keeps_history(place).await;
    pool.kill().unwrap();
    pool.wait().unwrap();
}
