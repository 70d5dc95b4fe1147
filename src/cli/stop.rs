//! Ctrl-C and SIGTERM: the first asks the run to stop, the second leaves at once.

use tokio::sync::watch;

use super::exit::Exit;
use super::ui::last_words;

/// Listens until it is dropped.
pub(super) struct Stop {
    /// Becomes true at the first signal.
    pub(super) asked: watch::Receiver<bool>,
    listener: tokio::task::JoinHandle<()>,
}

/// Begins to listen. From then on a signal does not end the program by itself. `open` says what the
/// second one leaves behind.
pub(super) fn listen(open: impl FnOnce() -> String + Send + 'static) -> Stop {
    let (sender, asked) = watch::channel(false);
    let listener = tokio::spawn(async move {
        let mut signals = Signals::new();
        signals.next().await;
        sender.send_replace(true);
        signals.next().await;
        leave(&format!("Interrupted again, leaving at once. {}", open()));
    });
    Stop { asked, listener }
}

/// Until it is dropped or ended, a signal ends the program at once: nothing was called yet.
#[derive(Debug)]
pub(super) struct Leaving(tokio::task::JoinHandle<()>);

impl Leaving {
    /// From here on.
    pub(super) fn at_once(mut signals: Signals) -> Self {
        Self(tokio::spawn(async move {
            signals.next().await;
            leave("Interrupted; nothing was called.");
        }))
    }

    /// Something else listens now.
    pub(super) fn end(&self) {
        self.0.abort();
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

#[expect(
    clippy::exit,
    reason = "the user means now; nothing was called yet, or the journal has everything"
)]
fn leave(text: &str) {
    last_words(text);
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// What ends a program from outside. While there is one of these, and ever after, a signal does
/// nothing by itself.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .ok(),
        }
    }

    /// The next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(terminate) = &mut self.terminate {
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        // An error here means that signals can't be listened to: they end the program then, as ever.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
