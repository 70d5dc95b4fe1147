//! One organization: from what is written to what is declared.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::code;
use super::keys::mistyped;
use super::names::Names;
use super::raw::{self, Entries, Fields, List, Text};
use super::report::Reader;
use super::source::{At, Span};
use crate::diag::Place;
use crate::model::{
    self, AccountName, Adoption, AppId, CallbackUrl, DeclaredSecret, Handle, OperatorId,
    OrganizationId, SecretIndex,
};
use crate::secret::SecretReference;

/// What holds for every organization that does not say otherwise.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) operator: Option<(OperatorId, Place)>,
    pub(super) adoption: Option<(Adoption, Place)>,
}

/// Every distinct secret reference so far, in order of first sight.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    numbers: BTreeMap<SecretReference, SecretIndex>,
    places: Vec<Place>,
}

impl Secrets {
    /// The number of this reference.
    pub(super) fn number(&mut self, reference: SecretReference, place: Place) -> SecretIndex {
        match self.numbers.entry(reference) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                let number = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
                self.places.push(place);
                *free.insert(SecretIndex(number))
            }
        }
    }

    /// Adds those of another part, whose organizations get their numbers here.
    pub(super) fn absorb(&mut self, other: Self, organizations: &mut [Written]) {
        if other.places.is_empty() {
            return;
        }
        let new_numbers: Vec<_> = other
            .in_order()
            .map(|(reference, place)| self.number(reference, place))
            .collect();
        for secret in organizations
            .iter_mut()
            .flat_map(|organization| used_by(&mut organization.draft.callbacks))
        {
            *secret = new_numbers[secret.0 as usize];
        }
    }

    /// Numbers the references anew, in the order of the (sorted) organizations, so that the order of
    /// the file does not matter.
    pub(super) fn renumber(self, organizations: &mut [model::Organization]) -> Vec<DeclaredSecret> {
        let mut left: Vec<_> = self
            .in_order()
            .map(|(reference, place)| {
                Some(DeclaredSecret {
                    reference,
                    place,
                    accepted: Vec::new(),
                })
            })
            .collect();
        let mut new_numbers = vec![SecretIndex(0); left.len()];
        let mut declared = Vec::with_capacity(left.len());
        let uses = organizations
            .iter_mut()
            .flat_map(|organization| used_by(&mut organization.callbacks));
        for number in uses {
            let old = number.0 as usize;
            if let Some(secret) = left[old].take() {
                new_numbers[old] = SecretIndex(u32::try_from(declared.len()).unwrap_or(u32::MAX));
                declared.push(secret);
            }
            *number = new_numbers[old];
        }
        declared
    }

    /// By number.
    fn in_order(self) -> impl Iterator<Item = (SecretReference, Place)> {
        let mut by_number: Vec<_> = self.numbers.into_iter().collect();
        by_number.sort_unstable_by_key(|(_, number)| *number);
        by_number
            .into_iter()
            .zip(self.places)
            .map(|((reference, _), place)| (reference, place))
    }
}

/// The number of each secret that some callbacks use.
fn used_by(callbacks: &mut [model::Callback]) -> impl Iterator<Item = &mut SecretIndex> {
    callbacks
        .iter_mut()
        .flat_map(|callback| [&mut callback.key, &mut callback.token])
        .flatten()
}

/// An organization as one file has it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) handle: Handle,
    /// Of the handle.
    pub(super) place: Place,
    /// Of the handle.
    pub(super) span: Span,
    pub(super) draft: Draft,
}

/// The organizations of a file or of a stretch of one.
#[derive(Debug, Default)]
pub(super) struct Organizations {
    pub(super) written: Vec<Written>,
    /// Those that they use, numbered for themselves.
    pub(super) secrets: Secrets,
}

/// An organization without what only all files together tell.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) account: AccountName,
    /// Where the account is named, if it is.
    pub(super) account_span: Option<Span>,
    pub(super) organization: Option<OrganizationId>,
    pub(super) app_id: Option<AppId>,
    pub(super) operator: Option<OperatorId>,
    /// It names an operator, right or wrong.
    pub(super) names_operator: bool,
    pub(super) adoption: Option<Adoption>,
    pub(super) suspend: bool,
    /// It gets the callbacks of `defaults`.
    pub(super) inherit: bool,
    pub(super) callbacks: Vec<model::Callback>,
    /// Sorted, with the place of each.
    pub(super) absent: Vec<(CallbackUrl, Place)>,
}

