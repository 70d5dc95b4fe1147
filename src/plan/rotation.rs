//! Rotations: another key or token for a callback without a lost message.
//!
//! eSign can't change a callback, so another key or token is a delete and an add, and messages in between are lost. In
//! a rotation a second URL of the same receiver, the *twin*, takes the messages meanwhile: it is added with the
//! declared key and token, the callback is replaced, and the twin is deleted.
//!
//! [`rotate`] gives the next plan of that, from what is declared and what is recorded. Which one is next follows from
//! the record alone, so a rotation goes on after a crash where it was. Every plan recognizes a URL that
//! [`twin`](super::twins::twin) gives as the twin of its callback. A twin with another URL is recorded before it is added
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

use super::moves::moved;
use super::twins::{original, whose};
use super::{Change, Options, Plan, Reason, Secrets, plan};
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
    /// The URL of the twin is that of another callback.
    TwinOfAnother,
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
            Stage::Nothing | Stage::TwinDeclared | Stage::TwinOfAnother => 0,
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
    let of = |address: &Address| {
        let mut organizations = desired.organizations.iter();
        let organization = organizations.find(|one| one.handle == address.handle)?;
        let mut begun = recorded.twins.iter();
        begun.find_map(|(twin, of)| {
            let is_of = *of == address.url && twin.scope == organization.scope;
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
            let left = left(organization, &now, &address, twin);
            let is_taken = serves_another(organization, &now, &address.url, twin);
            rotations.push(rotation(organization, own, (twin, adds, is_taken), left));
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
            Stage::Begin | Stage::Nothing | Stage::TwinDeclared | Stage::TwinOfAnother => {}
        }
    }
    let desired = with_twins(desired, twins, &begun);
    let mut next = plan(&desired, recorded, secrets, &only(chosen));
    // What refuses the replace refuses the rotation, before its twin is added.
    if next.tripped.is_empty() {
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
    (twin, adds, is_taken): (&CallbackUrl, Option<&Change>, bool),
    left: BTreeSet<CallbackUrl>,
) -> Rotation {
    let is_declared = organization.absent.contains(twin)
        || organization
            .callbacks
            .iter()
            .any(|other| other.url == *twin);
    let stage = match own.calls() {
        _ if is_held(own) => Stage::Nothing,
        Calls::Replace if own.before.is_none() => Stage::Nothing,
        Calls::Replace if is_declared => Stage::TwinDeclared,
        Calls::Replace if is_taken => Stage::TwinOfAnother,
        Calls::Replace if adds.is_some_and(|adds| adds.calls() == Calls::Nothing) => Stage::Finish,
        // Its twin has another key, and takes the messages all the same. Perhaps nothing else does.
        Calls::Replace if may_be_missing(own) && !adds.is_none_or(may_be_missing) => Stage::Finish,
        Calls::Replace => Stage::Begin,
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

/// Whether this URL is the twin of another callback, or would be.
fn serves_another(
    organization: &Organization,
    recorded: &Recorded,
    url: &CallbackUrl,
    twin: &CallbackUrl,
) -> bool {
    let scope = &organization.scope;
    let of = whose(recorded, scope, twin).filter(|of| of != url);
    of.is_some_and(|of| {
        let entry = recorded.get(scope, twin);
        let callbacks = &organization.callbacks;
        callbacks.iter().any(|callback| callback.url == of)
            || entry.is_some_and(|entry| entry.belief.presence() != Presence::Absent)
    })
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
    twin: &CallbackUrl,
) -> BTreeSet<CallbackUrl> {
    let entries = recorded.scopes.get(&organization.scope);
    let is_left = |url: &CallbackUrl| {
        let declared = organization.callbacks.iter().any(|other| other.url == *url);
        let is_twin =
            url == twin || whose(recorded, &organization.scope, url).as_ref() == Some(&address.url);
        is_twin && !declared && !organization.absent.contains(url)
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

/// The twins with a URL of another form than that of [`twin`](super::twins::twin).
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
