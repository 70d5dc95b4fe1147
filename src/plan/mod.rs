//! Planning: what has to be called so that eSign holds what callbacks.yaml declares.
//!
//! [`plan`] is a pure function of what is desired and what is recorded: no network, no credentials,
//! no clock. A [`Plan`] holds everything its calls need, so that applying it makes no choices.
//!
//! Invariants: the same input gives the same plan, whatever order the file had; applying a plan and
//! planning again gives a plan without changes; a change that does the opposite of a lost call
//! carries a fence.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "planning is a pure function of desired and recorded"
)]

#[cfg(test)]
pub(crate) mod arbitrary;
mod assemble;
mod build;
mod change;
mod decide;
mod document;
mod guards;
mod heal;
mod leaving;
mod moves;
mod order;
mod owners;
mod pattern;
mod reason;
mod rotation;
mod same;
mod shown;
mod sound;
mod stale;
#[cfg(test)]
mod tests;
mod twins;
mod updates;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{
    Account, AccountName, AccountSource, Address, Calls, Environment, Handle, Identity, Lineage,
    Salt, Scope, SecretIndex, Timestamp,
};
use crate::secret::{Check, SecretReference};

pub use crate::model::Destination;
pub use crate::model::twin::twin;
pub use build::{Heal, Options, Secrets, plan};
pub use change::{After, Before, Change, Deletion, Same, Steps};
pub use document::{
    DocumentError, FORMAT_VERSION, applyable, calls_digest, read_document, write_document,
    write_errored, write_shown,
};
pub use moves::Move;
pub use pattern::{Pattern, PatternError};
pub use reason::Reason;
pub(crate) use rotation::begun;
pub use rotation::{Rotation, Rotations, Stage, rotate};
pub use same::{FingerprintTable, Unlike};
pub use stale::Stale;
pub use updates::{Details, Update, Updated};

/// What will be done, in the order it will be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub environment: Environment,
    /// What its calls go to. The planner assumes eSign; its caller changes that.
    pub destination: Destination,
    /// The state it was made from; `None` when there was none yet.
    pub lineage: Option<Lineage>,
    /// The state's serial. A plan is stale when something that it was made from has changed since.
    pub serial: u64,
    /// What its fingerprints were made with.
    pub salt: Salt,
    /// Every account its calls use.
    pub accounts: BTreeMap<AccountName, Account>,
    /// Every secret its calls use, indexed by [`SecretIndex`].
    pub secrets: Vec<SecretReference>,
    /// By which a saved plan notices that the value of one changed. The planner knows no values; whoever
    /// does adds those of the secrets that are sent.
    pub checks: BTreeMap<SecretIndex, Check>,
    /// In handle order. Organizations side by side, the changes of each in order.
    pub organizations: Vec<OrganizationPlan>,
    /// Accounts whose credentials come from elsewhere than those of their last calls.
    pub sources: Vec<SourceChange>,
    /// What is recorded under another account than it belongs to now. The record changes before the
    /// first call.
    pub moves: Vec<Move>,
    /// What is recorded but needs no call: renamed handles, changed operators, entries to forget.
    pub bookkeeping: Vec<Bookkeeping>,
    pub summary: Summary,
    /// Guards that refuse to apply it.
    pub tripped: Vec<Tripped>,
}

/// The credentials of an account come from elsewhere now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceChange {
    pub account: AccountName,
    /// Where those of its last calls came from.
    pub before: AccountSource,
    /// Where callbacks.yaml takes them from.
    pub after: AccountSource,
}

/// The changes of one organization.
#[derive(Clone, Debug, PartialEq)]
pub struct OrganizationPlan {
    pub handle: Handle,
    /// Where its callbacks live.
    pub scope: Arc<Scope>,
    /// The scope that its handle has in callbacks.yaml now, when that is another one.
    pub successor: Option<Arc<Scope>>,
    /// Its handle is not in callbacks.yaml any more.
    pub left: bool,
    /// Nothing is called for it; its changes are all no-ops.
    pub suspended: bool,
    /// Adds, heals and settled adds first; then replaces; then deletes. No-ops last.
    pub changes: Vec<Change>,
}

/// A change of the record alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Bookkeeping {
    /// The file says something new of a callback that eSign does not know about.
    Refresh {
        identity: Identity,
        before: Details,
        after: Details,
    },
    /// Proven absent, and neither listed under `absent:` nor to be brought back by a lost call.
    Forget(Identity),
}

