//! Who this process is, as the lock file tells others.

use super::job;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::random::random;
use crate::state::LockOwner;

/// This process, with a fresh lock id.
pub(crate) fn this_process(command: &str) -> Result<LockOwner, Failure> {
    let id: [u8; 6] = random()?;
    Ok(LockOwner {
        id: hex::encode(id),
        who: variable(&["USER", "LOGNAME", "USERNAME"])
            .or_else(user_id)
            .unwrap_or_else(|| "somebody".to_owned()),
        host: host(),
        pid: std::process::id(),
        command: command.to_owned(),
        since: SystemClock.now(),
        job_url: job::url(|name| variable(&[name])),
    })
}

/// The number of the user, where the system shows it: containers and cron jobs often have no name.
#[cfg(unix)]
fn user_id() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let process = std::fs::metadata("/proc/self").ok()?;
    Some(format!("uid {}", process.uid()))
}

#[cfg(not(unix))]
const fn user_id() -> Option<String> {
    None
}

/// Whether this owner ran on this machine and does not any more.
pub(crate) fn is_gone(owner: &LockOwner) -> bool {
    owner.host == host() && !is_running(owner.pid)
}

#[cfg(unix)]
fn is_running(pid: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
const fn is_running(_pid: u32) -> bool {
    true
}

/// The name of this machine.
pub(crate) fn host() -> String {
    let file = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = file()
        .or_else(|| variable(&["HOSTNAME", "COMPUTERNAME"]))
        .unwrap_or_default();
    match name.trim() {
        "" => "this machine".to_owned(),
        name => name.to_owned(),
    }
}

fn variable(names: &[&str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}
