//! Why a change was not made, in words that events and the report share.

use std::fmt::{self, Display};

use super::escape::Clean;
use crate::model::{ApiError, NotAttempted, Timestamp};

/// An error as eSign sent it: code, message and request id.
#[derive(Clone, Copy)]
pub(super) struct ErrorWords<'a>(pub(super) &'a ApiError);

impl Display for ErrorWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ApiError {
            code,
            message,
            request_id,
            meaning: _,
            advice: _,
        } = self.0;
        if let Some(code) = code {
            write!(f, "{}: ", Clean(code))?;
        }
        write!(f, "{}", Clean(message))?;
        match request_id {
            Some(id) => write!(f, " [request id {}]", Clean(id)),
            None => Ok(()),
        }
    }
}

/// Why a change was left out, and what to do, as one sentence each.
///
/// A time that is past at `now` is not named.
pub(super) fn not_attempted(why: &NotAttempted, now: Timestamp) -> (String, &'static str) {
    match why {
        NotAttempted::AccountStopped(account) => (
            format!("the credentials of account {} were refused", Clean(account)),
            "correct the credentials of the account, then run apply again",
        ),
        NotAttempted::AccountUnreachable(account, error) => (
            format!(
                "eSign does not answer the calls of account {}: {}",
                Clean(account),
                Clean(error)
            ),
            "check --endpoint, the network, the name server, HTTPS_PROXY and, for certificates, --ca-file; then run \
             apply again",
        ),
        NotAttempted::AccountUnsigned(account, error) => (
            format!(
                "the calls of account {} could not be signed: {}",
                Clean(account),
                Clean(error)
            ),
            "check where the credentials of the account come from, then run apply again",
        ),
        NotAttempted::OrganizationStopped => (
            "eSign refuses every call for this organization".to_owned(),
            "see the error of its other callbacks, then run apply again",
        ),
        NotAttempted::AddsFailed => (
            "an add of its organization did not succeed, and deletes begin only after all adds have"
                .to_owned(),
            "fix the cause reported for that add, then run apply again",
        ),
        NotAttempted::WaitsForTwin => (
            "a rotation of it was interrupted, and its twin was not certain to be there when this apply began"
                .to_owned(),
            "run apply again: when its twin is there, it is replaced without a gap",
        ),
        NotAttempted::Unverified => (
            "its receiver failed the verification".to_owned(),
            "correct the receiver as its finding says, then run the same command again; `verify` shows the findings",
        ),
        NotAttempted::Refused => (
            "its twin was added, and then the rest of the rotation was refused".to_owned(),
            "follow the error below, then run the same command again",
        ),
        NotAttempted::Interrupted => (
            "the run was interrupted".to_owned(),
            // The end of the report says it once for all of them.
            "",
        ),
        NotAttempted::Fenced(until) if *until <= now => (
            "an earlier call that got no answer could still arrive when this change was due".to_owned(),
            "run apply again: that call can't arrive any more",
        ),
        NotAttempted::Fenced(until) => (
            format!(
                "an earlier call that got no answer may still arrive until {} {} UTC",
                until.utc_date(),
                until.clock_time()
            ),
            "run apply again; it can't finish before then",
        ),
        NotAttempted::FencedWithoutClock => (
            "an earlier call that got no answer may still arrive; until when is unknown, because eSign's answers \
             have no usable `Date`"
                .to_owned(),
            "run apply without --no-wait: it waits about 12 minutes by this machine's clock, then \
             finishes",
        ),
        NotAttempted::JournalFailed => (
            "the journal can't be written, and no call is sent without it".to_owned(),
            "follow the error about the state, then run apply again",
        ),
    }
}
