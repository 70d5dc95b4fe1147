//! A plan as people may see it: without the credentials in its URLs.

use std::borrow::Cow;

use super::{Bookkeeping, Plan, Tripped};
use crate::model::{CallbackUrl, MASK};

impl Plan {
    /// The plan with every URL as it is shown. It can't be applied when that changes one; what was
    /// masked is refused when it is read back.
    pub fn shown(&self) -> Cow<'_, Self> {
        let hides = |url: &CallbackUrl| matches!(url.shown(), Cow::Owned(_));
        let tripped = self.tripped.iter().filter_map(|tripped| match tripped {
            Tripped::Protected { address } => Some(&address.url),
            Tripped::MostOfOrganization { .. }
            | Tripped::LastOfOrganization { .. }
            | Tripped::MostOfAll { .. }
            | Tripped::PerhapsShared { .. }
            | Tripped::WrongAllowance { .. } => None,
        });
        let mut urls = self
            .changes()
            .map(|change| &change.address.url)
            .chain(self.bookkeeping.iter().map(|item| &item.identity().url))
            .chain(tripped);
        if !urls.any(hides) {
            return Cow::Borrowed(self);
        }
        let mask = |url: &mut CallbackUrl| *url = CallbackUrl::new(url.shown().into_owned());
        let mut plan = self.clone();
        for change in plan
            .organizations
            .iter_mut()
            .flat_map(|organization| &mut organization.changes)
        {
            mask(&mut change.address.url);
        }
        for item in &mut plan.bookkeeping {
            match item {
                Bookkeeping::Refresh { identity, .. } | Bookkeeping::Forget(identity) => {
                    mask(&mut identity.url);
                }
            }
        }
        for tripped in &mut plan.tripped {
            if let Tripped::Protected { address } = tripped {
                mask(&mut address.url);
            }
        }
        Cow::Owned(plan)
    }

    /// The address of a change whose URL is masked, if there is one.
    pub(super) fn masked(&self) -> Option<String> {
        self.changes()
            .find(|change| change.address.url.as_str().contains(MASK))
            .map(|change| change.address.to_string())
    }
}
