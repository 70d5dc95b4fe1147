//! Keeps secrets out of everything eSign says.
//!
//! An error message, or the body of a broken proxy's answer, may echo the request. Before a word of
//! it is kept, every form that a secret could have in it is taken out.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::model::masked_in;
use crate::secret::Secret;

/// What replaces a secret.
const MARK: &str = "(secret)";
/// What replaces a text that can't be cleaned.
const WITHHELD: &str = "(withheld: it may hold a secret)";
/// A secret shorter than this occurs in any text by chance; taking it out would leave a riddle.
const SHORTEST: usize = 4;
/// How many characters of a foreign text are kept.
const KEPT: usize = 300;

/// Takes a call's secrets out of text.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    /// Longest first, so that no form is left in pieces by a shorter one.
    forms: Vec<Secret>,
    /// As they are, for texts that escape them character by character.
    values: Vec<Secret>,
    short: Vec<Secret>,
}

impl Redactor {
    /// Knows these secrets in every form they may be echoed in.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets {
            let value = secret.expose();
            if value.is_empty() {
                continue;
            }
            if value.len() < SHORTEST {
                redactor.short.push(secret.clone());
                continue;
            }
            redactor.forms.extend(forms(value).map(Secret::new));
            redactor.values.push(secret.clone());
        }
        redactor
            .forms
            .sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
        redactor
    }

    /// The text without secrets, on one line, without control characters and of bounded length.
    pub(crate) fn clean(&self, text: &str) -> String {
        if self.short.iter().any(|short| text.contains(short.expose())) {
            return WITHHELD.to_owned();
        }
        let mut text = text.to_owned();
        for form in &self.forms {
            if text.contains(form.expose()) {
                text = text.replace(form.expose(), MARK);
            }
        }
        let text = self.without_escaped(&text);
        // Of another callback: its own is among the forms.
        excerpt(&masked_in(&text))
    }

    /// The text without secrets of which some characters are escaped, each in its own way.
    fn without_escaped(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let mut values = self.values.iter();
            if let Some(after) = values.find_map(|value| after_escaped(rest, value.expose())) {
                clean.push_str(MARK);
                rest = after;
            } else {
                clean.push(character);
                rest = &rest[character.len_utf8()..];
            }
        }
        clean
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

fn forms(value: &str) -> impl Iterator<Item = String> {
    let bytes = value.as_bytes();
    let json = serde_json::to_string(value).unwrap_or_default();
    let ascii_json: String = value
        .encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_graphic() => char::from(byte).to_string(),
            Ok(_) | Err(_) => format!("\\u{unit:04x}"),
        })
        .collect();
    [
        value.to_owned(),
        value.to_ascii_lowercase(),
        value.to_ascii_uppercase(),
        json.trim_matches('"').to_owned(),
        ascii_json,
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE.encode(bytes),
        URL_SAFE_NO_PAD.encode(bytes),
        hex::encode(bytes),
        hex::encode_upper(bytes),
        url::form_urlencoded::byte_serialize(bytes).collect(),
        percent(bytes, false),
        percent(bytes, true),
    ]
    .into_iter()
}

/// What follows this value at the beginning of a text, in which any character of it may be escaped.
fn after_escaped<'t>(text: &'t str, value: &str) -> Option<&'t str> {
    value.chars().try_fold(text, after_character)
}

/// What follows this character, plain or escaped as in JSON (`\/`, `\u002f`), a URL (`%2F`) or HTML
/// (`&#x2F;`, `&amp;`).
fn after_character(text: &str, wanted: char) -> Option<&str> {
    // The sign that begins an escape may be the character itself.
    escaped_character(text, wanted).or_else(|| text.strip_prefix(wanted))
}

