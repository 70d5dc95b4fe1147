//! One organization of one file.

use std::borrow::Cow;

use super::fields::mistyped;
use super::reader::Reader;
use super::secret_table::SecretTable;
use super::templates::Names;
use crate::config::code;
use crate::config::raw::{self, Fields, List, Text, Value};
use crate::config::yaml::{Span, Spanned};
use crate::diag::Place;
use crate::model::{
    self, AccountName, Adoption, AppId, CallbackUrl, Handle, OperatorId, OrganizationId,
};

/// An organization as its file declares it: without defaults, and with an account that may not exist.
#[derive(Debug)]
pub(crate) struct UnresolvedOrganization {
    pub(crate) handle: Handle,
    /// Of the handle.
    pub(crate) place: Place,
    /// Of the handle.
    pub(crate) span: Span,
    pub(crate) account: AccountName,
    /// Of the value of `account`, if it is set.
    pub(crate) account_span: Option<Span>,
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) app_id: Option<AppId>,
    pub(crate) operator: Option<OperatorId>,
    /// `operator` is set, with or without an error.
    pub(crate) has_operator: bool,
    pub(crate) adoption: Option<Adoption>,
    pub(crate) suspend: bool,
    /// It gets the callbacks of `defaults`.
    pub(crate) inherit: bool,
    /// Sorted by URL.
    pub(crate) callbacks: Vec<model::Callback>,
    /// Sorted, with the place of each.
    pub(crate) absent: Vec<(CallbackUrl, Place)>,
}

impl Reader<'_> {
    /// Reads an organization. Values with an error are left out; `None` when the handle or the whole value has
    /// one. `default_account` is passed in so that all organizations share it.
    pub(crate) fn organization(
        &mut self,
        key: &Spanned<Cow<'_, str>>,
        value: Spanned<Value<Fields<'_, raw::Organization<'_>>>>,
        default_account: &AccountName,
        secrets: &mut SecretTable,
    ) -> Option<UnresolvedOrganization> {
        let handle = self.name("the handle of an organization", key);
        let what = handle.as_deref().unwrap_or("an organization");
        let fields = self.expect(format_args!("`{what}`"), value)?.value;
        let is_operator_mistyped = mistyped(&fields.unexpected, "operator");
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
        let has_operator = operator.is_some() || is_operator_mistyped;
        let has_member = proxy_organization_id.is_some();
        let account = self.text("account", account);
        let account_span = account.as_ref().map(|account| account.span);
        let organization = self.id("proxy_organization_id", proxy_organization_id);
        let names = Names {
            handle: what,
            // An invalid one is reported already, so its uses are not.
            member: organization.as_deref().or(has_member.then_some("")),
        };
        let accepted = self.accept(accept);
        let callbacks = self.callbacks(callbacks, names, &accepted, secrets);
        let absent = self.absent(absent, names, &callbacks);
        let operator = self.operator(operator);
        if let Some((_, place)) = operator {
            self.report.acceptances.apply_at(place, &accepted);
        }
        let app_id = self.id("app_id", app_id).map(AppId::new);
        let adoption = self.adoption(adoption).map(|(adoption, _)| adoption);
        let suspend = self.field("suspend", suspend);
        let inherit = self.field("inherit", inherit);
        Some(UnresolvedOrganization {
            handle: Handle::new(handle?),
            place: self.place(key.span),
            span: key.span,
            account: account.map_or_else(
                || default_account.clone(),
                |account| AccountName::new(account.value),
            ),
            account_span,
            organization: organization.map(OrganizationId::new),
            app_id,
            operator: operator.map(|(operator, _)| operator),
            has_operator,
            adoption,
            suspend: suspend.is_some_and(|flag| flag.value.0),
            inherit: inherit.is_none_or(|flag| flag.value.0),
            callbacks,
            absent,
        })
    }

    fn absent(
        &mut self,
        list: Option<Spanned<Value<List<Text<'_>>>>>,
        names: Names<'_>,
        declared: &[model::Callback],
    ) -> Vec<(CallbackUrl, Place)> {
        let Some(list) = self.field("absent", list) else {
            return Vec::new();
        };
        let mut absent: Vec<(CallbackUrl, Place)> = Vec::with_capacity(list.value.0.len());
        for item in list.value.0 {
            let Some(Spanned { value, span, bytes }) =
                self.expect(format_args!("an absent URL"), item)
            else {
                continue;
            };
            let url = self.substitute(value, span, names.in_url());
            let Some(url) = url.and_then(|url| self.url(url, span, bytes)) else {
                continue;
            };
            let place = self.place(span);
            if let Ok(at) = declared.binary_search_by(|callback| callback.url.cmp(&url)) {
                self.report.error(
                    place,
                    span.length,
                    code::DECLARED_AND_ABSENT,
                    "this URL is both declared and listed under `absent`",
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
