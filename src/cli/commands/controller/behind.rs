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
use crate::controller::Seen;
use crate::model::{Checkout, Recorded};

/// How long a checkout may be late before somebody has to look after it, in seconds.
const USUAL_DELAY: i64 = 300;

/// The order of this replica's checkout and others'.
#[derive(Debug, Default)]
pub(super) struct Order {
    seen: Seen,
    /// Whether the last round found its files behind.
    was_behind: bool,
}

impl Order {
    /// Whether the files are older than those that were applied last. When they have been for long, it is a problem.
    pub(super) fn is_behind(
        &mut self,
        own: Option<&Checkout>,
        recorded: &Recorded,
        (problems, log): (&mut Vec<Found>, &Log),
    ) -> bool {
        let now = SystemClock.now();
        let applied = recorded.checkout.as_ref();
        self.seen.note(applied, now);
        let since = own.and_then(|own| self.seen.behind_since(own, applied));
        let was = std::mem::replace(&mut self.was_behind, since.is_some());
        match (was, since, applied) {
            (_, Some(since), Some(applied)) => {
                let is_late = now.seconds_since(since) > USUAL_DELAY;
                if is_late {
                    problems.push(behind(applied.since));
                } else if !was {
                    log.say(format_args!(
                        "Other files than these were applied by another replica, and these are older. {}",
                        BEHIND.0
                    ));
                }
                true
            }
            (true, None, _) => {
                log.say(format_args!("The files are no longer behind"));
                false
            }
            (_, None, _) | (_, _, None) => false,
        }
    }
}

/// The files as they are, also those that can't be used. `None` when one can't be read: nothing says what it has become.
/// Their names don't matter: another replica may have them elsewhere.
pub(super) fn checkout(
    path: &Path,
    sources: &[Source],
    unreadable: &[Unreadable],
) -> Option<Checkout> {
    if !unreadable.is_empty() {
        return None;
    }
    let mut texts: Vec<[u8; 32]> = sources
        .iter()
        .map(|source| Sha256::digest(&source.text).into())
        .collect();
    texts.sort_unstable();
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text);
    }
    Some(Checkout {
        digest: format!("sha256:{}", hex::encode(digest.finalize())),
        since: directory::since(path)?,
    })
}
