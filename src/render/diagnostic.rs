//! A diagnostic as text, in the form of rustc's: message, place, the line with a caret, and help.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer};

use super::escape::Clean;
use crate::diag::{Diagnostic, Severity, Snippet};
use crate::harmless::{is_treacherous, neutral};

/// Draws one diagnostic, without a line break at its end.
pub fn diagnostic(diagnostic: &Diagnostic, colour: bool) -> String {
    with_note(diagnostic, None, colour)
}

/// Like [`diagnostic`], with a note below the help.
pub(super) fn with_note(diagnostic: &Diagnostic, note: Option<&str>, colour: bool) -> String {
    let Diagnostic {
        severity,
        code,
        message,
        snippet,
        help,
    } = diagnostic;
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    // They may name files, too.
    let title = level.primary_title(Clean(message).to_string()).id(code.0);
    let excerpt = snippet.as_ref().map(Excerpt::new);
    let mut group = match &excerpt {
        Some(excerpt) => title.element(excerpt.draw()),
        None => Group::with_title(title),
    };
    if let Some(help) = help {
        group = group.element(Level::HELP.message(Clean(help).to_string()));
    }
    if let Some(note) = note {
        group = group.element(Level::NOTE.message(Clean(note).to_string()));
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let drawn = renderer.render(&[group]);
    // The excerpt is untrusted: a comment could be a command to a CI system that reads the log.
    neutral(&match &excerpt {
        Some(excerpt) => excerpt.with_column(drawn),
        None => drawn,
    })
}

/// The line of a snippet and the bytes to mark.
struct Excerpt<'d> {
    snippet: &'d Snippet,
    /// On one line: a name may hold a line break.
    file: String,
    line: String,
    mark: std::ops::Range<usize>,
}

impl<'d> Excerpt<'d> {
    fn new(snippet: &'d Snippet) -> Self {
        let Snippet {
            file,
            line: _,
            column,
            length,
            text,
            text_column,
        } = snippet;
        let cut = if *text_column > 1 { "…" } else { "" };
        let line = format!("{cut}{}", harmless(text));
        let text = &line[cut.len()..];
        let before = column.saturating_sub(*text_column) as usize;
        let byte = |characters: usize| {
            text.char_indices()
                .nth(characters)
                .map_or(line.len(), |(at, _)| cut.len() + at)
        };
        let mark = byte(before)..byte(before.saturating_add(*length as usize));
        Self {
            snippet,
            file: Clean(file).to_string(),
            line,
            mark,
        }
    }

    /// Corrects the drawn column of a line that was cut, which counts from the cut.
    fn with_column(&self, drawn: String) -> String {
        let file = &self.file;
        let Snippet {
            line,
            column,
            text_column,
            ..
        } = self.snippet;
        if *text_column <= 1 {
            return drawn;
        }
        // One for the `…`, one because columns count from 1.
        let shown = column.saturating_sub(*text_column) + 2;
        drawn.replacen(
            &format!("{file}:{line}:{shown}"),
            &format!("{file}:{line}:{column}"),
            1,
        )
    }

    fn draw(&self) -> annotate_snippets::Snippet<'_, annotate_snippets::Annotation<'_>> {
        annotate_snippets::Snippet::source(self.line.as_str())
            .line_start(self.snippet.line as usize)
            .path(self.file.as_str())
            .annotation(AnnotationKind::Primary.span(self.mark.clone()))
    }
}

