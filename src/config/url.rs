//! Which callback URLs are valid.
//!
//! eSign probably compares URLs byte for byte, so a URL is checked but never changed: it is sent as it is written.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};
use url::{Host, Url};

use super::code;
use super::name::{TEMPLATE_PATTERN, shown};
use crate::diag::Code;
use crate::model::MASK;

/// In characters. The API documents this limit for a similar field.
pub(super) const MAX_LENGTH: usize = 1000;

/// The URLs that [`errors`] accepts, except that a pattern can't check the range of a port or an IP address.
pub(super) const PATTERN: &str = r#"^(?!.*\*\*\*)[Hh][Tt][Tt][Pp][Ss]?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)(:[0-9]*)?([/?]([!"$&-\[\]-~]|%[0-9A-Fa-f][0-9A-Fa-f])*)?$"#;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UrlError {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: Option<&'static str>,
}

impl UrlError {
    fn new(code: Code, message: impl Into<String>, help: &'static str) -> Self {
        Self {
            code,
            message: message.into(),
            help: Some(help),
        }
    }
}

/// The checks of the text. If all of them pass, the parsed URL is checked.
const CHECKS: &[fn(&str) -> Option<UrlError>] = &[
    white_space,
    ascii,
    scheme,
    user_info,
    fragment,
    length,
    backslash,
    host,
    escapes,
    mask,
];

/// All errors of `url`. No message quotes it, because it may contain a password.
pub(super) fn errors(url: &str) -> Vec<UrlError> {
    if is_ordinary(url) {
        return Vec::new();
    }
    let found: Vec<_> = CHECKS.iter().filter_map(|check| check(url)).collect();
    if found.is_empty() {
        structure(url).into_iter().collect()
    } else {
        found
    }
}

/// Whether `url` has the usual form, in which it has no errors. This saves most of the time of checking a hundred
/// thousand URLs.
fn is_ordinary(url: &str) -> bool {
    url.len() <= MAX_LENGTH
        && url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\' | b'%' | b'*'))
        && (url.starts_with("https://") || url.starts_with("http://"))
        && authority(url).is_some_and(|(_, authority)| is_ordinary_host(authority))
}

/// Whether this is a lower-case host name that can't be an IP address.
fn is_ordinary_host(authority: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.contains("--")
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    authority
        .rsplit('.')
        .next()
        .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_lowercase()))
        && authority.split('.').all(label)
}

pub(super) fn schema() -> Value {
    json!({ "type": "string", "pattern": schema_pattern(), "maxLength": MAX_LENGTH })
}

/// The pattern of a URL before templates are replaced. If there is one in the host, the rest is not checked.
pub(super) fn schema_pattern() -> String {
    format!("{PATTERN}|^[Hh][Tt][Tt][Pp][Ss]?://[^/?]*{TEMPLATE_PATTERN}")
}

/// The part with user name, password, host and port, and its offset in `url`.
pub(super) fn authority(url: &str) -> Option<(usize, &str)> {
    const HTTPS: &str = "https://";
    let start = if url.starts_with(HTTPS) {
        HTTPS.len()
    } else {
        url.find("://")? + 3
    };
    let rest = &url[start..];
    let end = rest
        .bytes()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'))
        .unwrap_or(rest.len());
    Some((start, &rest[..end]))
}

fn white_space(url: &str) -> Option<UrlError> {
    url.chars()
        .any(|c| c.is_whitespace() || c.is_control())
        .then(|| {
            UrlError::new(
                code::WHITE_SPACE,
                "this URL contains white space or a control character",
                "remove it, or write a space as `%20`",
            )
        })
}

fn ascii(url: &str) -> Option<UrlError> {
    url.chars()
        .find(|c| !c.is_ascii() && !c.is_whitespace() && !c.is_control())
        .map(|c| {
            UrlError::new(
                code::NON_ASCII,
                format!(
                    "this URL contains the non-ASCII character `{}`",
                    shown(&c.to_string())
                ),
                "write a host name in Punycode (`xn--…`), and percent-encode a path (`%E4…`)",
            )
        })
}

fn scheme(url: &str) -> Option<UrlError> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some(scheme)
            if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") =>
        {
            None
        }
        Some(_) | None => Some(UrlError::new(
            code::SCHEME,
            "a callback URL must begin with `https://` or `http://`",
            if url.contains('：') {
                "it has a full-width colon `：`; write `:`, and a space after the name of a field"
            } else {
                "write it in full: `https://host/path`"
            },
        )),
    }
}

fn user_info(url: &str) -> Option<UrlError> {
    authority(url)
        .is_some_and(|(_, authority)| authority.contains('@'))
        .then(|| {
            UrlError::new(
                code::USER_INFO,
                "this URL contains a user name or password",
                "remove it up to and including the `@`; protect the receiver with `token` instead",
            )
        })
}

