//! The rate limiters of a run, which know what was called just before it.
//!
//! eSign counts calls and not runs: when a run begins within a second of another one's end, the calls of
//! both arrive in one second. What the state holds of the last second is counted, and rather too much than
//! too little: that costs a second at most.

use std::collections::BTreeMap;

use crate::client::{Pace, Rate};
use crate::model::{AccountName, Entry, Recorded, Timestamp};
use crate::plan::Plan;

/// How many seconds a recorded time may be past. Times are recorded in whole seconds, and what was
/// answered in this second or the one before may have arrived within the last second.
const RECENT: i64 = 1;
/// How far ahead a recorded time may be. Later ones come from a clock that was wrong.
const AHEAD: i64 = 60;

/// A rate limiter for each account of the plan, which begins now.
pub fn paces(
    plan: &Plan,
    recorded: &Recorded,
    rate: Rate,
    now: Timestamp,
) -> BTreeMap<AccountName, Pace> {
    let mut earlier: BTreeMap<&AccountName, usize> = BTreeMap::new();
    for (scope, _, entry) in recorded.iter() {
        *earlier.entry(&scope.account).or_default() += calls(entry, now);
    }
    let pace = |account: &AccountName| {
        let calls = earlier.get(account).copied().unwrap_or_default();
        Pace::after(rate, calls)
    };
    plan.accounts
        .keys()
        .map(|account| (account.clone(), pace(account)))
        .collect()
}

/// How many calls may have been made for a callback within the last second.
fn calls(entry: &Entry, now: Timestamp) -> usize {
    // A lost call's signature does not say when it left: it may be dated back. There are few of them.
    let lost = usize::from(entry.lost.is_some()) + usize::from(entry.pending.is_some());
    let age = entry
        .proof
        .as_ref()
        .map(|proof| now.seconds_since(proof.at));
    // What is there may have been replaced, with two calls.
    let answered = match age {
        Some(age) if (-AHEAD..=RECENT).contains(&age) => 2,
        Some(_) | None => 0,
    };
    answered + lost
}
