//! Untrusted text in messages: cleaned, escaped for one service, and cut to what it takes.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a pure function of the text"
)]

use super::memory::Notice;
use super::words::{self, Lang, Wording};
use crate::harmless::is_treacherous;
use crate::model::masked_in;

/// More lines than this are not read in a chat.
const MOST_LINES: usize = 40;
/// What replaces the rest of a line.
const CUT: char = '…';

/// How a service writes a character of untrusted text so that it means nothing.
pub(super) type Escape = fn(char, &mut String);

/// A text on one line, with the credentials of its URLs masked and without invisible characters.
pub(super) fn clean(text: &str) -> String {
    let masked = masked_in(text);
    let replace = |c: char| match c {
        '\n' | '\t' => ' ',
        c if is_treacherous(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    masked.trim_end().chars().map(replace).collect()
}

/// The lines of a message about these notices, the first of which is its title.
pub(super) fn rows(notices: &[Notice], wording: &Wording) -> Vec<String> {
    let mut rows = Vec::new();
    for notice in notices {
        if !rows.is_empty() {
            rows.push(String::new());
        }
        rows.push(clean(&words::headline(notice, wording)));
        rows.extend(words::timing(notice, wording.lang));
        rows.extend(notice.condition.lines.iter().map(|line| clean(line)));
    }
    rows
}

/// The rows, escaped, one a line, as many as have at most `room` by `size`, which adds up. The last line says how
/// many are left out. A first row that alone is too long is cut.
pub(super) fn fitted(
    rows: &[String],
    room: usize,
    escape: Escape,
    size: fn(&str) -> usize,
    lang: Lang,
) -> String {
    let newline = size("\n");
    if rows.len() <= MOST_LINES {
        let all: Vec<_> = rows.iter().map(|row| escaped(row, escape)).collect();
        let all = all.join("\n");
        if size(&all) <= room {
            return all;
        }
    }
    // For the last line, with the largest count.
    let reserve = newline + size(&words::more(rows.len(), lang));
    let mut text = String::new();
    let mut used = 0;
    for (number, row) in rows.iter().enumerate() {
        let escaped = escaped(row, escape);
        let needed = size(&escaped) + if number == 0 { 0 } else { newline };
        let left = room.saturating_sub(used + reserve);
        if number == 0 {
            let cut = if needed > left {
                cut(row, left, escape, size)
            } else {
                escaped
            };
            used += size(&cut);
            text.push_str(&cut);
        } else if number < MOST_LINES && needed <= left {
            used += needed;
            text.push('\n');
            text.push_str(&escaped);
        } else {
            text.push('\n');
            text.push_str(&words::more(rows.len() - number, lang));
            break;
        }
    }
    text
}

fn escaped(text: &str, escape: Escape) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        escape(c, &mut escaped);
    }
    escaped
}

/// As much of the row as fits, never half of an escape.
pub(super) fn cut(row: &str, room: usize, escape: Escape, size: fn(&str) -> usize) -> String {
    let mut text = String::new();
    let mut used = size(CUT.encode_utf8(&mut [0; 4]));
    for c in row.chars() {
        let begin = text.len();
        escape(c, &mut text);
        used += size(&text[begin..]);
        if used > room {
            text.truncate(begin);
            text.push(CUT);
            break;
        }
    }
    text
}

/// The size of a text as bytes.
pub(super) const fn bytes(text: &str) -> usize {
    text.len()
}

/// The size of a text as characters.
pub(super) fn characters(text: &str) -> usize {
    text.chars().count()
}

/// The size of a text within a string of JSON. There are no other control characters than newlines.
pub(super) fn in_json(text: &str) -> usize {
    let escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | b'\n');
    text.len() + text.as_bytes().iter().filter(|byte| escaped(byte)).count()
}

/// Writes a character that means something to a chat in its full-width form, which looks like it and means
/// nothing. No service documents another way that holds in all its clients.
pub(super) fn full_width(c: char, text: &mut String) {
    text.push(match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(char::REPLACEMENT_CHARACTER),
        c => c,
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(c: char, text: &mut String) {
        text.push(c);
    }

    fn doubling(c: char, text: &mut String) {
        text.push(c);
        if c == '&' {
            text.push_str("amp;");
        }
    }

    #[test]
    fn a_line_stays_one_line_without_credentials() {
        assert_eq!(
            clean("a\nb\u{202e}c\u{7} https://hooks.example/x?token=0123456789abcdef \n"),
            "a b\u{fffd}c\u{fffd} https://hooks.example/x?token=***"
        );
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let rows: Vec<_> = (0..9).map(|n| format!("row {n}")).collect();
        let text = fitted(&rows, 30, plain, bytes, Lang::En);
        assert_eq!(text, "row 0\nrow 1\n… and 7 more");
        assert_eq!(
            fitted(&rows[..5], 29, plain, bytes, Lang::En)
                .lines()
                .count(),
            5
        );
        let many = vec!["x".to_owned(); 100];
        let text = fitted(&many, 9_999, plain, bytes, Lang::Zh);
        assert_eq!(text.lines().count(), MOST_LINES + 1);
        assert!(text.ends_with("… 另有 60 行"), "{text}");
    }

    proptest! {
        #[test]
        fn a_text_fits_and_no_escape_is_cut(
            rows in prop::collection::vec("[a&中\"😀]{0,40}", 1..60),
            room in 40..300_usize,
        ) {
            for size in [bytes, characters, in_json] {
                let text = fitted(&rows, room, doubling, size, Lang::En);
                prop_assert!(size(&text) <= room, "{text}");
                prop_assert_eq!(text.matches('&').count(), text.matches("&amp;").count());
            }
        }
    }
}