/// Replaces treacherous characters above ASCII, which a terminal may treat as the beginning of a command and
/// `annotate_snippets` does not replace. Replaces one character by one, so that the caret stays in its column.
fn harmless(line: &str) -> String {
    line.chars()
        .map(|c| {
            if is_treacherous(c) && !c.is_ascii() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diag::Code;

    fn example(text: &str, column: u32, length: u32, text_column: u32) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: Code("E010"),
            message: "a callback has no key `kye`".to_owned(),
            snippet: Some(Snippet {
                file: Arc::from("teams/callbacks.yaml"),
                line: 12,
                column,
                length,
                text: text.to_owned(),
                text_column,
            }),
            help: Some("did you mean `key`?".to_owned()),
        }
    }

    #[test]
    fn what_where_the_line_and_help() {
        insta::assert_snapshot!(diagnostic(&example("        kye: x", 9, 3, 1), false), @r"
        error[E010]: a callback has no key `kye`
          --> teams/callbacks.yaml:12:9
           |
        12 |         kye: x
           |         ^^^
           |
           = help: did you mean `key`?
        ");
    }

    #[test]
    fn a_comment_is_no_command_to_a_ci_system() {
        let comment = example(
            "kye: x # ##[set-output name=a]b ##vso[task.setvariable]c",
            1,
            3,
            1,
        );
        insta::assert_snapshot!(diagnostic(&comment, false), @r"
        error[E010]: a callback has no key `kye`
          --> teams/callbacks.yaml:12:1
           |
        12 | kye: x # ##�set-output name=a]b ##vso�task.setvariable]c
           | ^^^
           |
           = help: did you mean `key`?
        ");
    }

    #[test]
    fn a_caret_is_below_wide_characters() {
        insta::assert_snapshot!(
            diagnostic(&example("{ 描述: 合同事件, kye: x }", 13, 3, 1), false), @r"
        error[E010]: a callback has no key `kye`
          --> teams/callbacks.yaml:12:13
           |
        12 | { 描述: 合同事件, kye: x }
           |                   ^^^
           |
           = help: did you mean `key`?
        ");
    }

    #[test]
    fn a_long_line_says_that_it_was_cut() {
        insta::assert_snapshot!(diagnostic(&example("b, kye: x", 1004, 3, 1001), false), @r"
        error[E010]: a callback has no key `kye`
          --> teams/callbacks.yaml:12:1004
           |
        12 | …b, kye: x
           |     ^^^
           |
           = help: did you mean `key`?
        ");
    }

    #[test]
    fn without_a_place_there_is_only_the_message() {
        let alone = Diagnostic {
            severity: Severity::Warning,
            snippet: None,
            ..example("", 1, 1, 1)
        };
        insta::assert_snapshot!(diagnostic(&alone, false), @r"
        warning[E010]: a callback has no key `kye`
         |
         = help: did you mean `key`?
        ");
    }

    #[test]
    fn a_name_with_a_line_break_makes_no_line() {
        for text_column in [1, 1001] {
            let mut odd = example("kye: x", text_column, 3, text_column);
            let name = "conf/a`@all\n::error ::x\u{1b}[31m\u{202e}.yaml";
            odd.snippet.as_mut().unwrap().file = Arc::from(name);
            odd.message = format!("`acme` is also declared in {name}:3");
            odd.help = Some(format!("delete {name}"));
            for drawn in [
                diagnostic(&odd, false),
                with_note(&odd, Some(&format!("also at {name}:4")), false),
            ] {
                let place = drawn.lines().nth(1).unwrap();
                assert!(
                    place.ends_with(&format!("[31m\\u{{202e}}.yaml:12:{text_column}")),
                    "{drawn}"
                );
                let begins = |line: &str| line.trim_start().starts_with("::");
                assert!(!drawn.lines().any(begins), "{drawn}");
            }
        }
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let example = example("kye: \u{1b}[31mx", 1, 3, 1);
        let plain = diagnostic(&example, false);
        let coloured = diagnostic(&example, true);
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
        assert_ne!(coloured, plain);
    }

    #[test]
    fn any_snippet_is_drawn() {
        for (text, column, length) in [
            ("", 1, 1),
            ("é", 2, 9),
            ("é", 99, 1),
            ("a\tb", 3, 1),
            ("", 0, 0),
        ] {
            assert!(diagnostic(&example(text, column, length, 1), false).contains("E010"));
        }
    }
}
