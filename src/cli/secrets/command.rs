//! Runs the command that prints a secret.
//!
//! The command has a separate process group, so that it can be ended with everything it started: when it takes too
//! long, prints too much, or a signal comes. It gets no terminal and none of the credentials of this program.

use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use super::{MAX_BYTES, Resolver};
use crate::cli::process::signals::Signals;
use crate::config::SecretProblem;
use crate::secret::SecretReference;

/// After this time, a note says which command is waited for.
const SLOW: Duration = Duration::from_secs(2);

/// How long the output may stay open after the command has ended.
const GRACE: Duration = Duration::from_secs(2);

/// How long a command may take to end after SIGTERM, before it is killed.
const TO_END: Duration = Duration::from_secs(1);

/// Prefixes of the variables of this program, and of its credentials.
const WITHHELD: [&str; 4] = ["TENCENTCLOUD_", "TKE_", "TCCLI_", "ESS_CALLBACKS_"];

/// Why there is no output.
#[derive(Debug)]
pub(crate) enum Ended {
    Failed(SecretProblem),
    /// By a signal to this program.
    Interrupted,
}

/// Runs the command without a shell. Its standard error is that of this program; its standard output is the
/// secret.
pub(crate) async fn run(
    words: &[String],
    resolver: &Resolver,
    reference: &SecretReference,
    signals: &mut Signals,
    waiting: &mut (dyn FnMut(&str) + Send),
) -> Result<Vec<u8>, Ended> {
    let program = words.first().map_or("", String::as_str);
    let failed = |why: &str| Ended::Failed(SecretProblem::command_failed(program, why));
    let (name, arguments) = words
        .split_first()
        .ok_or_else(|| failed("the command is empty"))?;
    let mut command = Command::new(name);
    command
        .args(arguments)
        .current_dir(&resolver.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    withhold(&mut command, &resolver.withheld);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    let mut group = Group::of(&child);
    let ended = {
        let output = child.stdout.take();
        let mut work = pin!(output_of(&mut child, output, program, reference));
        let mut limit = pin!(sleep(resolver.command_timeout));
        let mut slow = pin!(sleep(SLOW));
        let mut told = false;
        loop {
            tokio::select! {
                biased;
                () = signals.next() => break Err(Ended::Interrupted),
                done = &mut work => break done.map_err(Ended::Failed),
                () = &mut limit => {
                    let limit = resolver.command_timeout;
                    break Err(Ended::Failed(SecretProblem::command_too_slow(program, limit)));
                }
                () = &mut slow, if !told => {
                    told = true;
                    waiting(program);
                }
            }
        }
    };
    match ended {
        Ok(bytes) => {
            group.leave();
            Ok(bytes)
        }
        Err(why) => {
            group.end(&mut child).await;
            Err(why)
        }
    }
}

/// Removes variables from the environment of a command.
fn withhold(command: &mut Command, names: &std::collections::BTreeSet<String>) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = WITHHELD.iter().any(|prefix| {
            text.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        });
        if ours || names.contains(&*text) {
            command.env_remove(&name);
        }
    }
}

/// Reads the whole output and waits for the command to end, in either order.
async fn output_of(
    child: &mut Child,
    output: Option<ChildStdout>,
    program: &str,
    reference: &SecretReference,
) -> Result<Vec<u8>, SecretProblem> {
    let failed = |error: std::io::Error| SecretProblem::command_failed(program, &error.to_string());
    let output =
        output.ok_or_else(|| SecretProblem::command_failed(program, "it has no output"))?;
    let mut limited = output.take(MAX_BYTES as u64 + 1);
    let mut bytes = Vec::new();
    let status = {
        let mut reading = pin!(limited.read_to_end(&mut bytes));
        let ended = tokio::select! {
            biased;
            read = &mut reading => {
                read.map_err(failed)?;
                None
            }
            status = child.wait() => Some(status.map_err(failed)?),
        };
        if let Some(status) = ended {
            good(status, program)?;
            // A process that it started may hold the output open and still write.
            match timeout(GRACE, reading).await {
                Ok(read) => read.map_err(failed)?,
                Err(_) => return Err(SecretProblem::command_left_open(program)),
            };
        }
        ended
    };
    if bytes.len() > MAX_BYTES {
        return Err(SecretProblem::too_much(reference, MAX_BYTES));
    }
    if status.is_none() {
        good(child.wait().await.map_err(failed)?, program)?;
    }
    Ok(bytes)
}