fn fragment(url: &str) -> Option<UrlError> {
    url.contains('#').then(|| {
        UrlError::new(
            code::FRAGMENT,
            "this URL has a fragment (`#…`), which is never sent to a server",
            "remove the `#` and what follows it",
        )
    })
}

fn length(url: &str) -> Option<UrlError> {
    let length = url.chars().count();
    (length > MAX_LENGTH).then(|| {
        UrlError::new(
            code::TOO_LONG,
            format!("this URL has {length} characters; at most {MAX_LENGTH} are allowed"),
            "shorten it",
        )
    })
}

fn backslash(url: &str) -> Option<UrlError> {
    url.contains('\\').then(|| {
        UrlError::new(
            code::NOT_A_URL,
            "invalid URL: it contains a backslash, which programs interpret differently",
            "write `/`, or `%5C` where a backslash is meant",
        )
    })
}

fn host(url: &str) -> Option<UrlError> {
    let (_, authority) = authority(url)?;
    let host = authority.split(':').next().unwrap_or_default();
    if authority.contains('@') || authority.starts_with('[') || host.is_empty() {
        return None;
    }
    let help = "use letters, digits, `-`, `_` and single dots; wildcards and placeholders are not replaced";
    let barred =
        |c: &char| c.is_ascii_graphic() && !c.is_ascii_alphanumeric() && !"._-".contains(*c);
    if let Some(c) = host.chars().find(barred) {
        let message = format!("invalid host: a host name can't contain `{c}`");
        return Some(UrlError::new(code::HOST, message, help));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    name.split('.').any(str::is_empty).then(|| {
        let message = "invalid host: there is nothing between two dots";
        UrlError::new(code::HOST, message, help)
    })
}

fn escapes(url: &str) -> Option<UrlError> {
    let (start, authority) = authority(url)?;
    let wrong = |rest: &str| {
        let mut digits = rest.bytes().take(2);
        !(digits.len() == 2 && digits.all(|digit| digit.is_ascii_hexdigit()))
    };
    url[start + authority.len()..]
        .split('%')
        .skip(1)
        .any(wrong)
        .then(|| {
            UrlError::new(
                code::ESCAPE,
                "this URL has a `%` without two hexadecimal digits after it",
                "write `%25` for a percent sign; placeholders such as `%NAME%` are not replaced",
            )
        })
}

fn mask(url: &str) -> Option<UrlError> {
    url.contains(MASK).then(|| {
        UrlError::new(
            code::MASKED_URL,
            "this URL contains `***`, which this program prints in place of a credential",
            "write the whole URL; it was probably copied from a plan or a log",
        )
    })
}

fn structure(url: &str) -> Option<UrlError> {
    let invalid = |why: String| UrlError {
        code: code::NOT_A_URL,
        message: format!("invalid URL: {why}"),
        help: None,
    };
    let Some((_, authority)) = authority(url).filter(|(_, authority)| !authority.is_empty()) else {
        return Some(invalid("it has no host".to_owned()));
    };
    let parsed = match Url::parse(url) {
        Ok(parsed) => parsed,
        Err(error) => return Some(invalid(error.to_string())),
    };
    let host = parsed.host_str().unwrap_or_default();
    let written = authority
        .split_once(':')
        .map_or(authority, |(host, _)| host);
    (host.ends_with('.') || written.ends_with('.')).then(|| {
        UrlError::new(
            code::TRAILING_DOT,
            "the host name ends with a dot",
            "remove the dot: many servers and certificates do not accept it",
        )
    })
}

/// Whether messages to this URL are not encrypted by TLS.
pub(super) fn is_http(url: &str) -> bool {
    url.get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("http:"))
}

/// Whether the host can't be reached from the internet. Checks the parsed address, because `0x7f.1` is 127.0.0.1.
pub(super) fn is_private(url: &str) -> bool {
    if let Some((_, host)) = authority(url).filter(|(_, host)| is_ordinary_host(host)) {
        return is_private_name(host);
    }
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => is_private_name(name),
        Some(Host::Ipv4(address)) => is_private_v4(address),
        Some(Host::Ipv6(address)) => is_private_v6(address),
        None => false,
    }
}

