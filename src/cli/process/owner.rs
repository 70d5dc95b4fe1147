//! What the lock file says of this process, and whether the process that it names still runs.

use super::job;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::random::random;
use crate::state::LockOwner;

/// This process, with a new lock ID.
pub(crate) fn this_process(command: &str) -> Result<LockOwner, Failure> {
    let id: [u8; 6] = random()?;
    Ok(LockOwner {
        id: hex::encode(id),
        who: variable(&["USER", "LOGNAME", "USERNAME"])
            .or_else(user_id)
            .unwrap_or_else(|| "an unknown user".to_owned()),
        host: host(),
        pid: std::process::id(),
        command: command.to_owned(),
        since: SystemClock.now(),
        job_url: job::url(|name| variable(&[name])),
    })
}

/// The ID of the user, for containers and cron jobs without a user name.
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

/// Whether this owner ran on this machine and has ended.
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
