//! A PostgreSQL server for the program under test, where its programs are installed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Where CI says that `initdb` and `postgres` are.
const PROGRAMS: &str = "ESS_CALLBACKS_POSTGRES";

/// A server in a temporary folder. Killed when it is dropped.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Postgres {
    /// Starts one; `None` where there is no PostgreSQL, which CI does not allow.
    pub(crate) fn start() -> Option<Self> {
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
        let user = user();
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let command = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.current_dir(folder.path()).env_remove("PGDATA");
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let data = folder.path().join("data");
        let made = command("initdb")
            .args(["--username=boss", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let serve = |port: u16| {
            let mut command = command("postgres");
            command
                .arg("-D")
                .arg(&data)
                .args(["-c", "listen_addresses=127.0.0.1", "-k"])
                .arg(folder.path())
                .args(["-p", &port.to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            command
        };
        // Another program may take the port in between.
        let (process, port) = (0..20)
            .find_map(|_| {
                let port = free_port();
                Some((ready(serve(port))?, port))
            })
            .expect("it starts");
        Some(Self {
            programs,
            folder,
            port,
            process,
        })
    }

    /// The address of the state with this name.
    pub(crate) fn address(&self, name: &str) -> String {
        format!(
            "postgres:///postgres?name={name}&host={}&port={}&user=boss",
            self.folder.path().display(),
            self.port
        )
    }

    /// What `psql` prints of these statements, without a table around it.
    pub(crate) fn sql(&self, statements: &str) -> String {
        let said = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--username=boss", "--host"])
            .arg(self.folder.path())
            .args(["--port", &self.port.to_string(), "--command", statements])
            .arg("postgres")
            .output()
            .unwrap();
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    /// Sends a signal to the server and to what it has started.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id();
        let children = format!("/proc/{id}/task/{id}/children");
        let children = fs::read_to_string(children).unwrap();
        // One may have ended by itself.
        let script = format!("kill -{name} {id} {children} 2>/dev/null || true");
        let status = Command::new("sh").args(["-c", &script]).status();
        assert!(status.expect("a shell").success());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its children end with it; one that was stopped has to notice.
        self.signal("KILL");
        drop(self.process.wait());
    }
}

/// Starts it and waits until it says that it is ready; `None` when it ends before.
fn ready(mut command: Command) -> Option<Child> {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let is_ready = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains("database system is ready to accept connections"));
    if !is_ready {
        child.wait().unwrap();
        return None;
    }
    // It must never wait for somebody to read what it says.
    std::thread::spawn(move || lines.map_while(Result::ok).count());
    Some(child)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Whom it runs as, by the ids of the user and of the group: it refuses to be root.
fn user() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let is_root = fs::metadata(Path::new("/proc/self")).unwrap().uid() == 0;
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let mut lines = users.lines();
        let line = lines.find(|line| line.starts_with(&format!("{name}:")))?;
        let fields: Vec<&str> = line.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    is_root.then(|| of("postgres").or_else(|| of("nobody")).unwrap())
}
