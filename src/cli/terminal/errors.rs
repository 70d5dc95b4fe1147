//! Printing what is wrong: problems in the configuration, the error that ends a command, and outputs that are
//! not whole.

use super::Ui;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::diag::{Diagnostic, Severity};
use crate::render::{self, Style};

impl Ui {
    /// Prints problems in the configuration. In text, many of one kind are folded.
    pub(crate) fn diagnostics(&mut self, diagnostics: &[Diagnostic]) {
        if self.takes_json() {
            for diagnostic in diagnostics {
                self.json_line(&render::diagnostic_json(diagnostic, SystemClock.now()));
            }
        }
        if self.json && !self.document {
            self.flush();
            return;
        }
        let shown =
            |diagnostic: &&Diagnostic| !self.quiet || diagnostic.severity == Severity::Error;
        let shown: Vec<_> = diagnostics.iter().filter(shown).cloned().collect();
        let colour = self.err.style.colour;
        for text in render::diagnostics(&shown, self.in_full, colour) {
            self.err.write(format_args!("{text}\n"));
        }
        self.err.flush();
    }

    /// Prints the error that ends the command.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        self.finish_progress();
        self.flush();
        // There is no document.
        self.document = false;
        let failure = &self.followable(failure);
        self.diagnostics(&failure.diagnostics);
        let Failure {
            exit,
            message,
            lines: _,
            advice,
            diagnostics: _,
        } = failure;
        self.json_line(&render::error_json(
            message,
            advice.as_deref(),
            exit.code(),
            SystemClock.now(),
        ));
        if self.json {
            self.flush();
            return;
        }
        self.error_text(failure);
    }

    /// With advice for where this command works.
    fn followable(&self, failure: &Failure) -> Failure {
        let (all, configuration) = &self.flags;
        let failure = failure.clone().in_place(all, configuration);
        if self.sandbox {
            failure.in_the_sandbox()
        } else {
            failure
        }
    }

    /// What [`Self::failure`] prints, without colour and not wrapped.
    pub(crate) fn plain(&self, failure: &Failure) -> String {
        let failure = &self.followable(failure);
        let mut text = String::new();
        for problem in render::diagnostics(&failure.diagnostics, self.in_full, false) {
            text.push_str(&problem);
            text.push('\n');
        }
        text.push_str(&error_text(failure, &Style::plain(SystemClock.now())));
        text
    }

    fn error_text(&mut self, failure: &Failure) {
        let text = error_text(failure, &self.err.style);
        self.err.write(format_args!("{text}"));
        self.err.flush();
    }

    /// Prints which outputs could not be written completely, and returns whether there are any. It is text
    /// also in JSON mode, as the events may be one of them. An output whose reader went away is not counted.
    pub(crate) fn report_unwritten(&mut self) -> bool {
        self.flush();
        let mut all = Vec::new();
        if let Some(error) = self.out.error.take() {
            all.push(("standard output".to_owned(), error));
        }
        if let Some((path, into)) = &mut self.into
            && let Some(error) = into.error.take()
        {
            all.push((format!("the events `{}`", path.display()), error));
        }
        all.append(&mut self.unwritten);
        for (what, error) in &all {
            let failure = Failure::error(format!("{what} can't be written: {error}")).advice(
                "The calls and the state are not affected. Free some disk space, or write to another place.",
            );
            self.failure(&failure);
            if self.json {
                self.error_text(&failure);
            }
        }
        !all.is_empty()
    }
}

fn error_text(failure: &Failure, style: &Style) -> String {
    let (message, below) = match failure.lines.split_first() {
        Some((headline, below)) => (headline, below),
        None => (&failure.message, [].as_slice()),
    };
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = render::error_text(message, below, failure.advice.as_deref(), style, &mut text);
    text
}