fn good(status: ExitStatus, program: &str) -> Result<(), SecretProblem> {
    if status.success() {
        return Ok(());
    }
    Err(SecretProblem::command_failed(program, &status.to_string()))
}

/// The process group of the command.
struct Group {
    /// `None` when nothing has to be ended.
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

#[cfg(unix)]
impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self {
            leader: id.and_then(rustix::process::Pid::from_raw),
        }
    }

    /// Leaves processes alone that the command left running.
    const fn leave(&mut self) {
        self.leader = None;
    }

    async fn end(&mut self, child: &mut Child) {
        self.signal(rustix::process::Signal::TERM);
        // Killed next, whether it ended or not.
        drop(timeout(TO_END, child.wait()).await);
        self.signal(rustix::process::Signal::KILL);
        self.leader = None;
        drop(child.wait().await);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(leader) = self.leader {
            // An error means that the group has ended.
            let _ = rustix::process::kill_process_group(leader, signal);
        }
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
impl Group {
    const fn of(_: &Child) -> Self {
        Self {}
    }

    const fn leave(&mut self) {}

    async fn end(&mut self, child: &mut Child) {
        drop(timeout(TO_END, child.kill()).await);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn resolver(limit: Duration) -> Resolver {
        Resolver {
            folder: std::env::temp_dir(),
            allow_commands: true,
            command_timeout: limit,
            withheld: BTreeSet::from(["CARGO_PKG_NAME".to_owned()]),
            sandbox: false,
        }
    }

    async fn shell(script: &str, limit: Duration) -> Result<String, String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        let reference = SecretReference::Command(words.to_vec());
        let mut signals = Signals::new();
        let resolver = resolver(limit);
        let done = run(&words, &resolver, &reference, &mut signals, &mut |_| {}).await;
        match done {
            Ok(bytes) => Ok(String::from_utf8(bytes).expect("text")),
            Err(Ended::Failed(problem)) => Err(problem.to_string()),
            Err(Ended::Interrupted) => Err("interrupted".to_owned()),
        }
    }

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn what_it_prints_is_the_secret() {
        assert_eq!(shell("printf secret", LONG).await.unwrap(), "secret");
        assert_eq!(
            shell("exec printf secret; exec >&-", LONG).await.unwrap(),
            "secret"
        );
    }

    #[tokio::test]
    async fn an_endless_output_is_cut_off() {
        let said = shell("while :; do echo 0123456789abcdef; done", LONG).await;
        assert!(said.unwrap_err().contains("more than 64 KiB"));
    }

    #[tokio::test]
    async fn too_slow_is_stopped_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        // A trap ignores SIGTERM.
        let script = format!(
            "trap '' TERM; sleep 1000 & echo $$ $! > {}; wait; wait",
            pids.display()
        );
        let said = shell(&script, Duration::from_secs(1)).await;
        assert!(said.unwrap_err().contains("did not end within 1 s"));
        let pids = std::fs::read_to_string(pids).unwrap();
        let runs = |pid: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let state = stat
                .rsplit(") ")
                .next()
                .and_then(|rest| rest.chars().next());
            !matches!(state, None | Some('Z' | 'X'))
        };
        // On a busy machine a killed process takes a moment to end.
        let begun = std::time::Instant::now();
        while pids.split_whitespace().any(runs) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{pids}");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_child_that_keeps_the_output_open_is_named() {
        let said = shell("sleep 1000 & echo secret", LONG).await.unwrap_err();
        assert!(said.contains("keeps its output open"), "{said}");
        // With its output elsewhere it may run on.
        let said = shell("sleep 1 >/dev/null 2>&1 & echo secret", LONG).await;
        assert_eq!(said.unwrap(), "secret\n");
    }

    #[tokio::test]
    async fn a_failure_is_told_without_the_output() {
        let said = shell("echo secret; exit 3", LONG).await.unwrap_err();
        assert_eq!(said, "the command `sh` gave no secret: exit status: 3");
        let said = shell("kill -9 $$", LONG).await.unwrap_err();
        assert!(said.contains("signal: 9"), "{said}");
    }

    #[tokio::test]
    async fn it_does_not_get_what_is_withheld() {
        // Cargo sets both for a test.
        let said = shell(
            "echo \"${CARGO_PKG_NAME-none} ${CARGO_PKG_VERSION-none}\"",
            LONG,
        )
        .await;
        assert_eq!(
            said.unwrap(),
            format!("none {}\n", env!("CARGO_PKG_VERSION"))
        );
    }
}
