//! A connection that is watched: what it is doing, since when, and the means to end it from inside.
//!
//! A host cuts a [`Line`] when a call ends without an answer; the server reads from it how long
//! a client has been keeping it waiting.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between requests, or receiving an answer. Each sent byte restarts the time.
    Idle,
    /// A request has begun, and its head is not complete.
    Head,
    /// The head is complete, the body is not.
    Body,
    /// The request is complete and being processed. The client is not the cause of the wait.
    Busy,
}

/// The state of one connection. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Line(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    cut: AtomicBool,
    evicted: AtomicBool,
    asked_to_leave: Notify,
    doing: Mutex<(Phase, Instant)>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            cut: AtomicBool::new(false),
            evicted: AtomicBool::new(false),
            asked_to_leave: Notify::new(),
            doing: Mutex::new((Phase::Idle, Instant::now())),
        }))
    }

    /// Blocks all further output; the connection closes on the next write.
    pub(crate) fn cut(&self) {
        self.0.cut.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.0.cut.load(Ordering::Relaxed)
    }

    /// Asks it to make room for another connection.
    pub(crate) fn evict(&self) {
        self.0.evicted.store(true, Ordering::Relaxed);
        self.0.asked_to_leave.notify_one();
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.0.evicted.load(Ordering::Relaxed)
    }

    /// Completes when it was asked to make room.
    pub(crate) async fn evicted(&self) {
        self.0.asked_to_leave.notified().await;
    }

    pub(crate) fn enter(&self, phase: Phase) {
        *self.doing() = (phase, Instant::now());
    }

    /// What it is doing, and since when.
    pub(crate) fn phase(&self) -> (Phase, Instant) {
        *self.doing()
    }

    fn doing(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.0.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn came_in(&self) {
        if self.phase().0 == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    fn went_out(&self) {
        if self.phase().0 == Phase::Idle {
            self.enter(Phase::Idle);
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.is_cut() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

/// The connection's bytes, as its [`Line`] lets them pass.
#[derive(Debug)]
pub(crate) struct WatchedStream {
    stream: TcpStream,
    line: Line,
}

impl WatchedStream {
    pub(crate) fn new(stream: TcpStream, line: Line) -> Self {
        Self { stream, line }
    }

    fn sent(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.line.went_out();
        }
        written
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.line.came_in();
        }
        read
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line.check()?;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.check()?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.sent(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
