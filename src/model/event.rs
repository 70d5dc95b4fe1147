//! What an apply reports while it runs and when it ends. Renderers turn these into text and JSON.

use super::entry::Drift;
use super::{AccountName, Action, Address, ApiError, Calls, RequestId, Timestamp};

/// Something that happened during an apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The calls of a change begin.
    Started {
        address: Address,
        action: Action,
        calls: Calls,
    },
    /// A change is done.
    Completed {
        address: Address,
        action: Action,
        calls: Calls,
        request_id: RequestId,
        elapsed_ms: u64,
        /// The first thing that eSign ever said of it: it had it already, and our key and token were
        /// not set.
        was_there: bool,
    },
    /// A change failed; certainly nothing more will happen to it in this run.
    Failed {
        address: Address,
        action: Action,
        error: ApiError,
    },
    /// The outcome of a call stays open.
    Unknown {
        address: Address,
        action: Action,
        error: ApiError,
    },
    /// A change was left out.
    NotAttempted {
        address: Address,
        action: Action,
        why: NotAttempted,
    },
    /// The same call will be sent again.
    Retrying {
        address: Address,
        error: ApiError,
        attempt: u32,
        delay_ms: u64,
    },
    /// eSign refused calls because there were too many; the account goes slower for a while.
    Throttled {
        account: AccountName,
        rate_per_minute: u32,
    },
    /// An opposite call waits for a lost one to die.
    FenceWait {
        address: Address,
        until: Timestamp,
        seconds: u64,
    },
    /// An answer revealed that someone else changed eSign.
    Drifted { address: Address, drift: Drift },
    /// Our clock and eSign's differ by more than a few seconds (positive: ours is behind).
    ClockOffset { account: AccountName, seconds: i64 },
    /// No more calls will be made for these credentials.
    AccountStopped {
        account: AccountName,
        error: ApiError,
    },
    /// The user asked to stop; calls in flight are awaited.
    Interrupted { in_flight: usize },
}

/// Why a planned change was not attempted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAttempted {
    /// The credentials were refused.
    AccountStopped(AccountName),
    /// eSign does not answer; how that showed.
    AccountUnreachable(AccountName, String),
    /// There are no credentials to sign its calls with; why.
    AccountUnsigned(AccountName, String),
    /// eSign refuses every call for this organization.
    OrganizationStopped,
    /// A delete waits for all adds of its organization, and one failed.
    AddsFailed,
    /// The twin of its rotation was not certain to be there when the apply began.
    WaitsForTwin,
    /// The receiver of an add failed its verification.
    Unverified,
    /// The second run of its rotation was refused.
    Refused,
    /// The user pressed Ctrl-C.
    Interrupted,
    /// A lost call may still take effect until then, by our clock, and `--no-wait` was given.
    Fenced(Timestamp),
    /// The same, and eSign does not tell its clock, so that only waiting can say until when.
    FencedWithoutClock,
    /// The journal can't be written, so no call may leave.
    JournalFailed,
}

/// How many changes ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Callbacks added; a replace counts here and in `destroyed`.
    pub added: usize,
    /// Callbacks healed or settled without adding or deleting.
    pub changed: usize,
    pub destroyed: usize,
    pub failed: usize,
    /// Changes whose outcome is open.
    pub unknown: usize,
    /// Changes that were left out.
    pub not_attempted: usize,
}

/// A change that is not done, for the summary at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    pub address: Address,
    pub action: Action,
    /// What came of it.
    pub how: HowUnfinished,
}

/// What came of a change that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HowUnfinished {
    Failed(ApiError),
    /// The outcome of a call is open.
    Unknown(ApiError),
    /// It was left out.
    NotAttempted(NotAttempted),
}

/// How an apply ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub tally: Tally,
    /// Everything that is not done, in plan order.
    pub unfinished: Vec<Unfinished>,
    /// Drift that answers revealed.
    pub drifted: Vec<(Address, Drift)>,
    /// What was added and found there already, with a key and a token that may not be ours.
    pub were_there: Vec<Address>,
    /// How many calls were sent.
    pub calls: usize,
    /// How many of them were refused for the rate limit.
    pub throttled: usize,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Whether a fenced change was left for the next run.
    pub fenced: bool,
    /// Why no more calls could be made, when the journal could not be written.
    pub journal_error: Option<String>,
}

impl Tally {
    fn plus(self, more: Self) -> Self {
        let Self {
            added,
            changed,
            destroyed,
            failed,
            unknown,
            not_attempted,
        } = more;
        Self {
            added: self.added + added,
            changed: self.changed + changed,
            destroyed: self.destroyed + destroyed,
            failed: self.failed + failed,
            unknown: self.unknown + unknown,
            not_attempted: self.not_attempted + not_attempted,
        }
    }
}

impl Report {
    /// The report of two applies, one after the other.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let Self {
            tally,
            mut unfinished,
            mut drifted,
            mut were_there,
            calls,
            throttled,
            interrupted,
            fenced,
            journal_error,
        } = later;
        unfinished.splice(0..0, self.unfinished);
        drifted.splice(0..0, self.drifted);
        were_there.splice(0..0, self.were_there);
        Self {
            tally: self.tally.plus(tally),
            unfinished,
            drifted,
            were_there,
            calls: self.calls + calls,
            throttled: self.throttled + throttled,
            interrupted: self.interrupted || interrupted,
            fenced: self.fenced || fenced,
            journal_error: self.journal_error.or(journal_error),
        }
    }
}
