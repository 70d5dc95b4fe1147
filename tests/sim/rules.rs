//! The invariants, each checked at the moment it could be broken.
//!
//! The letters are those of `docs/reliability.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ess_callbacks::model::{Belief, Calls, Evidence, Outcome, Presence, Recorded, Timestamp};
use ess_callbacks::plan::Plan;
use tokio::time::Instant;

use crate::config::{Config, Credentials, Id};
use crate::place::Place;
use crate::world::{Known, Sent, Taint, World, Write, fingerprints_of};

/// What the oracle knows of one run.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact")]
pub(crate) struct RunFacts {
    pub(crate) config: Config,
    /// Deletes everything.
    pub(crate) destroy: bool,
    /// Is one of a rotation.
    pub(crate) rotates: bool,
    /// `None`: everything.
    pub(crate) targets: Option<BTreeSet<Id>>,
    /// Replaced whatever is recorded.
    pub(crate) forced: BTreeSet<Id>,
    /// Replaced by its plan.
    pub(crate) replaced: BTreeSet<Id>,
    pub(crate) place: Place,
    /// Calls a second that it may make.
    pub(crate) rate: usize,
    pub(crate) max_retries: u32,
    /// How far its clock is off, if it does not jump.
    pub(crate) clock: Option<i64>,
    /// Calls since the last one that got an answer, by account.
    pub(crate) silent: BTreeMap<&'static str, u32>,
    /// Calls that were not throttled, by callback.
    pub(crate) tries: BTreeMap<Id, u32>,
    pub(crate) throttles: BTreeMap<Id, u32>,
    /// Since when declared callbacks are gone because this run deleted them.
    gaps: BTreeMap<Id, Instant>,
    pub(crate) alive: bool,
    /// Receivers that failed their verification.
    pub(crate) unverified: BTreeSet<Id>,
    /// Mixed up only where that can be known.
    pub(crate) credentials: Credentials,
    /// Its lock was broken, and the files of another run have replaced its files.
    pub(crate) robbed: bool,
    /// Another run may have begun while it still sent what it had recorded.
    pub(crate) overtaken: bool,
    /// The version of the files of a replica.
    pub(crate) version: Option<usize>,
    pub(crate) has_called: bool,
}

impl RunFacts {
    pub(crate) const fn new(config: Config, place: Place) -> Self {
        Self {
            config,
            destroy: false,
            rotates: false,
            targets: None,
            forced: BTreeSet::new(),
            replaced: BTreeSet::new(),
            place,
            rate: 20,
            max_retries: 5,
            clock: None,
            silent: BTreeMap::new(),
            tries: BTreeMap::new(),
            throttles: BTreeMap::new(),
            gaps: BTreeMap::new(),
            alive: true,
            unverified: BTreeSet::new(),
            credentials: Credentials::Right,
            robbed: false,
            overtaken: false,
            version: None,
            has_called: false,
        }
    }

    /// Who targets a callback targets its twin.
    fn is_targeted(&self, id: Id) -> bool {
        let of = |targets: &BTreeSet<Id>| {
            let of_twin = || !self.rotates && targets.contains(&id.declared());
            targets.contains(&id) || of_twin()
        };
        self.targets.as_ref().is_none_or(of)
    }

    /// Whether the file wants this callback to be there.
    pub(crate) fn wants(&self, id: Id) -> bool {
        !self.destroy && self.config.value(id).is_some()
    }
}

impl World {
    /// Everything that must be true when a call leaves.
    pub(crate) fn check_departure(&mut self, sent: &Sent) {
        let Sent { run, id, write, .. } = *sent;
        if !self.runs[run].alive {
            self.breaks("h", &format!("run {run} is dead and calls all the same"));
        }
        self.check_version(run);
        if self.runs[run].credentials == Credentials::MixedUp {
            let what = format!("run {run}: {write:?} {id:?} for another enterprise's account");
            self.breaks("c", &what);
        }
        self.check_managed(sent);
        self.check_fence(sent);
        self.check_journal(sent);
        self.check_departure_rate(run, sent.enterprise);
        self.check_retries(run, id);
        self.check_silence(run, sent.enterprise);
        self.check_gap(run, id, write);
        // What is replaced is no old address.
        let facts = &self.runs[run];
        if write == Write::Delete && !facts.wants(id) && !facts.replaced.contains(&id) {
            self.check_order(run, id);
        }
        let declared = self.runs[run].config.declared();
        let declared = declared.filter(|(declared, _, _)| *declared == id).last();
        if let Some((_, _, protect)) = declared {
            if protect {
                self.protected.insert(id);
            } else {
                self.protected.remove(&id);
            }
        }
    }

