//! One organization: from what is written to what is declared.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::keys::mistyped;
use super::raw::{self, Callback, CallbackFields, Entries, Fields, List, Text};
use super::report::Reader;
use super::source::{At, Span};
use super::url::Fault;
use super::{code, url};
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
    fn number(&mut self, reference: SecretReference, place: Place) -> SecretIndex {
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
            .map(|(reference, place)| Some(DeclaredSecret { reference, place }))
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
    pub(super) callbacks: Vec<model::Callback>,
    pub(super) absent: Vec<CallbackUrl>,
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
            let draft =
                self.organization(value.value, &default_account, &mut organizations.secrets);
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
            callbacks,
            absent,
        } = self.fields("an organization", fields);
        let names_operator = operator.is_some() || mistyped;
        let account = self.text("account", account);
        let account_span = account.as_ref().map(|account| account.span);
        let callbacks = self.callbacks(callbacks, secrets);
        let absent = self.absent(absent, &callbacks);
        Draft {
            account: account.map_or_else(
                || default_account.clone(),
                |account| AccountName::new(account.value),
            ),
            account_span,
            organization: self
                .id("proxy_organization_id", proxy_organization_id)
                .map(OrganizationId::new),
            app_id: self.id("app_id", app_id).map(AppId::new),
            operator: self.operator(operator).map(|(operator, _)| operator),
            names_operator,
            adoption: self.adoption(adoption).map(|(adoption, _)| adoption),
            suspend: self
                .field("suspend", suspend)
                .is_some_and(|flag| flag.value.0),
            callbacks,
            absent,
        }
    }

    fn callbacks(
        &mut self,
        list: Option<At<raw::Loose<List<Callback<'_>>>>>,
        secrets: &mut Secrets,
    ) -> Vec<model::Callback> {
        let Some(list) = self.field("callbacks", list) else {
            return Vec::new();
        };
        let mut callbacks = Vec::with_capacity(list.value.0.len());
        for item in list.value.0 {
            callbacks.extend(
                self.expect(format_args!("a callback"), item)
                    .and_then(|item| self.callback(item, secrets)),
            );
        }
        callbacks.sort_by(|one, other| (&one.url, one.place).cmp(&(&other.url, other.place)));
        callbacks.dedup_by(|again, first| {
            let same = again.url == first.url;
            if same {
                self.twice(&again.url, again.place, first.place);
            }
            same
        });
        callbacks
    }

    fn callback(
        &mut self,
        item: At<Callback<'_>>,
        secrets: &mut Secrets,
    ) -> Option<model::Callback> {
        let At { value, span, text } = item;
        let fields = match value {
            Callback::Short(url) => {
                return self.url(url, span, text).map(|url| model::Callback {
                    url,
                    key: None,
                    token: None,
                    protect: false,
                    description: None,
                    place: self.place(span),
                });
            }
            Callback::Full(fields) => *fields,
        };
        let is_mistyped = |name| mistyped(&fields.strays, name);
        let names_url = is_mistyped("url");
        let (names_key, names_token) = (is_mistyped("key"), is_mistyped("token"));
        let CallbackFields {
            url,
            key,
            token,
            protect,
            description,
        } = self.fields("a callback", fields);
        if url.is_none() && !names_url {
            let help = Some("write `url: https://…`".to_owned());
            self.error(span, code::MISSING_KEY, "a callback needs `url`", help);
        }
        let url = self.field("url", url);
        let (names_key, names_token) = (names_key || key.is_some(), names_token || token.is_some());
        let key = self.reference("key", key);
        let token = self.reference("token", token);
        let protect = self.field("protect", protect);
        let description = self.text("description", description);
        let At { value, span, text } = url?;
        let place = self.place(span);
        if names_key && key.is_none() {
            self.report.excuse(place, code::NO_KEY);
        }
        if names_token && token.is_none() {
            self.report.excuse(place, code::NO_TOKEN);
        }
        Some(model::Callback {
            url: self.url(value, span, text)?,
            key: key.map(|(reference, place)| secrets.number(reference, place)),
            token: token.map(|(reference, place)| secrets.number(reference, place)),
            protect: protect.is_some_and(|flag| flag.value.0),
            description: description.map(|text| Arc::from(text.value)),
            place,
        })
    }

    fn url(&mut self, url: Text<'_>, span: Span, text: (u32, u32)) -> Option<CallbackUrl> {
        let Text(url) = url;
        let faults = url::faults(&url);
        if faults.is_empty() {
            return Some(CallbackUrl::new(url));
        }
        self.hide_in_url(&url, text, &faults);
        for fault in faults {
            let help = fault.help.map(str::to_owned);
            self.error(span, fault.code, fault.message, help);
        }
        None
    }

    /// Hides what of a wrong URL may be secret: user name and password, what follows white space
    /// (perhaps the next key), and all of it when it has nothing of a URL.
    fn hide_in_url(&mut self, url: &str, (start, end): (u32, u32), faults: &[Fault]) {
        let Some(written) = self.text.get(start as usize..end as usize) else {
            return;
        };
        if !written.contains(url) {
            // What is written with escapes or over several lines is not known again there.
            return self.hide((start, end));
        }
        let small = |at: usize| start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        let space = written.find(char::is_whitespace).unwrap_or(written.len());
        self.hide((small(space), end));
        if let Some(at) = written.rfind('@') {
            let from = written.find("://").map_or(0, |scheme| scheme + 3).min(at);
            self.hide((small(from), small(at + 1)));
        }
        // What is no port may be a password with its `@` missing.
        if let Some((at, authority)) = url::authority(written)
            && let Some((host, port)) = authority.split_once(':')
            && !port.bytes().all(|byte| byte.is_ascii_digit())
        {
            self.hide((small(at + host.len() + 1), small(at + authority.len())));
        }
        let no_scheme = faults.iter().any(|fault| fault.code == code::SCHEME);
        if no_scheme && !written[..space].contains('.') {
            self.hide((start, end));
        }
    }

    fn absent(
        &mut self,
        list: Option<At<raw::Loose<List<Text<'_>>>>>,
        declared: &[model::Callback],
    ) -> Vec<CallbackUrl> {
        let Some(list) = self.field("absent", list) else {
            return Vec::new();
        };
        let mut absent: Vec<(CallbackUrl, Place)> = Vec::with_capacity(list.value.0.len());
        for item in list.value.0 {
            let Some(At { value, span, text }) = self.expect(format_args!("an absent URL"), item)
            else {
                continue;
            };
            let Some(url) = self.url(value, span, text) else {
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
        absent.into_iter().map(|(url, _)| url).collect()
    }

    fn twice(&mut self, url: &CallbackUrl, again: Place, first: Place) {
        let length = u32::try_from(url.as_str().len()).unwrap_or(u32::MAX);
        self.report.error(
            again,
            length,
            code::DUPLICATE_URL,
            format!("this URL already stands in line {}", first.line),
            Some("remove one of the two".to_owned()),
        );
    }
}
