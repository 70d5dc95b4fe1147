//! Collects problems while a configuration is read and turns them into diagnostics at the end, when
//! everything that must not be shown is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::accept::Acceptances;
use super::excerpt::{Cursor, disjoint, excerpt};
use super::source::Span;
use super::{Source, code};
use crate::diag::{Code, Diagnostic, Place, Severity, Snippet};

/// How many errors are kept. A file that has more is not a configuration, and the first ones say so.
const MOST_ERRORS: usize = 10_000;

/// How many bytes before a hidden value are searched for an anchor or tag.
const LOOK_BACK: usize = 256;

/// A problem before its line is cut out.
#[derive(Clone, Debug)]
struct Found {
    place: Place,
    length: u32,
    code: Code,
    severity: Severity,
    message: String,
    help: Option<String>,
}

/// Problems found so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    found: Vec<Found>,
    errors: usize,
    /// File, and bytes from the beginning of its text.
    hidden: Vec<(u32, (u32, u32))>,
    /// Warnings that an error already explains.
    excused: BTreeSet<(Place, Code)>,
    /// Warnings that the file accepts.
    pub(super) acceptances: Acceptances,
}

impl Report {
    pub(super) const EMPTY: Self = Self {
        found: Vec::new(),
        errors: 0,
        hidden: Vec::new(),
        excused: BTreeSet::new(),
        acceptances: Acceptances::NONE,
    };

    pub(super) fn error(
        &mut self,
        place: Place,
        length: u32,
        code: Code,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.errors += 1;
        if self.errors <= MOST_ERRORS {
            self.add(Severity::Error, place, length, code, message.into(), help);
        }
    }

    pub(super) fn warning(
        &mut self,
        place: Place,
        length: usize,
        code: Code,
        message: impl Into<String>,
        help: &str,
    ) {
        if self.excused.contains(&(place, code)) {
            return;
        }
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let help = Some(help.to_owned());
        self.add(Severity::Warning, place, length, code, message.into(), help);
    }

    /// No such warning will be told here: what is missing is there, but wrong.
    pub(super) fn excuse(&mut self, place: Place, code: Code) {
        self.excused.insert((place, code));
    }

    fn add(
        &mut self,
        severity: Severity,
        place: Place,
        length: u32,
        code: Code,
        message: String,
        help: Option<String>,
    ) {
        self.found.push(Found {
            place,
            length,
            code,
            severity,
            message,
            help,
        });
    }

    /// Keeps some bytes of a file's text out of every excerpt.
    pub(super) fn hide(&mut self, file: u32, bytes: (u32, u32)) {
        if bytes.0 < bytes.1 {
            self.hidden.push((file, bytes));
        }
    }

    pub(super) const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The errors found so far: place, code, message and help of each.
    pub(super) fn errors(self) -> impl Iterator<Item = (Place, Code, String, Option<String>)> {
        self.found
            .into_iter()
            .filter(|found| found.severity == Severity::Error)
            .map(|found| (found.place, found.code, found.message, found.help))
    }

    /// Adds what was found elsewhere.
    pub(super) fn absorb(&mut self, other: Self) {
        let Self {
            found,
            errors,
            hidden,
            excused,
            acceptances,
        } = other;
        let mut room = MOST_ERRORS.saturating_sub(self.errors);
        self.found.extend(found.into_iter().filter(|found| {
            let fits = found.severity != Severity::Error || room > 0;
            room = room.saturating_sub(usize::from(found.severity == Severity::Error));
            fits
        }));
        self.errors += errors;
        self.hidden.extend(hidden);
        self.excused.extend(excused);
        self.acceptances.absorb(acceptances);
    }

    /// Drops the warnings that are accepted, and warns of acceptances of nothing.
    fn settle(&mut self) {
        let acceptances = &mut self.acceptances;
        self.found.retain(|found| {
            found.severity == Severity::Error || !acceptances.take(found.place, found.code)
        });
        // Of a file with errors it is not known what all there is to accept.
        if self.has_errors() {
            return;
        }
        let unused: Vec<_> = self.acceptances.unused().collect();
        for (place, length, accepted) in unused {
            self.warning(
                place,
                length as usize,
                code::UNUSED_ACCEPTANCE,
                format!("nothing here has the warning `{}`", accepted.0),
                "remove the acceptance",
            );
        }
    }

