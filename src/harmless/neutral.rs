//! The filter of all output: it leaves no command to a CI system, and no control sequence to a terminal except
//! colours.

use super::characters::is_treacherous;

/// Replaces a harmful character. One for one, so that columns do not change.
const REPLACEMENT: &str = "\u{fffd}";

/// Filters a whole text.
pub(crate) fn neutral(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    let push = |part: &str| {
        lines.push_str(part);
        Ok::<_, std::convert::Infallible>(())
    };
    let Ok(()) = Neutral::new(true).pass(text, push);
    lines
}

/// Filters a stream of text that arrives in pieces.
#[derive(Clone, Debug)]
pub(crate) struct Neutral {
    colours: bool,
    headers: bool,
    line: Line,
    /// How many `#` came before, at most 2. After 2, a `[` would complete a command.
    hashes: u8,
}

/// The beginning of the current line so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    Blank,
    /// White space, and a number of the same character that begins commands.
    Begun(char, u8),
    Inside,
}

impl Neutral {
    /// A filter at the beginning of a line. `colours` allows colours.
    pub(crate) const fn new(colours: bool) -> Self {
        Self {
            colours,
            headers: false,
            line: Line::Empty,
            hashes: 0,
        }
    }

    /// Allows lines that begin with `--- ` and `+++ `, the headers of a diff.
    pub(crate) const fn allow_headers(&mut self, allowed: bool) {
        self.headers = allowed;
    }

    /// Passes the filtered pieces of `text` to `out`.
    pub(crate) fn pass<E>(
        &mut self,
        text: &str,
        mut out: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut clean_from = 0;
        let mut at = 0;
        loop {
            if self.line == Line::Inside && self.hashes == 0 {
                let ordinary = |byte: &u8| (b' '..0x7f).contains(byte) && *byte != b'#';
                at += text.as_bytes()[at..]
                    .iter()
                    .take_while(|byte| ordinary(byte))
                    .count();
            }
            let rest = &text[at..];
            let Some(c) = rest.chars().next() else { break };
            if self.colours
                && let Some(length) = colour(rest)
            {
                // CI systems remove colours before they look for commands.
                at += length;
                continue;
            }
            if self.harms(c) {
                out(&text[clean_from..at])?;
                out(REPLACEMENT)?;
                clean_from = at + c.len_utf8();
            }
            at += c.len_utf8();
        }
        out(&text[clean_from..])
    }

    fn harms(&mut self, c: char) -> bool {
        if c == '\n' {
            (self.line, self.hashes) = (Line::Empty, 0);
            return false;
        }
        let opens = c == '[' && self.hashes == 2;
        self.hashes = match c {
            '#' => (self.hashes + 1).min(2),
            _ if self.hashes == 2 && c.is_alphanumeric() => 2,
            _ => 0,
        };
        let (line, begins) = match (self.line, c) {
            (Line::Empty | Line::Blank, c) if c.is_whitespace() => (Line::Blank, false),
            (Line::Empty, '-' | '+') if self.headers => (Line::Inside, false),
            (Line::Empty | Line::Blank, ':' | '-' | '+' | '~' | '^') => (Line::Begun(c, 1), false),
            (Line::Begun(':', 1), ':') | (Line::Begun('-' | '+' | '~' | '^', 2), _)
                if self.line == Line::Begun(c, if c == ':' { 1 } else { 2 }) =>
            {
                (Line::Inside, true)
            }
            (Line::Begun(begun, count), _) if begun == c => (Line::Begun(c, count + 1), false),
            (Line::Empty | Line::Blank | Line::Begun(..) | Line::Inside, _) => {
                (Line::Inside, false)
            }
        };
        self.line = line;
        let acts = c != '\t' && is_treacherous(c);
        if acts {
            // The replacement is not white space.
            self.line = Line::Inside;
        }
        opens || begins || acts
    }
}

/// The length of the colour sequence at the start of `text`.
fn colour(text: &str) -> Option<usize> {
    let codes = text.strip_prefix("\u{1b}[")?;
    let rest = codes.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
    rest.starts_with('m').then(|| text.len() - rest.len() + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::harmless::is_command;

    fn passed(mut neutral: Neutral, pieces: &[String]) -> String {
        let mut out = String::new();
        for piece in pieces {
            let push = |part: &str| {
                out.push_str(part);
                Ok::<_, ()>(())
            };
            neutral.pass(piece, push).unwrap();
        }
        out
    }

    #[test]
    fn one_character_is_enough() {
        for (text, shown) in [
            ("  ::a::b\n", "  :\u{fffd}a::b\n"),
            ("# ##vso[x] ##", "# ##vso\u{fffd}x] ##"),
            ("###teamcity[", "###teamcity\u{fffd}"),
            ("--- x", "--\u{fffd} x"),
            (" +++ x", " ++\u{fffd} x"),
            ("~~~ x", "~~\u{fffd} x"),
            ("^^^ +++", "^^\u{fffd} +++"),
            (
                "section_start:0:x\r\u{1b}[0K",
                "section_start:0:x\u{fffd}\u{fffd}[0K",
            ),
            ("\u{1b}[1m--- x\u{1b}[0m", "\u{1b}[1m--\u{fffd} x\u{1b}[0m"),
            ("a\u{202e}b\r::c", "a\u{fffd}b\u{fffd}::c"),
        ] {
            assert_eq!(neutral(text), shown);
        }
    }

    #[test]
    fn ordinary_text_passes() {
        for text in [
            "-/+ callback {\n  - url = \"http://[::1]/\"\n\n+ a -- b\n-- c\n",
            "a: b::c\n# comment\n## heading [x]\n\tTAB 中文 ä\n|---|---|\n",
            "\u{1b}[1;31mred\u{1b}[0m",
        ] {
            assert_eq!(neutral(text), text);
        }
    }

    #[test]
    fn a_diff_keeps_its_headers_and_nothing_else() {
        let mut diff = Neutral::new(false);
        diff.allow_headers(true);
        let text = "--- a\n+++ b\n ::c\n~~~ d\n ---\n".to_owned();
        assert_eq!(
            passed(diff, &[text]),
            "--- a\n+++ b\n :\u{fffd}c\n~~\u{fffd} d\n --\u{fffd}\n"
        );
    }

    proptest! {
        #[test]
        fn no_command_gets_through_however_it_is_cut(
            pieces in prop::collection::vec(
                "([#:~+^-]|\\[|vso|[ \t\r\n\u{3000}\u{85}\u{1b}\u{202e}a中]|section_|\u{1b}\\[1m){0,4}", 0..6,
            ),
            colours in any::<bool>(),
        ) {
            let text = pieces.concat();
            let shown = passed(Neutral::new(colours), &pieces);
            prop_assert_eq!(shown.chars().count(), text.chars().count());
            let plain = anstream::adapter::strip_str(&shown).to_string();
            for line in shown.split('\n').chain(plain.split('\n')) {
                prop_assert!(!is_command(line), "{line:?}");
            }
            let acts = |c: char| is_treacherous(c) && !matches!(c, '\n' | '\t') && !(colours && c == '\u{1b}');
            prop_assert!(!shown.contains(acts), "{shown:?}");
            // Filtering again changes nothing.
            prop_assert_eq!(passed(Neutral::new(colours), std::slice::from_ref(&shown)), shown);
        }
    }
}
