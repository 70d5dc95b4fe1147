//! How long the lock is waited for, and what a signal ends.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long a store may take to answer once the program is to end. A medium that does not answer for so long keeps the
/// lock, like that of a dead owner.
const MOMENT: Duration = Duration::from_secs(2);

/// How long to wait for the lock.
#[derive(Clone, Debug)]
pub struct Patience {
    /// At most.
    pub timeout: Duration,
    /// When this becomes true, the time is over.
    pub stop: Option<watch::Receiver<bool>>,
}

impl From<Duration> for Patience {
    fn from(timeout: Duration) -> Self {
        Self {
            timeout,
            stop: None,
        }
    }
}

impl Patience {
    pub(super) fn is_over(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow())
    }

    /// Waits for so long, or until the time is over.
    pub(super) async fn sleep(&mut self, time: Duration) {
        let sleep = tokio::time::sleep(time);
        match &mut self.stop {
            None => sleep.await,
            Some(stop) => tokio::select! {
                () = sleep => {}
                () = asked(stop) => {}
            },
        }
    }
}

/// Completes when it becomes true.
pub(crate) async fn asked(stop: &mut watch::Receiver<bool>) {
    // After an error it never will.
    if stop.wait_for(|asked| *asked).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Does this to its end, but once the program is to stop only for [`MOMENT`].
pub(crate) async fn soon<T>(
    work: impl Future<Output = T>,
    stop: &watch::Receiver<bool>,
) -> Option<T> {
    let mut work = pin!(work);
    let mut stop = stop.clone();
    tokio::select! {
        biased;
        done = &mut work => Some(done),
        () = asked(&mut stop) => timeout(MOMENT, work).await.ok(),
    }
}
