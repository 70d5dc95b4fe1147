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
pub(super) struct Redactor {
    /// Longest first, so that no form is left in pieces by a shorter one.
    forms: Vec<Secret>,
    short: Vec<Secret>,
}

impl Redactor {
    /// Knows these secrets in every form they may be echoed in.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
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
        }
        redactor
            .forms
            .sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
        redactor
    }

    /// The text without secrets, on one line, without control characters and of bounded length.
    pub(super) fn clean(&self, text: &str) -> String {
        if self.short.iter().any(|short| text.contains(short.expose())) {
            return WITHHELD.to_owned();
        }
        let mut text = text.to_owned();
        for form in &self.forms {
            if text.contains(form.expose()) {
                text = text.replace(form.expose(), MARK);
            }
        }
        // Of another callback: its own is among the forms.
        excerpt(&masked_in(&text))
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
