//! Finds what in a callback's URL looks like a credential, so that it is not shown to people.

use std::borrow::Cow;
use std::ops::Range;

/// What is shown in a credential's place. To `--target` it stands for any text.
pub const MASK: &str = "***";

/// Names of parameters that hold credentials, without case and separators.
const NAMES: [&str; 24] = [
    "key",
    "pass",
    "passwd",
    "pwd",
    "sig",
    "sign",
    "signature",
    "auth",
    "authorization",
    "jwt",
    "session",
    "sessionid",
    "sid",
    "credential",
    "credentials",
    "secret",
    "token",
    "password",
    "apikey",
    "accesskey",
    "secretkey",
    "subscriptionkey",
    "bearer",
    "code",
];

/// Ends of such names: `access_token`, `client-secret`.
const ENDS: [&str; 6] = [
    "token",
    "secret",
    "password",
    "signature",
    "apikey",
    "accesskey",
];

/// How the tokens of well-known services begin.
const BEGINNINGS: [&str; 9] = [
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "sk_live_",
    "AKID",
];

/// The parts of `url` that look like a credential, in bytes, in order: values of parameters with a
/// telling name, the part of a path after such a name, and what looks random.
pub fn credentials(url: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let Some(scheme) = url.find("://") else {
        return found;
    };
    let rest = &url[scheme + 3..];
    let Some(path) = rest.find(['/', '?']) else {
        return found;
    };
    let mut at = scheme + 3 + path;
    let query = url[at..].find('?').map_or(url.len(), |query| at + query);
    let mut before = "";
    // Every part follows one separator.
    while at < url.len() {
        let start = at + 1;
        let separators: &[char] = if start > query {
            &['&', ';']
        } else {
            &['/', '?', ';']
        };
        let end = url[start..]
            .find(separators)
            .map_or(url.len(), |end| start + end);
        let part = &url[start..end];
        match part.split_once('=') {
            Some((name, value)) if !value.is_empty() && (is_telling(name) || is_random(value)) => {
                found.push(end - value.len()..end);
            }
            None if is_random(part) || (is_telling(before) && has_digits(part)) => {
                found.push(start..end);
            }
            Some(_) | None => {}
        }
        before = part;
        at = end;
    }
    found
}

/// `url` with [`MASK`] in the place of each credential.
pub fn masked(url: &str) -> Cow<'_, str> {
    let found = credentials(url);
    if found.is_empty() {
        return Cow::Borrowed(url);
    }
    let mut shown = String::with_capacity(url.len());
    let mut from = 0;
    for range in found {
        shown.push_str(&url[from..range.start]);
        shown.push_str(MASK);
        from = range.end;
    }
    shown.push_str(&url[from..]);
    Cow::Owned(shown)
}

fn is_telling(name: &str) -> bool {
    if name.is_empty() || name.len() > 40 {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let plain: String = lower
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | '.'))
        .collect();
    NAMES.contains(&plain.as_str())
        || ENDS.iter().any(|end| plain.ends_with(end))
        || lower.ends_with("_key")
        || lower.ends_with("-key")
}

/// Of a part of a path: `/token/callback` is none.
fn has_digits(part: &str) -> bool {
    part.len() >= 6 && part.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether nobody would choose this as a name. The ids of eSign are random too, but no secret.
fn is_random(part: &str) -> bool {
    if part.len() < 20 || is_esign_id(part) {
        return false;
    }
    BEGINNINGS.iter().any(|start| part.starts_with(start))
        || part
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|run| is_random_run(run.as_bytes()))
}

fn is_random_run(run: &[u8]) -> bool {
    let count = |is: fn(&u8) -> bool| run.iter().filter(|byte| is(byte)).count();
    let switches = run
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
        .count();
    let mixed = count(u8::is_ascii_uppercase) >= 2
        && count(u8::is_ascii_lowercase) >= 2
        && count(u8::is_ascii_digit) >= 2;
    (run.len() >= 20 && mixed && switches >= 3) || (run.len() >= 24 && switches >= 6)
}

fn is_esign_id(part: &str) -> bool {
    part.len() == 32
        && part.starts_with("yD")
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://a.example/x", "https://a.example/x")]
    #[case("https://a.example/x?token=abc", "https://a.example/x?token=***")]
    #[case(
        "https://a.example?a=1&Access_Token=a%20b&b=2",
        "https://a.example?a=1&Access_Token=***&b=2"
    )]
    #[case(
        "https://a.example/x?monkey=1&page=2&token=",
        "https://a.example/x?monkey=1&page=2&token="
    )]
    #[case("https://a.example/x;sig=abc/y", "https://a.example/x;sig=***/y")]
    #[case(
        "https://a.example/token/s3cret1/esign",
        "https://a.example/token/***/esign"
    )]
    #[case("https://a.example/token/callback", "https://a.example/token/callback")]
    #[case("https://a.example/Xk3bV9qLm2TzR7wYc4Hd", "https://a.example/***")]
    #[case(
        "https://a.example/5af866900ca34d1a95382c48c678a085",
        "https://a.example/***"
    )]
    #[case(
        "https://a.example/?v=eyJhbGciOiJIUzI1NiJ9.e30.abc",
        "https://a.example/?v=***"
    )]
    #[case(
        "https://a.example/yDtwEUUckp7f87yrUygaLZxYk2SEodS7",
        "https://a.example/yDtwEUUckp7f87yrUygaLZxYk2SEodS7"
    )]
    #[case(
        "https://a.example/handleEsignCallbackVersion2",
        "https://a.example/handleEsignCallbackVersion2"
    )]
    #[case(
        "https://a.example/2f1c9a34-5b1e-4c0d-9a77-0123456789ab",
        "https://a.example/2f1c9a34-5b1e-4c0d-9a77-0123456789ab"
    )]
    #[case("https://a.example/?q=a/b?c=d", "https://a.example/?q=a/b?c=d")]
    fn credentials_are_masked(#[case] url: &str, #[case] shown: &str) {
        assert_eq!(masked(url), shown);
    }

    proptest! {
        #[test]
        fn any_text_has_its_parts_in_order(url in "(https?://)?\\PC{0,60}") {
            let found = credentials(&url);
            prop_assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
            let shown = masked(&url);
            prop_assert_eq!(shown == url, found.iter().all(|range| &url[range.clone()] == MASK));
        }

        #[test]
        fn no_value_of_a_token_is_shown(value in "[g-z0-9%._~-]{5,40}", name in "token|API_KEY|x-secret") {
            let url = format!("https://a.example/b?c=d&{name}={value}&e=f");
            prop_assert!(!masked(&url).contains(&value));
        }
    }
}
