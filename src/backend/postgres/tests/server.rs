//! A real PostgreSQL server, in a temporary folder.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;

use super::super::address::Address;
use super::super::connection::Link;
use super::super::tls::Authorities;
use super::super::{Options, open};
use crate::secret::Secret;
use crate::state::log::Log;

/// Where CI says that `initdb` and `postgres` are.
const PROGRAMS: &str = "ESS_CALLBACKS_POSTGRES";

pub(super) const PASSWORD: &str = "canary-password";

/// Who the server runs as: it refuses to be root.
#[derive(Clone, Copy)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    fn find() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let entry = |name: &str| {
            let fields: Vec<&str> = users
                .lines()
                .find(|line| line.starts_with(&format!("{name}:")))?
                .split(':')
                .collect();
            Some(Self {
                uid: fields.get(2)?.parse().ok()?,
                gid: fields.get(3)?.parse().ok()?,
            })
        };
        Some(entry("postgres").or_else(|| entry("nobody")).unwrap())
    }
}

/// A cluster, and the server that runs on it.
pub(super) struct Server {
    programs: PathBuf,
    pub(super) folder: TempDir,
    pub(super) port: u16,
    user: Option<User>,
    process: Mutex<Option<Child>>,
}

impl Server {
    /// Starts one; `None` where there is no PostgreSQL, which CI does not allow.
    pub(super) fn start(options: &[&str]) -> Option<Arc<Self>> {
        let Some(programs) = std::env::var_os(PROGRAMS).map(PathBuf::from) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "{PROGRAMS} must be set in CI; tests/external/postgres/run.sh prints it"
            );
            // Not by `println!`, which is swallowed when a test passes.
            let skipped =
                format!("SKIPPED: {PROGRAMS} is not set; tests/external/postgres/run.sh sets it\n");
            std::io::stderr().write_all(skipped.as_bytes()).ok();
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        let server = Self {
            programs,
            folder,
            port: free_port(),
            user: User::find(),
            process: Mutex::new(None),
        };
        server.give_away(server.folder.path());
        let secret = server.file("password", PASSWORD.as_bytes());
        let made = server
            .command("initdb")
            .args([
                "--username=boss",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
            ])
            .args(["--no-sync", "--encoding=UTF8", "--locale=C"])
            .arg("--pwfile")
            .arg(secret)
            .arg(server.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        server.run(options);
        Some(Arc::new(server))
    }

    /// A file that only the server may read, and where it is.
    pub(super) fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.give_away(&path);
        path
    }

    pub(super) fn give_away(&self, path: &Path) {
        if let Some(User { uid, gid }) = self.user {
            chown(path, Some(uid), Some(gid)).unwrap();
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program, run as the user of the server.
    fn command(&self, name: &str) -> Command {
        self.command_at(&self.programs.join(name))
    }

    pub(super) fn command_at(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_remove("PGDATA");
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Starts the server on its cluster, again if the one before has not quite ended.
    pub(super) fn run(&self, options: &[&str]) {
        for _ in 0..500 {
            if let Some(child) = self.try_run(options) {
                *self.process.lock().unwrap() = Some(child);
                return;
            }
        }
        panic!("it does not start");
    }

    fn try_run(&self, options: &[&str]) -> Option<Child> {
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-c", "listen_addresses=127.0.0.1,localhost"])
            .arg("-k")
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string()])
            .args(options.iter().flat_map(|option| ["-c", *option]))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        wait_for(command, "database system is ready to accept connections")
    }

    /// Ends every process of the server at once, as a power cut does, and waits until none is left that holds a
    /// file or memory of it.
    pub(super) fn kill(&self) {
        let mut child = self.process.lock().unwrap().take().unwrap();
        let id = child.id();
        // So that it starts no other process meanwhile.
        let server = Pid::from_child(&child);
        rustix::process::kill_process(server, Signal::STOP).unwrap();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        // One may have ended by itself.
        let children: Vec<_> = children
            .split_whitespace()
            .map(|id| Pid::from_raw(id.parse().unwrap()).unwrap())
            .filter_map(|id| pidfd_open(id, PidfdFlags::empty()).ok())
            .collect();
        child.kill().unwrap();
        for process in &children {
            pidfd_send_signal(process, Signal::KILL).ok();
        }
        child.wait().unwrap();
        for process in &children {
            let mut ended = [PollFd::new(process, PollFlags::IN)];
            rustix::event::poll(&mut ended, None).unwrap();
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.lock().unwrap().is_some()
    }

    /// The address over TCP.
    pub(super) fn address(&self, rest: &str) -> String {
        format!("postgres://boss@127.0.0.1:{}/{rest}", self.port)
    }

    /// The address over the socket, where no one needs a password.
    pub(super) fn socket(&self, user: &str, name: &str) -> String {
        format!(
            "postgres:///postgres?name={name}&host={}&port={}&user={user}",
            self.folder.path().display(),
            self.port
        )
    }

    /// Runs SQL as an administrator.
    pub(super) async fn sql(&self, sql: &str) {
        let live = self.administrator().live().await.unwrap();
        live.client.batch_execute(sql).await.unwrap();
    }

    /// The number that a query gives.
    pub(super) async fn one(&self, sql: &str) -> i64 {
        let live = self.administrator().live().await.unwrap();
        live.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    fn administrator(&self) -> Link {
        let address = parse(&self.socket("boss", "x"));
        let authorities = Authorities::System(None);
        Link::new(address, "boss".into(), (None, None), authorities)
    }

    /// The state with this name, as an administrator sees it.
    pub(super) fn log(&self, name: &str) -> Arc<dyn Log> {
        log_at(&self.socket("boss", name))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.get_mut().unwrap().is_some() {
            self.kill();
        }
    }
}

/// Starts a program and waits until it says these words; `None` when it ends before.
pub(super) fn wait_for(mut command: Command, words: &str) -> Option<Child> {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let is_ready = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains(words));
    if !is_ready {
        child.wait().unwrap();
        return None;
    }
    // It must never wait for somebody to read what it says.
    std::thread::spawn(move || lines.map_while(Result::ok).count());
    Some(child)
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(super) fn parse(address: &str) -> Address {
    Address::parse(&address.parse().unwrap()).unwrap()
}

/// The log there, without a password.
pub(super) fn log_at(address: &str) -> Arc<dyn Log> {
    log_with(address, None)
}

pub(super) fn log_with(address: &str, password: Option<&str>) -> Arc<dyn Log> {
    let options = Options {
        address: parse(address),
        user: None,
        password: password.map(Secret::new),
        password_file: None,
        extra_roots: None,
    };
    open(options).unwrap()
}
