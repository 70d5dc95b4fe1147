//! What names and ids may look like, once in Rust and once as a pattern for the schema.

use serde_json::{Value, json};

/// Of handles, accounts and profiles. Kept equal to [`is_name`].
///
/// A handle is the first part of an address (`handle/URL`) that `--target` globs over, so `/`, `\`,
/// `*`, `?`, `[` and `]` are out, and everything that can't be seen: white space, control
/// characters, zero-width and direction marks.
pub(super) const PATTERN: &str = r"^[^\u0000-\u0020\u007f-\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\\/*?\[\]]+$";

/// Of operators, organizations and applications: what can be seen in ASCII. Kept equal to [`is_id`].
pub(super) const ID_PATTERN: &str = "^[!-~]+$";

/// Of Tencent Cloud accounts: a decimal number. Kept equal to [`is_account_id`].
pub(super) const ACCOUNT_ID_PATTERN: &str = "^[0-9]{1,20}$";

/// What a handle, account or profile may be called.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(is_barred)
}

fn is_barred(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{20}' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{1680}' | '\u{180e}'
        | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}'
        | '\u{3000}' | '\u{feff}' | '\\' | '/' | '*' | '?' | '[' | ']')
}

/// What an operator, organization or application id may be.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What the number of a Tencent Cloud account may be.
pub(super) fn is_account_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The schema of a handle or account name.
pub(super) fn schema() -> Value {
    json!({ "pattern": PATTERN })
}

/// The closest of `known`, if any is close.
pub(super) fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // Diffing is quadratic; nobody mistypes a key by hundreds of characters.
    if word.len() > 64 {
        return None;
    }
    let begins = |name: &&&str| word.len() >= 3 && name.starts_with(word);
    similar::get_close_matches(word, known, 1, 0.6)
        .first()
        .or_else(|| known.iter().find(begins))
        .copied()
}

/// Whether this can be meant as a key, and is not, say, a key and its value with a colon missing.
pub(super) fn is_key_like(key: &str) -> bool {
    // The longest real one has 21, a key for AES-256 has 32.
    const LONGEST: usize = 24;
    key == "<<"
        || (key.chars().count() <= LONGEST
            && key
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
}

/// `text` fit for a message: no control characters, not too long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            let escape = is_barred(c) && !matches!(c, ' ' | '\\' | '/' | '*' | '?' | '[' | ']');
            let escaped = escape.then(|| c.escape_unicode());
            let plain = (!escape).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_may_be_chinese_but_not_globs_paths_or_invisible() {
        for good in ["acme", "acme-shanghai", "上海分公司", "a.b_c", "#1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a/b",
            "a*",
            "a?",
            "[a]",
            "a\u{200b}",
            "a\n",
            "a\u{3000}b",
            "a\\b",
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_suggestion_is_close_or_none() {
        let known = ["url", "key", "token", "proxy_organization_id"];
        assert_eq!(closest("kye", &known), Some("key"));
        assert_eq!(
            closest("proxy_organisation_id", &known),
            Some("proxy_organization_id")
        );
        assert_eq!(closest("prod", &["test", "production"]), Some("production"));
        assert_eq!(closest("colour", &known), None);
        assert_eq!(closest(&"x".repeat(100_000), &known), None);
    }

    #[test]
    fn a_message_holds_no_escape_sequences() {
        assert_eq!(shown("a\u{1b}[31m b"), r"a\u{1b}[31m b");
        assert_eq!(shown(&"a".repeat(500)).chars().count(), 121);
    }

    proptest! {
        #[test]
        fn the_patterns_say_what_the_code_says(text in "\\PC{0,3}|.{0,3}|[ -~]{0,4}") {
            let matches = |pattern: &str| {
                jsonschema::is_valid(&json!({ "pattern": pattern }), &json!(text))
            };
            prop_assert_eq!(matches(PATTERN), is_name(&text));
            prop_assert_eq!(matches(ID_PATTERN), is_id(&text));
        }
    }
}
