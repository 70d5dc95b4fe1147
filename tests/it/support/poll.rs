//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// Far more than anything takes; a test that needs this long has failed.
const DEADLINE: Duration = Duration::from_secs(30);

/// Looks again and again until there is something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "it did not happen: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