impl Reader<'_> {
    /// Reads organizations; what is wrong with them is reported and left out.
    pub(super) fn organizations(
        &mut self,
        entries: Entries<'_, Fields<'_, raw::Organization<'_>>>,
    ) -> Organizations {
        let default_account = AccountName::default_account();
        let mut organizations = Organizations::default();
        organizations.written.reserve(entries.0.len());
        for (key, value) in entries.0 {
            let place = self.place(key.span);
            let handle = self.name("the handle of an organization", &key);
            let what = handle.as_deref().unwrap_or("an organization");
            let Some(value) = self.expect(format_args!("`{what}`"), value) else {
                continue;
            };
            let draft = self.organization(
                what,
                value.value,
                &default_account,
                &mut organizations.secrets,
            );
            organizations.written.extend(handle.map(|handle| Written {
                handle: Handle::new(handle),
                place,
                span: key.span,
                draft,
            }));
        }
        organizations
    }

    /// Reads an organization; what is wrong with it is reported and left out.
    fn organization(
        &mut self,
        handle: &str,
        fields: Fields<'_, raw::Organization<'_>>,
        default_account: &AccountName,
        secrets: &mut Secrets,
    ) -> Draft {
        let mistyped = mistyped(&fields.strays, "operator");
        let raw::Organization {
            proxy_organization_id,
            operator,
            account,
            app_id,
            adoption,
            suspend,
            inherit,
            callbacks,
            absent,
            accept,
        } = self.fields("an organization", fields);
        let names_operator = operator.is_some() || mistyped;
        let names_member = proxy_organization_id.is_some();
        let account = self.text("account", account);
        let account_span = account.as_ref().map(|account| account.span);
        let organization = self.id("proxy_organization_id", proxy_organization_id);
        let names = Names {
            handle,
            // One that is wrong is told already.
            member: organization.as_deref().or(names_member.then_some("")),
        };
        let accepted = self.accept(accept);
        let callbacks = self.callbacks(callbacks, names, &accepted, secrets);
        let absent = self.absent(absent, names, &callbacks);
        let operator = self.operator(operator);
        if let Some((_, place)) = operator {
            self.report.acceptances.hold_at(place, &accepted);
        }
        Draft {
            account: account.map_or_else(
                || default_account.clone(),
                |account| AccountName::new(account.value),
            ),
            account_span,
            organization: organization.map(OrganizationId::new),
            app_id: self.id("app_id", app_id).map(AppId::new),
            operator: operator.map(|(operator, _)| operator),
            names_operator,
            adoption: self.adoption(adoption).map(|(adoption, _)| adoption),
            suspend: self
                .field("suspend", suspend)
                .is_some_and(|flag| flag.value.0),
            inherit: self
                .field("inherit", inherit)
                .is_none_or(|flag| flag.value.0),
            callbacks,
            absent,
        }
    }

    fn absent(
        &mut self,
        list: Option<At<raw::Loose<List<Text<'_>>>>>,
        names: Names<'_>,
        declared: &[model::Callback],
    ) -> Vec<(CallbackUrl, Place)> {
        let Some(list) = self.field("absent", list) else {
            return Vec::new();
        };
        let mut absent: Vec<(CallbackUrl, Place)> = Vec::with_capacity(list.value.0.len());
        for item in list.value.0 {
            let Some(At { value, span, text }) = self.expect(format_args!("an absent URL"), item)
            else {
                continue;
            };
            let url = self.filled(value, span, names.in_url());
            let Some(url) = url.and_then(|url| self.url(url, span, text)) else {
                continue;
            };
            let place = self.place(span);
            if let Ok(at) = declared.binary_search_by(|callback| callback.url.cmp(&url)) {
                self.report.error(
                    place,
                    span.length,
                    code::DECLARED_AND_ABSENT,
                    "this URL shall be absent, but it is declared as well",
                    Some(format!(
                        "remove it here or in line {}",
                        declared[at].place.line
                    )),
                );
            } else {
                absent.push((url, place));
            }
        }
        absent.sort();
        absent.dedup_by(|again, first| {
            let same = again.0 == first.0;
            if same {
                self.twice(&again.0, again.1, first.1);
            }
            same
        });
        absent
    }
}
