//! What a server does to its users: it dies, comes back, and has no room.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::server::{PASSWORD, Server, log_at, log_with};
use super::{created, grow, next};
use crate::random::SplitMix64;
use crate::state::log::{Created, Kind, Log, NotCreated, Record};

/// Commits of this server are answered before they are on the disk, if a session does not ask for more.
const CARELESS: [&str; 2] = ["synchronous_commit=off", "wal_writer_delay=10000ms"];

#[tokio::test]
async fn what_was_confirmed_survives_a_crash() {
    let Some(server) = Server::start(&CARELESS) else {
        return;
    };
    let log = server.log("crash");
    let head = grow(&*log, &[Kind::Snapshot, Kind::First, Kind::Next]).await;
    server.kill();
    server.run(&CARELESS);
    assert_eq!(log.head().await.unwrap(), Some(head));
}

/// A session that is not ours keeps what the administrator chose.
#[tokio::test]
async fn only_our_records_wait_for_the_disk() {
    let Some(server) = Server::start(&CARELESS) else {
        return;
    };
    grow(&*server.log("crash"), &[Kind::Snapshot]).await;
    let sql = "CREATE TABLE public.theirs (n int); INSERT INTO public.theirs VALUES (1)";
    server.sql(sql).await;
    server.kill();
    server.run(&CARELESS);
    let there = "SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'theirs'";
    assert_eq!(server.one(there).await, 0);
    let there = "SELECT count(*) FROM ess_callbacks.records";
    assert_eq!(server.one(there).await, 1);
}

/// The server is killed three times amid writes, which go on over the same log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_goes_on_after_a_crash() {
    let Some(server) = Server::start(&CARELESS) else {
        return;
    };
    let log = server.log("crash");
    let (tell, mut written) = watch::channel(0);
    let writer = {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let mut head = None;
            for number in 1..=400_u64 {
                let record = next(
                    head.as_ref(),
                    &format!("w{number}"),
                    Kind::Beat,
                    &[b'x'; 900],
                );
                // As the engine does while a store is away.
                while !created_or_away(&*log, &record).await {}
                head = Some(record.header);
                tell.send_replace(number);
            }
            head.unwrap()
        })
    };
    for crash in 1..=3 {
        written
            .wait_for(|written| *written >= crash * 80)
            .await
            .unwrap();
        let confirmed = *written.borrow();
        tokio::task::block_in_place(|| {
            server.kill();
            server.run(&CARELESS);
        });
        let head = server.log("crash").head().await.unwrap().unwrap();
        assert!(head.number >= confirmed, "{confirmed} was confirmed");
    }
    let head = writer.await.unwrap();
    // Without a gap, and each one ours.
    let contents = log.read().await.unwrap().unwrap();
    assert_eq!(contents.head, head);
    let sql = "SELECT count(*) FROM ess_callbacks.records";
    assert_eq!(server.one(sql).await, 400);
}

/// Whether a record is there; `false` when the server is away.
async fn created_or_away(log: &dyn Log, record: &Record) -> bool {
    match log.create(record).await {
        Ok(Created::Now) => true,
        Err(NotCreated::Refused(error)) => panic!("{error}"),
        Ok(Created::Taken) | Err(NotCreated::Unclear(_)) => match log.head().await {
            Ok(Some(head)) if head.number >= record.header.number => {
                assert_eq!(head, record.header);
                true
            }
            Ok(_) | Err(_) => false,
        },
    }
}

/// A connection that the server ended is replaced, and no record is written twice.
#[tokio::test]
async fn a_connection_that_ended_is_replaced() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let log = server.log("ended");
    grow(&*log, &[Kind::Snapshot]).await;
    for _ in 0..3 {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
                   WHERE application_name = 'ess-callbacks' AND pid <> pg_backend_pid()";
        server.sql(end).await;
        let head = log.head().await.unwrap();
        let id = format!("e{}", head.as_ref().unwrap().number);
        assert!(created(&*log, &next(head.as_ref(), &id, Kind::Beat, b"")).await);
    }
    assert_eq!(log.read().await.unwrap().unwrap().head.number, 4);
}

/// A way to the server that cuts connections when they are about to bring an answer.
struct Cutting {
    port: u16,
    cuts: Arc<AtomicBool>,
}

