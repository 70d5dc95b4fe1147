//! The callbacks of an organization, and their URLs.

use std::sync::Arc;

use super::fields::mistyped;
use super::reader::Reader;
use super::secret_table::SecretTable;
use super::templates::Names;
use crate::config::raw::{Callback, CallbackFields, List, Text, Value};
use crate::config::report::Acceptance;
use crate::config::url::UrlError;
use crate::config::yaml::{ByteRange, Span, Spanned};
use crate::config::{code, url};
use crate::diag::Place;
use crate::model::{self, CallbackUrl};

impl Reader<'_> {
    /// The callbacks of an organization with these names, sorted by URL.
    pub(crate) fn callbacks(
        &mut self,
        list: Option<Spanned<Value<List<Callback<'_>>>>>,
        names: Names<'_>,
        accepted: &[Acceptance],
        secrets: &mut SecretTable,
    ) -> Vec<model::Callback> {
        let Some(list) = self.field("callbacks", list) else {
            return Vec::new();
        };
        let mut callbacks = Vec::with_capacity(list.value.0.len());
        for item in list.value.0 {
            callbacks.extend(
                self.expect(format_args!("a callback"), item)
                    .and_then(|item| self.callback(item, names, accepted, secrets)),
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
        item: Spanned<Callback<'_>>,
        names: Names<'_>,
        accepted: &[Acceptance],
        secrets: &mut SecretTable,
    ) -> Option<model::Callback> {
        let Spanned { value, span, bytes } = item;
        let fields = match value {
            Callback::Short(url) => {
                let url = self.substitute(url, span, names.in_url())?;
                let place = self.place(span);
                self.report.acceptances.apply_at(place, accepted);
                return self.url(url, span, bytes).map(|url| model::Callback {
                    url,
                    key: None,
                    token: None,
                    enabled: true,
                    protect: false,
                    description: None,
                    place: self.place(span),
                });
            }
            Callback::Full(fields) => *fields,
        };
        let is_mistyped = |name| mistyped(&fields.unexpected, name);
        let names_url = is_mistyped("url");
        let (names_key, names_token) = (is_mistyped("key"), is_mistyped("token"));
        let CallbackFields {
            url,
            key,
            token,
            enabled,
            protect,
            description,
            accept,
        } = self.fields("a callback", fields);
        if url.is_none() && !names_url {
            let help = Some("add `url: https://…`".to_owned());
            self.error(
                span,
                code::MISSING_KEY,
                "missing field `url` in a callback",
                help,
            );
        }
        let url = self.field("url", url);
        let (names_key, names_token) = (names_key || key.is_some(), names_token || token.is_some());
        let key = self.reference("key", key, names);
        let token = self.reference("token", token, names);
        let enabled = self.field("enabled", enabled);
        let protect = self.field("protect", protect);
        let description = self.substitute_in(description, names.verbatim());
        let description = self.text("description", description);
        let own = self.accept(accept);
        let Spanned { value, span, bytes } = url?;
        let value = self.substitute(value, span, names.in_url());
        let place = self.place(span);
        let used_at = [key.as_ref(), token.as_ref()].map(|it| it.map(|(_, place)| *place));
        for place in used_at.into_iter().flatten().chain([place]) {
            self.report.acceptances.apply_at(place, &own);
            self.report.acceptances.apply_at(place, accepted);
        }
        if names_key && key.is_none() {
            self.report.suppress(place, code::NO_KEY);
        }
        if names_token && token.is_none() {
            self.report.suppress(place, code::NO_TOKEN);
        }
        Some(model::Callback {
            url: self.url(value?, span, bytes)?,
            key: key.map(|(reference, place)| secrets.intern(reference, place)),
            token: token.map(|(reference, place)| secrets.intern(reference, place)),
            enabled: enabled.is_none_or(|flag| flag.value.0),
            protect: protect.is_some_and(|flag| flag.value.0),
            description: description.map(|text| Arc::from(text.value)),
            place,
        })
    }

    pub(crate) fn url(
        &mut self,
        url: Text<'_>,
        span: Span,
        bytes: ByteRange,
    ) -> Option<CallbackUrl> {
        let Text(url) = url;
        let errors = url::errors(&url);
        if errors.is_empty() {
            return Some(CallbackUrl::new(url));
        }
        self.hide_in_url(&url, bytes, &errors);
        for error in errors {
            let help = error.help.map(str::to_owned);
            self.error(span, error.code, error.message, help);
        }
        None
    }

    /// Hides the parts of an invalid URL that may be secret: user name and password, the text after white space
    /// (which may be the next field), and all of it when it does not look like a URL.
    fn hide_in_url(&mut self, url: &str, (start, end): ByteRange, errors: &[UrlError]) {
        let Some(written) = self.text.get(start as usize..end as usize) else {
            return;
        };
        if !written.contains(url) {
            // It is written with escapes, over several lines or with variables.
            return self.hide((start, end));
        }
        let small = |at: usize| start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        let space = written.find(char::is_whitespace).unwrap_or(written.len());
        self.hide((small(space), end));
        if let Some(at) = written.rfind('@') {
            let from = written.find("://").map_or(0, |scheme| scheme + 3).min(at);
            self.hide((small(from), small(at + 1)));
        }
        // An invalid port may be a password with the `@` missing.
        if let Some((at, authority)) = url::authority(written)
            && let Some((host, port)) = authority.split_once(':')
            && !port.bytes().all(|byte| byte.is_ascii_digit())
        {
            self.hide((small(at + host.len() + 1), small(at + authority.len())));
        }
        let no_scheme = errors.iter().any(|error| error.code == code::SCHEME);
        if no_scheme && !written[..space].contains('.') {
            self.hide((start, end));
        }
    }

    pub(crate) fn twice(&mut self, url: &CallbackUrl, again: Place, first: Place) {
        let length = u32::try_from(url.as_str().len()).unwrap_or(u32::MAX);
        self.report.error(
            again,
            length,
            code::DUPLICATE_URL,
            format!("duplicate URL; it is also in line {}", first.line),
            Some("remove one of the two".to_owned()),
        );
    }
}
