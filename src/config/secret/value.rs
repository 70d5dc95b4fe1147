//! Checks of the value of a secret. eSign accepts nearly every value, so a wrong one would first be noticed when a
//! contract is signed.
//!
//! A message contains the kind and position of a wrong character, never the value.

use super::problem::SecretProblem;
use super::role::SecretRole;
use crate::config::{code, placeholder};
use crate::secret::Secret;

/// The size of a `CallbackKey`, a key for AES-256.
const KEY_BYTES: usize = 32;

/// The longest token, in bytes. eSign documents no limit, but a longer value is probably the wrong file.
const LONGEST: usize = 1024;

const QUOTES: [char; 3] = ['"', '\'', '`'];

/// All errors and warnings about the value of a secret.
pub fn check_secret(role: SecretRole, value: &Secret) -> Vec<SecretProblem> {
    let text = value.expose();
    let name = role.name();
    let visible = |c: char| kind(c).is_none();
    if !text.trim_matches(QUOTES).contains(visible) {
        return vec![SecretProblem::error(
            code::EMPTY_SECRET,
            format!("the {name} is empty"),
            format!("set it, or remove `{name}` if you want none"),
        )];
    }
    if text.len() > LONGEST {
        return vec![SecretProblem::error(
            code::SECRET_TOO_LONG,
            format!(
                "the {name} has {} bytes; at most {LONGEST} are allowed",
                text.len()
            ),
            "this is probably not the secret; `ess-callbacks secret new` generates one of 32 characters",
        )];
    }
    if is_masked(text) {
        return vec![SecretProblem::error(
            code::MASKED_SECRET,
            format!("the {name} looks like a masked secret, not like a real one"),
            "use the real value; `ess-callbacks secret new` generates one",
        )];
    }
    let mut problems = Vec::new();
    problems.extend(character(name, text));
    // If the key has the right length without the invalid characters, the length is not a second error.
    let kept = || {
        text.chars()
            .filter(|c| visible(*c))
            .map(char::len_utf8)
            .sum::<usize>()
    };
    if role == SecretRole::Key
        && text.len() != KEY_BYTES
        && (problems.is_empty() || kept() != KEY_BYTES)
    {
        problems.push(key_length(text));
    }
    if let Some(found) = placeholder::in_secret(text) {
        problems.push(SecretProblem::warning(
            code::PLACEHOLDER,
            format!("the {name} contains a placeholder (`{}`)", found.written()),
            "it is not replaced; use the real value",
        ));
    }
    if let Some((quote, _)) = quotes(text) {
        problems.push(SecretProblem::warning(
            code::QUOTED_SECRET,
            format!("the quotes (`{quote}`) around the {name} are part of it"),
            "remove them unless they are intended: secret files, Docker env files and some CI systems keep quotes",
        ));
    }
    problems
}

/// The first invalid character.
fn character(name: &str, text: &str) -> Option<SecretProblem> {
    let mut wrong = text
        .chars()
        .enumerate()
        .filter_map(|(at, c)| kind(c).map(|kind| (at, c, kind)));
    let (at, c, kind) = wrong.next()?;
    let more = wrong.count();
    let place = if at == 0 {
        "at the beginning".to_owned()
    } else if at + 1 == text.chars().count() {
        "at the end".to_owned()
    } else {
        format!("as character {}", at + 1)
    };
    let more = match more {
        0 => String::new(),
        1 => ", and 1 more invalid character".to_owned(),
        more => format!(", and {more} more invalid characters"),
    };
    let help = match c {
        '\0' => "the value may be UTF-16 or binary; store it as UTF-8 text",
        '\n' | '\r' => {
            "one line break at the end of a file or output is dropped; remove the others"
        }
        '\u{feff}' => "save the file as UTF-8 without a byte order mark",
        '\u{fffd}' => {
            "a program could not decode the value and wrote this instead; take the value from its source"
        }
        _ => "remove it; it was probably copied with the value",
    };
    Some(SecretProblem::error(
        code::SECRET_CHARACTER,
        format!(
            "the {name} contains {kind} (U+{:04X}) {place}{more}",
            u32::from(c)
        ),
        help,
    ))
}

/// The name of a character that is invalid in a secret.
fn kind(c: char) -> Option<&'static str> {
    Some(match c {
        '\0' => "a NUL character",
        '\n' => "a line break",
        '\r' => "a carriage return",
        '\t' => "a tab",
        ' ' => "a space",
        '\u{a0}' | '\u{202f}' => "a no-break space",
        '\u{3000}' => "a full-width space",
        '\u{200b}' => "a zero-width space",
        '\u{200c}' | '\u{200d}' => "a zero-width joiner",
        '\u{2060}' => "a word joiner",
        '\u{feff}' => "a byte order mark",
        '\u{ad}' => "a soft hyphen",
        '\u{fffd}' => "a replacement character",
        c if c.is_whitespace() => "white space",
        c if c.is_control() => "a control character",
        c if is_invisible(c) => "an invisible character",
        _ => return None,
    })
}

