//! Builds a plan: walks desired and recorded side by side, scope by scope and URL by URL, and puts
//! the decisions in order.
//!
//! Linear in the size of both: the two are sorted the same way and merged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::assemble::assemble;
use super::decide::{Value, Verdict, Wanted, decide};
use super::guards::{self, Census};
use super::moves::{self, Move};
use super::order::{join, merge, order};
use super::owners;
use super::{
    After, Bookkeeping, Change, Deletion, Destination, Details, FingerprintTable, OrganizationPlan,
    Pattern, Plan, Reason, Steps, Summary,
};
use crate::model::{
    Action, Address, Callback, CallbackUrl, Calls, Desired, Entry, Fingerprints, Identity,
    Organization, Presence, Recorded, Salt, Timestamp,
};

/// What is asked of the planner beside making desired and recorded equal.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Delete everything recorded instead.
    pub destroy: bool,
    /// Delete nothing: what would only be deleted is left as it is. What is replaced is added again, so that is made.
    pub keep: bool,
    /// Assert again what is there.
    pub heal: Option<Heal>,
    /// Only these; empty means all.
    pub targets: Vec<Pattern>,
    /// Of those, only these.
    pub only: Option<BTreeSet<Address>>,
    /// Twins whose URL does not show it, with the URL of their callback.
    pub twins: BTreeMap<Address, CallbackUrl>,
    /// Whether the plan is one of a rotation, which knows what its twins are for.
    pub rotates: bool,
    /// Delete and add these, whatever is recorded.
    pub replace: Vec<Pattern>,
    /// Lifts the guards when exactly so many are deleted by omission.
    pub allow_deletes: Option<usize>,
}

/// Which callbacks to assert again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heal {
    /// Those whose last proof is from before this moment; `None` means all.
    pub proved_before: Option<Timestamp>,
    /// A proof from after this moment counts as none: a clock was ahead.
    pub proved_by: Option<Timestamp>,
    /// At most so many calls for the whole plan; heals beyond that are left for a later run.
    pub max_calls: Option<usize>,
    /// Whether all other changes of the file are left for another apply.
    pub only: bool,
}

impl Heal {
    /// How far clocks of machines that share a state may differ, in seconds.
    pub const CLOCKS: i64 = 60;
}

/// What is known of the declared secrets' values.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'a> {
    /// What the fingerprints were made with.
    pub salt: Salt,
    /// `None` when the references were not resolved (`--no-secrets`).
    pub fingerprints: Option<&'a FingerprintTable>,
}

/// Plans what has to be called so that what is recorded becomes what is desired.
pub fn plan(
    desired: &Desired,
    recorded: &Recorded,
    secrets: Secrets<'_>,
    options: &Options,
) -> Plan {
    let moves = if options.heal.is_some_and(|heal| heal.only) {
        Vec::new()
    } else {
        moves::moves(desired, recorded)
    };
    let recorded = &*moves::moved(recorded, &moves);
    let mut builder = Builder {
        desired,
        recorded,
        secrets,
        options,
        organizations: Vec::new(),
        census: Vec::new(),
        bookkeeping: Vec::new(),
        summary: Summary::default(),
        unchanged: Vec::new(),
    };
    let organizations = &desired.organizations;
    let mut by_scope: Vec<_> = organizations
        .iter()
        .enumerate()
        .map(|(number, organization)| (&organization.scope, number))
        .collect();
    by_scope.sort_unstable();
    let mut entries = vec![None; organizations.len()];
    let mut orphans = Vec::new();
    join(
        by_scope.into_iter(),
        recorded.scopes.iter(),
        |scope, number, found| match (number, found) {
            (Some(number), found) => entries[number] = found,
            (None, found) => orphans.extend(found.map(|found| (scope, found))),
        },
    );
    // In the order of handles, which is nearly that of the plan.
    for (organization, entries) in organizations.iter().zip(entries) {
        builder.declared(organization, entries);
    }
    for (scope, entries) in orphans {
        builder.orphaned(scope, entries);
    }
    builder.finish(moves)
}

