//! How many connections may be open, so that the state can always be written.
//!
//! The system limits the files and connections of a process (`ulimit -n`). If connections used them all, the
//! journal and the state could not be opened, and host names could not be resolved.

/// Descriptors for everything but connections: the journal, a new state, its folder and its lock, the standard
/// streams, the outputs, the runtime, and connections that are being opened or closed.
const RESERVE: u64 = 32;

/// More idle connections are never used.
const MOST_IDLE: usize = 128;

/// How many connections may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The limit of the system for this process.
    pub(crate) files: u64,
    /// Connections with a call in flight, for all accounts together.
    pub(crate) in_flight: usize,
    /// Connections kept for later calls.
    pub(crate) idle: usize,
}

/// The bound of a process that may open `files` files, with `each` of them for a connection.
const fn bound(files: u64, each: u64) -> Bound {
    let free = files.saturating_sub(RESERVE) / each;
    #[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
    let free = if free > 1 << 20 {
        1 << 20
    } else {
        free as usize
    };
    let idle = if free / 4 > MOST_IDLE {
        MOST_IDLE
    } else {
        free / 4
    };
    let in_flight = free - idle;
    Bound {
        files,
        in_flight: if in_flight == 0 { 1 } else { in_flight },
        idle,
    }
}

impl Bound {
    /// The bound of this process; `None` if the system has no limit. The embedded sandbox has the other end of
    /// each connection.
    pub(crate) fn of_this_process(sandbox: bool) -> Option<Self> {
        Some(bound(soft_limit()?, if sandbox { 2 } else { 1 }))
    }

    /// Calls in flight for each of `accounts` accounts.
    pub(crate) fn for_each(&self, accounts: usize) -> usize {
        (self.in_flight / accounts.max(1)).max(1)
    }
}

#[cfg(unix)]
fn soft_limit() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};

    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
const fn soft_limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_the_state() {
        for files in [0, 3, 32, 33, 40, 64, 100, 256, 1024, 65_536, u64::MAX] {
            for each in [1, 2] {
                let Bound {
                    files: _,
                    in_flight,
                    idle,
                } = bound(files, each);
                assert!(in_flight >= 1);
                let open = (in_flight + idle) as u64 * each;
                assert!(open <= files.saturating_sub(RESERVE).max(each), "{files}");
            }
        }
        let usual = bound(1024, 1);
        // 20 a second, each in flight for 40 s at most.
        assert!(usual.in_flight >= 800, "{usual:?}");
        assert_eq!(usual.for_each(0), usual.in_flight);
        assert_eq!(bound(64, 1).for_each(100), 1);
    }
}