/// Unicode's default ignorable characters, and other invisible ones.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2061}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn key_length(text: &str) -> SecretProblem {
    let inner = quotes(text).map_or(text, |(_, inner)| inner);
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    let help = if inner.len() == KEY_BYTES && inner.len() < text.len() {
        "it has quotes around it; remove them"
    } else if text.len() == 43 && text.chars().all(base64) {
        "this looks like a key of WeCom (43 characters of base64); eSign uses the text itself, not the bytes that it \
         encodes, so generate a key of 32 characters with `ess-callbacks secret new`"
    } else if text.len() == 44 && text.ends_with('=') && text[..43].chars().all(base64) {
        "this looks like 32 bytes in base64; eSign uses the text itself, not the bytes that it encodes, so generate a key \
         of 32 characters with `ess-callbacks secret new`"
    } else if text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        "this looks like 32 bytes in hexadecimal; eSign uses the text itself, not the bytes that it encodes, so generate a \
         key of 32 characters with `ess-callbacks secret new`"
    } else {
        "`ess-callbacks secret new` generates one"
    };
    SecretProblem::error(
        code::KEY_LENGTH,
        format!(
            "the key has {} bytes; it must have exactly {KEY_BYTES}",
            text.len()
        ),
        help,
    )
}

/// The opening quote of a text in quotes, and the text between the quotes.
fn quotes(text: &str) -> Option<(char, &str)> {
    // Word processors and Chinese keyboards replace plain quotes by these.
    let typographic = [
        ('“', '”'),
        ('‘', '’'),
        ('„', '“'),
        ('「', '」'),
        ('＂', '＂'),
    ];
    let plain = QUOTES.map(|quote| (quote, quote));
    plain
        .into_iter()
        .chain(typographic)
        .find_map(|(open, close)| {
            let inner = text.strip_prefix(open)?.strip_suffix(close)?;
            Some((open, inner))
        })
}

