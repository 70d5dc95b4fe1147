//! What every plan of the planner satisfies, and an edited one may not.
//!
//! A saved plan has a checksum, which can be computed again after an edit. What such a plan calls is what it
//! shows; this keeps it from calling what no plan may, and from recording what could not be read again.

use super::{Bookkeeping, Change, Details, Move, OrganizationPlan, Plan, Reason};
use crate::model::{AppId, CallbackUrl, Calls, OrganizationId, Scope};

impl Plan {
    /// Why this plan can't come from the planner, if it can't.
    pub fn contradiction(&self) -> Option<String> {
        let scopes = self.scopes();
        if let Some(scope) = scopes
            .iter()
            .find(|scope| scope.environment != self.environment)
        {
            return Some(format!(
                "the plan is for the {} environment, and a scope in it is of {}",
                self.environment, scope.environment
            ));
        }
        let ids = scopes.iter().flat_map(|scope| {
            let Scope {
                environment: _,
                account,
                organization,
                app_id,
            } = scope;
            let organization = organization.as_ref().map(OrganizationId::as_str);
            let app = app_id.as_ref().map(AppId::as_str);
            [Some(account.as_str()), organization, app]
        });
        if !ids.flatten().all(is_name) {
            return Some("a scope has an empty or unprintable name".to_owned());
        }
        let books = self.bookkeeping.iter().find_map(of_bookkeeping);
        let mut changes = self.organizations.iter().flat_map(|organization| {
            let changes = organization.changes.iter();
            changes.map(move |change| (organization, change))
        });
        books.or_else(|| changes.find_map(|(organization, change)| self.of(organization, change)))
    }

    fn scopes(&self) -> Vec<&Scope> {
        let organizations = self
            .organizations
            .iter()
            .flat_map(|organization| [Some(&organization.scope), organization.successor.as_ref()]);
        let moves = self
            .moves
            .iter()
            .flat_map(|Move { from, to, .. }| [Some(from), Some(to)]);
        let books = self.bookkeeping.iter();
        let books = books.map(|item| Some(&item.identity().scope));
        let all = organizations.chain(moves).chain(books).flatten();
        all.map(|scope| &**scope).collect()
    }

    fn of(&self, organization: &OrganizationPlan, change: &Change) -> Option<String> {
        let address = &change.address;
        if change.calls() == Calls::Nothing {
            return None;
        }
        if organization.suspended {
            return Some(format!(
                "`{address}` is called, but its organization is suspended"
            ));
        }
        let named = is_name(address.handle.as_str()) && is_name(change.operator.as_str());
        if !named || !is_url(&address.url) {
            return Some(format!(
                "`{address}` has an invalid URL, or an empty handle or operator"
            ));
        }
        if change.calls() != Calls::Delete {
            return None;
        }
        let protected = change.before.as_ref().is_some_and(|before| before.protect);
        if protected && self.tripped.is_empty() {
            return Some(format!("`{address}` is protected, and would be deleted"));
        }
        (!deletes(change.reason))
            .then(|| format!("`{address}` would be deleted, because {}", change.reason))
    }
}

fn of_bookkeeping(item: &Bookkeeping) -> Option<String> {
    let Bookkeeping::Refresh {
        identity,
        before: _,
        after: Details {
            handle, operator, ..
        },
    } = item
    else {
        return None;
    };
    let named = is_name(handle.as_str()) && is_name(operator.as_str());
    (!named).then(|| format!("`{}` gets an empty handle or operator", identity.url))
}

/// Whether a delete may follow from this.
const fn deletes(reason: Reason) -> bool {
    match reason {
        Reason::NotDeclared
        | Reason::OrganizationNotDeclared
        | Reason::ScopeChanged { .. }
        | Reason::ListedAbsent
        | Reason::Destroy
        | Reason::RotationEnds => true,
        Reason::NotRecorded
        | Reason::ProvenAbsent
        | Reason::Adoption
        | Reason::SecretChanged { .. }
        | Reason::Requested
        | Reason::HealDue
        | Reason::Missing
        | Reason::OpenAdd
        | Reason::OpenAddOfAnotherValue
        | Reason::OpenDelete
        | Reason::Unchanged
        | Reason::Unproven
        | Reason::NotChecked
        | Reason::Suspended
        | Reason::Disabled
        | Reason::RotationKept
        | Reason::RotationWaits => false,
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

fn is_url(url: &CallbackUrl) -> bool {
    let text = url.as_str();
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.starts_with('/') && is_name(rest))
}
