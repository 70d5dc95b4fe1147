//! Twins: the URLs that take the messages of a callback while a rotation replaces it, and what every plan does with them.

use std::ops::Bound;
use std::sync::Arc;

use super::build::{Builder, Declaration};
use super::decide::{Verdict, Wanted, decide};
use super::{After, Deletion, Options, Reason};
use crate::model::twin::{original, stem};
use crate::model::{
    Address, Callback, CallbackUrl, Calls, Entry, Handle, Organization, Presence, Recorded, Scope,
    Write,
};

/// The URL that this one was or would be added for, as its twin. What is recorded comes before the form of the URL.
pub(super) fn whose(
    recorded: &Recorded,
    scope: &Arc<Scope>,
    url: &CallbackUrl,
) -> Option<CallbackUrl> {
    recorded
        .twin_of(scope, url)
        .cloned()
        .or_else(|| original(url))
}

impl Builder<'_> {
    /// Whether this URL was added as the twin of a recorded callback, whatever the file says of that now. It comes and
    /// goes with a rotation, so it is none of the callbacks that the guards count.
    pub(super) fn is_twin(&self, scope: &Arc<Scope>, url: &CallbackUrl) -> bool {
        self.recorded.twin_of(scope, url).is_some()
            || original(url).is_some_and(|of| self.recorded.get(scope, &of).is_some())
    }

    /// Whether it is a twin whose callback is a target: what becomes of one is done with the other.
    pub(super) fn targeted_as_twin(&self, organization: &Organization, url: &CallbackUrl) -> bool {
        let scope = &organization.scope;
        let is_twin = || self.original(organization, url).is_some() || self.is_twin(scope, url);
        self.options.only.is_none()
            && whose(self.recorded, scope, url).is_some_and(|of| {
                self.targeted(&Address {
                    handle: organization.handle.clone(),
                    url: of,
                })
            })
            && is_twin()
    }

    /// The same in a scope that no organization of the file has.
    pub(super) fn leaves_as_twin(
        &self,
        scope: &Arc<Scope>,
        (url, handle): (&CallbackUrl, &Handle),
    ) -> bool {
        self.options.only.is_none()
            && self.is_twin(scope, url)
            && whose(self.recorded, scope, url).is_some_and(|of| {
                self.targeted(&Address {
                    handle: handle.clone(),
                    url: of,
                })
            })
    }

    /// The declared callback of this organization whose twin this URL is.
    pub(super) fn original<'o>(
        &self,
        organization: &'o Organization,
        url: &CallbackUrl,
    ) -> Option<&'o Callback> {
        let twins = &self.options.twins;
        let address = |handle| Address {
            handle,
            url: url.clone(),
        };
        let given = (!twins.is_empty()).then(|| twins.get(&address(organization.handle.clone())));
        let given = given.flatten();
        let of = whose(self.recorded, &organization.scope, url);
        let original = given.or(of.as_ref())?;
        let callbacks = &organization.callbacks;
        let at = callbacks
            .binary_search_by(|callback| callback.url.cmp(original))
            .ok()?;
        Some(&callbacks[at])
    }

    /// Whether it is a twin that stays: its callback may be missing, and is not added by this plan.
    pub(super) fn keeps(
        &self,
        organization: &Organization,
        url: &CallbackUrl,
        wanted: &Wanted,
    ) -> bool {
        let Wanted::Gone(Deletion::Twin, reason) = wanted else {
            return false;
        };
        if *reason == Reason::Destroy {
            return false;
        }
        let Some(callback) = self.original(organization, url) else {
            return false;
        };
        // What it was added for is left as it is, and so is the twin.
        if !callback.enabled {
            return true;
        }
        let entry = self.recorded.get(&organization.scope, &callback.url);
        if entry.is_some_and(|entry| entry.belief.presence() == Presence::Present) {
            return false;
        }
        let address = Address {
            handle: organization.handle.clone(),
            url: callback.url.clone(),
        };
        let added = || {
            let declaration = Declaration::Callback(callback);
            let (wanted, _) = self.wanted(organization, &address, &declaration);
            decide(entry, wanted).calls.adds()
        };
        !(self.targeted(&address) && added())
    }

    /// Whether a rotation to what is wanted of this callback was interrupted while its twin was added. Then nothing is
    /// certain to take the messages while the callback is replaced, so this plan settles the twin, and a later one does the
    /// rest.
    pub(super) fn waits_for_twin(
        &self,
        organization: &Organization,
        callback: &Callback,
        (entry, decided): (Option<&Entry>, Verdict),
    ) -> bool {
        let Options {
            destroy, rotates, ..
        } = self.options;
        // What may be missing must not wait, and who asks for a replace gets it.
        if decided.calls != Calls::Replace
            || decided.reason == Reason::Requested
            || *destroy
            || *rotates
            || entry.is_none_or(|entry| entry.belief.may_be_absent())
        {
            return false;
        }
        let mut is_added = false;
        for twin in self.twins(organization, &callback.url) {
            if twin.belief.presence() == Presence::Present {
                return false;
            }
            is_added |= opens_add(twin);
        }
        is_added
    }

    /// What is wanted of the twin with this URL while its callback waits for it.
    pub(super) fn awaited(
        &self,
        organization: &Organization,
        callback: &Callback,
        url: &CallbackUrl,
    ) -> Option<(Wanted, Option<After>)> {
        let twin = self.recorded.get(&organization.scope, url)?;
        if organization.suspend || !callback.enabled || twin.belief.presence() != Presence::Unknown
        {
            return None;
        }
        let address = |url: &CallbackUrl| Address {
            handle: organization.handle.clone(),
            url: url.clone(),
        };
        let of = |callback: &Callback| {
            let declaration = Declaration::Callback(callback);
            self.wanted(organization, &address(&callback.url), &declaration)
        };
        let (wanted, _) = of(callback);
        let entry = self.recorded.get(&organization.scope, &callback.url);
        let known = (entry, decide(entry, wanted));
        let is_awaited = opens_add(twin) && self.waits_for_twin(organization, callback, known);
        is_awaited.then(|| {
            of(&Callback {
                url: url.clone(),
                protect: false,
                ..callback.clone()
            })
        })
    }

    /// What is recorded of the twins of this callback. Those that are declared are callbacks themselves.
    fn twins(
        &self,
        organization: &Organization,
        url: &CallbackUrl,
    ) -> impl Iterator<Item = &Entry> {
        let urls = self.recorded.scopes.get(&organization.scope);
        let start = stem(url);
        let from = (Bound::Included(CallbackUrl::new(&*start)), Bound::Unbounded);
        let of_form = urls
            .into_iter()
            .flat_map(move |urls| urls.range(from.clone()));
        let of_form = of_form
            .take_while(move |(twin, _)| twin.as_str().starts_with(&start))
            .filter(|(twin, _)| {
                whose(self.recorded, &organization.scope, twin).as_ref() == Some(url)
            });
        let given = self.recorded.twins.iter();
        let given = given.filter(move |(twin, of)| *of == url && twin.scope == organization.scope);
        // Those of the form came above.
        let given = given.filter(move |(twin, of)| original(&twin.url).as_ref() != Some(*of));
        let given = given.filter_map(move |(twin, _)| urls?.get_key_value(&twin.url));
        let is_declared = |twin: &CallbackUrl| {
            let callbacks = &organization.callbacks;
            let declared = callbacks.binary_search_by(|callback| callback.url.cmp(twin));
            declared.is_ok() || organization.absent.contains(twin)
        };
        let twins = of_form.chain(given);
        twins
            .filter(move |(twin, _)| !is_declared(twin))
            .map(|(_, entry)| entry)
    }
}

/// Whether the outcome of an add of it is open: of what is wanted now, or of another key or token.
fn opens_add(twin: &Entry) -> bool {
    let lost = twin.lost.map(|lost| lost.write);
    twin.is_open() && matches!(lost, Some(Write::Add(_)))
}
