//! Warnings: what is allowed but seldom meant. Each looks at the whole configuration once.

use super::report::Report;
use super::{code, placeholder, similar_urls, url};
use crate::model::{self, Callback, Desired, Organization};

/// Every check, in the order of its code.
const CHECKS: &[fn(&Desired, &mut Report)] = &[
    http,
    without_key,
    without_token,
    near_duplicates,
    private_hosts,
    shared_secrets,
    placeholders,
    credentials,
];

/// Adds all warnings about `desired`.
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

fn http(desired: &Desired, report: &mut Report) {
    for callback in callbacks(desired).filter(|callback| url::is_http(callback.url.as_str())) {
        report.warning(
            callback.place,
            length(callback),
            code::HTTP,
            "this URL is http: whoever is on the way sees and can change what eSign sends",
            "use https; mind that a redirect from http to https turns the POST into a GET",
        );
    }
}

fn without_key(desired: &Desired, report: &mut Report) {
    for callback in callbacks(desired).filter(|callback| callback.key.is_none()) {
        report.warning(
            callback.place,
            length(callback),
            code::NO_KEY,
            "this callback has no key: eSign sends its messages unencrypted",
            "add `key: { env: NAME }`; `ess-callbacks secret new` makes a key",
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
            "add `token: { env: NAME }`; `ess-callbacks secret new` makes a token",
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
                    format!("this URL is nearly {} in line {line}", first.url),
                    "eSign takes them for two and sends every message to both; keep one",
                );
            }
        }
    }
}

fn private_hosts(desired: &Desired, report: &mut Report) {
    for callback in callbacks(desired).filter(|callback| url::is_private(callback.url.as_str())) {
        report.warning(
            callback.place,
            length(callback),
            code::PRIVATE_HOST,
            "eSign can't reach this host: it is private to a machine or network",
            "use a host name or address that is reachable from the internet",
        );
    }
}

fn placeholders(desired: &Desired, report: &mut Report) {
    for callback in callbacks(desired) {
        let Some(found) = placeholder::in_url(callback.url.as_str()) else {
            continue;
        };
        report.warning(
            callback.place,
            length(callback),
            code::PLACEHOLDER,
            format!("this URL holds a placeholder (`{}`)", found.written()),
            "it is sent as it is; only `${name}`, `{handle}` and `{proxy_organization_id}` are replaced",
        );
    }
}

fn credentials(desired: &Desired, report: &mut Report) {
    for callback in callbacks(desired) {
        if model::credentials(callback.url.as_str()).is_empty() {
            continue;
        }
        report.warning(
            callback.place,
            length(callback),
            code::URL_CREDENTIAL,
            format!("this URL holds what looks like a credential: {}", callback.url),
            "it is shown as `***`, but it is whole in this file and in the state; let the receiver check `token` instead",
        );
    }
}

fn shared_secrets(desired: &Desired, report: &mut Report) {
    // Of each secret: the first organization that uses it, and whether it was warned about.
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
                    "give each organization secrets of its own, so that a leak concerns one only; if this is meant, \
                     `accept: { W007: REASON }` says so",
                );
            }
        }
    }
}