    /// (c) Only what is declared, listed as absent, or recorded from before.
    fn check_managed(&mut self, sent: &Sent) {
        let Sent { run, id, write, .. } = *sent;
        let facts = &self.runs[run];
        let what = format!("run {run}: {write:?} {id:?}");
        let wanted = match write {
            Write::Add(_) => {
                let settled = || facts.settled(id).filter(|_| self.managed.contains(&id));
                facts.written(id).or_else(settled)
            }
            Write::Delete => facts.config.value(id),
        };
        let wanted = wanted.filter(|_| !facts.destroy);
        let suspended = facts.config.is_suspended(id.scope);
        let targeted = facts.is_targeted(id);
        let listed = facts.config.is_absent(id);
        let unverified = facts.unverified.contains(&id) && wanted.is_some();
        if suspended {
            self.breaks("c", &format!("{what} of a suspended organization"));
        }
        if !targeted {
            self.breaks("c", &format!("{what}, which is no target"));
        }
        if unverified {
            self.breaks(
                "c",
                &format!("{what}, whose receiver failed its verification"),
            );
        }
        match (write, wanted) {
            (Write::Add(value), Some(wanted)) if value == wanted => {}
            (Write::Add(_), _) => {
                self.breaks("c", &format!("{what}, but the file says {wanted:?}"));
            }
            (Write::Delete, None) if !listed && !self.managed.contains(&id) => {
                self.breaks("c", &format!("{what}, which was never ours"));
            }
            (Write::Delete, None) if self.protected.contains(&id) => {
                self.breaks("c", &format!("{what}, which is protected"));
            }
            (Write::Delete, _) => {}
        }
    }

    /// (d) No call while an unanswered call with another effect may still arrive.
    fn check_fence(&mut self, sent: &Sent) {
        let earlier = self.by_id.get(&sent.id).cloned().unwrap_or_default();
        for number in earlier {
            let other = self.calls[number];
            if other.write != sent.write
                && other.known != Known::Answered
                && self.may_arrive(&other)
            {
                self.breaks(
                    "d",
                    &format!(
                        "{:?} {:?} leaves while call {number}, {:?}, may still arrive",
                        sent.write, sent.id, other.write
                    ),
                );
            }
        }
    }

