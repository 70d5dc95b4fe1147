//! The last sieve before text leaves: lines in which no CI system finds a command, and nothing that acts
//! on a terminal but colours.

use super::is_treacherous;

/// What stands in the place of a character that would have harmed. One for one, so that columns stay.
const REPLACEMENT: &str = "\u{fffd}";

/// Text without commands, for what is at hand whole.
pub(crate) fn neutral(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    let push = |part: &str| {
        lines.push_str(part);
        Ok::<_, std::convert::Infallible>(())
    };
    let Ok(()) = Neutral::new(true).pass(text, push);
    lines
}

/// Takes a stream of text, in whatever pieces it comes.
#[derive(Clone, Debug)]
pub(crate) struct Neutral {
    colours: bool,
    headers: bool,
    line: Line,
    /// 2: a `[` would complete a command.
    hashes: u8,
}

/// How far the line that is being written has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    Blank,
    /// White space, and so many of one character that begins commands.
    Begun(char, u8),
    Inside,
}

impl Neutral {
    /// At the beginning of a line. Colours are let through where they are shown.
    pub(crate) const fn new(colours: bool) -> Self {
        Self {
            colours,
            headers: false,
            line: Line::Empty,
            hashes: 0,
        }
    }

    /// Lets lines begin with `--- ` and `+++ `, as the headers of a diff have to.
    pub(crate) const fn allow_headers(&mut self, allowed: bool) {
        self.headers = allowed;
    }

    /// Gives `out` the pieces of what is left of `text`.
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
                // Whoever looks for commands removes colours first.
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
            // What stands in its place is no white space.
            self.line = Line::Inside;
        }
        opens || begins || acts
    }
}

/// The length of the colour that `text` begins with.
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
            // Once is enough.
            prop_assert_eq!(passed(Neutral::new(colours), std::slice::from_ref(&shown)), shown);
        }
    }
}
