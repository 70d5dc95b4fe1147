//! A command line of bash up to the cursor: its words, and what may replace the last one.
//!
//! Nothing is expanded: `$(…)` and `$HOME` are text.

#[derive(Debug)]
pub(crate) struct Line {
    words: Vec<String>,
    /// The part of the last word that bash does not replace, without quotes.
    kept: String,
    /// The open quote around the last word.
    quote: Option<char>,
}

/// A word that is being read.
#[derive(Default)]
struct Word {
    /// Without quotes.
    text: String,
    /// The length of the part of `text` that bash does not replace, as it splits words at some characters.
    kept: usize,
    begun: bool,
    /// The value of `kept` after the open quote is closed.
    before: usize,
}

impl Line {
    /// Reads a line. Outside of quotes, bash splits words at each of `breaks`.
    pub(crate) fn read(line: &str, breaks: &str) -> Self {
        let mut words = Vec::new();
        let mut word = Word::default();
        let mut quote = None;
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match (quote, c) {
                (None, c) if c.is_whitespace() => {
                    if word.begun {
                        words.push(std::mem::take(&mut word).text);
                    }
                    continue;
                }
                (None, '\'' | '"') => {
                    quote = Some(c);
                    // Bash replaces what follows an open quote.
                    word.before = std::mem::replace(&mut word.kept, word.text.len());
                }
                (Some(open), c) if open == c => {
                    quote = None;
                    word.kept = word.before;
                }
                (None, '\\') => word.text.extend(chars.next()),
                (Some('"'), '\\') => {
                    let next = chars.next();
                    if !matches!(next, Some('"' | '\\' | '$' | '`')) {
                        word.text.push('\\');
                    }
                    word.text.extend(next);
                }
                (quote, c) => {
                    word.text.push(c);
                    if quote.is_none() && breaks.contains(c) {
                        word.kept = word.text.len();
                    }
                }
            }
            word.begun = true;
        }
        let kept = word.text[..word.kept].to_owned();
        words.push(word.text);
        Self { words, kept, quote }
    }

    /// The words, without quotes. The last one may be empty.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// The replacement for bash's last word that makes the whole word `value`. `None` if it can't be quoted.
    pub(crate) fn reply(&self, value: &str) -> Option<String> {
        let rest = value.strip_prefix(&self.kept)?;
        match self.quote {
            None => Some(escaped(rest, " \t!\"#$&'()*,;<>?[\\]^`{|}~")),
            Some('"') if !rest.contains('!') => Some(escaped(rest, "\"\\$`")),
            Some('\'') if !rest.contains('\'') => Some(rest.to_owned()),
            Some(_) => None,
        }
    }
}

fn escaped(text: &str, special: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The default of bash.
    const BREAKS: &str = " \t\n\"'><=;|&(:";

    #[rstest]
    #[case("e plan --target ac", &["e", "plan", "--target", "ac"], "acme", Some("acme"))]
    #[case("e plan --target ", &["e", "plan", "--target", ""], "acme", Some("acme"))]
    #[case("e plan --target=ac", &["e", "plan", "--target=ac"], "--target=acme", Some("acme"))]
    #[case("e p acme/https:", &["e", "p", "acme/https:"], "acme/https://a?b", Some("//a\\?b"))]
    #[case("e p acme/https://a?b=", &["e", "p", "acme/https://a?b="], "acme/https://a?b=c", Some("c"))]
    #[case("e p \"acme/https:", &["e", "p", "acme/https:"], "acme/https://$a", Some("acme/https://\\$a"))]
    #[case("e p 'a b/https:", &["e", "p", "a b/https:"], "a b/https://c", Some("a b/https://c"))]
    #[case("e p 'a", &["e", "p", "a"], "a'b", None)]
    #[case("e p a\\ b", &["e", "p", "a b"], "a b;$(id)`x`", Some("a\\ b\\;\\$\\(id\\)\\`x\\`"))]
    #[case("e p $(id)", &["e", "p", "$(id)"], "other", None)]
    #[case("e 'p' \"q\"x", &["e", "p", "qx"], "qxy", Some("qxy"))]
    #[case("e 上海", &["e", "上海"], "上海公司", Some("上海公司"))]
    #[case("e acme/\"https:\"//h", &["e", "acme/https://h"], "acme/https://h.example", Some("acme/https://h.example"))]
    #[case("", &[""], "x", Some("x"))]
    fn what_is_typed_and_what_takes_its_place(
        #[case] typed: &str,
        #[case] words: &[&str],
        #[case] value: &str,
        #[case] reply: Option<&str>,
    ) {
        let line = Line::read(typed, BREAKS);
        assert_eq!(line.words().collect::<Vec<_>>(), words);
        assert_eq!(line.reply(value).as_deref(), reply);
    }
}