pub(super) struct Builder<'a> {
    pub(super) desired: &'a Desired,
    pub(super) recorded: &'a Recorded,
    secrets: Secrets<'a>,
    pub(super) options: &'a Options,
    pub(super) organizations: Vec<OrganizationPlan>,
    census: Vec<Census>,
    pub(super) bookkeeping: Vec<Bookkeeping>,
    pub(super) summary: Summary,
    /// The changes that find what they declare: by number of organization and of change.
    pub(super) unchanged: Vec<(usize, usize)>,
}

/// Nothing is called for a suspended organization.
pub(super) const SUSPENDED: Verdict = Verdict {
    action: Action::NoOp,
    calls: Calls::Nothing,
    reason: Reason::Suspended,
    fenced: false,
};

/// Nor for a callback that is not enabled.
pub(super) const DISABLED: Verdict = Verdict {
    reason: Reason::Disabled,
    ..SUSPENDED
};

/// Nor for a twin whose callback may be missing when the plan is done.
const KEPT: Verdict = Verdict {
    reason: Reason::RotationKept,
    ..SUSPENDED
};

/// Nor, in this plan, for a callback whose twin is not certain to be there.
const WAITS: Verdict = Verdict {
    reason: Reason::RotationWaits,
    ..SUSPENDED
};

/// What the file says about one URL of an organization.
pub(super) enum Declaration<'a> {
    Callback(&'a Callback),
    Absent,
    Nothing,
}

impl<'a> Builder<'a> {
    fn declared(
        &mut self,
        organization: &'a Organization,
        entries: Option<&'a BTreeMap<CallbackUrl, Entry>>,
    ) {
        let entries = entries.into_iter().flatten();
        let mut changes = Vec::with_capacity(organization.callbacks.len());
        let mut census = Census::default();
        let declared = merge(
            organization
                .callbacks
                .iter()
                .map(|callback| (&callback.url, Declaration::Callback(callback))),
            organization
                .absent
                .iter()
                .map(|url| (url, Declaration::Absent)),
        );
        join(declared, entries, |url, declaration, entry| {
            let declaration = declaration.unwrap_or(Declaration::Nothing);
            let position = (self.organizations.len(), changes.len());
            let known = (entry, &mut census);
            changes.extend(self.change(organization, url, &declaration, known, position));
        });
        let plan = OrganizationPlan {
            handle: organization.handle.clone(),
            scope: Arc::clone(&organization.scope),
            successor: None,
            left: false,
            suspended: organization.suspend,
            changes,
        };
        self.push(plan, census);
    }

