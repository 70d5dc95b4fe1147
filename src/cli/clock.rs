//! The clock of this machine, which only `cli` reads.

use std::time::SystemTime;

use crate::apply::WallClock;
use crate::model::Timestamp;
use crate::sandbox::Clock;

#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}

/// The current time as HTTP headers have it.
pub(crate) fn http_date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

/// This machine's clock for the sandbox, in microseconds.
pub(crate) fn of_sandbox() -> Clock {
    Clock::new(|| {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}
