//! The line of a file that a message shows, with secrets masked.

use std::ops::Range;
use std::sync::Arc;

use crate::diag::{Place, Snippet};
use crate::model::credentials_in;

/// How many characters of a line are shown before the start of the marked text and from there on. A line may contain
/// a whole file.
const BEFORE: usize = 100;
const AFTER: usize = 160;

/// Finds the byte offsets of places in ascending order, in one pass over a text.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    line: u32,
    column: u32,
}

impl<'t> Cursor<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
            column: 1,
        }
    }

    /// The byte offset of a place that is not before the previous one. For a place outside the text it is the
    /// end of its line, or of the text.
    pub(super) fn seek(&mut self, line: u32, column: u32) -> usize {
        while self.line < line {
            let Some(end) = next_line(self.text, self.offset) else {
                self.offset = self.text.len();
                return self.offset;
            };
            self.offset = end;
            self.line += 1;
            self.column = 1;
        }
        for c in self.text[self.offset..].chars() {
            if self.column >= column || is_break(c) {
                break;
            }
            self.offset += c.len_utf8();
            self.column += 1;
        }
        self.offset
    }
}

/// The offset of the line after the one at `from`, with the line breaks of YAML.
fn next_line(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let end = from
        + bytes[from..]
            .iter()
            .position(|&byte| byte == b'\n' || byte == b'\r')?;
    let width = if bytes[end..].starts_with(b"\r\n") {
        2
    } else {
        1
    };
    Some(end + width)
}

const fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// The part of a line around `offset`. `hidden` bytes (from [`disjoint`]) and credentials in URLs are masked.
pub(super) fn excerpt(
    file: &Arc<str>,
    text: &str,
    offset: usize,
    place: Place,
    length: u32,
    hidden: &[(u32, u32)],
) -> Snippet {
    let before: usize = text[..offset]
        .chars()
        .rev()
        .take(BEFORE)
        .take_while(|&c| !is_break(c))
        .map(char::len_utf8)
        .sum();
    let start = offset - before;
    let in_urls = in_urls(text, start);
    let mut line = String::new();
    let mut rest = text[start..].char_indices().map(|(at, c)| (start + at, c));
    let mut shown = text[start..offset].chars().count() + AFTER;
    let mut mask = Mask::new(hidden, start);
    for (at, c) in &mut rest {
        if is_break(c) {
            break;
        }
        if shown == 0 {
            line.push('…');
            break;
        }
        shown -= 1;
        let secret = mask.covers(at) || in_urls.iter().any(|range| range.contains(&at));
        line.push(if secret { '*' } else { c });
    }
    let column = place.column.max(1);
    let skipped = u32::try_from(text[start..offset].chars().count()).unwrap_or(0);
    let to_end = text[offset..]
        .chars()
        .take(AFTER)
        .take_while(|&c| !is_break(c))
        .count();
    Snippet {
        file: Arc::clone(file),
        line: place.line.max(1),
        column,
        length: length.clamp(1, u32::try_from(to_end).unwrap_or(1).max(1)),
        text: line,
        text_column: column.saturating_sub(skipped).max(1),
    }
}

/// How many bytes before the shown text are searched for the start of a URL.
const REACH: usize = 2_048;

/// The most bytes that are shown.
const SHOWN: usize = 4 * (BEFORE + AFTER);

/// The credentials in URLs around what is shown from `start` on, in bytes. Searches the text, so that URLs in
/// comments and in invalid files are found too.
fn in_urls(text: &str, start: usize) -> Vec<Range<usize>> {
    let near = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let from = near(start.saturating_sub(REACH));
    let to = near((start + SHOWN).min(text.len()));
    let window = &text[from..to];
    let found = credentials_in(window).into_iter();
    found
        .map(|part| from + part.start..from + part.end)
        .collect()
}

/// Whether offsets, in ascending order, are in disjoint and sorted ranges.
struct Mask<'h> {
    ranges: &'h [(u32, u32)],
}