    fn change(
        &mut self,
        organization: &Organization,
        url: &CallbackUrl,
        declaration: &Declaration<'_>,
        (entry, census): (Option<&Entry>, &mut Census),
        position: (usize, usize),
    ) -> Option<Change> {
        let address = Address {
            handle: organization.handle.clone(),
            url: url.clone(),
        };
        let is_undeclared = matches!(declaration, Declaration::Nothing);
        let is_twin = is_undeclared && self.is_twin(&organization.scope, url);
        let counted = |entry: &Entry| !is_twin && guards::counts(entry.belief.presence());
        let counted = usize::from(entry.is_some_and(counted));
        census.recorded += counted;
        self.summary.unknown += usize::from(entry.is_some_and(Entry::is_open));
        let is_targeted =
            self.targeted(&address) || (is_undeclared && self.targeted_as_twin(organization, url));
        if !is_targeted {
            census.remaining += counted;
            return None;
        }
        if self.options.destroy && entry.is_none() {
            // What was never recorded may belong to someone else.
            return None;
        }
        let (wanted, after) = self.wanted(organization, &address, declaration);
        let decided = decide(entry, wanted);
        let held = if organization.suspend {
            Some(SUSPENDED)
        } else if let Declaration::Callback(Callback { enabled: false, .. }) = declaration {
            Some(DISABLED)
        } else if self.keeps(organization, url, &wanted) {
            Some(KEPT)
        } else if decided.calls == Calls::Replace
            && let Declaration::Callback(callback) = declaration
            && self.waits_for_twin(organization, callback, (entry, decided))
        {
            Some(WAITS)
        } else {
            None
        };
        let is_due = held.is_none_or(|held| held.reason == Reason::RotationWaits);
        if is_due && self.heals_only() && self.is_left_for_apply(entry, decided) {
            census.remaining += counted;
            return None;
        }
        // What waits for its twin is as it is declared, but for its key and token.
        if is_due {
            self.note(organization, url, declaration, entry);
        }
        let verdict = held.unwrap_or(decided);
        if self.leaves(verdict) {
            census.remaining += counted;
            return None;
        }
        if matches!(wanted, Wanted::Gone(..)) && held.is_none() && verdict.calls == Calls::Nothing {
            return None;
        }
        let mut operator = organization.operator.clone();
        let mut after = after;
        if let Some(entry) = entry
            && self.heals_only()
        {
            operator = entry.operator.clone();
            if let Some(after) = &mut after {
                after.protect = entry.protect;
            }
        }
        let mut change = assemble(address, operator, verdict, entry, (wanted, after));
        // A protection that is declared and not recorded yet holds off `--destroy` too.
        if let (Declaration::Callback(Callback { protect: true, .. }), Some(before)) =
            (declaration, &mut change.before)
        {
            before.protect |= self.options.destroy;
        }
        let checked = |after: &After| after.fingerprints.is_some();
        if held.is_none() && matches!(&change.steps, Steps::Nothing(Some(after)) if checked(after))
        {
            self.unchanged.push(position);
        }
        census.omitted += usize::from(change.is_by_omission());
        let remains = change.after().is_some() || change.calls() != Calls::Delete;
        census.remaining += usize::from(remains && !is_twin);
        Some(change)
    }

    pub(super) fn wanted(
        &self,
        organization: &Organization,
        address: &Address,
        declaration: &Declaration<'_>,
    ) -> (Wanted, Option<After>) {
        match declaration {
            _ if self.options.destroy => {
                let undeclared = matches!(declaration, Declaration::Nothing);
                let is_twin = undeclared && self.is_twin(&organization.scope, &address.url);
                let deletion = if is_twin {
                    Deletion::Twin
                } else {
                    Deletion::Omitted
                };
                (Wanted::Gone(deletion, Reason::Destroy), None)
            }
            Declaration::Callback(callback) => {
                let Callback {
                    url: _,
                    key,
                    token,
                    enabled: _,
                    protect,
                    description: _,
                    place: _,
                } = **callback;
                let fingerprints = match (key, token) {
                    (None, None) => Some(Fingerprints::default()),
                    pair => self
                        .secrets
                        .fingerprints
                        .and_then(|table| table.get(&pair).copied()),
                };
                let value = fingerprints.map_or(
                    Value::Shape {
                        key: key.is_some(),
                        token: token.is_some(),
                    },
                    Value::Known,
                );
                let forced = self
                    .options
                    .replace
                    .iter()
                    .any(|pattern| pattern.matches(address));
                let after = After {
                    key,
                    token,
                    same: None,
                    fingerprints,
                    protect,
                };
                (
                    Wanted::Declared {
                        value,
                        adoption: organization.adoption,
                        forced,
                    },
                    Some(after),
                )
            }
            Declaration::Absent => (Wanted::Gone(Deletion::Listed, Reason::ListedAbsent), None),
            Declaration::Nothing => match self.original(organization, &address.url) {
                Some(callback) => self
                    .awaited(organization, callback, &address.url)
                    .unwrap_or((Wanted::Gone(Deletion::Twin, Reason::RotationEnds), None)),
                None if self.is_twin(&organization.scope, &address.url) => {
                    (Wanted::Gone(Deletion::Twin, Reason::NotDeclared), None)
                }
                None => (Wanted::Gone(Deletion::Omitted, Reason::NotDeclared), None),
            },
        }
    }

