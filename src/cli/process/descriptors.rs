//! How many connections may be open at once, so that the state can always be written.
//!
//! A process may open so many files and connections and no more (`ulimit -n`). When connections had them
//! all, the journal or the state could not be opened, and a name could not be looked up.

/// What is kept for everything but connections: the journal, a new state, its folder and its lock, the
/// standard streams, the outputs, the runtime, and connections that are being opened or closed.
const RESERVE: u64 = 32;

/// More idle connections than this are never of use.
const MOST_IDLE: usize = 128;

/// How many connections may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// What the system allows this process.
    pub(crate) files: u64,
    /// With a call in flight, of all accounts together.
    pub(crate) in_flight: usize,
    /// Kept for the next call.
    pub(crate) idle: usize,
}

/// For a process that may open so many files, each connection taking `each` of them.
const fn bound(files: u64, each: u64) -> Bound {
    let free = files.saturating_sub(RESERVE) / each;
    // No system allows more than memory has bytes.
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
    /// What this process may open; `None` when nothing is said. The embedded sandbox is the other end of
    /// each connection.
    pub(crate) fn of_this_process(sandbox: bool) -> Option<Self> {
        Some(bound(soft_limit()?, if sandbox { 2 } else { 1 }))
    }

    /// Calls in flight for each of so many accounts.
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
