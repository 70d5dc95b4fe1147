//! URLs that are nearly the same.

use std::borrow::Cow;

use super::url::{authority, is_http};

/// A form that is equal for URLs that differ only in case, default port, slashes and `.` in the path, an empty query,
/// needless escapes, or http and https.
pub(super) fn normalized(url: &str) -> String {
    let mut normalized = url.to_ascii_lowercase();
    let port = if is_http(url) { ":80" } else { ":443" };
    if let Some((start, authority)) = authority(&normalized)
        && let Some(host) = authority.strip_suffix(port)
    {
        let end = start + host.len();
        normalized.replace_range(end..end + port.len(), "");
    }
    let after_scheme = normalized.find("://").map_or(0, |at| at + 3);
    let rest = unescaped(&normalized[after_scheme..]);
    let (path, query) = rest.split_once('?').unwrap_or((&rest, ""));
    let mut plain = String::with_capacity(rest.len());
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if !plain.is_empty() {
            plain.push('/');
        }
        plain.push_str(part);
    }
    if !query.is_empty() {
        plain.push('?');
        plain.push_str(query);
    }
    plain
}

/// Decodes the escapes of unreserved characters (RFC 3986, 2.3).
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split('%');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match code.map(char::from) {
            Some(c) if c.is_ascii_alphanumeric() || "-._~".contains(c) => {
                plain.push(c.to_ascii_lowercase());
                plain.push_str(&part[2..]);
            }
            Some(_) | None => {
                plain.push('%');
                plain.push_str(part);
            }
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://a.example/x", "http://A.EXAMPLE:80/X/")]
    #[case("https://a.example/x?y", "https://a.example:443/x/?y")]
    #[case("https://a.example", "https://a.example/")]
    #[case("https://a.example/x/y", "https://a.example//x///y")]
    #[case("https://a.example/x/y", "https://a.example/x/./y/.")]
    #[case("https://a.example/x", "https://a.example/x?")]
    #[case("https://a.example/~x", "https://a.example/%7Ex")]
    #[case("https://a.example/x%2fy", "https://a.example/%58%2Fy")]
    fn what_looks_alike_blurs_into_one(#[case] one: &str, #[case] other: &str) {
        assert_eq!(normalized(one), normalized(other));
    }

    #[test]
    fn what_differs_stays_apart() {
        assert_ne!(
            normalized("https://a.example/x"),
            normalized("https://a.example/y")
        );
        assert_ne!(
            normalized("https://a.example:80/"),
            normalized("https://a.example/")
        );
        assert_ne!(
            normalized("https://a.example/?x/"),
            normalized("https://a.example/?x")
        );
    }
}
