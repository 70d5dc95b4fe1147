//! The only place that prints.
//!
//! Results go to standard output: data, a plan, the progress of an apply, and the report of one that is complete.
//! What a person has to act on goes to standard error, so that it is seen when the output is thrown away: errors,
//! the report of an incomplete apply, warnings, notes and questions.
//!
//! When a reader goes away (`| head`), only the printing ends: an apply without a reader still finishes.

mod errors;
mod events;
mod fold;
pub(super) mod log;
pub(super) mod logging;
mod one_line;
mod outlet;
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
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

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
use log::Log;
use one_line::CLEARED;
use outlet::{Detached, Outlet};
use progress::{Progress, WaitingLine};
use stream::Stream;

fn version_line() -> String {
    render::version_json(env!("CARGO_PKG_VERSION"), SystemClock.now())
}

/// Standard output and standard error, and a file of events.
#[expect(clippy::struct_excessive_bools, reason = "each is a separate switch")]
pub(crate) struct Ui {
    json: bool,
    sandbox: bool,
    /// The global options for the commands that advice names: all, and the one for the configuration.
    flags: (String, String),
    /// Whether a JSON document is printed in the place of events.
    document: bool,
    /// Whether the first event, the version, was printed.
    begun: bool,
    out: Stream<Outlet<io::Stdout>>,
    err: Stream<Outlet<io::Stderr>>,
    into: Option<(PathBuf, Stream<File>)>,
    /// Outputs that could not be written completely.
    unwritten: Vec<(String, io::Error)>,
    /// Whether text is left out.
    quiet: bool,
    /// Whether a question has no answer yet.
    asking: bool,
    /// Whether every problem is drawn, however many of a kind there are.
    in_full: bool,
    progress: Option<Progress>,
    fold: Fold,
    /// Changes that have begun and not ended, and their number, which the signal thread reads.
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
            document: false,
            begun: false,
            out: Stream::new(
                Outlet::Direct(io::stdout()),
                io::stdout().is_terminal(),
                colour,
            ),
            err: Stream::new(
                Outlet::Direct(io::stderr()),
                io::stderr().is_terminal(),
                colour,
            ),
            into: None,
            unwritten: Vec::new(),
            quiet: false,
            asking: false,
            in_full: global.verbose > 0,
            progress: None,
            fold: Fold::default(),
            begun_changes: BTreeSet::new(),
            under_way: Arc::default(),
        }
    }

    /// Does not wait for who reads from now on: what they don't take in time is lost. Each line of text begins with the
    /// time. Others can write lines, too.
    pub(crate) fn detach(&mut self) -> Log {
        self.flush();
        let timed = !self.json;
        for style in [&mut self.out.style, &mut self.err.style] {
            style.width = style
                .width
                .saturating_sub(if timed { log::TIME } else { 0 });
        }
        let out = Detached::new(io::stdout(), timed);
        let log = Log::new(out.lines(), self.json);
        *self.out.to.get_mut() = Outlet::Detached(out);
        *self.err.to.get_mut() = Outlet::Detached(Detached::new(io::stderr(), timed));
        log
    }

    /// Ends [`Self::detach`] where who reads takes the rest in a moment. Elsewhere it would wait.
    pub(crate) fn attach(&mut self, longest: Duration) {
        self.flush();
        self.out.to.get_mut().attach(io::stdout(), longest);
        self.err.to.get_mut().attach(io::stderr(), longest);
    }

    /// Prints nothing.
    pub(crate) fn silent(settings: &Settings) -> Self {
        let mut ui = Self::new(settings);
        ui.json = false;
        ui.out.closed = true;
        ui.err.closed = true;
        ui
    }

    /// Whether standard output gets events instead of text.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// Whether events are printed or written to a file.
    pub(crate) const fn takes_json(&self) -> bool {
        self.json || self.into.is_some()
    }

    /// In JSON mode, standard output gets one document in the place of events, unless an error ends the command.
    pub(crate) const fn print_one_document(&mut self) {
        self.document = true;
    }

    /// Whether questions can be asked.
    pub(crate) fn interactive(&self) -> bool {
        !self.json && self.err.terminal && io::stdin().is_terminal()
    }

    /// The style of text on standard output.
    pub(crate) fn style(&self, rate: u32) -> Style {
        Style {
            now: SystemClock.now(),
            rate,
            ..self.out.style
        }
    }

    /// Also writes JSON events to a file.
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

    /// Leaves out all text until [`Self::speak`], except errors.
    pub(crate) const fn hush(&mut self) {
        self.quiet = !self.json;
    }

    /// Ends what [`Self::hush`] began.
    pub(crate) const fn speak(&mut self) {
        self.quiet = false;
    }

    /// Reports what a command has done, as text or as an event.
    pub(crate) fn say(&mut self, text: fmt::Arguments<'_>) {
        if self.takes_json() {
            self.json_line(&render::log_json(&text.to_string(), SystemClock.now()));
        }
        if !self.json && !self.quiet {
            self.out.write(format_args!("{text}\n"));
        }
    }

    /// Prints a warning, as text or as an event, and ends [`Self::hush`].
    pub(crate) fn warn(&mut self, text: fmt::Arguments<'_>) {
        if self.takes_json() {
            self.json_line(&render::log_json(&text.to_string(), SystemClock.now()));
        }
        self.speak();
        self.note(text);
    }

    /// Prints data, unless text is left out.
    pub(crate) fn print(&mut self, text: fmt::Arguments<'_>) {
        if !self.quiet {
            self.out.write(text);
        }
    }

    /// Prints data in pieces, as it is rendered.
    pub(crate) fn stream(&mut self, render: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result) {
        if self.quiet {
            return;
        }
        // The stream keeps its own error.
        let _ = render(&mut self.out);
    }

    /// Prints a diff. Only its lines may begin with `--- ` and `+++ `.
    pub(crate) fn diff(&mut self, render: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result) {
        self.out.sieve.allow_headers(true);
        self.stream(render);
        self.out.sieve.allow_headers(false);
    }

    /// Writes text to standard error in pieces, as it is rendered.
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
        self.err.closed |= render(&style, &mut self.err).is_err();
        self.err.flush();
    }

    /// Prints bytes unchanged, which must be harmless already.
    pub(crate) fn bytes(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if !self.out.closed {
            let written = write(&mut self.out.to);
            self.out.after(written);
        }
    }

    /// Prints a line on standard error, except in JSON mode.
    pub(crate) fn note(&mut self, text: fmt::Arguments<'_>) {
        if !self.json && !self.quiet {
            // The two streams stay in order.
            self.out.flush();
            self.err.write(format_args!("{text}\n"));
            self.err.flush();
        }
    }

    /// Prints a line on standard error, also in JSON mode. For use before any other output.
    pub(crate) fn aside(&mut self, text: fmt::Arguments<'_>) {
        self.err.write(format_args!("{text}\n"));
        self.err.flush();
    }

    /// Prints a line of JSON in JSON mode, and writes it to the file of events. Large plans have a hundred
    /// thousand lines, so they are seen only after a [`Ui::flush`].
    pub(crate) fn json_line(&mut self, line: &str) {
        self.record(line);
        if self.json && !self.document {
            // Not before data that is JSON itself, which does not come here.
            if !std::mem::replace(&mut self.begun, true) {
                self.out.write(format_args!("{}\n", version_line()));
            }
            self.out.write(format_args!("{line}\n"));
        }
    }

    fn record(&mut self, line: &str) {
        if let Some((_, into)) = &mut self.into {
            // A full disk does not stop an apply; it is reported at the end.
            into.write(format_args!("{line}\n"));
        }
    }

    /// Asks a question on the terminal and returns the answer. May be dropped: nothing waits for the thread that reads.
    pub(crate) async fn ask(
        &mut self,
        question: impl FnOnce(&Style, &mut dyn fmt::Write) -> fmt::Result,
    ) -> io::Result<String> {
        self.flush();
        self.complain(question);
        self.asking = true;
        let (read, answer) = oneshot::channel();
        let _detached = thread::Builder::new()
            .name("answer".to_owned())
            .spawn(move || {
                let mut answer = String::new();
                let answer = io::stdin().read_line(&mut answer).map(|_| answer);
                // Perhaps no one waits for it any more.
                drop(read.send(answer));
            })?;
        let answer = answer
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
        self.asking = false;
        Ok(answer?.trim().to_owned())
    }

    /// Ends the line of a question that was not answered.
    pub(crate) fn leave_question(&mut self) {
        if std::mem::take(&mut self.asking) {
            self.note(format_args!(""));
        }
    }

    /// A line that shows progress; `None` without a terminal.
    pub(crate) fn waiting_line(&self) -> Option<WaitingLine> {
        (self.err.terminal && !self.json && !self.quiet).then(WaitingLine::new)
    }

    /// Remembers an output that could not be written, for the end of the command.
    pub(crate) fn unwritten(&mut self, what: String, error: io::Error) {
        self.unwritten.push((what, error));
    }

    /// Whether standard output can't be written any more: its reader went away, or the disk is full.
    pub(crate) const fn is_unread(&self) -> bool {
        self.out.closed
    }

    pub(crate) fn flush(&mut self) {
        self.out.flush();
        self.err.flush();
        if let Some((_, into)) = &mut self.into {
            into.flush();
        }
    }
}

/// Prints why the program ends at once, from any thread.
pub(crate) fn print_last(text: &str) {
    let mut err = io::stderr().lock();
    // The line may hold a progress bar.
    let begin = if err.is_terminal() { CLEARED } else { "" };
    // The program ends, whether this can be printed or not.
    drop(writeln!(err, "{begin}{}", neutral(text)));
}
