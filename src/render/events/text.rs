//! Events as lines, in Terraform's manner.

use std::fmt::{self, Display};

use crate::model::{AccountName, Action, ApiError, Event, NotAttempted, Timestamp};
use crate::render::escape::Clean;
use crate::render::style::{Style, Tone};
use crate::render::words::{self, counted, elapsed, span, tenths};

/// The line for an event, without a line end; `None` for one that is told at the end only (changes
/// that were left out can be thousands, and the report lists them).
pub fn event_text(event: &Event, style: &Style) -> Option<String> {
    let line = match event {
        Event::Started {
            address,
            action,
            calls,
        } => format!(
            "{}: {}...",
            strong(style, address),
            words::doing(*action, *calls)
        ),
        Event::Completed {
            address,
            action,
            calls: _,
            request_id,
            elapsed_ms,
            was_there,
        } => format!(
            "{}: {} after {} [request id {}]{}",
            strong(style, address),
            words::done(*action),
            elapsed(*elapsed_ms),
            Clean(request_id),
            if *was_there {
                "; it was there already, and its key and token may not be yours"
            } else {
                ""
            }
        ),
        Event::Failed {
            address,
            action,
            error,
        } => format!(
            "{}: {} ({action}): {}",
            strong(style, address),
            style.paint(Tone::Error, "Failed"),
            ErrorWords(error)
        ),
        Event::Unknown {
            address,
            action,
            error,
        } => format!(
            "{}: {} ({action}): nobody knows whether it arrived; {}: {}",
            strong(style, address),
            style.paint(Tone::Warning, "Unknown"),
            if *action == Action::Heal {
                "it stays recorded as present"
            } else {
                "it stays open in the state"
            },
            ErrorWords(error)
        ),
        Event::NotAttempted { .. } => return None,
        Event::Retrying {
            address,
            error,
            attempt,
            delay_ms,
        } => format!(
            "{}: Trying again in {} (attempt {attempt}): {}",
            strong(style, address),
            elapsed(*delay_ms),
            ErrorWords(error)
        ),
        Event::Throttled {
            account,
            rate_per_minute,
        } => throttled(account, *rate_per_minute, style),
        Event::FenceWait {
            address,
            until,
            seconds,
        } => format!(
            "{}: Waiting until {} UTC ({}): an earlier call that got no answer may still arrive \
             until then, and would undo this one",
            strong(style, address),
            until.clock_time(),
            span(*seconds)
        ),
        Event::Drifted { address, drift } => format!(
            "{}: {} {}",
            strong(style, address),
            style.paint(Tone::Warning, "Drift:"),
            words::drift(*drift)
        ),
        Event::ClockOffset { account, seconds } => clock_offset(account, *seconds, style),
        Event::AccountStopped { account, error } => account_stopped(account, error, style),
        Event::Interrupted { in_flight } => interrupted(*in_flight, style),
    };
    Some(line)
}

fn interrupted(in_flight: usize, style: &Style) -> String {
    let interrupted = style.paint(Tone::Warning, "Interrupted.");
    match in_flight {
        0 => format!("{interrupted} No calls are in flight, and no new ones leave."),
        some => format!(
            "{interrupted} No new calls; waiting for {} in flight. Press Ctrl-C once more to quit \
             now: the journal keeps the rest.",
            counted(some, "call", "calls")
        ),
    }
}

fn throttled(account: &AccountName, rate_per_minute: u32, style: &Style) -> String {
    format!(
        "{} Account {}: eSign refuses calls for being too many; going on at {} calls/s for a \
         while. Something else may be using the same credentials.",
        style.paint(Tone::Warning, "Throttled."),
        Clean(account),
        tenths(f64::from(rate_per_minute) / 60.0)
    )
}

fn clock_offset(account: &AccountName, seconds: i64, style: &Style) -> String {
    format!(
        "{} Account {}: this machine's clock is {} {} eSign's; calls are signed with eSign's \
         time. Set the clock (NTP).",
        style.paint(Tone::Warning, "Clock off."),
        Clean(account),
        span(seconds.unsigned_abs()),
        if seconds >= 0 { "behind" } else { "ahead of" }
    )
}

fn account_stopped(account: &AccountName, error: &ApiError, style: &Style) -> String {
    format!(
        "{} Account {}: no more calls: {}. It means: {}. What to do: {}.",
        style.paint(Tone::Error, "Stopped."),
        Clean(account),
        ErrorWords(error),
        Clean(&error.meaning),
        Clean(&error.advice)
    )
}

fn strong(style: &Style, what: impl Display) -> impl Display {
    style.paint(Tone::Strong, Clean(what))
}

/// Shows an error in eSign's words: code, message and request id.
#[derive(Clone, Copy)]
pub(in crate::render) struct ErrorWords<'a>(pub(in crate::render) &'a ApiError);

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
/// A moment that is over at `now` is not named.
pub(in crate::render) fn not_attempted(
    why: &NotAttempted,
    now: Timestamp,
) -> (String, &'static str) {
    match why {
        NotAttempted::AccountStopped(account) => (
            format!("the credentials of account {} were refused", Clean(account)),
            "mend the account, then run apply again",
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
        NotAttempted::OrganizationStopped => (
            "eSign refuses every call for this organization".to_owned(),
            "see the error of its other callbacks, then run apply again",
        ),
        NotAttempted::AddsFailed => (
            "an add of its organization is not done, and nothing is deleted before all adds are"
                .to_owned(),
            "mend what is said about that add, then run apply again",
        ),
        NotAttempted::Interrupted => (
            "the run was interrupted".to_owned(),
            "run apply again to go on",
        ),
        NotAttempted::Fenced(until) if *until <= now => (
            "an earlier call that got no answer could still arrive when its turn came".to_owned(),
            "run apply again: nothing can arrive any more",
        ),
        NotAttempted::Fenced(until) => (
            format!(
                "an earlier call that got no answer may still arrive until {} {} UTC",
                until.utc_date(),
                until.clock_time()
            ),
            "run apply again; it finishes by itself, not before then",
        ),
        NotAttempted::FencedWithoutClock => (
            "an earlier call that got no answer may still arrive, and eSign does not tell its clock, \
             which says until when"
                .to_owned(),
            "run apply without --no-wait: it waits for about 12 minutes by this machine's time and \
             then finishes",
        ),
        NotAttempted::JournalFailed => (
            "the journal can't be written, and no call leaves without it".to_owned(),
            "make room or mend the permissions beside the state, then run apply again",
        ),
    }
}
