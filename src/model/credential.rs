//! Finds what in a callback's URL looks like a credential, so that it is not shown to people.

use std::borrow::Cow;
use std::ops::Range;

/// What is shown in place of a credential. In `--target` it matches any text.
pub const MASK: &str = "***";

/// Names of parameters that hold credentials, without case and separators.
const NAMES: [&str; 28] = [
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
    "ticket",
    "hmac",
    "otp",
    "secretid",
];

/// Ends of such names: `access_token`, `client-secret`.
const ENDS: [&str; 8] = [
    "auth",
    "credential",
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

/// A URL is looked at so far, in bytes. Longer ones are no callback's.
const LONGEST: usize = 2_048;

/// The parts of `url` that look like a credential, in bytes, in order: values of parameters with a
/// telling name, the part of a path after such a name, and what looks random; also in URLs within it.
pub fn credentials(url: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (number, (at, _)) in url.match_indices("://").enumerate() {
        // What escapes hide is looked for once, in the outermost.
        let escapes = if number == 0 {
            Escapes::Read
        } else {
            Escapes::Left
        };
        found.extend(of_one(&url[at..], escapes).map(|part| at + part.start..at + part.end));
    }
    disjoint(found)
}

/// The same in every URL of a text, whatever it is about.
pub fn credentials_in(text: &str) -> Vec<Range<usize>> {
    // A quote may belong to the URL, but not one at its end.
    let closing = ['"', '\'', '`', ',', '}', ']', ')'];
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let rest = &text[at..];
        let url = &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())];
        // Of a list without spaces, the next item is no part of it.
        let next = [",http", ",\"", ",'", "\",", "',"]
            .into_iter()
            .filter_map(|next| url.find(next))
            .min();
        let url = &url[..next.unwrap_or(url.len())];
        let parts = of_one(url.trim_end_matches(closing), Escapes::Read);
        found.extend(parts.map(|part| at + part.start..at + part.end));
    }
    disjoint(found)
}

/// Sorted, and what overlaps as one.
fn disjoint(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            Some(_) | None => merged.push(range),
        }
    }
    merged
}

/// Whether values are also looked at without their escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escapes {
    Read,
    Left,
}

/// Of the URL that has its `://` at the beginning of this text. URLs within it are not looked at: time
/// must not grow with how deep they are nested.
fn of_one(url: &str, escapes: Escapes) -> impl Iterator<Item = Range<usize>> + use<> {
    let mut found = Vec::new();
    let mut end = url.len().min(LONGEST);
    while !url.is_char_boundary(end) {
        end -= 1;
    }
    let url = &url[..end];
    let mut at = url
        .get(3..)
        .and_then(|rest| rest.find(['/', '?']))
        .map_or(url.len(), |path| path + 3);
    let query = url[at..].find('?').map_or(url.len(), |query| at + query);
    let mut before = "";
    // Every part follows one separator.
    while at < url.len() {
        let start = at + 1;
        let separators: &[char] = if start > query {
            &['&', ';', ',']
        } else {
            &['/', '?', ';']
        };
        let end = url[start..]
            .find(separators)
            .map_or(url.len(), |end| start + end);
        let part = &url[start..end];
        match part.split_once(['=', ':']) {
            Some((name, value))
                if !value.is_empty()
                    && (is_telling(name)
                        || is_random(value)
                        || (escapes == Escapes::Read && hides_some(value))) =>
            {
                found.push(end - value.len()..end);
            }
            None if is_random(part)
                || (is_telling(before) && has_digits(part))
                || (is_hook(before) && is_uuid(part)) =>
            {
                found.push(start..end);
            }
            None => {
                let word = part.split_once('-').filter(|(name, _)| is_telling(name));
                let word = word.filter(|(_, rest)| has_digits(rest));
                found.extend(word.map(|(_, rest)| end - rest.len()..end));
            }
            Some(_) => {}
        }
        before = part;
        at = end;
    }
    found.into_iter()
}