fn is_masked(text: &str) -> bool {
    let text = text.trim().trim_matches(QUOTES).to_lowercase();
    let dots = |c| matches!(c, '*' | '•' | '●');
    let crosses = text.len() >= 4 && text.chars().all(|c| c == 'x');
    let masks = [
        "redacted",
        "masked",
        "hidden",
        "filtered",
        "sensitive",
        "secret",
    ];
    let inner = text
        .strip_prefix(['<', '[', '('])
        .and_then(|text| text.strip_suffix(['>', ']', ')']));
    let bracketed = inner.is_some_and(|inner| masks.contains(&inner.trim_end_matches(" value")));
    text.chars().all(dots)
        || text.contains("****")
        || crosses
        || bracketed
        || [
            "<redacted>",
            "[redacted]",
            "(redacted)",
            "<masked>",
            "[masked]",
        ]
        .iter()
        .any(|mask| text.contains(mask))
        || placeholder::plain(&text).is_some_and(|plain| {
            ["changeme", "pleasechangeme", "redacted"].contains(&plain.as_str())
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::diag::Severity;

    const GOOD: &str = "0123456789abcdef0123456789abcdef";

    fn codes(role: SecretRole, value: &str) -> Vec<&'static str> {
        let problems = check_secret(role, &Secret::new(value));
        problems.iter().map(|problem| problem.code.0).collect()
    }

    #[rstest]
    #[case(SecretRole::Key, GOOD, &[])]
    #[case(SecretRole::Key, "0123456789abcdef0123456789abcde", &["E050"])]
    #[case(SecretRole::Key, "0123456789abcdef0123456789abcdef\n", &["E058"])]
    #[case(SecretRole::Key, "0123456789abcdef 123456789abcdef", &["E058"])]
    #[case(SecretRole::Key, "0123456789abcdef 12345678", &["E058", "E050"])]
    #[case(SecretRole::Key, "十六个汉字是四十八个字节不是三十", &["E050"])]
    #[case(SecretRole::Key, "\"0123456789abcdef0123456789abcdef\"", &["E050", "W009"])]
    #[case(SecretRole::Key, "'0123456789abcdef0123456789abcd'", &["W009"])]
    #[case(SecretRole::Token, "t", &[])]
    #[case(SecretRole::Token, "含有汉字的令牌", &[])]
    #[case(SecretRole::Token, "", &["E051"])]
    #[case(SecretRole::Key, " \n", &["E051"])]
    #[case(SecretRole::Token, "\u{feff}\u{200b}\0", &["E051"])]
    #[case(SecretRole::Token, "********", &["E052"])]
    #[case(SecretRole::Token, "abc****xyz", &["E052"])]
    #[case(SecretRole::Key, "<REDACTED>", &["E052"])]
    #[case(SecretRole::Token, "(sensitive value)", &["E052"])]
    #[case(SecretRole::Token, "ChangeMe", &["E052"])]
    #[case(SecretRole::Token, "\"change-me\"", &["E052"])]
    #[case(SecretRole::Token, "XXXXXXXX", &["E052"])]
    #[case(SecretRole::Token, "•••", &["E052"])]
    #[case(SecretRole::Token, "\u{feff}good-token", &["E058"])]
    #[case(SecretRole::Token, "good\0token", &["E058"])]
    #[case(SecretRole::Token, "good-token\u{e0041}", &["E058"])]
    #[case(SecretRole::Token, "good-token\r", &["E058"])]
    #[case(SecretRole::Token, "${ACME_TOKEN}", &["W008"])]
    #[case(SecretRole::Token, "'good-token'", &["W009"])]
    #[case(SecretRole::Token, "“good-token”", &["W009"])]
    #[case(SecretRole::Token, "\"\"", &["E051"])]
    fn values_are_judged(#[case] role: SecretRole, #[case] value: &str, #[case] expected: &[&str]) {
        assert_eq!(codes(role, value), expected);
    }

    #[test]
    fn a_token_has_a_longest_length() {
        assert_eq!(codes(SecretRole::Token, &"ab1".repeat(341)), [""; 0]);
        assert_eq!(codes(SecretRole::Token, &"ab1".repeat(342)), ["E059"]);
        assert_eq!(codes(SecretRole::Token, &"a".repeat(3 << 20)), ["E059"]);
    }

    #[rstest]
    #[case("good\u{200b}token", "a zero-width space (U+200B) as character 5")]
    #[case("\u{feff}token", "a byte order mark (U+FEFF) at the beginning")]
    #[case("token\u{a0}", "a no-break space (U+00A0) at the end")]
    #[case(
        "to ken\n",
        "a space (U+0020) as character 3, and 1 more invalid character"
    )]
    #[case("to\0ken", "a NUL character (U+0000) as character 3")]
    #[case("to\u{202e}ken", "an invisible character (U+202E) as character 3")]
    #[case("to\u{85}ken", "white space (U+0085) as character 3")]
    #[case("to\u{7f}ken", "a control character (U+007F) as character 3")]
    fn a_wrong_character_is_named_with_its_place(#[case] value: &str, #[case] expected: &str) {
        let problems = check_secret(SecretRole::Token, &Secret::new(value));
        assert_eq!(problems.len(), 1);
        assert_eq!(
            problems[0].message,
            format!("the token contains {expected}")
        );
    }

    #[rstest]
    #[case("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "WeCom")]
    #[case("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG=", "in base64")]
    #[case(
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "in hexadecimal"
    )]
    #[case("'0123456789abcdef0123456789abcdef'", "quotes around it")]
    #[case("short", "secret new` generates one")]
    fn a_key_of_another_kind_gets_a_hint(#[case] value: &str, #[case] expected: &str) {
        let problems = check_secret(SecretRole::Key, &Secret::new(value));
        assert!(problems[0].help.contains(expected), "{:?}", problems[0]);
    }

    proptest! {
        #[test]
        fn no_problem_shows_any_of_the_value(
            core in "[G-V]{6,12}", before in "\\PC{0,3}|[\\x00-\\x20\u{200b}\u{feff}\"']{0,3}",
            after in "\\PC{0,3}|[\\x00-\\x20\u{200b}\u{feff}\"']{0,3}", key in any::<bool>(),
        ) {
            let role = if key { SecretRole::Key } else { SecretRole::Token };
            let value = format!("{before}{core}{after}");
            for problem in check_secret(role, &Secret::new(value)) {
                let shown = format!("{problem:?}");
                prop_assert!(core.as_bytes().windows(4).all(|part| {
                    !shown.as_bytes().windows(4).any(|at| at == part)
                }), "{shown}");
            }
        }

        #[test]
        fn what_passes_holds_nothing_that_cannot_be_seen(value in "\\PC{1,40}|[!-~\u{a0}\u{200b}\n]{1,40}") {
            let errors = check_secret(SecretRole::Token, &Secret::new(value.clone()))
                .iter()
                .any(|problem| problem.severity == Severity::Error);
            if !errors {
                prop_assert!(!value.chars().any(|c| c.is_whitespace() || c.is_control()));
            }
        }
    }
}
