//! Where a stream goes: straight to the system, or through a thread, for a program that must not wait for its reader.
//!
//! What goes through a thread goes in whole lines, so that [`Lines`] of other tasks fall between them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;

/// How many pieces of text may wait for a reader. What does not fit is dropped.
const WAITING: usize = 1000;

/// The end of a stream.
pub(crate) enum Outlet<W> {
    Direct(W),
    Detached(Detached),
}

/// A thread that writes, and what is not a whole line yet.
pub(crate) struct Detached {
    lines: Lines,
    begun: Vec<u8>,
}

/// Whole lines for a thread that writes. Clones write to the same one.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    pieces: SyncSender<Vec<u8>>,
    /// How many pieces are not written yet.
    waiting: Arc<AtomicUsize>,
    /// Whether each line begins with the time.
    timed: bool,
}

impl Detached {
    /// Writes to this stream in a separate thread. If there can be none, nothing is written.
    pub(crate) fn new(mut to: impl Write + Send + 'static, timed: bool) -> Self {
        let (pieces, received) = sync_channel::<Vec<u8>>(WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&waiting);
        let thread = std::thread::Builder::new().name("output".to_owned());
        let _detached = thread.spawn(move || {
            for piece in received {
                let done = to.write_all(&piece).and_then(|()| to.flush());
                written.fetch_sub(1, Ordering::SeqCst);
                if done.is_err() {
                    return;
                }
            }
        });
        Self {
            lines: Lines {
                pieces,
                waiting,
                timed,
            },
            begun: Vec::new(),
        }
    }

    /// For others that write whole lines.
    pub(crate) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Waits until all is written, but not longer than this. Whether it is.
    fn settles(&self, longest: Duration) -> bool {
        let begun = Instant::now();
        while self.lines.waiting.load(Ordering::SeqCst) > 0 {
            if begun.elapsed() >= longest {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Lines {
    /// Hands over whole lines, and never waits.
    pub(crate) fn send(&self, text: Vec<u8>) -> io::Result<()> {
        let text = if self.timed { timed(&text) } else { text };
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let sent = self.pieces.try_send(text);
        if sent.is_err() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        match sent {
            // Who does not read misses something; nothing waits for that.
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
            Err(TrySendError::Disconnected(_)) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// The lines, each with the time. Empty ones are left out.
fn timed(text: &[u8]) -> Vec<u8> {
    let now = SystemClock.now().clock_time();
    let mut lines = Vec::with_capacity(text.len() + 64);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line != b"\n" {
            lines.extend_from_slice(now.as_bytes());
            lines.push(b' ');
            lines.extend_from_slice(line);
        }
    }
    lines
}

impl<W> Outlet<W> {
    /// Goes straight to `to` from now on, if all that was sent to the thread is written within this time.
    pub(crate) fn attach(&mut self, to: W, longest: Duration) {
        if let Self::Detached(detached) = self
            && detached.settles(longest)
        {
            *self = Self::Direct(to);
        }
    }
}

impl<W: Write> Write for Outlet<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let Detached { lines, begun } = match self {
            Self::Direct(to) => return to.write(text),
            Self::Detached(detached) => detached,
        };
        begun.extend_from_slice(text);
        if let Some(end) = begun.iter().rposition(|byte| *byte == b'\n') {
            let rest = begun.split_off(end + 1);
            lines.send(std::mem::replace(begun, rest))?;
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Direct(to) => to.flush(),
            Self::Detached(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn nobody_has_to_read_and_who_reads_gets_all() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut outlet: Outlet<io::Sink> = Outlet::Detached(Detached::new(writer, false));
        // More than a pipe and the pieces that may wait hold.
        for _ in 0..3 * WAITING {
            outlet.write_all(&[b'x'; 1023]).unwrap();
            outlet.write_all(b"\n").unwrap();
        }
        let mut some = [0; 1023];
        reader.read_exact(&mut some).unwrap();
        assert_eq!(some, [b'x'; 1023]);
        // It would wait for the reader.
        outlet.attach(io::sink(), Duration::from_millis(50));
        assert!(matches!(outlet, Outlet::Detached(_)));
        drop(reader);

        let (mut reader, writer) = io::pipe().unwrap();
        let mut outlet: Outlet<io::Sink> = Outlet::Detached(Detached::new(writer, false));
        let Outlet::Detached(detached) = &outlet else {
            unreachable!("it was just made")
        };
        let others = detached.lines();
        outlet.write_all(b"one\ntw").unwrap();
        others.send(b"between\n".to_vec()).unwrap();
        outlet.write_all(b"o\n").unwrap();
        outlet.attach(io::sink(), Duration::from_secs(60));
        assert!(matches!(outlet, Outlet::Direct(_)));
        drop(others);
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        assert_eq!(all, "one\nbetween\ntwo\n");
    }

    #[test]
    fn a_line_has_its_time_and_an_empty_one_is_left_out() {
        let text = timed(b"one\n\n  two\n");
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!((&lines[0][8..], &lines[1][8..]), (" one", "   two"));
        assert_eq!(lines[0].matches(':').count(), 2);
    }
}
