//! The rate limiters and clocks of the accounts, which know what was called before a run; and what is kept for
//! the next process.
//!
//! eSign counts calls and not runs: when a run begins within a second of another one's end, the calls of
//! both arrive in one second. What the state holds of the last second is counted, and rather too much than
//! too little: that costs a second at most. A run that ends writes down how many calls may have arrived in
//! its last second. Of one that dies, the journal has the calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::clock::ServerClock;
use crate::client::{Earlier, Pace, Rate};
use crate::model::{
    Account, AccountId, AccountName, Entry, Fingerprint, LastCalls, Recorded, RecordedAccount,
    Timestamp,
};
use crate::plan::Plan;

/// How many seconds a recorded time may be past. Times are recorded in whole seconds, and what was
/// answered in this second or the one before may have arrived within the last second.
const RECENT: i64 = 1;
/// How far ahead a recorded time may be. Later ones come from a clock that was wrong.
const AHEAD: i64 = 60;

/// The way of one account's calls: its rate limiter and its server's clock. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) pace: Pace,
    pub(super) clock: Arc<ServerClock>,
}

/// The lanes of every account that this process has called for.
#[derive(Debug, Default)]
pub struct Lanes(BTreeMap<AccountName, Lane>);

impl Lanes {
    /// Opens a lane for each account of the plan that has none, with what the state holds of the calls
    /// before. A lane that is open knows its own calls better, and stays as it is.
    pub fn open(&mut self, plan: &Plan, recorded: &Recorded, rate: Rate, now: Timestamp) {
        for (account, pace) in paces(plan, recorded, rate, now) {
            self.0.entry(account).or_insert_with(|| Lane {
                pace,
                clock: Arc::new(ServerClock::new(Instant::now())),
            });
        }
    }

    /// The lanes of a plan's accounts.
    pub(super) fn of<'a>(
        &'a self,
        plan: &'a Plan,
    ) -> impl Iterator<Item = (&'a AccountName, &'a Lane)> {
        let accounts = plan.accounts.keys();
        accounts.filter_map(|account| self.0.get_key_value(account))
    }
}

/// A rate limiter for each account of the plan, which begins now.
fn paces(
    plan: &Plan,
    recorded: &Recorded,
    rate: Rate,
    now: Timestamp,
) -> BTreeMap<AccountName, Pace> {
    let mut earlier: BTreeMap<&AccountName, usize> = BTreeMap::new();
    for (scope, _, entry) in recorded.iter() {
        let last = recorded.accounts.get(&scope.account);
        let ended = last.and_then(|account| account.last_calls);
        *earlier.entry(&scope.account).or_default() += calls(entry, ended, now);
    }
    let pace = |(account, declared): (&AccountName, &Account)| {
        let recorded = recorded.accounts.get(account);
        let last = recorded.and_then(|account| account.last_calls);
        let ended = last.filter(|last| is_recent(last.at, now));
        let ended = ended.map_or(0, |last| usize::try_from(last.count).unwrap_or(usize::MAX));
        let called = earlier.get(account).copied().unwrap_or_default();
        let earlier = Earlier {
            calls: called.saturating_add(ended),
            way_there: last.map_or(0, |last| last.way_there),
        };
        let pace = Pace::after(rate.at_most(declared.rate), earlier);
        (account.clone(), pace)
    };
    plan.accounts.iter().map(pace).collect()
}

/// What the state has to keep of the accounts whose `SecretId`s have these fingerprints, once everything is moved.
/// Accounts that nothing is recorded for are forgotten.
pub fn accounts(
    plan: &Plan,
    signers: &BTreeMap<AccountName, Fingerprint>,
    owners: &BTreeMap<AccountName, AccountId>,
    recorded: &Recorded,
) -> BTreeMap<AccountName, RecordedAccount> {
    let mut accounts = recorded.accounts.clone();
    let in_use = plan.accounts_in_use(recorded);
    accounts.retain(|name, _| in_use.contains(name));
    for (name, secret_id) in signers {
        if let Some(account) = plan.accounts.get(name) {
            let account = RecordedAccount {
                source: account.source.clone(),
                secret_id: *secret_id,
                account_id: owners
                    .get(name)
                    .cloned()
                    .or_else(|| owner(recorded, secret_id)),
                last_calls: last_calls(recorded, name, secret_id),
            };
            accounts.insert(name.clone(), account);
        }
    }
    accounts
}

/// Whose credentials these were when they signed last.
fn owner(recorded: &Recorded, secret_id: &Fingerprint) -> Option<AccountId> {
    let mut accounts = recorded.accounts.values();
    let same = accounts.find(|account| account.secret_id == *secret_id);
    same?.account_id.clone()
}

/// The last calls that these credentials signed, whatever the account was called then. Those of the account's former
/// credentials are counted too: of temporary ones it can't always be told that they are the same principal's.
fn last_calls(
    recorded: &Recorded,
    name: &AccountName,
    secret_id: &Fingerprint,
) -> Option<LastCalls> {
    let accounts = recorded.accounts.iter();
    accounts
        .filter(|(other, account)| account.secret_id == *secret_id || *other == name)
        .filter_map(|(_, account)| account.last_calls)
        .max_by_key(|last| last.at)
}

/// Writes down what the next run has to know of each account that this one had a rate limiter for.
pub(super) fn remember(
    recorded: &mut Recorded,
    earlier: impl Fn(&AccountName) -> Option<Earlier>,
    now: Timestamp,
) -> bool {
    let mut changed = false;
    for (name, account) in &mut recorded.accounts {
        if let Some(Earlier { calls, way_there }) = earlier(name) {
            account.last_calls = Some(LastCalls {
                at: now,
                count: u32::try_from(calls).unwrap_or(u32::MAX),
                way_there,
            });
            changed = true;
        }
    }
    changed
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    (-AHEAD..=RECENT).contains(&now.seconds_since(at))
}

/// How many calls may have been made for a callback within the last second.
/// What was proven before the last run ended is among the calls that it wrote down.
fn calls(entry: &Entry, ended: Option<LastCalls>, now: Timestamp) -> usize {
    // A lost call's signature does not say when it left: it may be dated back. There are few of them.
    let lost = usize::from(entry.lost.is_some()) + usize::from(entry.pending.is_some());
    // What is there may have been replaced, with two calls.
    let answered = match &entry.proof {
        Some(proof)
            if ended.is_some_and(|ended| proof.at <= ended.at && is_recent(ended.at, now)) =>
        {
            0
        }
        Some(proof) if is_recent(proof.at, now) => 2,
        Some(_) | None => 0,
    };
    answered + lost
}
