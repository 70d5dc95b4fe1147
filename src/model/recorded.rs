//! Everything recorded: what a state file and its journal say together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::Drift;
use super::{
    AccountId, AccountName, AccountSource, Address, CallId, CallbackUrl, Destination, Entry,
    Environment, Fingerprint, Handle, Nonce, OperatorId, Outcome, Presence, Salt, Scope,
    SignedWrite, Testimony, Timestamp, Told, Witnessed, Write,
};

/// A callback's identity: scope and URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub scope: Arc<Scope>,
    /// Its URL, byte for byte.
    pub url: CallbackUrl,
}

/// Identifies one state's history: made by the first apply, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(pub uuid::Uuid);

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The credentials that an account's last calls were signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedAccount {
    /// Where they came from.
    pub source: AccountSource,
    /// Of their `SecretId`: equal when two accounts have the same one.
    pub secret_id: Fingerprint,
    /// The Tencent Cloud account of the credentials, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// What the next run's rate limit has to know. `None` before the first run ends, and in a state from
    /// before this was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_calls: Option<LastCalls>,
}

/// The calls that a run ended with. Deleted callbacks leave the record, and the calls that deleted them with
/// them; eSign counts these all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastCalls {
    pub at: Timestamp,
    /// How many calls may have arrived within the second before that.
    pub count: u32,
    /// How much of what round trips differ by was the way there, in percent.
    pub way_there: u8,
}

/// The controller makes no calls for a while. Who runs `apply` is not held up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Why, in the words of who asked for it.
    pub reason: String,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// The files that a controller applied: replicas that still have older ones wait for theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkout {
    /// Of their texts, whatever the files are called.
    pub digest: String,
    /// When they became so, by the clock of who applied them first.
    pub since: Timestamp,
}

/// The last saved changes, when all of them were of what no plan is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notes {
    /// The serial before the first of them.
    pub after: u64,
    /// The serial of the last of them. When the state has another one, something else was changed since.
    pub until: u64,
}

/// A call that is about to leave, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub identity: Identity,
    pub handle: Handle,
    pub operator: OperatorId,
    pub protect: bool,
    /// What it does, and when it was signed.
    pub call: SignedWrite,
    /// What it carries for a witness, if anything.
    pub nonce: Option<Nonce>,
}

/// What is known of one environment's callbacks.
///
/// Grouped by scope, because planning, guards and order are by organization; everything sorted, so
/// that what is printed and saved is deterministic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// `None` until the first apply.
    pub lineage: Option<Lineage>,
    /// Grows by each saved change.
    pub serial: u64,
    /// Never mixed.
    pub environment: Environment,
    /// What its calls went to. `None` before the first apply, and in a state from before format 2.
    pub destination: Option<Destination>,
    /// Whose credentials made the calls, by account.
    pub accounts: BTreeMap<AccountName, RecordedAccount>,
    /// Whether controllers are to make no calls. It is here because all of them read this.
    pub suspension: Option<Suspension>,
    /// What controllers last applied. It is here because all of them read this.
    pub checkout: Option<Checkout>,
    /// What controllers told people, by condition. It is here so that one of them tells it.
    pub told: BTreeMap<String, Told>,
    /// Which of the last changes no plan has to know.
    pub notes: Option<Notes>,
    /// The twins of rotations whose URLs do not show whose they are, with the URLs of their callbacks.
    pub twins: BTreeMap<Identity, CallbackUrl>,
    /// Makes this state's fingerprints useless elsewhere. `None` until the first apply.
    pub salt: Option<Salt>,
    pub scopes: BTreeMap<Arc<Scope>, BTreeMap<CallbackUrl, Entry>>,
    pending: BTreeMap<CallId, Identity>,
    next_call: CallId,
}

impl Recorded {
    /// What is known before the first apply: nothing.
    pub const fn nothing(environment: Environment) -> Self {
        Self {
            lineage: None,
            serial: 0,
            environment,
            destination: None,
            accounts: BTreeMap::new(),
            suspension: None,
            checkout: None,
            told: BTreeMap::new(),
            notes: None,
            twins: BTreeMap::new(),
            salt: None,
            scopes: BTreeMap::new(),
            pending: BTreeMap::new(),
            next_call: CallId(1),
        }
    }

    /// Whether a plan that was made from the state with this serial would be made again.
    pub fn has_plans_of(&self, serial: u64) -> bool {
        let notes = self.notes.filter(|notes| notes.until == self.serial);
        let first = notes.map_or(self.serial, |notes| notes.after);
        (first..=self.serial).contains(&serial)
    }

    /// The serial grows by a change that no plan has to know.
    pub fn count_note(&mut self) {
        let before = self.serial;
        let notes = self.notes.filter(|notes| notes.until == before);
        let after = notes.map_or(before, |notes| notes.after);
        self.serial = before + 1;
        self.notes = Some(Notes {
            after,
            until: self.serial,
        });
    }

