//! What the messages that reach receivers say of a callback: that it is there, or that it may be missing.
//!
//! eSign sends each message of an application to all of its URLs. One that arrives shows which key and token its URL
//! has; one that arrives everywhere else shows that something is wrong. Neither costs a call.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What messages said of a callback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// When the newest message arrived that was made with the recorded key and token.
    pub seen_at: Option<Timestamp>,
    /// Since then no message arrived, though others of the application got some.
    pub missing: Option<Missing>,
}

/// Messages that others got and this callback did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// When the first of them arrived elsewhere.
    pub since: Timestamp,
    pub messages: NonZeroU32,
}

/// What changed in a record; the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Learned {
    /// Nothing that was not known.
    Nothing,
    /// When it was last seen, and nothing else.
    Seen,
    /// That it has exactly the recorded key and token, which was not proven.
    Proven,
    /// That it has another key or token than recorded: someone else changed it.
    Changed,
}

impl Sighting {
    /// How long a message may be under way, in seconds: eSign repeats what was not accepted, for a time that is not
    /// documented. Also more than clocks of receivers differ from ours.
    pub const LONGEST_WAY: i64 = 6 * 3600;

    /// What two records of one callback say together.
    #[must_use]
    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            seen_at: self.seen_at.max(other.seen_at),
            missing: None,
        }
    }
}

/// Any that can be recorded.
#[cfg(test)]
pub(crate) fn any_sighting() -> impl proptest::strategy::Strategy<Value = Sighting> {
    use proptest::prelude::*;

    let time = || (-1_000..4_000_000_000_i64).prop_map(Timestamp);
    let missing = (time(), 1_u32..).prop_map(|(since, messages)| Missing {
        since,
        messages: NonZeroU32::new(messages).unwrap_or(NonZeroU32::MIN),
    });
    let parts = (proptest::option::of(time()), proptest::option::of(missing));
    parts.prop_map(|(seen_at, missing)| Sighting { seen_at, missing })
}
