//! Rotations: another key or token for a callback without a lost message.
//!
//! eSign can't change a callback, so another key or token is a delete and an add, and messages in between are lost. In
//! a rotation a second URL of the same receiver, the *twin*, takes the messages meanwhile: it is added with the
//! declared key and token, the callback is replaced, and the twin is deleted.
//!
//! [`rotate`] gives the next plan of that, from what is declared and what is recorded. Which one is next follows from
//! the record alone, so a rotation goes on after a crash where it was. Every plan recognizes a URL that
//! [`twin`](crate::model::twin::twin) gives as the twin of its callback. A twin with another URL is recorded before it is added
//! ([`Recorded::twins`]). So a rotation that is not continued is finished by the next apply.
//!
//! # Invariants
//!
//! * [`rotate`] replaces a callback only in a plan before which its twin is certain to be present with the declared key
//!   and token, or with others if the callback may be missing; and that plan does not touch the twin before.
//! * A twin is deleted only in a plan before or in which its callback is certain to be present: an organization's
//!   deletes come after all its adds and replaces, and only when these succeeded. That is so in every plan but for
//!   `--destroy`.
//! * No plan both adds and deletes a twin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::moves::{moved, moves};
use super::twins::whose;
use super::{Change, Options, Plan, Reason, Secrets, plan};
use crate::model::twin::original;
use crate::model::{
    Address, Callback, CallbackUrl, Calls, Desired, Handle, Identity, Organization, Presence,
    Recorded, Scope,
};

/// The next plan of some rotations.
#[derive(Clone, Debug)]
pub struct Rotations {
    pub plan: Plan,
    /// In the order of their addresses.
    pub rotations: Vec<Rotation>,
}

/// One callback, and what is left of its rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub address: Address,
    /// Where the callback and its twin live.
    pub scope: Arc<Scope>,
    /// The URL of the twin.
    pub twin: CallbackUrl,
    pub stage: Stage,
    /// Why the callback is changed, or is not.
    pub reason: Reason,
    /// The calls that add the twin.
    pub adds: Calls,
    /// The calls for the callback.
    pub calls: Calls,
    /// The twins that are deleted at the end: this one, and those of rotations that were given up.
    pub deletes: BTreeSet<CallbackUrl>,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is nothing to rotate, for this rotation's reason.
    Nothing,
    /// The twin must be added first.
    Begin,
    /// The twin is there, or the callback has the declared key and token already.
    Finish,
    /// The URL of the twin is declared or listed under `absent`, so it can't be added and deleted.
    TwinDeclared,
    /// The URL of the twin is that of the twin of another callback.
    TwinOfAnother,
    /// The URL of the twin is recorded, and not as a twin: a callback that the file does not declare any more.
    TwinRecorded,
}

impl Rotation {
    /// The twin as it has to be recorded, if its URL does not show whose it is.
    pub fn given(&self) -> Option<(Identity, CallbackUrl)> {
        let is_shown = original(&self.twin).as_ref() == Some(&self.address.url);
        let identity = || Identity {
            scope: Arc::clone(&self.scope),
            url: self.twin.clone(),
        };
        (!is_shown).then(|| (identity(), self.address.url.clone()))
    }

    /// How many calls are left.
    pub fn count(&self) -> usize {
        match self.stage {
            Stage::Nothing | Stage::TwinDeclared | Stage::TwinOfAnother | Stage::TwinRecorded => 0,
            Stage::Begin | Stage::Finish => {
                self.adds.count() + self.calls.count() + self.deletes.len()
            }
        }
    }
}

/// The same twins, but of a rotation that began with another URL that one.
pub(crate) fn begun(
    desired: &Desired,
    recorded: &Recorded,
    twins: BTreeMap<Address, CallbackUrl>,
) -> BTreeMap<Address, CallbackUrl> {
    let moves = moves(desired, recorded);
    let recorded = &*moved(recorded, &moves);
    let of = |address: &Address| {
        let mut organizations = desired.organizations.iter();
        let organization = organizations.find(|one| one.handle == address.handle)?;
        let mut begun = recorded.twins.iter();
        begun.find_map(|(twin, of)| {
            let is_of = *of == address.url
                && twin.scope == organization.scope
                && !is_in_file(organization, &twin.url);
            let entry = recorded.get(&twin.scope, &twin.url).filter(|_| is_of)?;
            (entry.belief.presence() != Presence::Absent).then(|| twin.url.clone())
        })
    };
    let twins = twins.into_iter();
    twins
        .map(|(address, twin)| (of(&address).unwrap_or(twin), address))
        .map(|(twin, address)| (address, twin))
        .collect()
}

