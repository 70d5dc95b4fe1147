//! Which organizations' deletes wait for which others' adds.
//!
//! The old address goes last: an organization's deletes begin only when all its adds succeeded. When
//! it has another member, application or account now, its old callbacks are recorded in another scope
//! than its new ones, and the deletes of the one wait for the adds of the other. The same holds when
//! the handle changed too, and only the URL shows what took the place of what.

use std::collections::BTreeMap;

use super::{OrganizationPlan, Plan};
use crate::model::{CallbackUrl, Calls, Handle};

impl Plan {
    /// By number of an organization with deletes: the other organizations whose adds, heals and
    /// replaces must all succeed before. Without those that wait for no other.
    pub fn deletes_wait_for(&self) -> BTreeMap<usize, Vec<usize>> {
        let deletes =
            |organization: &OrganizationPlan| has(organization, |calls| calls == Calls::Delete);
        let deleting: Vec<_> = numbered(self).filter(|(_, one)| deletes(one)).collect();
        if deleting.is_empty() {
            return BTreeMap::new();
        }
        let mut by_handle: BTreeMap<&Handle, Vec<usize>> = BTreeMap::new();
        let mut by_new_url: BTreeMap<&CallbackUrl, Vec<usize>> = BTreeMap::new();
        let some_left = deleting.iter().any(|(_, one)| one.left);
        for (number, organization) in numbered(self).filter(|(_, one)| has(one, Calls::adds)) {
            by_handle
                .entry(&organization.handle)
                .or_default()
                .push(number);
            if !some_left {
                continue;
            }
            for change in &organization.changes {
                if change.calls().adds() && change.before.is_none() {
                    let of_url = by_new_url.entry(&change.address.url).or_default();
                    of_url.push(number);
                }
            }
        }
        let mut waits = BTreeMap::new();
        for (number, organization) in deleting {
            let of_handle = by_handle.get(&organization.handle).into_iter().flatten();
            let mut others: Vec<usize> = of_handle.copied().collect();
            if organization.left {
                let urls = organization
                    .changes
                    .iter()
                    .map(|change| &change.address.url);
                others.extend(urls.filter_map(|url| by_new_url.get(url)).flatten());
            }
            others.retain(|other| *other != number);
            others.sort_unstable();
            others.dedup();
            if !others.is_empty() {
                waits.insert(number, others);
            }
        }
        waits
    }
}

fn numbered(plan: &Plan) -> impl Iterator<Item = (usize, &OrganizationPlan)> {
    plan.organizations.iter().enumerate()
}

fn has(organization: &OrganizationPlan, which: impl Fn(Calls) -> bool) -> bool {
    organization
        .changes
        .iter()
        .any(|change| which(change.calls()))
}