/// How many callbacks get which action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    pub add: usize,
    /// To be deleted and added.
    pub replace: usize,
    pub delete: usize,
    /// To be added again.
    pub heal: usize,
    /// With an open outcome to settle.
    pub finish: usize,
    /// Nothing to do. Holds the unproven and the unchecked ones too.
    pub unchanged: usize,
    /// Unchanged, but only assumed.
    pub unproven: usize,
    /// Unchanged, but messages that others got did not arrive there.
    #[serde(default)]
    pub missing: usize,
    /// Recorded with an open outcome.
    pub unknown: usize,
    /// Unchanged as far as is known without the secrets.
    pub not_checked: usize,
    pub suspended: usize,
    pub disabled: usize,
    /// Due for `--heal` but left for a later run by `--max-calls`.
    pub heal_deferred: usize,
    /// Changes that `--heal-only` leaves for another apply.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_for_apply: usize,
    /// Replaced by a later plan, when the twin of their rotation is certain to be there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: usize,
    /// The earliest last proof of the unchanged ones.
    pub oldest_proof: Option<Timestamp>,
    /// How many calls that makes when nothing has to be repeated.
    pub calls: usize,
    /// What `added`, `changed` and `destroyed` will be.
    pub to_add: usize,
    pub to_change: usize,
    pub to_destroy: usize,
    /// How many are deleted because they are not declared: what the guards count.
    pub deletes_by_omission: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A guard that refuses the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tripped {
    /// More than 30 % of an organization's callbacks, and more than one.
    MostOfOrganization {
        handle: Handle,
        /// How many would be deleted.
        deletes: usize,
        /// Of how many.
        recorded: usize,
    },
    /// An organization's last callback.
    LastOfOrganization {
        handle: Handle,
        /// How many would be deleted.
        deletes: usize,
    },
    /// More than 30 % of all, and more than ten.
    MostOfAll {
        /// How many would be deleted.
        deletes: usize,
        /// Of how many.
        recorded: usize,
    },
    Protected {
        address: Address,
    },
    /// Callbacks of an account's own organization that another account's declares or has too: if the
    /// two are one organization, deleting them for one erases them for the other.
    PerhapsShared {
        /// The organization that they would be deleted for.
        handle: Handle,
        account: AccountName,
        /// The account that they are to stay for.
        other: AccountName,
        callbacks: usize,
    },
    /// `--allow-deletes` names another number than the plan deletes.
    WrongAllowance {
        /// What the flag said.
        allowed: usize,
        /// What the plan deletes.
        deletes: usize,
    },
}

impl Bookkeeping {
    /// Which callback it is about.
    pub const fn identity(&self) -> &Identity {
        match self {
            Self::Refresh {
                identity,
                before: _,
                after: _,
            }
            | Self::Forget(identity) => identity,
        }
    }
}

impl Plan {
    /// Whether there is nothing to call.
    pub fn is_empty(&self) -> bool {
        self.summary.calls == 0
    }

    /// The callbacks that are replaced beside their twins, which take the messages meanwhile and are deleted at the end: as
    /// far as their URLs show whose they are.
    pub fn covered(&self) -> BTreeSet<Address> {
        // In the scope that the file gives the organization: in one that it has left, nothing is replaced.
        let twins = self.changes().filter(|change| {
            let before = change.before.as_ref();
            change.reason == Reason::RotationEnds
                && before.is_some_and(|before| !before.belief.may_be_absent())
        });
        let of = twins.filter_map(|twin| {
            Some(Address {
                handle: twin.address.handle.clone(),
                url: crate::model::twin::original(&twin.address.url)?,
            })
        });
        of.collect()
    }

    /// The callbacks that a later plan replaces, because the twin of their rotation is not certain to be there.
    pub fn waiting(&self) -> impl Iterator<Item = &Address> {
        let all = self.organizations.iter().flat_map(|one| &one.changes);
        let waits = |change: &&Change| change.reason == Reason::RotationWaits;
        all.filter(waits).map(|change| &change.address)
    }

    /// Accounts that recorded callbacks belong to but the file no longer declares: their calls can't
    /// be signed.
    pub fn missing_accounts(&self) -> impl Iterator<Item = (&AccountName, &Handle)> {
        self.organizations
            .iter()
            .filter(|organization| {
                organization
                    .changes
                    .iter()
                    .any(|change| change.calls() != Calls::Nothing)
            })
            .map(|organization| (&organization.scope.account, &organization.handle))
            .filter(|(account, _)| !self.accounts.contains_key(*account))
    }

    /// The same plan without the organizations in which everything stays as it is and nothing is missing: what is kept grows
    /// with what is called, and not with what is declared. The summary still counts them.
    #[must_use]
    pub fn where_something_is_called(&self) -> Self {
        let called = |organization: &&OrganizationPlan| {
            let mut changes = organization.changes.iter();
            let shown = |change: &Change| {
                let missing = change.before.as_ref().and_then(|before| before.missing);
                change.calls() != Calls::Nothing || missing.is_some()
            };
            organization.suspended || changes.any(shown)
        };
        let Self {
            environment,
            destination,
            lineage,
            serial,
            salt,
            accounts,
            secrets,
            checks,
            organizations,
            sources,
            moves,
            bookkeeping,
            summary,
            tripped,
        } = self;
        Self {
            environment: *environment,
            destination: destination.clone(),
            lineage: *lineage,
            serial: *serial,
            salt: *salt,
            accounts: accounts.clone(),
            secrets: secrets.clone(),
            checks: checks.clone(),
            organizations: organizations.iter().filter(called).cloned().collect(),
            sources: sources.clone(),
            moves: moves.clone(),
            bookkeeping: bookkeeping.clone(),
            summary: *summary,
            tripped: tripped.clone(),
        }
    }

    /// Every change with calls, in order.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes_by_organization().map(|(_, change)| change)
    }

    /// The same, each with its organization.
    pub fn changes_by_organization(&self) -> impl Iterator<Item = (&OrganizationPlan, &Change)> {
        self.organizations.iter().flat_map(|organization| {
            let changes = organization.changes.iter();
            changes
                .filter(|change| change.calls() != Calls::Nothing)
                .map(move |change| (organization, change))
        })
    }
}
