//! Which names and ids are allowed, in Rust and as patterns for the schema.

use serde_json::{Value, json};

/// Handles, and names of accounts and profiles. Equal to [`is_name`].
///
/// A handle is the first part of an address (`handle/URL`), which `--target` matches with globs. So `/`, `\`,
/// `*`, `?`, `[` and `]` are not allowed, nor is anything invisible: white space, control characters,
/// zero-width and direction marks.
pub(super) const PATTERN: &str = r"^[^\u0000-\u0020\u007f-\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\\/*?\[\]]+$";

/// Ids of operators, organizations and applications: visible ASCII characters. Equal to [`is_id`].
pub(super) const ID_PATTERN: &str = "^[!-~]+$";

/// Numbers of Tencent Cloud accounts. Equal to [`is_account_id`].
pub(super) const ACCOUNT_ID_PATTERN: &str = "^[0-9]{1,20}$";

/// Names of environment variables. Equal to [`is_variable`].
pub(super) const VARIABLE_PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// Text with `{handle}` or `{proxy_organization_id}`, which `read::templates` replaces.
pub(super) const TEMPLATE_PATTERN: &str = r"\{(handle|proxy_organization_id)\}";

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(is_barred)
}

fn is_barred(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{20}' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{1680}' | '\u{180e}'
        | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}'
        | '\u{3000}' | '\u{feff}' | '\\' | '/' | '*' | '?' | '[' | ']')
}

pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn is_account_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` can be the name of an environment variable.
pub(super) fn is_variable(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The schema of a handle or account name.
pub(super) fn schema() -> Value {
    json!({ "pattern": PATTERN })
}

/// The schema of mappings that have two of these fields, for `not`.
pub(super) fn at_most_one_of(fields: &[&str]) -> Value {
    let pairs: Vec<Value> = (0..fields.len())
        .flat_map(|first| (first + 1..fields.len()).map(move |second| [first, second]))
        .map(|pair| json!({ "required": pair.map(|at| fields[at]) }))
        .collect();
    json!({ "anyOf": pairs })
}

/// The known word that is most similar to `word`, for "did you mean".
pub(super) fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // Comparing is quadratic, and no known word is this long.
    if word.len() > 64 {
        return None;
    }
    let begins = |name: &&&str| word.len() >= 3 && name.starts_with(word);
    similar::get_close_matches(word, known, 1, 0.6)
        .first()
        .or_else(|| known.iter().find(begins))
        .copied()
}

/// Whether this can be the name of a field, rather than, say, a name and a value without a colon between them.
pub(super) fn is_key_like(key: &str) -> bool {
    // The longest name of a field has 21 characters, a key for AES-256 has 32.
    const LONGEST: usize = 24;
    key == "<<"
        || (key.chars().count() <= LONGEST
            && key
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
}

/// Names in backquotes, separated by commas.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// `text` for a message: invisible characters escaped, at most 120 characters.
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