/// User names and passwords before the hosts of URLs. callbacks.yaml can't have them, so they are foreign.
fn user_info(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(at, mark)| {
        let start = at + mark.len();
        let rest = &text[start..];
        let ends = |c: char| matches!(c, '/' | '?' | '#' | '\\' | '"') || c.is_whitespace();
        let authority = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let end = authority.rfind('@')?;
        (end > 0).then_some(start..start + end)
    })
}

/// `url` with [`MASK`] in the place of each credential.
pub fn masked(url: &str) -> Cow<'_, str> {
    without(url, with_user_info(url, credentials(url)))
}

fn with_user_info(text: &str, mut credentials: Vec<Range<usize>>) -> Vec<Range<usize>> {
    credentials.extend(user_info(text));
    disjoint(credentials)
}

/// `text` with [`MASK`] in the place of each credential in its URLs.
pub fn masked_in(text: &str) -> Cow<'_, str> {
    without(text, with_user_info(text, credentials_in(text)))
}

fn without(text: &str, found: Vec<Range<usize>>) -> Cow<'_, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for range in found {
        shown.push_str(&text[from..range.start]);
        shown.push_str(MASK);
        from = range.end;
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// `name` without escapes: `%74oken` is `token` to the receiver.
fn unescaped(name: &str) -> Cow<'_, str> {
    percent_decoded(name).map_or(Cow::Borrowed(name), Cow::Owned)
}

fn percent_decoded(name: &str) -> Option<String> {
    name.contains('%').then_some(())?;
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let digits = after.get(..2).filter(|_| *first == b'%');
        let byte =
            digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        if byte.is_some() {
            rest = &after[2..];
        }
        bytes.push(byte.unwrap_or(*first));
    }
    String::from_utf8(bytes).ok()
}

/// Whether escapes in this value hide a credential: a URL, or a parameter with a telling name.
fn hides_some(value: &str) -> bool {
    let Some(plain) = percent_decoded(value) else {
        return false;
    };
    let mut parameters = plain.split(['?', '&', ';', ',']);
    let telling = |parameter: &str| {
        let named = parameter.split_once(['=', ':']);
        named.is_some_and(|(name, value)| !value.is_empty() && is_telling(name))
    };
    let user = || {
        plain
            .split_once("://")
            .is_some_and(|(_, rest)| rest.contains('@'))
    };
    let in_urls = || {
        let mut urls = plain.match_indices("://");
        urls.any(|(at, _)| of_one(&plain[at..], Escapes::Left).next().is_some())
    };
    parameters.any(telling) || user() || in_urls()
}

/// Part of a path before the id of a webhook, which lets anyone who has it call the webhook.
fn is_hook(before: &str) -> bool {
    let before = before.to_ascii_lowercase();
    matches!(before.as_str(), "hook" | "hooks" | "webhook" | "webhooks")
}

