//! Escapes untrusted text for a terminal.
//!
//! A handle, a URL or a message of the server may contain escape sequences or characters that reverse
//! the writing direction. Unescaped, they could change how a plan looks that is about to be approved.
//! CI systems read commands from logs: see [`crate::harmless`].

use std::fmt::{self, Display, Write as _};

use crate::harmless::is_treacherous;

/// Shows a value with its control characters escaped (`\u{1b}`).
#[derive(Clone, Copy, Debug)]
pub struct Clean<T>(pub T);

impl<T: Display> Display for Clean<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            Escaping {
                out: f,
                quoted: false,
                last: BEGINNING,
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
                quoted: true,
                last: BEGINNING,
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
    /// The three previous characters.
    last: [char; 3],
}

/// A text may follow the beginning of a line, or white space where a line is wrapped.
const BEGINNING: [char; 3] = [' '; 3];

/// Whether this character completes the beginning of a command to a CI system.
fn commands(last: [char; 3], c: char) -> bool {
    match c {
        '#' => last[2] == '#',
        // The first colon already, because a literal colon may follow the text.
        ':' => last[2].is_whitespace(),
        '-' | '+' | '~' | '^' => last[1..] == [c, c] && last[0].is_whitespace(),
        _ => false,
    }
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut clean_from = 0;
        for (at, c) in text.char_indices() {
            let escaped = is_treacherous(c) || commands(self.last, c);
            self.last = [self.last[1], self.last[2], if escaped { '}' } else { c }];
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harmless::is_command;

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
    fn no_command_to_a_ci_system_gets_through() {
        for text in [
            "##[set-output name=x]1",
            "a ##vso[task.setvariable variable=x]1",
            "##teamcity[x]",
            "###[group]",
            "::add-mask::x",
            "a\n::stop-commands::x",
            "+++ x",
        ] {
            assert!(text.lines().any(is_command), "{text}");
            for shown in [Clean(text).to_string(), Quoted(text).to_string()] {
                assert!(!shown.lines().any(is_command), "{shown}");
            }
        }
        assert_eq!(
            Clean("##[a] http://[::1]/").to_string(),
            r"#\u{23}[a] http://[::1]/"
        );
    }

    proptest::proptest! {
        #[test]
        fn commands_stay_words_wherever_the_text_is_cut(
            parts in proptest::collection::vec("[#:+ \\[v\n\r-]{0,4}", 0..6),
        ) {
            struct Parts<'a>(&'a [String]);
            impl Display for Parts<'_> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.iter().try_for_each(|part| f.write_str(part))
                }
            }
            let shown = Clean(Parts(&parts)).to_string();
            assert!(!is_command(&shown), "{shown}");
            // For every wrapping of the words.
            assert!(!shown.split_whitespace().any(is_command), "{shown}");
        }

        #[test]
        fn nothing_treacherous_gets_through(text in proptest::prelude::any::<String>()) {
            let shown = format!("{}{}", Clean(&text), Quoted(&text));
            assert!(!shown.contains(is_treacherous));
        }
    }
}
