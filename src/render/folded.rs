//! Diagnostics with the same code: the first in full, the rest as a list of places.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::diagnostic::with_note;
use crate::diag::{Code, Diagnostic, Severity, Snippet};

/// The most errors of one code that are drawn in full. Each must be fixed, so a screenful is useful.
const ERRORS: usize = 20;

/// The most places in a list.
const PLACES: usize = 20;

/// Draws diagnostics in their order: for each code the first warning or the first errors, and a list of
/// the places of the rest. With `in_full`, all are drawn.
pub fn diagnostics(all: &[Diagnostic], in_full: bool, colour: bool) -> Vec<String> {
    let mut by_code: BTreeMap<Code, Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in all {
        by_code.entry(diagnostic.code).or_default().push(diagnostic);
    }
    let mut seen: BTreeMap<Code, usize> = BTreeMap::new();
    let mut drawn = Vec::new();
    for diagnostic in all {
        let same = &by_code[&diagnostic.code];
        let most = match diagnostic.severity {
            _ if in_full => same.len(),
            Severity::Error => ERRORS,
            Severity::Warning => 1,
        };
        let number = seen.entry(diagnostic.code).or_default();
        *number += 1;
        if *number > most {
            continue;
        }
        let rest = &same[most.min(same.len())..];
        let note = (*number == most && !rest.is_empty()).then(|| also(rest));
        drawn.push(with_note(diagnostic, note.as_deref(), colour));
    }
    drawn
}

/// The places of the rest.
fn also(rest: &[&Diagnostic]) -> String {
    let mut text = "also at ".to_owned();
    let mut file: Option<&str> = None;
    let places = rest.iter().filter_map(|found| found.snippet.as_ref());
    for Snippet { file: of, line, .. } in places.take(PLACES) {
        let separator = if file.is_none() { "" } else { ", " };
        // Writing to a string can't fail.
        let _infallible = if file == Some(of) {
            write!(text, "{separator}{line}")
        } else {
            write!(text, "{separator}{of}:{line}")
        };
        file = Some(of);
    }
    if file.is_none() {
        text = String::new();
    }
    let shown = rest.iter().filter(|found| found.snippet.is_some()).count();
    let more = rest.len() - shown.min(PLACES);
    if more > 0 {
        let and = if text.is_empty() { "" } else { " and " };
        let _infallible = write!(text, "{and}{more} more");
    }
    text.push_str(" (-v shows each in full)");
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn found(severity: Severity, code: &'static str, place: Option<(&str, u32)>) -> Diagnostic {
        Diagnostic {
            severity,
            code: Code(code),
            message: "this callback has no key".to_owned(),
            snippet: place.map(|(file, line)| Snippet {
                file: Arc::from(file),
                line,
                column: 1,
                length: 1,
                text: "- x".to_owned(),
                text_column: 1,
            }),
            help: Some("add `key`".to_owned()),
        }
    }

    #[test]
    fn the_first_warning_of_a_kind_names_the_places_of_the_rest() {
        let all = [
            found(Severity::Warning, "W002", Some(("a.yaml", 3))),
            found(Severity::Warning, "W003", Some(("a.yaml", 3))),
            found(Severity::Warning, "W002", Some(("a.yaml", 7))),
            found(Severity::Warning, "W002", Some(("a.yaml", 9))),
            found(Severity::Warning, "W002", Some(("b.yaml", 1))),
            found(Severity::Warning, "W002", None),
        ];
        insta::assert_snapshot!(diagnostics(&all, false, false).join("\n"), @"
        warning[W002]: this callback has no key
         --> a.yaml:3:1
          |
        3 | - x
          | ^
          |
          = help: add `key`
          = note: also at a.yaml:7, 9, b.yaml:1 and 1 more (-v shows each in full)
        warning[W003]: this callback has no key
         --> a.yaml:3:1
          |
        3 | - x
          | ^
          |
          = help: add `key`
        ");
        assert_eq!(diagnostics(&all, true, false).len(), 6);
    }

    #[test]
    fn a_list_of_places_ends() {
        let all: Vec<_> = (1..=60)
            .map(|line| found(Severity::Warning, "W002", Some(("a.yaml", line))))
            .collect();
        insta::assert_snapshot!(diagnostics(&all, false, false).join("\n"), @"
        warning[W002]: this callback has no key
         --> a.yaml:1:1
          |
        1 | - x
          | ^
          |
          = help: add `key`
          = note: also at a.yaml:2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21 and 39 more (-v shows each in full)
        ");
    }

    #[test]
    fn errors_are_shown_by_the_screenful() {
        let all: Vec<_> = (1..=60)
            .map(|line| found(Severity::Error, "E010", Some(("a.yaml", line))))
            .collect();
        let drawn = diagnostics(&all, false, false);
        assert_eq!(drawn.len(), 20);
        assert!(drawn[19].contains("also at a.yaml:21, 22"), "{}", drawn[19]);
        assert!(drawn[19].contains("40 and 20 more"), "{}", drawn[19]);
    }
}
