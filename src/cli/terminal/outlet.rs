//! Where a stream goes: straight to the system, or through a thread, for a program that must not wait for its reader.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// How many pieces of text may wait for a reader. What does not fit is dropped.
const WAITING: usize = 1000;

/// The end of a stream.
pub(crate) enum Outlet<W> {
    Direct(W),
    Detached(Detached),
}

/// A thread that writes.
pub(crate) struct Detached {
    pieces: SyncSender<Vec<u8>>,
    /// How many pieces are not written yet.
    waiting: Arc<AtomicUsize>,
}

impl Detached {
    /// Writes to this stream in a separate thread. If there can be none, nothing is written.
    pub(crate) fn new(mut to: impl Write + Send + 'static) -> Self {
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
        Self { pieces, waiting }
    }

    /// Waits until all is written, but not longer than this. Whether it is.
    fn settles(&self, longest: Duration) -> bool {
        let begun = Instant::now();
        while self.waiting.load(Ordering::SeqCst) > 0 {
            if begun.elapsed() >= longest {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
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
        let Detached { pieces, waiting } = match self {
            Self::Direct(to) => return to.write(text),
            Self::Detached(detached) => detached,
        };
        waiting.fetch_add(1, Ordering::SeqCst);
        let sent = pieces.try_send(text.to_vec());
        if sent.is_err() {
            waiting.fetch_sub(1, Ordering::SeqCst);
        }
        match sent {
            // Who does not read misses something; nothing waits for that.
            Ok(()) | Err(TrySendError::Full(_)) => Ok(text.len()),
            Err(TrySendError::Disconnected(_)) => Err(io::ErrorKind::BrokenPipe.into()),
        }
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
        let mut outlet: Outlet<io::Sink> = Outlet::Detached(Detached::new(writer));
        // More than a pipe and the pieces that may wait hold.
        for _ in 0..3 * WAITING {
            outlet.write_all(&[b'x'; 1024]).unwrap();
        }
        let mut some = [0; 1024];
        reader.read_exact(&mut some).unwrap();
        assert_eq!(some, [b'x'; 1024]);
        // It would wait for the reader.
        outlet.attach(io::sink(), Duration::from_millis(50));
        assert!(matches!(outlet, Outlet::Detached(_)));
        drop(reader);

        let (mut reader, writer) = io::pipe().unwrap();
        let mut outlet: Outlet<io::Sink> = Outlet::Detached(Detached::new(writer));
        outlet.write_all(b"one\n").unwrap();
        outlet.write_all(b"two\n").unwrap();
        outlet.attach(io::sink(), Duration::from_secs(60));
        assert!(matches!(outlet, Outlet::Direct(_)));
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        assert_eq!(all, "one\ntwo\n");
    }
}
