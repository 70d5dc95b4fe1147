//! The result of a task that runs to its end, though its caller may be gone.

use std::future::pending;
use std::panic::resume_unwind;

use tokio::task::JoinHandle;

/// Waits for the task. Its panic is its caller's.
pub(super) async fn joined<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is being shut down, and does not poll this again.
            Err(_cancelled) => pending().await,
        },
    }
}