    /// What the record alone has to learn.
    fn note(
        &mut self,
        organization: &Organization,
        url: &CallbackUrl,
        declaration: &Declaration<'_>,
        entry: Option<&Entry>,
    ) {
        let Some(entry) = entry else { return };
        let identity = || Identity {
            scope: Arc::clone(&organization.scope),
            url: url.clone(),
        };
        let protect = match declaration {
            Declaration::Callback(callback) => callback.protect,
            // Taking protection back needs a separate apply, while the callback is still declared:
            // were it lifted by the plan that deletes the callback, it would protect nothing.
            Declaration::Absent => entry.protect,
            Declaration::Nothing => {
                // A lost call could bring it back, so it is remembered as long as there is one.
                if entry.belief.presence() == Presence::Absent && entry.lost.is_none() {
                    self.bookkeeping.push(Bookkeeping::Forget(identity()));
                }
                return;
            }
        };
        if self.heals_only() {
            return;
        }
        let before = Details {
            handle: entry.handle.clone(),
            operator: entry.operator.clone(),
            protect: entry.protect,
        };
        let after = Details {
            handle: organization.handle.clone(),
            operator: organization.operator.clone(),
            protect,
        };
        if before != after {
            self.bookkeeping.push(Bookkeeping::Refresh {
                identity: identity(),
                before,
                after,
            });
        }
    }

    /// Whether this is a delete, and none is to be made now.
    pub(super) fn leaves(&self, verdict: Verdict) -> bool {
        self.options.keep && verdict.calls == Calls::Delete
    }

    pub(super) fn targeted(&self, address: &Address) -> bool {
        let Options { targets, only, .. } = self.options;
        let one_of = |only: &BTreeSet<Address>| only.contains(address);
        only.as_ref().is_none_or(one_of)
            && (targets.is_empty() || targets.iter().any(|pattern| pattern.matches(address)))
    }

    pub(super) fn push(&mut self, organization: OrganizationPlan, census: Census) {
        self.organizations.push(organization);
        self.census.push(census);
    }

    fn finish(mut self, moves: Vec<Move>) -> Plan {
        self.heal();
        self.bookkeeping
            .sort_by(|one, two| one.identity().cmp(two.identity()));
        for organization in &mut self.organizations {
            organization
                .changes
                .sort_by(|one, two| order(one).cmp(&order(two)));
            for change in &organization.changes {
                self.summary.count(change);
            }
        }
        let mut paired: Vec<_> = self.organizations.into_iter().zip(self.census).collect();
        paired.sort_by(|(one, _), (two, _)| {
            (&one.handle, &one.scope).cmp(&(&two.handle, &two.scope))
        });
        let (organizations, census): (Vec<_>, Vec<_>) = paired.into_iter().unzip();
        let used: BTreeSet<_> = organizations
            .iter()
            .filter(|organization| {
                organization
                    .changes
                    .iter()
                    .any(|change| change.calls() != Calls::Nothing)
            })
            .map(|organization| organization.scope.account.clone())
            .collect();
        let accounts = self
            .desired
            .accounts
            .iter()
            .filter(|(name, _)| used.contains(*name));
        let mut plan = Plan {
            environment: self.desired.environment,
            destination: Destination::default(),
            lineage: self.recorded.lineage,
            serial: self.recorded.serial,
            salt: self.secrets.salt,
            accounts: accounts
                .map(|(name, account)| (name.clone(), account.clone()))
                .collect(),
            secrets: self
                .desired
                .secrets
                .iter()
                .map(|secret| secret.reference.clone())
                .collect(),
            checks: BTreeMap::new(),
            organizations,
            sources: moves::sources(self.desired, self.recorded),
            moves,
            bookkeeping: self.bookkeeping,
            summary: self.summary,
            tripped: Vec::new(),
        };
        plan.tripped = owners::perhaps_shared(self.desired, self.recorded, &plan);
        plan.tripped.append(&mut guards::tripped(
            &plan,
            &census,
            self.options.allow_deletes,
        ));
        plan
    }
}
