//! The problems found so far.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::acceptances::Acceptances;
use super::excerpt::{Cursor, disjoint, excerpt};
use crate::config::code;
use crate::config::source::Source;
use crate::diag::{Code, Diagnostic, Place, Severity, Snippet};

/// How many errors are kept. The others are counted.
const MAX_ERRORS: usize = 1_000;

/// A problem without its excerpt.
#[derive(Clone, Debug)]
struct Problem {
    place: Place,
    length: u32,
    code: Code,
    severity: Severity,
    message: String,
    help: Option<String>,
}

/// Errors and warnings, and what affects how they are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    problems: Vec<Problem>,
    /// Of all errors, kept or not.
    error_count: usize,
    /// File, and bytes from the beginning of its text.
    hidden: Vec<(u32, (u32, u32))>,
    /// Warnings that would only repeat an error.
    suppressed: BTreeSet<(Place, Code)>,
    pub(crate) acceptances: Acceptances,
}

impl Report {
    pub(crate) fn error(
        &mut self,
        place: Place,
        length: u32,
        code: Code,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.error_count += 1;
        if self.error_count <= MAX_ERRORS {
            self.add(Severity::Error, place, length, code, message.into(), help);
        }
    }

    pub(crate) fn warning(
        &mut self,
        place: Place,
        length: usize,
        code: Code,
        message: impl Into<String>,
        help: &str,
    ) {
        if self.suppressed.contains(&(place, code)) {
            return;
        }
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let help = Some(help.to_owned());
        self.add(Severity::Warning, place, length, code, message.into(), help);
    }

    /// Ignores this warning from now on: an error at this place already says what is wrong.
    pub(crate) fn suppress(&mut self, place: Place, code: Code) {
        self.suppressed.insert((place, code));
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
        self.problems.push(Problem {
            place,
            length,
            code,
            severity,
            message,
            help,
        });
    }

    /// Masks these bytes of a file's text in every excerpt.
    pub(crate) fn hide(&mut self, file: u32, bytes: (u32, u32)) {
        if bytes.0 < bytes.1 {
            self.hidden.push((file, bytes));
        }
    }

    pub(crate) const fn has_errors(&self) -> bool {
        self.error_count > 0
    }

    /// How many errors there are, kept or not.
    pub(crate) const fn error_count(&self) -> usize {
        self.error_count
    }

    /// Says more in the message of the error that was kept last.
    pub(crate) fn add_to_last_error(&mut self, text: &str) {
        let mut errors = self.problems.iter_mut().rev();
        if let Some(last) = errors.find(|one| one.severity == Severity::Error) {
            last.message.push_str(text);
        }
    }

    /// The place, code, message and help of each error that is kept.
    pub(crate) fn errors(self) -> impl Iterator<Item = (Place, Code, String, Option<String>)> {
        self.problems
            .into_iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| (problem.place, problem.code, problem.message, problem.help))
    }

    /// Adds the problems of another report.
    pub(crate) fn append(&mut self, other: Self) {
        let Self {
            problems,
            error_count,
            hidden,
            suppressed,
            acceptances,
        } = other;
        let mut room = MAX_ERRORS.saturating_sub(self.error_count);
        self.problems.extend(problems.into_iter().filter(|problem| {
            let fits = problem.severity != Severity::Error || room > 0;
            room = room.saturating_sub(usize::from(problem.severity == Severity::Error));
            fits
        }));
        self.error_count += error_count;
        self.hidden.extend(hidden);
        self.suppressed.extend(suppressed);
        self.acceptances.append(acceptances);
    }

    /// Removes the accepted warnings, and warns of unused acceptances.
    fn remove_accepted(&mut self) {
        let acceptances = &mut self.acceptances;
        self.problems.retain(|problem| {
            problem.severity == Severity::Error || !acceptances.accepts(problem.place, problem.code)
        });
        // Errors may hide the warnings that are accepted.
        if self.has_errors() {
            return;
        }
        let unused: Vec<_> = self.acceptances.unused().collect();
        for (place, length, accepted) in unused {
            self.warning(
                place,
                length as usize,
                code::UNUSED_ACCEPTANCE,
                format!(
                    "`{}` is accepted, but this warning does not occur here",
                    accepted.0
                ),
                "remove the acceptance",
            );
        }
    }

    /// All problems, in the order of the files. `texts` are the files' texts in that order.
    pub(crate) fn finish(mut self, sources: &[Source], texts: &[&str]) -> Vec<Diagnostic> {
        self.remove_accepted();
        self.problems
            .sort_by_key(|problem| (problem.place, problem.severity, problem.code));
        // Inherited callbacks are checked once for each organization.
        self.problems.dedup_by(|again, first| {
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
        let mut diagnostics = Vec::with_capacity(self.problems.len());
        for problem in self.problems {
            let file = problem.place.file as usize;
            let snippet = match (sources.get(file), texts.get(file)) {
                (Some(source), Some(text)) if problem.place.line > 0 => {
                    let cursor = match &mut cursor {
                        Some((of, cursor)) if *of == problem.place.file => cursor,
                        slot => &mut slot.insert((problem.place.file, Cursor::new(text))).1,
                    };
                    let offset = cursor.seek(problem.place.line, problem.place.column);
                    let (place, length) = (problem.place, problem.length);
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
                severity: problem.severity,
                code: problem.code,
                message: problem.message,
                snippet,
                help: problem.help,
            });
        }
        if self.error_count > MAX_ERRORS
            && let Some(last) = diagnostics
                .iter_mut()
                .rev()
                .find(|diagnostic| diagnostic.severity == Severity::Error)
        {
            let more = self.error_count - MAX_ERRORS;
            last.message = format!(
                "{} (and {more} more errors that are not shown)",
                last.message
            );
        }
        diagnostics
    }
}

/// The snippet of a place in a file that was read without errors, for problems that are found later, such as
/// a missing secret.
///
/// `length` is in characters. A place that is in none of the files gives the first line of the first file, or
/// an empty line when there is no file.
pub fn snippet(sources: &[Source], place: Place, length: u32) -> Snippet {
    let source = sources.get(place.file as usize).or_else(|| sources.first());
    let (name, text) = source.map_or_else(
        || (Arc::from(""), ""),
        |source| (Arc::clone(&source.name), source.decoded()),
    );
    let offset = Cursor::new(text).seek(place.line, place.column);
    excerpt(&name, text, offset, place, length, &[])
}
