//! Signals: Ctrl-C, SIGTERM, SIGHUP (the terminal is closed) and SIGQUIT, which all do the same.
//!
//! A separate thread listens for the whole run, so that signals work while another thread waits for a file or an
//! answer, and in process 1, for which the system has no default. A signal ends the program at once, except after
//! [`listen`], for calls, and while there are [`Signals`], for the command of a secret and for the state's lock.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::cli::exit::Exit;
use crate::cli::terminal::print_last;

static MODE: Mutex<Mode> = Mutex::new(Mode::Leave);

enum Mode {
    /// Ends the program: nothing was called.
    Leave,
    /// Passes the first signal on. The second ends the program, with this message.
    Ask {
        asked: watch::Sender<bool>,
        last: Box<dyn Fn() -> String + Send>,
    },
}

/// Starts to listen. If that fails, the default of the system stays.
pub(crate) fn start() {
    let (ready, listening) = mpsc::channel();
    // The program also works without the thread.
    let _detached = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Ok(runtime) = Builder::new_current_thread().enable_io().build() {
                runtime.block_on(heed(&ready));
            }
        });
    // An error means that the thread has ended.
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
                    leave(&format!("Interrupted again; ending at once. {}", last()));
                }
            }
        }
    }
}

/// Passes signals on from now on. What was done with them before is returned.
fn ask(last: impl Fn() -> String + Send + 'static) -> (watch::Receiver<bool>, Mode) {
    let (asked, receiver) = watch::channel(false);
    let last = Box::new(last);
    (receiver, set(Mode::Ask { asked, last }))
}

fn set(mode: Mode) -> Mode {
    let mut now = MODE.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *now, mode)
}

/// Becomes true at the first signal from now on. The second ends the program at once, with a message that ends
/// with what `last` returns.
pub(crate) fn listen(last: impl Fn() -> String + Send + 'static) -> watch::Receiver<bool> {
    ask(last).0
}

/// Completes with the first signal after [`listen`].
pub(crate) async fn first(asked: &mut watch::Receiver<bool>) {
    // After an error none can come: `listen` was called since.
    if asked.wait_for(|asked| *asked).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Passes signals on while a command is waited for, or the state's lock is held. After it is dropped, a signal does what
/// it did before.
pub(crate) struct Signals {
    asked: watch::Receiver<bool>,
    before: Mode,
}

impl Signals {
    pub(crate) fn new() -> Self {
        let (asked, before) = ask(|| "Nothing was called.".to_owned());
        Self { asked, before }
    }

    /// Becomes true at the first signal.
    pub(crate) const fn asked(&self) -> &watch::Receiver<bool> {
        &self.asked
    }

    /// Waits for the first signal.
    pub(crate) async fn next(&mut self) {
        first(&mut self.asked).await;
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        set(std::mem::replace(&mut self.before, Mode::Leave));
    }
}

#[expect(
    clippy::exit,
    reason = "nothing was called yet, or the journal has everything"
)]
fn leave(text: &str) {
    print_last(text);
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// Where signals come from.
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

/// Whether the program was started by `nohup`, to continue when the terminal is closed.
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