    /// Everything found, in the order of the files. `texts` are the files' texts in that order.
    pub(super) fn finish(mut self, sources: &[Source], texts: &[&str]) -> Vec<Diagnostic> {
        self.settle();
        self.found
            .sort_by_key(|found| (found.place, found.severity, found.code));
        // What is inherited is looked at once for each organization.
        self.found.dedup_by(|again, first| {
            (again.place, again.code) == (first.place, first.code)
                && (again.message == first.message
                    || again.severity == Severity::Warning && again.code != code::SHARED_SECRET)
        });
        let mut hidden = vec![Vec::new(); texts.len()];
        for (file, bytes) in self.hidden {
            if let Some(of_file) = hidden.get_mut(file as usize) {
                of_file.push(bytes);
            }
        }
        let hidden: Vec<_> = hidden.into_iter().map(disjoint).collect();
        let mut cursor: Option<(u32, Cursor<'_>)> = None;
        let mut diagnostics = Vec::with_capacity(self.found.len());
        for found in self.found {
            let file = found.place.file as usize;
            let snippet = match (sources.get(file), texts.get(file)) {
                (Some(source), Some(text)) if found.place.line > 0 => {
                    let cursor = match &mut cursor {
                        Some((of, cursor)) if *of == found.place.file => cursor,
                        slot => &mut slot.insert((found.place.file, Cursor::new(text))).1,
                    };
                    let offset = cursor.seek(found.place.line, found.place.column);
                    let (place, length) = (found.place, found.length);
                    Some(excerpt(
                        &source.name,
                        text,
                        offset,
                        place,
                        length,
                        &hidden[file],
                    ))
                }
                _ => None,
            };
            diagnostics.push(Diagnostic {
                severity: found.severity,
                code: found.code,
                message: found.message,
                snippet,
                help: found.help,
            });
        }
        if self.errors > MOST_ERRORS
            && let Some(last) = diagnostics
                .iter_mut()
                .rev()
                .find(|found| found.severity == Severity::Error)
        {
            let more = self.errors - MOST_ERRORS;
            last.message = format!(
                "{} (and {more} more errors that are not shown)",
                last.message
            );
        }
        diagnostics
    }
}

/// Problems of one file.
#[derive(Debug)]
pub(super) struct Reader<'r> {
    pub(super) report: &'r mut Report,
    pub(super) file: u32,
    pub(super) text: &'r str,
}

impl Reader<'_> {
    pub(super) const fn place(&self, span: Span) -> Place {
        Place {
            file: self.file,
            line: span.line,
            column: span.column,
        }
    }

    pub(super) fn error(
        &mut self,
        span: Span,
        code: Code,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let place = self.place(span);
        self.report.error(place, span.length, code, message, help);
    }

    /// Keeps a value out of every excerpt.
    pub(super) fn hide(&mut self, (start, end): (u32, u32)) {
        if start == end {
            // An empty block: what stands in its place is shown instead.
            return self.hide_line_from(start);
        }
        self.report.hide(
            self.file,
            (self.with_properties(start), self.without_space(start, end)),
        );
    }

    /// Where a value ends without what is only white space: the parser counts the next line's
    /// indentation to a block.
    fn without_space(&self, start: u32, end: u32) -> u32 {
        let value = self.text.get(start as usize..end as usize);
        value.map_or(end, |value| {
            start.saturating_add(u32::try_from(value.trim_end().len()).unwrap_or(u32::MAX))
        })
    }

    /// Keeps a value and what follows on its line out of every excerpt.
    pub(super) fn hide_line_from(&mut self, start: u32) {
        let mut rest = self.text.get(start as usize..).unwrap_or_default();
        let mut start = start;
        // Where there is no value the colon after the key stands in its place, and is no secret.
        if let Some(after) = rest.strip_prefix(':') {
            (rest, start) = (after, start + 1);
        }
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let end = start.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        let start = self.with_properties(self.with_comment(start));
        self.report.hide(self.file, (start, end));
    }

    /// Where a comment begins that stands on the line before this place: the parser finds that there is
    /// no value only after it, and a secret that begins with `#` is taken for one.
    fn with_comment(&self, start: u32) -> u32 {
        let before = self.text.get(..start as usize).unwrap_or_default();
        let line = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let comment = before[line..].find('#').map(|at| line + at);
        comment.map_or(start, |at| u32::try_from(at).unwrap_or(start))
    }

    /// Where a value begins with what is written before it as an anchor or tag: a secret that begins
    /// with `&` or `!` is taken for one.
    fn with_properties(&self, start: u32) -> u32 {
        let whole = self.text.get(..start as usize).unwrap_or_default();
        // No further, because a line may hold a whole file.
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

/// A diagnostic's line for a place in a file that was read without errors; for problems that only
/// show later, such as a secret that is not there.
///
/// `length` is in characters. A place that is in none of the files gives the first line of the
/// first, or an empty one when there is none.
pub fn snippet(sources: &[Source], place: Place, length: u32) -> Snippet {
    let source = sources.get(place.file as usize).or_else(|| sources.first());
    let (name, text) = source.map_or_else(
        || (Arc::from(""), ""),
        |source| (Arc::clone(&source.name), source.decoded()),
    );
    let offset = Cursor::new(text).seek(place.line, place.column);
    excerpt(&name, text, offset, place, length, &[])
}
