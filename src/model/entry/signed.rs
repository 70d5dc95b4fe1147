//! A call by its signature, and how long it may still take effect at eSign.

use crate::model::{Timestamp, Write};

/// A call without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedWrite {
    /// What it would do.
    pub write: Write,
    /// Its signed timestamp, in the server's time. See [`SignedWrite::dead_at`].
    pub signed_at: Timestamp,
}

impl SignedWrite {
    /// How long eSign's gateway accepts a signature, in seconds after its timestamp.
    pub const SIGNATURE_LIFE: i64 = 300;

    /// How long a call may take to have its effect once the gateway has admitted it, in seconds: the
    /// gateway's own timeout.
    pub const GATEWAY_TIMEOUT: i64 = 30;

    /// Added to both, in seconds: the server's clock is known to a second only, and its machines may
    /// differ a little.
    pub const CLOCK_MARGIN: i64 = 5;

    /// How long a call can be on its way to the gateway, in seconds. No clock says so: connections,
    /// proxies and gateways give up long before. It counts only where the signature's time does not
    /// bound the call: because the server's clock is not known, or because the timestamp is far ahead.
    pub const LONGEST_WAY: i64 = 600;

    /// A signature this far ahead is admitted only after the longest way, in seconds.
    pub(super) const FAR_AHEAD: i64 = Self::LONGEST_WAY + Self::SIGNATURE_LIFE;

    /// When no clock can be relied on, a call is dead so many seconds after it was sent: the longest way,
    /// the gateway's timeout, and a minute of margin.
    pub const OWN_TIME: i64 = Self::LONGEST_WAY + Self::GATEWAY_TIMEOUT + 60;

    /// From this moment of the *server's* clock on it can't take effect any more.
    pub const fn dead_at(&self) -> Timestamp {
        self.signed_at
            .plus(Self::SIGNATURE_LIFE + Self::GATEWAY_TIMEOUT + Self::CLOCK_MARGIN)
    }

    /// Whether the gateway would admit it only when it can't be on its way any more. A clock that was far
    /// off signed it.
    pub const fn is_far_ahead(&self, now: Timestamp) -> bool {
        self.signed_at.seconds_since(now) > Self::FAR_AHEAD
    }

    /// Until when it may still take effect, as far as can be said at `now`; `None` when it can't any more.
    /// Always after `now`, and never later than the longest fence.
    pub fn may_arrive_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.dead_at().min(now.plus(Self::OWN_TIME));
        (until > now && !self.is_far_ahead(now)).then_some(until)
    }
}