impl Cutting {
    async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&cuts);
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let cut = Arc::clone(&cut);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    let (mut asks, mut hears) = client.split();
                    let (mut answers, mut listens) = server.split();
                    let there = tokio::io::copy(&mut asks, &mut listens);
                    let back = async {
                        let mut bytes = vec![0; 1 << 16];
                        loop {
                            let read = answers.read(&mut bytes).await.unwrap_or(0);
                            if read == 0 || cut.swap(false, Ordering::SeqCst) {
                                return;
                            }
                            hears.write_all(&bytes[..read]).await.unwrap();
                        }
                    };
                    tokio::select! {
                        _ = there => {}
                        () = back => {}
                    }
                });
            }
        });
        Self { port, cuts }
    }
}

#[tokio::test]
async fn a_write_without_an_answer_is_unclear_and_found() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let way = Cutting::before(server.port).await;
    let address = format!("postgres://boss@127.0.0.1:{}/postgres?name=cut", way.port);
    let log = log_with(&address, Some(PASSWORD));
    let head = grow(&*log, &[Kind::Snapshot]).await;
    let record = next(Some(&head), "mine", Kind::Beat, b"");
    way.cuts.store(true, Ordering::SeqCst);
    let Err(NotCreated::Unclear(error)) = log.create(&record).await else {
        panic!("it can't know");
    };
    assert!(error.to_string().contains("connection"), "{error}");
    assert_eq!(log.head().await.unwrap(), Some(record.header.clone()));
    assert_eq!(log.create(&record).await.unwrap(), Created::Taken);
    // A read is tried again at once.
    way.cuts.store(true, Ordering::SeqCst);
    assert_eq!(log.head().await.unwrap(), Some(record.header));
    assert_eq!(log.read().await.unwrap().unwrap().head.number, 2);
}

/// The time is simulated, the connection is not.
#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_not_waited_for_without_end() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let log = log_at(&format!("postgres://ann@127.0.0.1:{port}/e?name=p"));
    let error = log.head().await.unwrap_err();
    assert!(error.to_string().contains("within 10 s"), "{error}");
    let record = next(None, "x", Kind::Hold, b"");
    let unclear = log.create(&record).await;
    assert!(
        matches!(unclear, Err(NotCreated::Unclear(_))),
        "{unclear:?}"
    );
}

/// A small file system for the table, where the machine lets us mount one.
struct Small<'a> {
    server: &'a Server,
    folder: std::path::PathBuf,
}

impl<'a> Small<'a> {
    fn mount(server: &'a Server) -> Option<Self> {
        let folder = server.folder.path().join("small");
        std::fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(&folder)
            .output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            return None;
        }
        let small = Self { server, folder };
        small.server.give_away(&small.folder);
        Some(small)
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        if self.server.is_running() {
            self.server.kill();
        }
        let unmounted = Command::new("umount").arg(&self.folder).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[tokio::test]
async fn a_full_disk_is_a_refusal() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    // A container may not mount.
    let Some(small) = Small::mount(&server) else {
        return;
    };
    let log = server.log("full");
    let head = grow(&*log, &[Kind::Snapshot]).await;
    // Neither may be within a transaction.
    let space = format!(
        "CREATE TABLESPACE small LOCATION '{}'",
        small.folder.display()
    );
    server.sql(&space).await;
    server
        .sql("ALTER TABLE ess_callbacks.records SET TABLESPACE small")
        .await;
    // What can't be compressed.
    let mut random = SplitMix64::new(1);
    let noise: Vec<u8> = (0..2_000_000)
        .map(|_| random.below(256).to_le_bytes()[0])
        .collect();
    let record = next(Some(&head), "large", Kind::Next, &noise);
    let Err(NotCreated::Refused(error)) = log.create(&record).await else {
        panic!("it fits");
    };
    let text = format!("{error}. {}", error.advice());
    assert!(text.contains("53100") && text.contains("is full"), "{text}");
    // What was there still is, and a smaller one fits.
    assert_eq!(log.head().await.unwrap(), Some(head.clone()));
    assert!(created(&*log, &next(Some(&head), "small", Kind::Beat, b"")).await);
}