    /// Where its calls went, if that is another place than `here`, which does not hold what is recorded.
    pub fn elsewhere(&self, here: &Destination) -> Option<&Destination> {
        let recorded = self.destination.as_ref();
        recorded.filter(|there| !there.is_same_place(here))
    }

    /// The suspension that lasts now.
    pub fn suspended(&self, now: Timestamp) -> Option<&Suspension> {
        let suspension = self.suspension.as_ref();
        suspension.filter(|suspension| suspension.until > now)
    }

    /// What is recorded of one callback.
    pub fn get(&self, scope: &Scope, url: &CallbackUrl) -> Option<&Entry> {
        self.scopes.get(scope)?.get(url)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, scope: &Scope, url: &CallbackUrl) -> Option<&mut Entry> {
        self.scopes.get_mut(scope)?.get_mut(url)
    }

    /// Puts an entry in its place, returning the one that was there.
    pub fn insert(&mut self, identity: Identity, entry: Entry) -> Option<Entry> {
        if let Some(pending) = entry.pending {
            self.pending.insert(pending.id, identity.clone());
            self.next_call = self.next_call.max(CallId(pending.id.0 + 1));
        }
        self.scopes
            .entry(identity.scope)
            .or_default()
            .insert(identity.url, entry)
    }

    pub fn remove(&mut self, scope: &Scope, url: &CallbackUrl) -> Option<Entry> {
        let urls = self.scopes.get_mut(scope)?;
        let entry = urls.remove(url);
        if urls.is_empty() {
            self.scopes.remove(scope);
        }
        entry
    }

    /// Records everything of one scope under another. What both record of one URL is put together:
    /// see [`Entry::merge`]. Whether there was anything.
    pub fn move_scope(&mut self, from: &Scope, to: &Arc<Scope>) -> bool {
        let Some(urls) = self.scopes.remove(from) else {
            return false;
        };
        for (url, entry) in urls {
            let identity = Identity {
                scope: Arc::clone(to),
                url,
            };
            let there = self.remove(&identity.scope, &identity.url);
            let ids = [Some(&entry), there.as_ref()].map(|entry| Some(entry?.pending?.id));
            for id in ids.into_iter().flatten() {
                self.pending.remove(&id);
            }
            let merged = match there {
                Some(there) => there.merge(entry),
                None => entry,
            };
            self.insert(identity, merged);
        }
        let twins = self.twins.iter();
        let moved: Vec<_> = twins
            .map(|(twin, _)| twin)
            .filter(|twin| *twin.scope == *from)
            .cloned()
            .collect();
        for twin in moved {
            let of = self.twins.remove(&twin);
            let identity = Identity {
                scope: Arc::clone(to),
                url: twin.url,
            };
            self.twins.extend(of.map(|of| (identity, of)));
        }
        true
    }

    /// Whose twin this is, if its URL does not show it.
    pub fn twin_of(&self, scope: &Arc<Scope>, url: &CallbackUrl) -> Option<&CallbackUrl> {
        if self.twins.is_empty() {
            return None;
        }
        self.twins.get(&Identity {
            scope: Arc::clone(scope),
            url: url.clone(),
        })
    }

    /// Makes a twin a callback of its own. Whether it was a twin.
    pub fn keep_twin(&mut self, scope: &Arc<Scope>, url: &CallbackUrl) -> bool {
        let twin = || Identity {
            scope: Arc::clone(scope),
            url: url.clone(),
        };
        !self.twins.is_empty() && self.twins.remove(&twin()).is_some()
    }

    /// Forgets the twins that are gone. Whether there were any.
    pub fn forget_twins(&mut self) -> bool {
        let before = self.twins.len();
        let scopes = &self.scopes;
        self.twins.retain(|twin, _| {
            let urls = scopes.get(&twin.scope);
            let entry = urls.and_then(|urls| urls.get(&twin.url));
            entry.is_some_and(|entry| {
                entry.belief.presence() != Presence::Absent || entry.lost.is_some()
            })
        });
        self.twins.len() < before
    }

    /// Keeps what is known of an account under its new name, unless something is known under that already.
    /// Whether anything changed.
    pub fn rename_account(&mut self, old: &AccountName, new: &AccountName) -> bool {
        let Some(account) = self.accounts.remove(old) else {
            return false;
        };
        self.accounts.entry(new.clone()).or_insert(account);
        true
    }

