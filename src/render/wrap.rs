//! Prose, wrapped at spaces. A word is never broken, so a URL can be copied whole.

use std::fmt;

use unicode_width::UnicodeWidthStr as _;

use super::style::{Style, Tone};

/// With a smaller width, most lines would be single words.
const NARROWEST: usize = 30;

/// Writes `text` as lines that begin with `first` (the first one) or `rest`, at most `width`
/// columns wide where words allow it. A `width` of 0 never wraps.
///
/// Widths are columns of a terminal: an East Asian character takes two.
pub(crate) fn write_wrapped(
    out: &mut dyn fmt::Write,
    (first, rest): (&str, &str),
    text: &str,
    width: usize,
) -> fmt::Result {
    let width = if width == 0 {
        usize::MAX
    } else {
        width.max(NARROWEST)
    };
    out.write_str(first)?;
    let mut column = first.width();
    let mut at_start = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needed = word.width();
        if !at_start && column.saturating_add(1 + needed) > width {
            write!(out, "\n{rest}")?;
            column = rest.width();
            at_start = true;
        }
        if !at_start {
            out.write_char(' ')?;
            column += 1;
        }
        out.write_str(word)?;
        column += needed;
        at_start = false;
    }
    out.write_char('\n')
}

/// Writes a wrapped sentence whose beginning has one colour and the rest another.
pub(crate) fn write_sentence(
    out: &mut dyn fmt::Write,
    style: &Style,
    (tone, beginning): (Tone, &str),
    (rest_tone, rest): (Tone, &str),
) -> fmt::Result {
    let mut wrapped = String::new();
    write_wrapped(
        &mut wrapped,
        ("", ""),
        &format!("{beginning} {rest}"),
        style.width,
    )?;
    // The colours are added after wrapping, because they have no width.
    let wrapped = wrapped.trim_end();
    match wrapped.strip_prefix(beginning) {
        Some(rest) => writeln!(
            out,
            "{}{}",
            style.paint(tone, beginning),
            style.paint(rest_tone, rest)
        ),
        None => writeln!(out, "{}", style.paint(tone, wrapped)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: usize) -> String {
        let mut out = String::new();
        write_wrapped(&mut out, ("# ", "#   "), text, width).unwrap();
        out
    }

    #[test]
    fn lines_break_at_spaces_and_a_url_stays_whole() {
        insta::assert_snapshot!(
            wrapped("see https://hooks.acme.example/a/very/long/path for what it means, and why", 30),
            @r"
        # see
        #   https://hooks.acme.example/a/very/long/path
        #   for what it means, and why
        "
        );
    }

    #[test]
    fn east_asian_characters_take_two_columns() {
        insta::assert_snapshot!(
            wrapped("当前配置不存在 当前配置不存在 当前配置不存在", 32),
            @r"
        # 当前配置不存在 当前配置不存在
        #   当前配置不存在
        "
        );
    }

    #[test]
    fn without_a_width_nothing_is_wrapped() {
        let text = "word ".repeat(100);
        assert_eq!(wrapped(&text, 0).lines().count(), 1);
    }
}
