//! Which bytes to mask in a file that could not be parsed. Any value may be a secret there, so everything is masked
//! that is not certainly harmless.

use super::excerpt::Cursor;
use crate::config::name::is_key_like;

/// Fields whose values are never secret.
const HARMLESS: [&str; 13] = [
    "version",
    "environment",
    "defaults",
    "adoption",
    "operator",
    "accounts",
    "organizations",
    "proxy_organization_id",
    "account",
    "app_id",
    "suspend",
    "callbacks",
    "protect",
];

/// The bytes to mask of the line with this number (from 1).
pub(crate) fn concealed(text: &str, line: u32) -> (u32, u32) {
    let offset = Cursor::new(text).seek(line, 1);
    let rest = &text[offset..];
    let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
    let small = |at: usize| u32::try_from(offset + at).unwrap_or(u32::MAX);
    (small(first_secret(&rest[..end])), small(end))
}

/// The start of the part of a line that may be secret; the end of the line when no part is.
fn first_secret(line: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = line[at..].trim_start_matches([' ', '\t', '-', '{', '[', ',']);
        at = line.len() - rest.len();
        if rest.is_empty() || is_harmless_url(rest) {
            return line.len();
        }
        let Some((key, value)) = rest.split_once(':') else {
            return at;
        };
        let value = value.trim_start();
        let key = key.trim().trim_matches(['"', '\'']);
        let value_at = line.len() - value.len();
        if !is_key_like(key) {
            return at;
        }
        if value.is_empty() || (key == "url" && is_harmless_url(value)) {
            return line.len();
        }
        if value.starts_with(['{', '[']) {
            at = value_at;
        } else if HARMLESS.contains(&key) {
            let comma = value.find(',').unwrap_or(value.len());
            let word = value[..comma].trim().trim_matches(['"', '\'']);
            if !is_key_like(word) {
                return value_at;
            }
            at = value_at + comma;
        } else {
            return value_at;
        }
    }
}

/// Whether this is a URL without a password, without an escape that may hide one, and with nothing after it.
fn is_harmless_url(text: &str) -> bool {
    let text = text.trim_matches(['"', '\'', ' ']);
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.contains(['@', ':', '{', ',', ' ', '\\']))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("    callbacks: [", "    callbacks: [")]
    #[case("  acme:", "  acme:")]
    #[case("      - https://a.example/x", "      - https://a.example/x")]
    #[case("      - https://u:SECRET@a.example/x", "      - https:")]
    #[case("      - \"https://a.example/?\\x74oken=SECRET", "      - \"https:")]
    #[case("        key: SECRET", "        key: ")]
    #[case("        kye: \"SECRET", "        kye: \"")]
    #[case("        SECRET", "        ")]
    #[case("  - {url: https://a.example, key: SECRET", "  - {url: ")]
    #[case(
        "acme: {account: x, callbacks: [{key: SECRET}",
        "acme: {account: x, callbacks: [{key: "
    )]
    #[case("  operator: x y: SECRET", "  operator: ")]
    #[case(
        "  operator: yDw6, adoption: 'keep'",
        "  operator: yDw6, adoption: 'keep'"
    )]
    fn only_what_is_certainly_harmless_is_shown(#[case] line: &str, #[case] shown: &str) {
        let text = format!("first\n{line}\nlast");
        let (from, to) = concealed(&text, 2);
        assert_eq!(to as usize, 6 + line.len());
        let kept = &text[6..from as usize];
        assert!(!kept.contains("SECRET"), "{kept}");
        assert!(
            kept.starts_with(shown.trim_end_matches('"').trim_end()),
            "{kept}"
        );
    }
}