fn escaped_character(text: &str, wanted: char) -> Option<&str> {
    let is_wanted = |digits: Option<&str>| {
        let code = u32::from_str_radix(digits?, 16).ok()?;
        (char::from_u32(code)? == wanted).then_some(())
    };
    let unescaped = text.trim_start_matches('\\');
    if unescaped.len() < text.len() {
        return unescaped.strip_prefix(wanted).or_else(|| {
            let digits = unescaped.strip_prefix('u')?;
            is_wanted(digits.get(..4))?;
            digits.get(4..)
        });
    }
    if let Some(digits) = text.strip_prefix('%') {
        is_wanted(digits.get(..2))?;
        return digits.get(2..);
    }
    let (entity, after) = text.strip_prefix('&')?.split_once(';')?;
    let decoded = match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
    };
    (decoded? == wanted).then_some(after)
}

fn percent(bytes: &[u8], upper: bool) -> String {
    bytes
        .iter()
        .map(|&byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else if upper {
                format!("%{byte:02X}")
            } else {
                format!("%{byte:02x}")
            }
        })
        .collect()
}

/// One line of bounded length that is safe to print to a terminal.
fn excerpt(text: &str) -> String {
    let mut kept = String::new();
    for (count, character) in text.trim().chars().enumerate() {
        if count == KEPT {
            kept.push('…');
            break;
        }
        if character.is_control() || is_invisible(character) {
            kept.extend(character.escape_unicode());
        } else {
            kept.push(character);
        }
    }
    kept
}

/// Marks that turn text around or can't be seen.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redactor(values: &[&str]) -> Redactor {
        let secrets: Vec<_> = values.iter().map(|value| Secret::new(*value)).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn credentials_in_urls_that_are_quoted_are_masked() {
        let said = "exists: https://other.example/cb?access_token=canary !";
        assert_eq!(
            redactor(&[]).clean(said),
            "exists: https://other.example/cb?access_token=*** !"
        );
    }

    #[test]
    fn every_form_of_a_secret_is_taken_out() {
        let secret = "k+y/ \"ü\"&canary==";
        let redactor = redactor(&[secret]);
        for form in forms(secret) {
            assert_eq!(
                redactor.clean(&format!("CallbackKey {form} is wrong")),
                "CallbackKey (secret) is wrong"
            );
        }
    }

    /// Found by a hostile server: encoders escape different characters, and often not all of them.
    #[test]
    fn a_secret_is_taken_out_however_its_characters_are_escaped() {
        let secret = "abc/def+ghi=&<x>\"y";
        for form in [
            r#"abc\/def+ghi=&<x>\"y"#,
            r"abc/def+ghi\u003d\u0026\u003cx\u003e\u0022y",
            r"abc\\/def\u002Bghi=&<x>\\\u0022y",
            "abc&#x2F;def&#43;ghi&#61;&amp;&lt;x&gt;&quot;y",
            "abc/def%2bghi%3D%26%3Cx%3E%22y",
        ] {
            assert_eq!(
                redactor(&[secret]).clean(&format!("token '{form}' is wrong")),
                "token '(secret)' is wrong",
                "{form}"
            );
        }
        assert_eq!(
            redactor(&[secret]).clean("abc&def; %zz \\u12"),
            "abc&def; %zz \\u12"
        );
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(
            redactor(&[]).clean("\n a\u{1b}[2Jb\nc\u{202e}d "),
            r"a\u{1b}[2Jb\u{a}c\u{202e}d"
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = redactor(&[]).clean(&"长".repeat(5000));
        assert_eq!(text.chars().count(), KEPT + 1);
    }

    #[test]
    fn a_secret_too_short_to_take_out_withholds_the_text() {
        let redactor = redactor(&["pw"]);
        assert_eq!(redactor.clean("the pw is wrong"), WITHHELD);
        assert_eq!(redactor.clean("other words"), "other words");
    }

    proptest! {
        #[test]
        fn no_secret_survives(secret in "[!-~]{4,40}", before in ".{0,40}", after in ".{0,40}") {
            prop_assume!(!MARK.contains(&secret));
            let text = redactor(&[&secret]).clean(&format!("{before}{secret}{after}"));
            prop_assert!(!text.contains(&secret), "{}", text);
        }
    }
}
