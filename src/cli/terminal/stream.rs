//! A stream for text, which is made harmless. When its reader goes away, the program goes on.

use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, Write};

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::options::global::Colour;
use crate::harmless::Neutral;
use crate::render::Style;

pub(crate) struct Stream<W: Write> {
    pub(crate) to: BufWriter<W>,
    pub(crate) style: Style,
    pub(crate) terminal: bool,
    /// Keeps foreign text from being a command to a terminal or a CI system.
    pub(crate) sieve: Neutral,
    /// Nothing more can be written.
    pub(crate) closed: bool,
    /// What could not be written, unless its reader went away.
    pub(crate) error: Option<io::Error>,
}

impl<W: Write> Stream<W> {
    pub(crate) fn new(to: W, terminal: bool, colour: Colour) -> Self {
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        let style = Style {
            colour: match colour {
                Colour::Auto => terminal,
                Colour::Always => true,
                Colour::Never => false,
            },
            width: if terminal { width } else { 0 },
            now: SystemClock.now(),
            rate: 20,
        };
        Self {
            to: BufWriter::with_capacity(1 << 16, to),
            style,
            terminal,
            sieve: Neutral::new(style.colour),
            closed: false,
            error: None,
        }
    }

    pub(crate) fn write(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.write_fmt(text);
    }

    pub(crate) fn flush(&mut self) {
        if !self.closed {
            let flushed = self.to.flush();
            self.after(flushed);
        }
    }

    /// After an error nothing more is printed.
    pub(crate) fn after(&mut self, written: io::Result<()>) {
        let Err(error) = written else { return };
        self.closed = true;
        if !(error.kind() == io::ErrorKind::BrokenPipe || self.terminal && is_hung_up(&error)) {
            self.error = Some(error);
        }
    }
}

/// Whether this is the error of writing to a closed terminal.
fn is_hung_up(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    cfg!(unix) && error.raw_os_error() == Some(EIO)
}

impl<W: Write> fmt::Write for Stream<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !self.closed {
            let Self { to, sieve, .. } = self;
            let written = sieve.pass(text, |part| to.write_all(part.as_bytes()));
            self.after(written);
        }
        if self.closed {
            return Err(fmt::Error);
        }
        Ok(())
    }
}
