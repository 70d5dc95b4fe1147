//! The only place that prints.
//!
//! What a command is for goes to standard output: data, a plan, the course of an apply and its good
//! end. What somebody has to look after goes to standard error, so that it is seen when the output is
//! thrown away: errors, what an apply left undone, warnings, notes and questions.
//!
//! A reader that goes away (`| head`) ends the printing, never the work: an apply whose output nobody
//! reads still finishes.

mod errors;
mod events;
mod fold;
pub(super) mod logging;
mod one_line;
pub(super) mod plan;
mod progress;
mod stream;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::options::global::Colour;
use crate::cli::settings::Settings;
use crate::cli::shell;
use crate::cli::written;
use crate::harmless::neutral;
use crate::model::Address;
use crate::render::{self, Style};
use fold::Fold;
use one_line::CLEARED;
use progress::Progress;
use stream::Stream;

fn version_line() -> String {
    render::version_json(env!("CARGO_PKG_VERSION"), SystemClock.now())
}

/// The terminal, or what stands in its place.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Ui {
    json: bool,
    sandbox: bool,
    /// The global flags of a command that advice names: all, and the one that names the configuration.
    flags: (String, String),
    /// Whether the line that begins the events was printed.
    begun: bool,
    out: Stream<io::Stdout>,
    err: Stream<io::Stderr>,
    into: Option<(PathBuf, Stream<File>)>,
    /// Outputs that are not whole, and why.
    unwritten: Vec<(String, io::Error)>,
    /// Nothing is said until there is something to say.
    quiet: bool,
    /// Every problem is drawn.
    in_full: bool,
    progress: Option<Progress>,
    fold: Fold,
    /// Changes that have begun and not ended, and their number for whoever can't wait.
    begun_changes: BTreeSet<Address>,
    under_way: Arc<AtomicUsize>,
}

impl Ui {
    pub(crate) fn new(settings: &Settings) -> Self {
        let (global, colour) = (&settings.flags, settings.colour);
        Self {
            json: global.json,
            sandbox: global.sandbox,
            flags: (shell::place(global), shell::configuration(&global.config)),
            begun: false,
            out: Stream::new(io::stdout(), io::stdout().is_terminal(), colour),
            err: Stream::new(io::stderr(), io::stderr().is_terminal(), colour),
            into: None,
            unwritten: Vec::new(),
            quiet: false,
            in_full: global.verbose > 0,
            progress: None,
            fold: Fold::default(),
            begun_changes: BTreeSet::new(),
            under_way: Arc::default(),
        }
    }

    /// Whether events are printed instead of text.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// Whether events go anywhere.
    pub(crate) const fn takes_json(&self) -> bool {
        self.json || self.into.is_some()
    }

    /// Draws every problem from now on, however many there are of a kind.
    pub(crate) const fn tell_in_full(&mut self) {
        self.in_full = true;
    }

    /// Whether somebody can be asked.
    pub(crate) fn interactive(&self) -> bool {
        !self.json && self.err.terminal && io::stdin().is_terminal()
    }

    /// How text on standard output is to look.
    pub(crate) fn style(&self, rate: u32) -> Style {
        Style {
            now: SystemClock.now(),
            rate,
            ..self.out.style
        }
    }

    /// Writes JSON events to a file too.
    pub(crate) fn json_into(&mut self, path: &Path) -> Result<(), Failure> {
        let file = written::open(path).map_err(|error| {
            Failure::error(format!(
                "the file `{}` can't be written: {error}",
                path.display()
            ))
        })?;
        self.into = Some((path.to_owned(), Stream::new(file, false, Colour::Never)));
        self.record(&version_line());
        Ok(())
    }

    /// Leaves out all text until [`Self::speak`]. Errors and JSON are not text.
    pub(crate) const fn hush(&mut self) {
        self.quiet = !self.json;
    }

    /// There is something to say.
    pub(crate) const fn speak(&mut self) {
        self.quiet = false;
    }

