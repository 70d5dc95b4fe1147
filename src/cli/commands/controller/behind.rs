//! A replica whose files are older than those that another has applied waits for newer ones.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::advice::BEHIND;
use super::directory;
use super::problems::{Found, behind};
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::sources::Unreadable;
use crate::cli::terminal::log::Log;
use crate::config::Source;
use crate::controller::{Behind, Seen};
use crate::model::{Checkout, Recorded, Timestamp};

/// How long a checkout may be late before somebody has to look after it, in seconds.
const USUAL_DELAY: i64 = 300;

/// The order of this replica's checkout and others'.
#[derive(Debug, Default)]
pub(super) struct Order {
    seen: Seen,
    /// The files of the last round.
    last: Option<Checkout>,
    /// Since when the files were so that all of them could be used, the last time they could.
    whole_since: Option<Timestamp>,
    /// Since when each round has found its files behind.
    behind: Option<Timestamp>,
}

impl Order {
    /// Since when the files are what they are, also by what this replica saw of them.
    pub(super) fn date(&mut self, found: Checkout, is_whole: bool) -> Checkout {
        let since = match &self.last {
            Some(last) if last.digest == found.digest => last.since,
            // The times of files don't tell that one is gone.
            Some(_) => found.since.max(SystemClock.now()),
            None => found.since,
        };
        // What is half written, or away, makes no checkout newer.
        let since = match self.whole_since {
            Some(whole) if !is_whole => whole,
            Some(_) | None => since,
        };
        if is_whole {
            self.whole_since = Some(since);
        }
        let dated = Checkout { since, ..found };
        self.last = Some(dated.clone());
        dated
    }

    /// Remembers that a run with these files has ended, and what is recorded then.
    pub(super) fn ran(&mut self, own: &Checkout, recorded: &Recorded) {
        let applied = recorded.checkout.as_ref();
        self.seen.note(own, applied, SystemClock.now());
    }

    /// Whether the files may not replace those that were applied last. When that lasts, it is a problem.
    pub(super) fn is_behind(
        &mut self,
        own: &Checkout,
        recorded: &Recorded,
        (problems, log): (&mut Vec<Found>, &Log),
    ) -> bool {
        let now = SystemClock.now();
        let applied = recorded.checkout.as_ref();
        self.seen.note(own, applied, now);
        let why = self.seen.behind(own, applied, now);
        // Also with files that can't be used, or one of them would hold up each change of the others after a restart. What is
        // half written makes no checkout newer: see `date`.
        if why.is_none() {
            self.seen.admit();
        }
        let before = self.behind;
        let began = before.unwrap_or(now);
        self.behind = why.map(|_| began);
        match (before, why, applied) {
            (_, Some(why), Some(applied)) => {
                if is_late(why, began, applied, now) {
                    problems.push(behind(applied.since));
                } else if before.is_none() {
                    log.say(format_args!(
                        "Other files than these were applied, by another replica or before a restart, and these are older or \
                         have just changed. {}",
                        BEHIND.0
                    ));
                }
                true
            }
            (Some(_), None, _) => {
                log.say(format_args!("The files are no longer behind"));
                false
            }
            (None, None, _) | (_, Some(_), None) => false,
        }
    }
}

/// Whether this lasts too long to be a checkout's usual delay.
fn is_late(why: Behind, began: Timestamp, applied: &Checkout, now: Timestamp) -> bool {
    let since = match why {
        // Also by what the files in force say themselves, so that a restart does not begin anew.
        Behind::Older(seen) => seen.min(applied.since),
        // These wait for a moment only, unless they change again and again.
        Behind::Unsettled => began,
    };
    now.seconds_since(since) > USUAL_DELAY
}

/// The files as they are, also those that can't be used. Their names don't matter: another replica may have them elsewhere.
pub(super) fn checkout(path: &Path, sources: &[Source], unreadable: &[Unreadable]) -> Checkout {
    let mut texts: Vec<[u8; 32]> = sources
        .iter()
        .map(|source| Sha256::digest(&source.text).into())
        .collect();
    texts.sort_unstable();
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text);
    }
    for (name, _) in unreadable {
        digest.update(name.as_bytes());
    }
    Checkout {
        digest: format!("sha256:{}", hex::encode(digest.finalize())),
        since: directory::since(path).unwrap_or(Timestamp(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_have_just_changed_are_no_problem_however_old_those_in_force_are() {
        let applied = Checkout {
            digest: "one".to_owned(),
            since: Timestamp(1_000),
        };
        let began = Timestamp(9_000);
        let late = |why, now| is_late(why, began, &applied, Timestamp(now));
        assert!(!late(Behind::Unsettled, 9_000));
        assert!(!late(Behind::Unsettled, 9_000 + USUAL_DELAY));
        assert!(late(Behind::Unsettled, 9_001 + USUAL_DELAY));
        assert!(late(Behind::Older(Timestamp(9_000)), 9_000));
    }
}
