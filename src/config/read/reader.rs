//! The reader of one file: gives spans their file and reports problems.

use crate::config::report::Report;
use crate::config::yaml::{ByteRange, Span};
use crate::diag::{Code, Place};

/// How many bytes before a hidden value are searched for an anchor or tag.
const LOOK_BACK: usize = 256;

/// A file, and where its problems are reported. The other modules of `read` add methods, one for each part of
/// callbacks.yaml.
#[derive(Debug)]
pub(crate) struct Reader<'r> {
    pub(crate) report: &'r mut Report,
    /// Its number, in the order the files were read.
    pub(crate) file: u32,
    pub(crate) text: &'r str,
}

impl Reader<'_> {
    pub(crate) const fn place(&self, span: Span) -> Place {
        Place {
            file: self.file,
            line: span.line,
            column: span.column,
        }
    }

    pub(crate) fn error(
        &mut self,
        span: Span,
        code: Code,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let place = self.place(span);
        self.report.error(place, span.length, code, message, help);
    }

    /// Masks a value in every excerpt.
    pub(crate) fn hide(&mut self, (start, end): ByteRange) {
        if start == end {
            // An empty block scalar; the rest of the line may be the secret.
            return self.hide_line_from(start);
        }
        self.report.hide(
            self.file,
            (self.with_properties(start), self.without_space(start, end)),
        );
    }

    /// The end of a value without white space: the parser counts the next line's indentation to a block.
    fn without_space(&self, start: u32, end: u32) -> u32 {
        let value = self.text.get(start as usize..end as usize);
        value.map_or(end, |value| {
            start.saturating_add(u32::try_from(value.trim_end().len()).unwrap_or(u32::MAX))
        })
    }

    /// Masks a value and the rest of its line in every excerpt.
    pub(crate) fn hide_line_from(&mut self, start: u32) {
        let mut rest = self.text.get(start as usize..).unwrap_or_default();
        let mut start = start;
        // The position of a missing value is that of the colon after the key, which is no secret.
        if let Some(after) = rest.strip_prefix(':') {
            (rest, start) = (after, start + 1);
        }
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let end = start.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        let start = self.with_properties(self.with_comment(start));
        self.report.hide(self.file, (start, end));
    }

    /// The start of a comment on the line before `start`, if there is one: a secret that begins with `#` is a
    /// comment to the parser, which finds the value missing only after it.
    fn with_comment(&self, start: u32) -> u32 {
        let before = self.text.get(..start as usize).unwrap_or_default();
        let line = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let comment = before[line..].find('#').map(|at| line + at);
        comment.map_or(start, |at| u32::try_from(at).unwrap_or(start))
    }

    /// The start of a value including its anchor, tag or alias: a secret that begins with `&`, `!` or `*` is one
    /// of these to the parser.
    fn with_properties(&self, start: u32) -> u32 {
        let whole = self.text.get(..start as usize).unwrap_or_default();
        // Limited, because a line may contain a whole file.
        let mut from = whole.len().saturating_sub(LOOK_BACK);
        while !whole.is_char_boundary(from) {
            from += 1;
        }
        let mut before = whole[from..].trim_end();
        let mut start = start;
        while let Some(word) = before.split_whitespace().next_back()
            && word.starts_with(['&', '!', '*'])
        {
            before = &before[..before.len() - word.len()];
            start = u32::try_from(from + before.len()).unwrap_or(start);
            before = before.trim_end();
        }
        start
    }
}