fn is_private_name(name: &str) -> bool {
    !name.contains('.')
        || [".localhost", ".local", ".internal"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || first == 0
        // Shared by carriers and clouds (RFC 6598).
        || (first == 100 && (64..128).contains(&second))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    address.to_ipv4_mapped().map_or_else(
        || {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        },
        is_private_v4,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn codes(url: &str) -> Vec<&'static str> {
        errors(url).iter().map(|fault| fault.code.0).collect()
    }

    #[rstest]
    #[case("https://hooks.acme.example/esign", &[])]
    #[case("HTTPS://Hooks.acme.example:443/a?b=c@d", &[])]
    #[case("https://[2001:db8::1]:8443/x", &[])]
    #[case("https://a_b.example?x", &[])]
    #[case("ftp://a.example/", &["E031"])]
    #[case("a.example/x", &["E031"])]
    #[case("", &["E031"])]
    #[case("https:a.example", &["E031"])]
    #[case("https://", &["E030"])]
    #[case("https:///a", &["E030"])]
    #[case("https://a.example:99999/", &["E030"])]
    #[case("https://300.1.1.1/", &["E030"])]
    #[case("https://a\\b.example/", &["E030"])]
    #[case("https://user:word@a.example/", &["E032"])]
    #[case("https://@a.example/", &["E032"])]
    #[case("https://a.example/#x", &["E033"])]
    #[case("https://中国.example/", &["E034"])]
    #[case("https://a.example/a b", &["E035"])]
    #[case("https://a.example/\u{3000}", &["E035"])]
    #[case("https://a.example./", &["E037"])]
    #[case("https://a.example.:443/", &["E037"])]
    #[case("https://a.example%2e/", &["E044"])]
    #[case("https://*.example/", &["E044"])]
    #[case("https://$HOST/x", &["E044"])]
    #[case("https://{{host}}/x", &["E044"])]
    #[case("https://<host>/x", &["E044"])]
    #[case("https://a..example/x", &["E044"])]
    #[case("https://.example/x", &["E044"])]
    #[case("https://a.example/100%", &["E045"])]
    #[case("https://a.example/%2", &["E045"])]
    #[case("https://a.example/%NAME%", &["E045"])]
    #[case("https://a.example/%7E%25", &[])]
    #[case("https://a.example/x?token=***", &["E046"])]
    #[case("ftp://u@ä.example/ #", &["E035", "E034", "E031", "E032", "E033"])]
    fn each_fault_has_its_code(#[case] url: &str, #[case] expected: &[&str]) {
        assert_eq!(codes(url), expected);
    }

    #[test]
    fn a_thousand_characters_are_enough() {
        let url = format!("https://a.example/{}", "x".repeat(MAX_LENGTH - 18));
        assert_eq!(codes(&url), [""; 0]);
        assert_eq!(codes(&(url + "x")), ["E036"]);
    }

    #[rstest]
    #[case("https://127.0.0.1/", true)]
    #[case("https://0x7f.1/", true)]
    #[case("https://10.1.2.3/", true)]
    #[case("https://100.64.0.1/", true)]
    #[case("https://[::1]/", true)]
    #[case("https://[fd00::1]/", true)]
    #[case("https://[::ffff:192.168.0.1]/", true)]
    #[case("https://LOCALHOST:8080/", true)]
    #[case("https://erp/", true)]
    #[case("https://erp.internal/", true)]
    #[case("https://1.1.1.1/", false)]
    #[case("https://[2606:4700::1]/", false)]
    #[case("https://local.example/", false)]
    fn private_hosts_are_seen_through_their_spelling(#[case] url: &str, #[case] private: bool) {
        assert_eq!(is_private(url), private);
    }

    proptest! {
        #[test]
        fn checking_never_panics(url in "(https?://)?\\PC*") {
            errors(&url);
            crate::config::similar_urls::normalized(&url);
            is_private(&url);
        }

        #[test]
        fn in_an_ordinary_url_nothing_is_wrong(
            url in "https?://[a-z0-9.-]{1,9}(/[!-~]{0,5})?|https?://[!-~]{0,9}"
        ) {
            if is_ordinary(&url) {
                prop_assert!(CHECKS.iter().all(|check| check(&url).is_none()));
                prop_assert_eq!(structure(&url), None);
                let parsed = Url::parse(&url).expect("structure parsed it");
                prop_assert_eq!(parsed.host_str(), authority(&url).map(|(_, host)| host));
            }
        }

        #[test]
        fn the_pattern_accepts_what_the_code_accepts(
            url in "https?://[a-z.@:/?#\\[\\]0-9 é\\\\]{0,12}|https://[!-~]{0,12}"
        ) {
            let matches = jsonschema::is_valid(&schema(), &json!(url));
            let found = errors(&url);
            if found.is_empty() {
                prop_assert!(matches, "{url}");
            } else if found.iter().all(|fault| fault.code != code::NOT_A_URL && fault.code != code::TRAILING_DOT) {
                prop_assert!(!matches, "{url}");
            }
        }
    }
}
