//! Signals: Ctrl-C, and SIGTERM, SIGHUP (the terminal is closed) and SIGQUIT, which mean the same.
//!
//! A thread of their own listens from the beginning to the end of the program, so that they work while
//! another thread waits for a file or an answer, and as process 1, for which the system does nothing. What
//! a signal does depends on what the program does: [`listen`] is for calls, [`Signals`] for a command that
//! is waited for. Otherwise it ends the program at once.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::cli::exit::Exit;
use crate::cli::terminal::last_words;

/// What the next signal does.
static MODE: Mutex<Mode> = Mutex::new(Mode::Leave);

enum Mode {
    /// Nothing was called.
    Leave,
    /// The first is passed on; the second ends the program, which says this before.
    Ask {
        asked: watch::Sender<bool>,
        last: Box<dyn Fn() -> String + Send>,
    },
}

/// Begins to listen, for the whole life of the program. Where that can't be done, signals end it as ever.
pub(crate) fn start() {
    let (ready, listening) = mpsc::channel();
    // A thread that can't be started is no reason to refuse to work.
    let _detached = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Ok(runtime) = Builder::new_current_thread().enable_io().build() {
                runtime.block_on(heed(&ready));
            }
        });
    // An error means that it has ended already.
    let _ended = listening.recv();
}

async fn heed(ready: &mpsc::Sender<()>) {
    let mut source = Source::new();
    let _received = ready.send(());
    loop {
        source.next().await;
        let mode = MODE.lock().unwrap_or_else(PoisonError::into_inner);
        match &*mode {
            Mode::Leave => leave("Interrupted; nothing was called."),
            Mode::Ask { asked, last } => {
                if asked.send_replace(true) {
                    leave(&format!("Interrupted again, leaving at once. {}", last()));
                }
            }
        }
    }
}

fn ask(last: impl Fn() -> String + Send + 'static) -> watch::Receiver<bool> {
    let (asked, receiver) = watch::channel(false);
    *MODE.lock().unwrap_or_else(PoisonError::into_inner) = Mode::Ask {
        asked,
        last: Box::new(last),
    };
    receiver
}

/// What becomes true at the first signal from now on. The second ends the program at once; `last` says
/// what that leaves behind.
pub(crate) fn listen(last: impl Fn() -> String + Send + 'static) -> watch::Receiver<bool> {
    ask(last)
}

/// Passes a signal on to whoever waits for a command. When it is dropped, a signal ends the program again.
#[derive(Debug)]
pub(crate) struct Signals(watch::Receiver<bool>);

impl Signals {
    pub(crate) fn new() -> Self {
        Self(ask(|| "Nothing was called.".to_owned()))
    }

    /// Waits for the first one.
    pub(crate) async fn next(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            // Something else listens now.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        *MODE.lock().unwrap_or_else(PoisonError::into_inner) = Mode::Leave;
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

/// What ends a program from outside.
#[cfg(unix)]
struct Source(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Source {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let mut kinds = vec![
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::quit(),
        ];
        if !hangups_are_ignored() {
            kinds.push(SignalKind::hangup());
        }
        Self(
            kinds
                .into_iter()
                .filter_map(|kind| signal(kind).ok())
                .collect(),
        )
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut came = false;
            for signal in &mut self.0 {
                came |= signal.poll_recv(context).is_ready();
            }
            if came {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

/// Whether the program was started by `nohup`: it goes on when the terminal is closed.
#[cfg(unix)]
fn hangups_are_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangups(&status))
}

#[cfg(unix)]
fn ignores_hangups(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    const fn new() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_respected() {
        for (status, ignored) in [
            ("Name:\tx\nSigIgn:\t0000000000000001\n", true),
            ("SigIgn:\t0000000000001007\n", true),
            ("SigIgn:\t0000000000001000\n", false),
            ("", false),
        ] {
            assert_eq!(ignores_hangups(status), ignored, "{status}");
        }
    }
}