fn is_uuid(part: &str) -> bool {
    let groups: Vec<_> = part.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12]
        && part
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_telling(name: &str) -> bool {
    let name = unescaped(name);
    // Of `data[token]` the innermost.
    let name = name
        .trim_end_matches(']')
        .rsplit('[')
        .next()
        .unwrap_or_default();
    if name.is_empty() || name.len() > 40 {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let lower = lower
        .strip_suffix("tokens")
        .map_or(lower.clone(), |start| format!("{start}token"));
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

/// Whether no one would choose this as a name. The ids of eSign are random too, but no secret.
fn is_random(part: &str) -> bool {
    if part.len() < 20 || is_esign_id(part) {
        return false;
    }
    let count = |is: fn(&u8) -> bool| part.bytes().filter(&is).count();
    let long = part.len() >= 40
        && [
            u8::is_ascii_uppercase,
            u8::is_ascii_lowercase,
            u8::is_ascii_digit,
        ]
        .iter()
        .all(|is| count(*is) >= 3)
        && !part.contains('.');
    BEGINNINGS.iter().any(|start| part.starts_with(start))
        || long
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
    // A name in camel case has a capital now and then, not at every second letter.
    let cases = run
        .windows(2)
        .filter(|pair| pair[0].is_ascii_uppercase() != pair[1].is_ascii_uppercase())
        .count();
    (run.len() >= 20 && mixed && switches >= 3)
        || (run.len() >= 24 && switches >= 6)
        || (run.len() >= 20 && cases * 3 >= run.len())
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
    #[case("https://a.example/x?%74oken=abc", "https://a.example/x?%74oken=***")]
    #[case(
        "https://a.example/x?X-Auth=abc&%=1",
        "https://a.example/x?X-Auth=***&%=1"
    )]
    #[case(
        "https://a.example/x?data[token]=a&b%5Bkey%5D=c",
        "https://a.example/x?data[token]=***&b%5Bkey%5D=***"
    )]
    #[case(
        "https://a.example/x?next=https://b.example/?token=a&c=d",
        "https://a.example/x?next=https://b.example/?token=***&c=d"
    )]
    #[case(
        "https://a.example/x?to=https%3A%2F%2Fb.example%2F%3Ftoken%3Da",
        "https://a.example/x?to=***"
    )]
    #[case("https://a.example/x?q=token%3Dabc", "https://a.example/x?q=***")]
    #[case(
        "https://a.example/x?u=https%3A%2F%2Fuser%3Apw%40b.example",
        "https://a.example/x?u=***"
    )]
    #[case(
        "https://a.example/x?u=https%3A%2F%2Fb.example",
        "https://a.example/x?u=https%3A%2F%2Fb.example"
    )]
    #[case(
        "https://a.example/x?p=1,token=abc",
        "https://a.example/x?p=1,token=***"
    )]
    #[case("https://a.example/x?token:abc", "https://a.example/x?token:***")]
    #[case(
        "https://a.example/token-abc123/tokens/abc123",
        "https://a.example/token-***/tokens/***"
    )]
    #[case(
        "https://a.example/hook/2f1c9a34-5b1e-4c0d-9a77-0123456789ab",
        "https://a.example/hook/***"
    )]
    #[case(
        "https://hooks.slack.com/services/T0/B0/XkbVqLmTzRwYcHdPfGjNsAeU",
        "https://hooks.slack.com/services/T0/B0/***"
    )]
    #[case(
        "https://a.example/api/webhooks/11/aBcD_eFgH-iJkL_mNoP-qRsT_uVwX-yZ01_2345-6789_abcd",
        "https://a.example/api/webhooks/11/***"
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
    #[case(
        "https://me:pass@a.example/?token=x",
        "https://***@a.example/?token=***"
    )]
    #[case("https://a@b:p@c.example", "https://***@c.example")]
    #[case("https://a.example/@b", "https://a.example/@b")]
    #[case("https://@a.example/", "https://@a.example/")]
    fn credentials_are_masked(#[case] url: &str, #[case] shown: &str) {
        assert_eq!(masked(url), shown);
    }

    #[test]
    fn credentials_of_urls_in_a_text_are_masked() {
        assert_eq!(
            masked_in(
                "bad \"https://a.example/x?token=abc\", see https://b.example/?to=http://c.example/?sig=d end"
            ),
            "bad \"https://a.example/x?token=***\", see https://b.example/?to=http://c.example/?sig=*** end"
        );
        assert_eq!(masked_in("nothing://"), "nothing://");
    }

    /// Neither may take longer than a moment, however a URL is nested or escaped.
    #[test]
    fn nesting_costs_little() {
        for nested in [
            "https://h/?a=",
            "https%3A%2F%2Fh%2F%3Fa%3D",
            "https:%2F%2Fh/?a%3D%25",
        ] {
            let url = format!("https://h.example/?a={}", nested.repeat(500));
            assert!(masked(&url).starts_with("https://h.example/?a="));
            assert!(masked_in(&url).starts_with("https://h.example/?a="));
        }
    }

    proptest! {
        #[test]
        fn any_text_has_its_parts_in_order(url in "(https?://)?\\PC{0,60}") {
            let found = with_user_info(&url, credentials(&url));
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
