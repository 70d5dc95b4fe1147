//! Text from outside, made harmless for a terminal.
//!
//! A handle, a URL or a message of the server may hold escape sequences or characters that reverse
//! the writing direction. Shown raw, they could recolour or rewrite the very plan that somebody is
//! about to approve.

use std::fmt::{self, Display, Write as _};
use std::io;

/// Shows a value with its control characters escaped (`\u{1b}`).
#[derive(Clone, Copy, Debug)]
pub struct Clean<T>(pub T);

impl<T: Display> Display for Clean<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            Escaping {
                out: f,
                quoted: false
            },
            "{}",
            self.0
        )
    }
}

/// Shows a value in double quotes, with quotes, backslashes and control characters escaped.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<T>(pub T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(
            Escaping {
                out: f,
                quoted: true
            },
            "{}",
            self.0
        )?;
        f.write_char('"')
    }
}

struct Escaping<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    quoted: bool,
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut clean_from = 0;
        for (at, c) in text.char_indices() {
            let escaped = is_treacherous(c);
            let backslashed = self.quoted && matches!(c, '"' | '\\');
            if !escaped && !backslashed {
                continue;
            }
            self.out.write_str(&text[clean_from..at])?;
            clean_from = at + c.len_utf8();
            if escaped {
                write!(self.out, "{}", c.escape_unicode())?;
            } else {
                write!(self.out, "\\{c}")?;
            }
        }
        self.out.write_str(&text[clean_from..])
    }
}

/// Compact JSON in which the same characters are escaped. Readers see no difference; a terminal or a
/// CI log that shows the JSON does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HarmlessJson;

impl serde_json::ser::Formatter for HarmlessJson {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut clean_from = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_treacherous(*c)) {
            writer.write_all(&fragment.as_bytes()[clean_from..at])?;
            clean_from = at + c.len_utf8();
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        writer.write_all(&fragment.as_bytes()[clean_from..])
    }
}

/// Characters that act on a terminal, or on the text around them, instead of being seen. Joiners
/// (U+200C, U+200D) stay: some scripts can't be written without them.
pub(crate) fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_reversed_text_are_shown_and_not_obeyed() {
        assert_eq!(
            Clean("a\x1b[31m\r\n\u{202e}b\u{85}中文").to_string(),
            r"a\u{1b}[31m\u{d}\u{a}\u{202e}b\u{85}中文"
        );
    }

    #[test]
    fn quotes_can_not_be_closed_from_inside() {
        assert_eq!(Quoted("a\"b\\c\n").to_string(), r#""a\"b\\c\u{a}""#);
        assert_eq!(Clean("a\"b\\c").to_string(), "a\"b\\c");
    }

    #[test]
    fn json_means_the_same_with_and_without_escapes() {
        let mut out = Vec::new();
        let text = "a\u{9b}\u{e0041}中\n\"";
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, HarmlessJson);
        serde::Serialize::serialize(text, &mut serializer).unwrap();
        let json = String::from_utf8(out).unwrap();
        assert_eq!(json, r#""a\u009b\udb40\udc41中\n\"""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    proptest::proptest! {
        #[test]
        fn nothing_treacherous_gets_through(text in proptest::prelude::any::<String>()) {
            let shown = format!("{}{}", Clean(&text), Quoted(&text));
            assert!(!shown.contains(is_treacherous));
        }
    }
}
