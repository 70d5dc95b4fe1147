//! Warnings about a valid configuration. Each check goes through it once.

use super::report::Report;
use super::{code, placeholder, similar_urls, url};
use crate::diag::Code;
use crate::model::{self, Callback, CallbackUrl, Desired, Organization};

const CHECKS: &[fn(&Desired, &mut Report)] = &[
    urls,
    without_key,
    without_token,
    near_duplicates,
    shared_secrets,
];

pub(super) fn check(desired: &Desired, report: &mut Report) {
    for check in CHECKS {
        check(desired, report);
    }
}

fn callbacks(desired: &Desired) -> impl Iterator<Item = &Callback> {
    desired
        .organizations
        .iter()
        .flat_map(|organization| &organization.callbacks)
}

fn length(callback: &Callback) -> usize {
    callback.url.as_str().len()
}

/// Warnings that need no more than the URL: the code, the message and the help.
pub(super) fn of_url(url: &CallbackUrl) -> impl Iterator<Item = (Code, String, &'static str)> {
    let text = url.as_str();
    let http = url::is_http(text).then(|| {
        (
            code::HTTP,
            "this URL is http: others can read and change the messages on the way".to_owned(),
            "use https; a redirect from http to https is not enough, because it turns the POST into a GET",
        )
    });
    let private = url::is_private(text).then(|| {
        (
            code::PRIVATE_HOST,
            "this host is private to a machine or network, so eSign can't reach it".to_owned(),
            "use a host name or address that is reachable from the internet",
        )
    });
    let placeholder = placeholder::in_url(text).map(|found| {
        (
            code::PLACEHOLDER,
            format!("this URL contains a placeholder (`{}`)", found.written()),
            "it is sent unchanged; only `${name}`, `{handle}` and `{proxy_organization_id}` are replaced",
        )
    });
    let has_credential = !model::credentials(text).is_empty();
    let credential = has_credential.then(|| {
        (
            code::URL_CREDENTIAL,
            format!("this URL contains what looks like a credential: {url}"),
            "output shows it as `***`, but it is readable in this file and in the state; let the receiver check `token` instead",
        )
    });
    [http, private, placeholder, credential]
        .into_iter()
        .flatten()
}

fn urls(desired: &Desired, report: &mut Report) {
    for callback in callbacks(desired) {
        for (code, message, help) in of_url(&callback.url) {
            report.warning(callback.place, length(callback), code, message, help);
        }
    }
}

fn without_key(desired: &Desired, report: &mut Report) {
    for callback in callbacks(desired).filter(|callback| callback.key.is_none()) {
        report.warning(
            callback.place,
            length(callback),
            code::NO_KEY,
            "this callback has no key: eSign sends its messages unencrypted",
            "add `key: { env: NAME }`; `ess-callbacks secret new` generates a key",
        );
    }
}

fn without_token(desired: &Desired, report: &mut Report) {
    for callback in callbacks(desired).filter(|callback| callback.token.is_none()) {
        report.warning(
            callback.place,
            length(callback),
            code::NO_TOKEN,
            "this callback has no token: the receiver can't tell eSign's messages from forged ones",
            "add `token: { env: NAME }`; `ess-callbacks secret new` generates a token",
        );
    }
}

fn near_duplicates(desired: &Desired, report: &mut Report) {
    for Organization { callbacks, .. } in &desired.organizations {
        if callbacks.len() < 2 {
            continue;
        }
        let mut normalized: Vec<_> = callbacks
            .iter()
            .map(|callback| {
                (
                    similar_urls::normalized(callback.url.as_str()),
                    callback.place,
                    callback,
                )
            })
            .collect();
        normalized.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        for alike in normalized.chunk_by(|one, other| one.0 == other.0) {
            let Some(((_, place, first), rest)) = alike.split_first() else {
                continue;
            };
            let line = place.line;
            for (_, place, callback) in rest {
                report.warning(
                    *place,
                    length(callback),
                    code::NEAR_DUPLICATE,
                    format!(
                        "this URL is nearly the same as {} in line {line}",
                        first.url
                    ),
                    "eSign treats them as two URLs and sends every message to both; keep one",
                );
            }
        }
    }
}

fn shared_secrets(desired: &Desired, report: &mut Report) {
    // For each secret: the first organization that uses it, and whether the warning was reported.
    let mut owners: Vec<Option<(usize, bool)>> = vec![None; desired.secrets.len()];
    for (number, organization) in desired.organizations.iter().enumerate() {
        for callback in &organization.callbacks {
            for (name, secret) in [("key", callback.key), ("token", callback.token)] {
                let Some(secret) = secret else {
                    continue;
                };
                let (owner, warned) = owners[secret.0 as usize].get_or_insert((number, false));
                if *owner == number || *warned {
                    continue;
                }
                *warned = true;
                report.warning(
                    callback.place,
                    length(callback),
                    code::SHARED_SECRET,
                    format!(
                        "the {name} of this callback ({}) is also used by `{}`",
                        desired.secrets[secret.0 as usize].reference,
                        desired.organizations[*owner].handle
                    ),
                    "give each organization its own secrets, so that a leak affects only one; if this is intended, add \
                     `accept: { W007: REASON }`",
                );
            }
        }
    }
}