impl<'h> Mask<'h> {
    fn new(ranges: &'h [(u32, u32)], start: usize) -> Self {
        let passed = ranges.partition_point(|&(_, to)| (to as usize) <= start);
        Self {
            ranges: &ranges[passed..],
        }
    }

    fn covers(&mut self, at: usize) -> bool {
        while let [(_, to), rest @ ..] = self.ranges
            && *to as usize <= at
        {
            self.ranges = rest;
        }
        self.ranges
            .first()
            .is_some_and(|&(from, _)| from as usize <= at)
    }
}

/// Sorts ranges and merges those that overlap.
pub(super) fn disjoint(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.retain(|(from, to)| from < to);
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            Some(_) | None => merged.push((from, to)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str, line: u32, column: u32, hidden: &[(u32, u32)]) -> Snippet {
        let offset = Cursor::new(text).seek(line, column);
        let place = Place {
            file: 0,
            line,
            column,
        };
        excerpt(&Arc::from("f"), text, offset, place, 3, hidden)
    }

    #[test]
    fn lines_end_where_yaml_ends_them() {
        let text = "a\r\nb\rc\n\nd";
        for (line, expected) in [(1, "a"), (2, "b"), (3, "c"), (4, ""), (5, "d")] {
            assert_eq!(shown(text, line, 1, &[]).text, expected);
        }
    }

    #[test]
    fn secrets_are_blanked_and_columns_stay() {
        let text = "x: 1\nkey: 秘密abc, url: u\n";
        let hidden = [(10, 19)];
        let snippet = shown(text, 2, 13, &hidden);
        assert_eq!(snippet.text, "key: *****, url: u");
        assert_eq!((snippet.column, snippet.text_column), (13, 1));
    }

    #[test]
    fn credentials_in_urls_are_blanked() {
        let text = "- { url: https://a.example/x?token=abc&b=1, key: k } # old: https://a.example/?sig=xyz";
        assert_eq!(
            shown(text, 1, 10, &[]).text,
            "- { url: https://a.example/x?token=***&b=1, key: k } # old: https://a.example/?sig=***"
        );
        assert_eq!(
            shown(
                r#"- "https://a.example/?token=a'b`c"d" # "https://a.example/?token=x""#,
                1,
                1,
                &[]
            )
            .text,
            r#"- "https://a.example/?token=*******" # "https://a.example/?token=*""#
        );
        let long = format!("https://a.example/{}?token=abc", "x".repeat(500));
        let at = u32::try_from(long.len() - 2).unwrap();
        assert!(!shown(&long, 1, at, &[]).text.contains("abc"));
    }

    #[test]
    fn a_line_that_holds_a_whole_file_is_cut_around_the_place() {
        let text = format!("{}URL{}", "é".repeat(1000), "y".repeat(1000));
        let snippet = shown(&text, 1, 1001, &[]);
        assert_eq!((snippet.column, snippet.text_column), (1001, 901));
        assert!(snippet.text.starts_with("éé") && snippet.text.ends_with("yy…"));
        assert_eq!(snippet.text.chars().count(), BEFORE + AFTER + 1);
    }

    proptest! {
        #[test]
        fn any_place_has_an_excerpt_and_nothing_hidden_is_in_it(
            text in "[a-z\n\r é]{0,40}", line in 0_u32..9, column in 0_u32..50,
        ) {
            let all = [(0, u32::MAX)];
            let snippet = shown(&text, line, column, &all);
            prop_assert!(snippet.text.chars().all(|c| c == '*'));
            prop_assert!(snippet.length >= 1 && snippet.text_column <= snippet.column);
        }

        #[test]
        fn disjoint_ranges_cover_the_same(
            ranges in prop::collection::vec((0_u32..30, 0_u32..30), 0..8), at in 0_u32..30,
        ) {
            let covered = |ranges: &[(u32, u32)]| ranges.iter().any(|r| r.0 <= at && at < r.1);
            let merged = disjoint(ranges.clone());
            prop_assert_eq!(covered(&ranges), covered(&merged));
            prop_assert_eq!(covered(&ranges), Mask::new(&merged, 0).covers(at as usize));
        }
    }
}
