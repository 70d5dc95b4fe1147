//! What is recorded in a scope that no organization in the file has: its organization left, or has
//! another scope now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assemble::assemble;
use super::build::{Builder, DISABLED, SUSPENDED};
use super::decide::{Verdict, Wanted, decide};
use super::guards::{self, Census};
use super::{Bookkeeping, Change, Deletion, OrganizationPlan, Reason};
use crate::model::{Address, CallbackUrl, Entry, Handle, Identity, Organization, Scope};

impl<'a> Builder<'a> {
    /// Entries of a scope that no organization in the file has: it left, or has another scope now.
    pub(super) fn orphaned(
        &mut self,
        scope: &'a Arc<Scope>,
        entries: &'a BTreeMap<CallbackUrl, Entry>,
    ) {
        let Some(handle) = entries.values().next().map(|entry| &entry.handle) else {
            return;
        };
        // A rotation is of what the file declares, where it declares it.
        if self.options.rotates {
            return;
        }
        let successor = self.declared_as(handle);
        let reason = if self.options.destroy {
            Reason::Destroy
        } else {
            successor.map_or(Reason::OrganizationNotDeclared, |successor| {
                Reason::ScopeChanged {
                    account: successor.scope.account != scope.account,
                    organization: successor.scope.organization != scope.organization,
                    app: successor.scope.app_id != scope.app_id,
                }
            })
        };
        let suspended = successor.is_some_and(|successor| successor.suspend);
        let mut census = Census::default();
        let mut changes = Vec::new();
        for (url, entry) in entries {
            let held = if suspended {
                Some(SUSPENDED)
            } else {
                // Its add in the new scope is not made either.
                successor.and_then(|successor| is_disabled(successor, url).then_some(DISABLED))
            };
            changes.extend(self.leaving((scope, url), entry, (reason, held), &mut census));
        }
        let plan = OrganizationPlan {
            handle: handle.clone(),
            scope: Arc::clone(scope),
            successor: successor.map(|successor| Arc::clone(&successor.scope)),
            left: successor.is_none() && !self.options.destroy,
            suspended,
            changes,
        };
        self.push(plan, census);
    }

    /// Plans one callback of such a scope.
    fn leaving(
        &mut self,
        (scope, url): (&Arc<Scope>, &CallbackUrl),
        entry: &Entry,
        (reason, held): (Reason, Option<Verdict>),
        census: &mut Census,
    ) -> Option<Change> {
        let is_twin = self.is_twin(scope, url);
        let counted = guards::counts(entry.belief.presence());
        census.recorded += usize::from(counted && !is_twin);
        self.summary.unknown += usize::from(entry.is_open());
        let address = Address {
            handle: entry.handle.clone(),
            url: url.clone(),
        };
        if !self.targeted(&address) && !self.leaves_as_twin(scope, (url, &entry.handle)) {
            census.remaining += usize::from(counted && !is_twin);
            return None;
        }
        if !counted {
            let identity = Identity {
                scope: Arc::clone(scope),
                url: url.clone(),
            };
            if entry.lost.is_none() {
                self.bookkeeping.push(Bookkeeping::Forget(identity));
            }
            return None;
        }
        let deletion = if is_twin {
            Deletion::Twin
        } else {
            Deletion::Omitted
        };
        let wanted = Wanted::Gone(deletion, reason);
        let decided = decide(Some(entry), wanted);
        if held.is_none() && self.heals_only() && self.is_left_for_apply(Some(entry), decided) {
            census.remaining += usize::from(!is_twin);
            return None;
        }
        let verdict = held.unwrap_or(decided);
        if self.leaves(verdict) {
            census.remaining += usize::from(!is_twin);
            return None;
        }
        let operator = entry.operator.clone();
        let change = assemble(address, operator, verdict, Some(entry), (wanted, None));
        census.omitted += usize::from(change.is_by_omission());
        census.remaining += usize::from(held.is_some() && !is_twin);
        Some(change)
    }

    /// The organization that has this handle in the file.
    fn declared_as(&self, handle: &Handle) -> Option<&'a Organization> {
        let organizations = &self.desired.organizations;
        let at = organizations
            .binary_search_by(|one| one.handle.cmp(handle))
            .ok()?;
        Some(&organizations[at])
    }
}

/// Whether the organization declares this callback and calls nothing for it.
fn is_disabled(organization: &Organization, url: &CallbackUrl) -> bool {
    let callbacks = &organization.callbacks;
    callbacks
        .binary_search_by(|callback| callback.url.cmp(url))
        .is_ok_and(|at| !callbacks[at].enabled)
}
