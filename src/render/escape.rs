//! Text from outside, made harmless for a terminal.
//!
//! A handle, a URL or a message of the server may hold escape sequences or characters that reverse
//! the writing direction. Shown raw, they could recolour or rewrite the very plan that somebody is
//! about to approve.
//!
//! A log of a CI system is read by a program too: GitHub takes `##[…]` anywhere in a line and `::…` at
//! its beginning for commands, Azure Pipelines `##vso[…]`, `TeamCity` `##teamcity[…]`; Buildkite folds at
//! lines that begin with `---`, `+++`, `~~~` or `^^^`. GitLab's section marks need control characters.

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
    /// The three characters before.
    last: [char; 3],
}

/// What stands before a text may be the beginning of a line, or white space where a line is wrapped.
const BEGINNING: [char; 3] = [' '; 3];

/// Whether this character completes the beginning of a command to a CI system.
fn commands(last: [char; 3], c: char) -> bool {
    match c {
        '#' => last[2] == '#',
        // The first one already: what is a colon alone may be followed by one of ours.
        ':' => last[2].is_whitespace(),
        '-' | '+' | '~' | '^' => last[1..] == [c, c] && last[0].is_whitespace(),
        _ => false,
    }
}

/// Lines in which no CI system finds a command. One character for one, so that columns stay.
pub(crate) fn neutral(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let begins = line.len() - line.trim_start().len();
        let command = line[begins..].starts_with("::");
        let mut hashes = 0;
        for (at, c) in line.char_indices() {
            let completes = c == '[' && hashes >= 2;
            hashes = match c {
                '#' if hashes < 2 => hashes + 1,
                '#' => 2,
                c if hashes >= 2 && c.is_alphanumeric() => hashes,
                _ => 0,
            };
            if completes || (command && at == begins) {
                lines.push(char::REPLACEMENT_CHARACTER);
            } else {
                lines.push(c);
            }
        }
    }
    lines
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
        let mut last = ' ';
        for (at, c) in fragment.char_indices() {
            let escaped = is_treacherous(c) || (c == '#' && last == '#');
            last = if escaped { ' ' } else { c };
            if !escaped {
                continue;
            }
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

    /// What the programs that read logs take for a command, by their public sources.
    fn is_command(line: &str) -> bool {
        let begins = ["::", "---", "+++", "~~~", "^^^"];
        let after_hashes = |rest: &str| {
            rest.trim_start_matches('#')
                .trim_start_matches(char::is_alphanumeric)
                .starts_with('[')
        };
        begins
            .iter()
            .any(|begin| line.trim_start().starts_with(begin))
            || line
                .match_indices("##")
                .any(|(at, _)| after_hashes(&line[at..]))
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
            let json = {
                let mut out = Vec::new();
                let mut to = serde_json::Serializer::with_formatter(&mut out, HarmlessJson);
                serde::Serialize::serialize(text, &mut to).unwrap();
                String::from_utf8(out).unwrap()
            };
            for shown in [Clean(text).to_string(), Quoted(text).to_string(), json] {
                assert!(!shown.lines().any(is_command), "{shown}");
            }
        }
        assert_eq!(
            Clean("##[a] http://[::1]/").to_string(),
            r"#\u{23}[a] http://[::1]/"
        );
        assert_eq!(
            neutral("  ::a::b\n# ##vso[x] ##"),
            "  \u{fffd}:a::b\n# ##vso\u{fffd}x] ##"
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
            // However the words are wrapped.
            assert!(!shown.split_whitespace().any(is_command), "{shown}");
            let lines = neutral(&parts.concat());
            assert!(!lines.lines().any(|line| line.contains("##[") || line.trim_start().starts_with("::")));
        }

        #[test]
        fn nothing_treacherous_gets_through(text in proptest::prelude::any::<String>()) {
            let shown = format!("{}{}", Clean(&text), Quoted(&text));
            assert!(!shown.contains(is_treacherous));
        }
    }
}