    /// (h) What leaves is in the journal, or in the snapshot, as the disk has it for certain.
    fn check_journal(&mut self, sent: &Sent) {
        if self.runs[sent.run].robbed {
            return;
        }
        let scopes = sent.id.scopes();
        let is_member = scopes[0].organization.is_some();
        let accounts: Vec<_> = scopes
            .iter()
            .map(|scope| format!("\"account\":\"{}\"", scope.account))
            .collect();
        let url = format!("\"url\":\"{}\"", sent.id.url());
        let signed = format!("\"signed_at\":\"{}\"", Timestamp(sent.signed_at));
        let verb = match sent.write {
            Write::Add(_) => "\"call\":\"add\"",
            Write::Delete => "\"call\":\"delete\"",
        };
        let durable = self.runs[sent.run].place.durable();
        let found = durable.iter().any(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            text.split("\"intent\"").flat_map(str::lines).any(|record| {
                accounts
                    .iter()
                    .any(|account| record.contains(account.as_str()))
                    && [&url, &signed]
                        .iter()
                        .all(|part| record.contains(part.as_str()))
                    && record.contains(verb)
                    && record.contains("proxy_organization_id") == is_member
            })
        });
        if !found {
            self.breaks("h", &format!("{sent:?} leaves and is not in the journal"));
        }
    }

    /// What an answer means for the rules.
    pub(crate) fn note_answer(&mut self, number: usize, outcome: &Outcome) {
        let Sent {
            run,
            id,
            write,
            enterprise,
            ..
        } = self.calls[number];
        let facts = &mut self.runs[run];
        if outcome.error().is_none_or(|error| error.code.is_some()) {
            facts.silent.remove(enterprise);
        }
        if matches!(outcome, Outcome::Throttled(_)) {
            let throttles = facts.throttles.entry(id).or_default();
            *throttles += 1;
            if *throttles > 250 {
                self.breaks("g", &format!("run {run}: throttled for ever at {id:?}"));
            }
            return;
        }
        let done = matches!(outcome, Outcome::Applied(_) | Outcome::NotThere(_));
        if write == Write::Delete && done && facts.wants(id) {
            facts.gaps.insert(id, Instant::now());
        }
    }

    /// (e) A replaced callback is absent only between two adjacent calls.
    fn check_gap(&mut self, run: usize, id: Id, write: Write) {
        let facts = &mut self.runs[run];
        let Some(since) = facts.gaps.remove(&id) else {
            return;
        };
        let gap = since.elapsed();
        if facts.overtaken {
            // It stood still, perhaps in between.
            return;
        }
        // With few calls a second the second call of a pair may have to wait for its turn.
        let pair = if facts.rate >= 8 {
            Duration::from_millis(20)
        } else {
            Duration::from_millis(3500)
        };
        // The intent of the add is written in between.
        let most = pair + facts.place.longest_write();
        if write == Write::Delete {
            self.breaks("e", &format!("run {run}: {id:?} is deleted twice"));
        } else if gap > most {
            self.breaks(
                "e",
                &format!("run {run}: {id:?} was deleted {gap:?} before it is added back"),
            );
        }
    }

    /// (e) At the end of a run that was not stopped, nothing is left deleted that should be there.
    pub(crate) fn check_no_gap_left(&mut self, run: usize) {
        let gaps = std::mem::take(&mut self.runs[run].gaps);
        for id in gaps.into_keys() {
            self.breaks(
                "e",
                &format!("run {run}: {id:?} was deleted and never added"),
            );
        }
    }

    /// (f) An old address goes only after its organization's new ones are there.
    fn check_order(&mut self, run: usize, id: Id) {
        let facts = &self.runs[run];
        let missing: Vec<Id> = facts
            .config
            .declared()
            .map(|(declared, _, _)| declared)
            .filter(|declared| {
                declared.scope == id.scope
                    && !facts.destroy
                    && facts.is_targeted(*declared)
                    && !self.cloud.contains_key(declared)
                    && self.taints.get(declared) != Some(&Taint::Deleted)
            })
            .collect();
        if !missing.is_empty() {
            self.breaks(
                "f",
                &format!("run {run}: {id:?} is deleted while {missing:?} are missing"),
            );
        }
    }

    /// (e) A callback that is declared before and after, unchanged, is never deleted.
    pub(crate) fn check_execution(&mut self, id: Id, run: usize) {
        if let Some(value) = self.steady.remove(&id) {
            self.breaks(
                "e",
                &format!(
                    "run {run} deletes {id:?}, which is declared and unchanged with value {value}"
                ),
            );
        }
    }

    /// What is not steady any more once this run begins, and what it can't know to be protected: a
    /// refused add is not recorded.
    pub(crate) fn unsettle(&mut self, run: usize, recorded: &Recorded) {
        self.protected.retain(|id| id.recorded(recorded).is_some());
        let facts = &self.runs[run];
        self.steady.retain(|id, value| {
            !facts.destroy && !facts.forced.contains(id) && facts.config.value(*id) == Some(*value)
        });
    }

    /// What a run is about to call for is ours: its intents may be recorded, also when it dies before
    /// the calls leave. Only what is recorded already may be destroyed.
    pub(crate) fn note_plan(&mut self, run: usize, plan: &Plan) {
        if self.runs[run].destroy {
            return;
        }
        for organization in &plan.organizations {
            for change in &organization.changes {
                let id = Id::of(&organization.scope, &change.address.url);
                self.managed
                    .extend(id.filter(|_| change.calls() != Calls::Nothing));
            }
        }
    }

    /// A run has ended by itself and everything it planned is done, except for these callbacks.
    pub(crate) fn note_end(&mut self, run: usize, unfinished: &BTreeSet<Id>, recorded: &Recorded) {
        let facts = &self.runs[run];
        if facts.destroy {
            return;
        }
        let declared: Vec<_> = facts
            .config
            .declared()
            .filter(|(id, _, _)| facts.is_targeted(*id) && !facts.config.is_suspended(id.scope))
            .collect();
        for (id, value, protect) in declared {
            if protect {
                self.protected.insert(id);
            } else {
                self.protected.remove(&id);
            }
            if !unfinished.contains(&id) && self.cloud.contains_key(&id) {
                self.steady.insert(id, value);
            }
        }
        let is_recorded = |id: &Id| id.recorded(recorded).is_some();
        self.managed.retain(is_recorded);
        self.protected.retain(is_recorded);
    }

    /// A run ended without saying what it recorded.
    pub(crate) fn weaken(&mut self, run: usize) {
        let unprotected = self.runs[run].config.declared();
        let unprotected: Vec<_> = unprotected.filter(|(_, _, protect)| !protect).collect();
        for (id, _, _) in unprotected {
            self.protected.remove(&id);
        }
    }

    /// (a) Everything that is declared is there, also what others had deleted.
    pub(crate) fn check_all_there(&mut self, config: &Config) {
        let missing: Vec<_> = config
            .declared()
            .map(|(id, _, _)| id)
            .filter(|id| !config.is_suspended(id.scope) && !self.cloud.contains_key(id))
            .collect();
        if !missing.is_empty() {
            self.breaks("a", &format!("{missing:?} must be present"));
        }
    }

    /// (b) What the state holds for possible contains what is true.
    pub(crate) fn check_truth(&mut self, recorded: &Recorded, when: &str) {
        let mut wrong = Vec::new();
        for (scope, url, entry) in recorded.iter() {
            let Some(id) = Id::of(scope, url) else {
                wrong.push(format!("{url} is recorded but not declared"));
                continue;
            };
            if self.taints.contains_key(&id) {
                continue;
            }
            let there = self.cloud.get(&id).copied();
            if !allows(entry.belief, there) {
                wrong.push(format!(
                    "{id:?} is recorded as {} {} ({:?}), but eSign holds {there:?}",
                    entry.belief.evidence(),
                    entry.belief.presence(),
                    entry.belief.presumed(),
                ));
            }
        }
        for id in &self.ours {
            if id.recorded(recorded).is_none() {
                wrong.push(format!(
                    "{id:?} is there because of us, and is not recorded"
                ));
            }
        }
        self.protected.retain(|id| id.recorded(recorded).is_some());
        for what in wrong {
            self.breaks("b", &format!("{when}: {what}"));
        }
    }

    /// (a) eSign holds what is declared, and (c) everything else is as it was.
    pub(crate) fn check_reached(&mut self, config: &Config, recorded: &Recorded, exact: bool) {
        let mut wrong = Vec::new();
        for (id, value, _) in config.declared() {
            if config.is_suspended(id.scope) {
                continue;
            }
            let there = self.cloud.get(&id).copied();
            let tainted = self.taints.contains_key(&id);
            let assumed = id
                .recorded(recorded)
                .is_some_and(|entry| entry.belief.evidence() == Evidence::Assumed);
            let reached = there == Some(value)
                || (tainted && !exact)
                || (there.is_some() && assumed && !exact);
            if !reached {
                wrong.push(format!("{id:?} must be {value}, but eSign holds {there:?}"));
            }
        }
        for (&id, value) in &self.cloud {
            let unwanted = config.value(id).is_none() && !config.is_suspended(id.scope);
            let recorded_there = id
                .recorded(recorded)
                .is_some_and(|entry| entry.belief.presence() != Presence::Absent);
            if unwanted && recorded_there {
                wrong.push(format!(
                    "{id:?} is recorded, not declared, and there: {value}"
                ));
            }
            if config.is_absent(id)
                && !config.is_suspended(id.scope)
                && !self.taints.contains_key(&id)
            {
                wrong.push(format!("{id:?} must be absent, but eSign holds {value}"));
            }
        }
        for what in wrong {
            self.breaks("a", &what);
        }
        self.check_foreign();
    }

    /// (c) Unmanaged callbacks are unchanged.
    pub(crate) fn check_foreign(&mut self) {
        let changed: Vec<_> = self
            .foreign
            .iter()
            .filter(|(id, value)| self.cloud.get(id) != Some(value))
            .map(|(id, _)| *id)
            .collect();
        for id in changed {
            self.breaks("c", &format!("{id:?} was never ours, and has changed"));
        }
    }
}

/// Whether a belief holds this for possible.
fn allows(belief: Belief, there: Option<u8>) -> bool {
    match there {
        None => belief.may_be_absent(),
        Some(value) => belief.presumed().is_some_and(|presumed| {
            !presumed.exact || presumed.fingerprints == fingerprints_of(value)
        }),
    }
}