/// Plans what comes next in the rotation of each of these declared callbacks, which have these twins.
///
/// Without `begin` no twin is added, and what has none is left as it is.
pub fn rotate(
    desired: &Desired,
    recorded: &Recorded,
    secrets: Secrets<'_>,
    twins: &BTreeMap<Address, CallbackUrl>,
    begin: bool,
) -> Rotations {
    let only = |addresses: BTreeSet<Address>| Options {
        only: Some(addresses),
        twins: custom(twins),
        rotates: true,
        ..Options::default()
    };
    let plain = plan(
        desired,
        recorded,
        secrets,
        &only(twins.keys().cloned().collect()),
    );
    let all = twins.keys().collect();
    let declared = with_twins(desired, twins, &all);
    let of_twins = twins.iter().map(|(address, twin)| beside(address, twin));
    let added = plan(&declared, recorded, secrets, &only(of_twins.collect()));
    let now = moved(recorded, &plain.moves);
    let mut rotations = Vec::new();
    for organization in &desired.organizations {
        for callback in &organization.callbacks {
            let address = Address {
                handle: organization.handle.clone(),
                url: callback.url.clone(),
            };
            let Some(twin) = twins.get(&address) else {
                continue;
            };
            let of = |plan| change(plan, &organization.scope, &address.handle);
            let Some(own) = of(&plain)(&address.url) else {
                continue;
            };
            let adds = of(&added)(twin);
            let left = left(organization, &now, &address);
            let obstacle = obstacle(desired, (organization, &address.url), &now, twin);
            rotations.push(rotation(organization, own, (twin, adds, obstacle), left));
        }
    }
    rotations.sort_by(|one, two| one.address.cmp(&two.address));
    let mut chosen = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for rotation in &rotations {
        match rotation.stage {
            Stage::Begin if begin => {
                begun.insert(&rotation.address);
                chosen.insert(beside(&rotation.address, &rotation.twin));
            }
            Stage::Finish => {
                let twins = rotation.deletes.iter();
                chosen.extend(twins.map(|twin| beside(&rotation.address, twin)));
                chosen.insert(rotation.address.clone());
            }
            Stage::Begin
            | Stage::Nothing
            | Stage::TwinDeclared
            | Stage::TwinOfAnother
            | Stage::TwinRecorded => {}
        }
    }
    let desired = with_twins(desired, twins, &begun);
    let mut next = plan(&desired, recorded, secrets, &only(chosen));
    // What refuses the replace refuses the rotation, before its twin is added.
    let is_any = rotations.iter().any(|rotation| rotation.count() > 0);
    if next.tripped.is_empty() && is_any {
        next.tripped = plain.tripped;
    }
    Rotations {
        plan: next,
        rotations,
    }
}

fn rotation(
    organization: &Organization,
    own: &Change,
    (twin, adds, obstacle): (&CallbackUrl, Option<&Change>, Option<Stage>),
    left: BTreeSet<CallbackUrl>,
) -> Rotation {
    let stage = match own.calls() {
        _ if is_held(own) => Stage::Nothing,
        // What is not recorded is added, whatever eSign has there: that is no rotation.
        Calls::Replace | Calls::Add if own.before.is_none() => Stage::Nothing,
        Calls::Replace => obstacle.unwrap_or_else(|| {
            if adds.is_some_and(|adds| adds.calls() == Calls::Nothing) {
                Stage::Finish
            } else if may_be_missing(own) && !adds.is_none_or(may_be_missing) {
                // Its twin has another key, and takes the messages all the same. Perhaps nothing else does.
                Stage::Finish
            } else {
                Stage::Begin
            }
        }),
        Calls::Nothing | Calls::Add | Calls::Delete if left.is_empty() => Stage::Nothing,
        Calls::Nothing | Calls::Add | Calls::Delete => Stage::Finish,
    };
    let mut deletes = left;
    if stage == Stage::Begin {
        deletes.insert(twin.clone());
    }
    Rotation {
        address: own.address.clone(),
        scope: Arc::clone(&organization.scope),
        twin: twin.clone(),
        stage,
        reason: own.reason,
        adds: adds
            .filter(|_| stage == Stage::Begin)
            .map_or(Calls::Nothing, Change::calls),
        calls: own.calls(),
        deletes,
    }
}