    /// Every entry with its identity, in scope and URL order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Scope>, &CallbackUrl, &Entry)> {
        self.scopes
            .iter()
            .flat_map(|(scope, urls)| urls.iter().map(move |(url, entry)| (scope, url, entry)))
    }

    /// The same in the order of a plan: by handle, then scope and URL.
    pub fn by_handle(&self) -> Vec<(&Arc<Scope>, &CallbackUrl, &Entry)> {
        let mut all: Vec<_> = self.iter().collect();
        // Stable: those of one handle stay in their order.
        all.sort_by(|(_, _, one), (_, _, two)| one.handle.cmp(&two.handle));
        all
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.scopes.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty()
    }

    /// Whether the call with this number is on its way.
    pub fn is_pending(&self, id: CallId) -> bool {
        self.pending.contains_key(&id)
    }

    /// The largest number that a call here has, as far as is known; 0 when there was none.
    pub const fn last_call(&self) -> CallId {
        CallId(self.next_call.0 - 1)
    }

    /// A number for the next call that no earlier one of this state's journal has.
    pub fn next_call(&mut self) -> CallId {
        let id = self.next_call;
        self.next_call = CallId(id.0 + 1);
        id
    }

    /// A call is about to leave.
    pub fn open_call(&mut self, id: CallId, intent: &Intent) {
        let Intent {
            identity,
            handle,
            operator,
            protect,
            call,
            nonce,
        } = intent;
        let entry = self
            .scopes
            .entry(Arc::clone(&identity.scope))
            .or_default()
            .entry(identity.url.clone())
            .or_insert_with(|| Entry::untouched(handle.clone(), operator.clone(), *protect));
        entry.handle = handle.clone();
        entry.operator = operator.clone();
        entry.protect = *protect;
        entry.open_call(id, *call, *nonce);
        self.pending.insert(id, identity.clone());
        self.next_call = self.next_call.max(CallId(id.0 + 1));
    }

    /// The callback of the call with this number, as it is recorded if the program dies before the call ends.
    pub fn if_lost(&self, id: CallId) -> Option<(Identity, Entry)> {
        let identity = self.pending.get(&id)?;
        let mut entry = self.get(&identity.scope, &identity.url)?.clone();
        entry.interrupt();
        Some((identity.clone(), entry))
    }

    /// The outcome of a call is known. `None` when no such call is pending.
    ///
    /// An entry about which nothing is known afterwards (its only call was refused) is forgotten.
    pub fn close_call(&mut self, id: CallId, outcome: &Outcome, at: Timestamp) -> Option<Settled> {
        let identity = self.pending.remove(&id)?;
        let entry = self.get_mut(&identity.scope, &identity.url)?;
        if entry.pending.is_none_or(|pending| pending.id != id) {
            return None;
        }
        let drift = entry.close_call(outcome, at);
        if entry.is_untouched() {
            self.remove(&identity.scope, &identity.url);
        }
        Some(Settled { identity, drift })
    }

    /// The lost calls that a witness can recognise.
    pub fn sought(&self) -> Vec<Sought> {
        let traced = self.iter().filter_map(|(scope, url, entry)| {
            let (lost, traces) = entry.traced()?;
            Some(Sought {
                identity: Identity {
                    scope: Arc::clone(scope),
                    url: url.clone(),
                },
                operator: entry.operator.clone(),
                write: lost.write,
                signed_at: lost.signed_at,
                nonces: traces.nonces.clone(),
            })
        });
        traced.collect()
    }

    /// What a witness says of lost calls settles those that it names: see [`Entry::settle`].
    ///
    /// An entry about which nothing is known afterwards is forgotten.
    pub fn settle(
        &mut self,
        said: &BTreeMap<Nonce, Testimony>,
        server_now: Timestamp,
    ) -> Vec<(Address, Witnessed)> {
        let mut settled = Vec::new();
        for urls in self.scopes.values_mut() {
            urls.retain(|url, entry| {
                let Some(witnessed) = entry.settle(said, server_now) else {
                    return true;
                };
                let address = Address {
                    handle: entry.handle.clone(),
                    url: url.clone(),
                };
                settled.push((address, witnessed));
                !entry.is_untouched()
            });
        }
        self.scopes.retain(|_, urls| !urls.is_empty());
        settled
    }

    /// No answer will come any more for any pending call: the program that waited for them is gone.
    pub fn interrupt(&mut self) {
        for identity in std::mem::take(&mut self.pending).into_values() {
            if let Some(entry) = self.get_mut(&identity.scope, &identity.url) {
                entry.interrupt();
            }
        }
    }
}

/// Lost calls of one callback that a witness can recognise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    pub identity: Identity,
    /// In whose name they were made.
    pub operator: OperatorId,
    pub write: Write,
    /// When the last of them was signed.
    pub signed_at: Timestamp,
    pub nonces: Vec<Nonce>,
}

/// What settling a call changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whose call it was.
    pub identity: Identity,
    /// What the answer revealed.
    pub drift: Option<Drift>,
}
