//! Puts the lines of a state file together again.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::sync::Arc;

use super::line::{CallbackLine, OpenCalls, Text, check_number, scope};
use crate::model::{
    AccountName, AppId, CallId, CallbackUrl, Checkout, Destination, Entry, Environment, Handle,
    Identity, Lineage, Notes, OperatorId, OrganizationId, Pending, Recorded, RecordedAccount, Salt,
    Scope, Suspension, Told,
};
use crate::state::{EndedCall, Rescue};

/// What is before the callbacks.
pub(super) struct Head {
    pub(super) lineage: Lineage,
    pub(super) serial: u64,
    pub(super) environment: Environment,
    pub(super) destination: Option<Destination>,
    pub(super) accounts: BTreeMap<AccountName, RecordedAccount>,
    pub(super) suspension: Option<Suspension>,
    pub(super) checkout: Option<Checkout>,
    pub(super) told: BTreeMap<String, Told>,
    pub(super) notes_after: Option<u64>,
    pub(super) twins: BTreeMap<Identity, CallbackUrl>,
    pub(super) salt: Salt,
    pub(super) ended: Vec<EndedCall>,
}

/// A [`Recorded`] in the making. Names that repeat from line to line are kept once.
pub(super) struct Builder {
    recorded: Recorded,
    /// The scope of the last line, and its callbacks so far.
    scope: Option<Arc<Scope>>,
    urls: BTreeMap<CallbackUrl, Entry>,
    handle: Option<Handle>,
    operators: BTreeMap<Box<str>, OperatorId>,
    in_flight: BTreeMap<CallId, Identity>,
    ended: Vec<EndedCall>,
}

impl Builder {
    pub(super) fn new(head: Head) -> Result<Self, String> {
        check_number("serial", head.serial)?;
        let mut recorded = Recorded::nothing(head.environment);
        recorded.lineage = Some(head.lineage);
        recorded.serial = head.serial;
        recorded.destination = head.destination;
        recorded.accounts = head.accounts;
        recorded.suspension = head.suspension;
        recorded.checkout = head.checkout;
        recorded.told = head.told;
        let until = head.serial;
        recorded.notes = match head.notes_after {
            Some(after) if after >= until => {
                return Err(format!("`notes_after` is {after}, and not before `serial`"));
            }
            after => after.map(|after| Notes { after, until }),
        };
        recorded.twins = head.twins;
        recorded.salt = Some(head.salt);
        Ok(Self {
            recorded,
            scope: None,
            urls: BTreeMap::new(),
            handle: None,
            operators: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            ended: head.ended,
        })
    }

    pub(super) fn add(&mut self, line: &CallbackLine<'_>) -> Result<(), String> {
        line.check_names()?;
        let belief = line.belief()?;
        let proof = line.proof()?;
        let OpenCalls {
            lost,
            traces,
            pending,
        } = line.open()?;
        let scope = self.scope(line);
        let entry = Entry {
            handle: self.handle(&line.handle),
            operator: self.operator(&line.operator),
            protect: line.protect,
            belief,
            lost,
            traces,
            pending,
            proof,
            sighting: line.sighting(),
        };
        let url = CallbackUrl::new(&*line.url.0);
        match self.urls.entry(url) {
            btree_map::Entry::Occupied(_) => {
                return Err(format!(
                    "duplicate callback `{}` in the same organization",
                    line.url.0
                ));
            }
            btree_map::Entry::Vacant(place) => {
                if let Some(Pending { id, .. }) = pending {
                    let url = place.key().clone();
                    let other = self.in_flight.insert(id, Identity { scope, url });
                    if let Some(Identity { scope: _, url }) = other {
                        return Err(repeated(id, &url));
                    }
                }
                place.insert(entry);
            }
        }
        Ok(())
    }

    /// No more lines.
    pub(super) fn finish(mut self) -> Rescue {
        self.close_scope();
        // Inserting also notes which calls are on their way.
        for identity in self.in_flight.into_values() {
            if let Some(entry) = self.recorded.get(&identity.scope, &identity.url).cloned() {
                self.recorded.insert(identity, entry);
            }
        }
        Rescue {
            recorded: self.recorded,
            ended: self.ended,
        }
    }

    /// The line's scope, which becomes the current one.
    fn scope(&mut self, line: &CallbackLine<'_>) -> Arc<Scope> {
        if let Some(scope) = &self.scope
            && is_scope_of(scope, line)
        {
            return Arc::clone(scope);
        }
        self.close_scope();
        let ids = (line.proxy_organization_id.as_ref(), line.app_id.as_ref());
        let scope = Arc::new(scope(self.recorded.environment, &line.account, ids));
        // A file that is not sorted comes back to a scope.
        let (scope, urls) = self
            .recorded
            .scopes
            .remove_entry(&scope)
            .unwrap_or((scope, BTreeMap::new()));
        self.urls = urls;
        Arc::clone(self.scope.insert(scope))
    }

    fn close_scope(&mut self) {
        let urls = std::mem::take(&mut self.urls);
        if let Some(scope) = self.scope.take()
            && !urls.is_empty()
        {
            self.recorded.scopes.insert(scope, urls);
        }
    }

    fn handle(&mut self, Text(text): &Text<'_>) -> Handle {
        if let Some(handle) = &self.handle
            && handle.as_str() == &**text
        {
            return handle.clone();
        }
        self.handle.insert(Handle::new(&**text)).clone()
    }

    fn operator(&mut self, Text(text): &Text<'_>) -> OperatorId {
        if let Some(operator) = self.operators.get(&**text) {
            return operator.clone();
        }
        let operator = OperatorId::new(&**text);
        self.operators.insert((&**text).into(), operator.clone());
        operator
    }
}

/// Two calls with one number: the outcome of one would be taken for the other's.
fn repeated(CallId(id): CallId, url: &CallbackUrl) -> String {
    format!(
        "the call with the `id` {id} is on its way for `{url}` too; give one of them another number"
    )
}

fn optional<'a>(text: Option<&'a Text<'_>>) -> Option<&'a str> {
    text.map(|Text(text)| &**text)
}

fn is_scope_of(scope: &Scope, line: &CallbackLine<'_>) -> bool {
    let Scope {
        environment: _,
        account,
        organization,
        app_id,
    } = scope;
    account.as_str() == line.account.0
        && organization.as_ref().map(OrganizationId::as_str)
            == optional(line.proxy_organization_id.as_ref())
        && app_id.as_ref().map(AppId::as_str) == optional(line.app_id.as_ref())
}
