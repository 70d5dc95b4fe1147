//! The terminal's last line, for a progress bar that leaves nothing behind when the width of the terminal changes.
//!
//! A terminal that gets narrower may wrap the line to an unknown number of rows, but the cursor stays on its
//! character. So the cursor is kept at the beginning of the line, and everything below it is cleared before the
//! line is drawn again. A line is never longer than a row, and its end is not filled with spaces: both would wrap.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::TermLike;

/// The assumed width of a terminal that does not report one.
const COLUMNS: u16 = 80;

/// Clears the line, for other output.
pub(crate) const CLEARED: &str = "\r\u{1b}[J";

pub(crate) struct OneLine<W> {
    out: Mutex<W>,
    /// The current width of the terminal.
    columns: fn() -> Option<u16>,
}

impl OneLine<io::Stderr> {
    pub(crate) fn on_stderr() -> Self {
        Self {
            out: Mutex::new(io::stderr()),
            columns: || {
                let size = terminal_size::terminal_size_of(io::stderr());
                size.map(|(width, _)| width.0)
            },
        }
    }
}

impl<W: Write> OneLine<W> {
    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes())
    }
}

impl<W> fmt::Debug for OneLine<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneLine").finish_non_exhaustive()
    }
}

impl<W: Write + Send> TermLike for OneLine<W> {
    fn width(&self) -> u16 {
        (self.columns)().unwrap_or(COLUMNS).max(2)
    }

    /// The cursor stays on the one line.
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    /// Cuts the text to the row. Each of its characters has the width of one column.
    fn write_str(&self, text: &str) -> io::Result<()> {
        let room = usize::from(self.width()) - 1;
        let text: String = text.chars().take(room).collect();
        // Trailing spaces would fill the row.
        self.write(text.trim_end_matches(' '))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write(CLEARED)
    }

    fn flush(&self) -> io::Result<()> {
        self.write("\r")?;
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

    use super::*;

    /// What is written, for the test to read.
    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_frame_clears_the_last_one_from_its_beginning_and_fits_a_row() {
        let screen = Screen::default();
        let line = OneLine {
            out: Mutex::new(screen.clone()),
            columns: || Some(12),
        };
        let bar = ProgressBar::with_draw_target(
            Some(3),
            ProgressDrawTarget::term_like_with_hz(Box::new(line), 255),
        );
        bar.set_style(ProgressStyle::with_template("{pos}/{len} long long words").unwrap());
        bar.tick();
        bar.suspend(|| screen.clone().write_all(b"said\n").unwrap());
        bar.finish_and_clear();
        let written = String::from_utf8(screen.0.lock().unwrap().clone()).unwrap();
        let frame = "0/3 long lo\r";
        assert!(written.starts_with(frame), "{written:?}");
        assert!(
            written.contains(&["\u{1b}[J\rsaid\n", frame].concat()),
            "{written:?}"
        );
        assert!(
            written.trim_end_matches('\r').ends_with("\u{1b}[J"),
            "{written:?}"
        );
        assert!(!written.contains("  "), "{written:?}");
    }
}
