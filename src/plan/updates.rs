//! What changes in the record without a call, as a reviewer has to see it: a plan that only takes
//! protection away calls nothing, and the next one may delete what was protected.

use std::collections::BTreeMap;

use super::{Bookkeeping, Plan};
use crate::model::{Address, CallbackUrl, Handle, OperatorId, Scope};

/// What is recorded of a callback that eSign does not know about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    pub handle: Handle,
    /// In whose name it can be deleted.
    pub operator: OperatorId,
    /// Whether it is protected.
    pub protect: bool,
}

/// One change of the record, of one callback or of several of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// The organization, as callbacks.yaml calls it.
    pub handle: &'a Handle,
    /// Where its callbacks live.
    pub scope: &'a Scope,
    /// The field, its old value and its new one.
    pub field: Updated<'a>,
}

/// A recorded field with its old and its new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated<'a> {
    /// The handle: one update for all callbacks that are recorded under the same one.
    Handle {
        before: &'a Handle,
        after: &'a Handle,
        callbacks: usize,
    },
    /// The operator: one update for all callbacks that are recorded with the same one.
    Operator {
        before: &'a OperatorId,
        after: &'a OperatorId,
        callbacks: usize,
    },
    /// The protection of one callback.
    Protect {
        url: &'a CallbackUrl,
        before: bool,
        after: bool,
    },
}

impl Update<'_> {
    /// The callback that it is about; `None` when it is about several of an organization.
    pub fn address(&self) -> Option<Address> {
        match self.field {
            Updated::Handle { .. } | Updated::Operator { .. } => None,
            Updated::Protect { url, .. } => Some(Address {
                handle: self.handle.clone(),
                url: url.clone(),
            }),
        }
    }
}

/// The updates of one organization.
#[derive(Default)]
struct Group<'a> {
    handles: BTreeMap<&'a Handle, usize>,
    operators: BTreeMap<(&'a OperatorId, &'a OperatorId), usize>,
    protects: Vec<(&'a CallbackUrl, bool, bool)>,
}

impl Plan {
    /// Whether the record has something to learn from the configuration. What can be forgotten is not
    /// among it: no one asked for that, and nothing depends on it.
    pub fn records_something(&self) -> bool {
        let refresh = |item: &Bookkeeping| match item {
            Bookkeeping::Refresh { .. } => true,
            Bookkeeping::Forget(_) => false,
        };
        !self.moves.is_empty() || self.bookkeeping.iter().any(refresh)
    }

    /// What changes in the record without a call, in handle order; of an organization its handle, its
    /// operator and the protection of each callback. Moves are not among it.
    pub fn updates(&self) -> Vec<Update<'_>> {
        let mut groups: BTreeMap<(&Handle, &Scope), Group<'_>> = BTreeMap::new();
        for item in &self.bookkeeping {
            let Bookkeeping::Refresh {
                identity,
                before,
                after,
            } = item
            else {
                continue;
            };
            let group = groups.entry((&after.handle, &identity.scope)).or_default();
            if before.handle != after.handle {
                *group.handles.entry(&before.handle).or_default() += 1;
            }
            if before.operator != after.operator {
                let operators = (&before.operator, &after.operator);
                *group.operators.entry(operators).or_default() += 1;
            }
            if before.protect != after.protect {
                let url = &identity.url;
                group.protects.push((url, before.protect, after.protect));
            }
        }
        let updates = groups.into_iter().flat_map(|((handle, scope), group)| {
            let handles = group
                .handles
                .into_iter()
                .map(|(before, callbacks)| Updated::Handle {
                    before,
                    after: handle,
                    callbacks,
                });
            let operators = group
                .operators
                .into_iter()
                .map(|((before, after), callbacks)| Updated::Operator {
                    before,
                    after,
                    callbacks,
                });
            let protects = group
                .protects
                .into_iter()
                .map(|(url, before, after)| Updated::Protect { url, before, after });
            let fields = handles.chain(operators).chain(protects);
            fields.map(move |field| Update {
                handle,
                scope,
                field,
            })
        });
        updates.collect()
    }
}