    /// Says what a command has done, as text or as an event.
    pub(crate) fn say(&mut self, text: fmt::Arguments<'_>) {
        if self.takes_json() {
            self.json_line(&render::log_json(&text.to_string(), SystemClock.now()));
        }
        if !self.json {
            self.out.write(format_args!("{text}\n"));
        }
    }

    /// Says what somebody should look at before it goes on, as text or as an event.
    pub(crate) fn warn(&mut self, text: fmt::Arguments<'_>) {
        if self.takes_json() {
            self.json_line(&render::log_json(&text.to_string(), SystemClock.now()));
        }
        self.speak();
        self.note(text);
    }

    /// Prints data.
    pub(crate) fn print(&mut self, text: fmt::Arguments<'_>) {
        if !self.quiet {
            self.out.write(text);
        }
    }

    /// Prints data that is rendered piece by piece.
    pub(crate) fn stream(&mut self, render: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result) {
        if self.quiet {
            return;
        }
        // The stream keeps its own error.
        let _ = render(&mut self.out);
    }

    /// Prints a diff, whose lines begin as those of no other text do.
    pub(crate) fn diff(&mut self, render: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result) {
        self.out.sieve.allow_headers(true);
        self.stream(render);
        self.out.sieve.allow_headers(false);
    }

    /// Writes what went wrong, piece by piece.
    pub(crate) fn complain(
        &mut self,
        render: impl FnOnce(&Style, &mut dyn fmt::Write) -> fmt::Result,
    ) {
        if self.quiet {
            return;
        }
        self.out.flush();
        let style = Style {
            now: SystemClock.now(),
            ..self.err.style
        };
        // As above.
        self.err.closed |= render(&style, &mut self.err).is_err();
        self.err.flush();
    }

    /// Data as bytes, in which nothing is changed: it has to be harmless already.
    pub(crate) fn bytes(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if !self.out.closed {
            let written = write(&mut self.out.to);
            self.out.after(written);
        }
    }

    /// A line for the person who watches; in JSON mode left out.
    pub(crate) fn note(&mut self, text: fmt::Arguments<'_>) {
        if !self.json && !self.quiet {
            // What was printed before it is also seen before it.
            self.out.flush();
            self.err.write(format_args!("{text}\n"));
            self.err.flush();
        }
    }

    /// A line on standard error in any case, before there is anything else.
    pub(crate) fn aside(&mut self, text: fmt::Arguments<'_>) {
        self.err.write(format_args!("{text}\n"));
        self.err.flush();
    }

    /// An event line, in JSON mode and into the file. There may be a hundred thousand of them in a
    /// row, so they are seen only after a [`Ui::flush`].
    pub(crate) fn json_line(&mut self, line: &str) {
        self.record(line);
        if self.json {
            // Before the first event only: data that is JSON itself comes without.
            if !std::mem::replace(&mut self.begun, true) {
                self.out.write(format_args!("{}\n", version_line()));
            }
            self.out.write(format_args!("{line}\n"));
        }
    }

    fn record(&mut self, line: &str) {
        if let Some((_, into)) = &mut self.into {
            // A full disk does not stop an apply. It is told at the end.
            into.write(format_args!("{line}\n"));
        }
    }

    /// Asks a question on the terminal and gives the answer's line.
    pub(crate) fn ask(
        &mut self,
        question: impl FnOnce(&Style, &mut dyn fmt::Write) -> fmt::Result,
    ) -> io::Result<String> {
        self.flush();
        self.complain(question);
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    /// An output is not whole. The command goes on, and says it at its end.
    pub(crate) fn unwritten(&mut self, what: String, error: io::Error) {
        self.unwritten.push((what, error));
    }

    pub(crate) fn flush(&mut self) {
        self.out.flush();
        self.err.flush();
        if let Some((_, into)) = &mut self.into {
            into.flush();
        }
    }
}

/// Says why the program ends at this very moment, whoever uses the terminal.
pub(crate) fn last_words(text: &str) {
    let mut err = io::stderr().lock();
    // A progress bar may stand in the line.
    let begin = if err.is_terminal() { CLEARED } else { "" };
    // Nobody to tell when printing fails.
    drop(writeln!(err, "{begin}{}", neutral(text)));
}