/// Why this URL can't be the twin of a callback, if it can't.
fn obstacle(
    desired: &Desired,
    (organization, url): (&Organization, &CallbackUrl),
    recorded: &Recorded,
    twin: &CallbackUrl,
) -> Option<Stage> {
    // A URL that two organizations have gives each of them this twin.
    let shows_whose = original(twin).as_ref() == Some(url);
    // Another one may be one of two organizations that are the same at eSign.
    let is_in_another = || {
        let mut organizations = desired.organizations.iter();
        !shows_whose && organizations.any(|other| is_in_file(other, twin))
    };
    if is_in_file(organization, twin) || is_in_another() {
        return Some(Stage::TwinDeclared);
    }
    let scope = &organization.scope;
    let may_be_there = |scope: &Arc<Scope>| {
        let entry = recorded.get(scope, twin);
        entry.is_some_and(|entry| entry.belief.presence() != Presence::Absent)
    };
    match whose(recorded, scope, twin) {
        Some(of) if of == *url => {}
        Some(of) => {
            let callbacks = &organization.callbacks;
            let is_needed = callbacks.iter().any(|callback| callback.url == of);
            if is_needed || may_be_there(scope) {
                return Some(Stage::TwinOfAnother);
            }
        }
        None if may_be_there(scope) => return Some(Stage::TwinRecorded),
        None => {}
    }
    let is_recorded =
        |scope: &Arc<Scope>| may_be_there(scope) && whose(recorded, scope, twin).is_none();
    let mut scopes = recorded.scopes.keys();
    (!shows_whose && scopes.any(is_recorded)).then_some(Stage::TwinRecorded)
}

/// Whether the file says what becomes of this URL.
fn is_in_file(organization: &Organization, url: &CallbackUrl) -> bool {
    let mut callbacks = organization.callbacks.iter();
    organization.absent.contains(url) || callbacks.any(|callback| callback.url == *url)
}

/// Whether the file says that nothing is called for it.
fn is_held(change: &Change) -> bool {
    matches!(change.reason, Reason::Suspended | Reason::Disabled)
}

fn may_be_missing(change: &Change) -> bool {
    let before = change.before.as_ref();
    before.is_none_or(|before| before.belief.may_be_absent())
}

/// The twins of a callback that may be present and are not declared.
fn left(
    organization: &Organization,
    recorded: &Recorded,
    address: &Address,
) -> BTreeSet<CallbackUrl> {
    let entries = recorded.scopes.get(&organization.scope);
    let is_left = |url: &CallbackUrl| {
        whose(recorded, &organization.scope, url).as_ref() == Some(&address.url)
            && !is_in_file(organization, url)
    };
    let entries = entries.into_iter().flatten();
    entries
        .filter(|(url, entry)| entry.belief.presence() != Presence::Absent && is_left(url))
        .map(|(url, _)| url.clone())
        .collect()
}

/// The change of a URL in a scope.
fn change<'p>(
    plan: &'p Plan,
    scope: &Scope,
    handle: &Handle,
) -> impl Fn(&CallbackUrl) -> Option<&'p Change> {
    let organizations = plan.organizations.iter();
    let found = organizations
        .filter(|one| *one.scope == *scope && one.handle == *handle)
        .flat_map(|one| &one.changes);
    let changes: BTreeMap<&CallbackUrl, &Change> =
        found.map(|change| (&change.address.url, change)).collect();
    move |url| changes.get(url).copied()
}

/// The address of another URL of the same organization.
fn beside(address: &Address, url: &CallbackUrl) -> Address {
    Address {
        handle: address.handle.clone(),
        url: url.clone(),
    }
}

/// The twins with a URL of another form than that of [`twin`](crate::model::twin::twin).
fn custom(twins: &BTreeMap<Address, CallbackUrl>) -> BTreeMap<Address, CallbackUrl> {
    let twins = twins.iter();
    twins
        .filter(|(address, twin)| original(twin).as_ref() != Some(&address.url))
        .map(|(address, twin)| (beside(address, twin), address.url.clone()))
        .collect()
}

/// What is declared, and the twins of these callbacks with their keys and tokens.
fn with_twins(
    desired: &Desired,
    twins: &BTreeMap<Address, CallbackUrl>,
    of: &BTreeSet<&Address>,
) -> Desired {
    let mut desired = desired.clone();
    for organization in &mut desired.organizations {
        let Organization {
            handle,
            callbacks,
            absent,
            ..
        } = organization;
        let mut added = Vec::new();
        for callback in callbacks.iter() {
            let address = Address {
                handle: handle.clone(),
                url: callback.url.clone(),
            };
            let twin = of.get(&address).and_then(|address| twins.get(*address));
            added.extend(twin.map(|twin| Callback {
                url: twin.clone(),
                protect: false,
                description: None,
                ..callback.clone()
            }));
        }
        for twin in added {
            let at = callbacks.binary_search_by(|other| other.url.cmp(&twin.url));
            if let Err(at) = at
                && !absent.contains(&twin.url)
            {
                callbacks.insert(at, twin);
            }
        }
    }
    desired
}
