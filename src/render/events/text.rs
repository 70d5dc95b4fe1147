//! Events as lines of text, in the form of Terraform's.

use std::fmt::Display;

use crate::model::{AccountName, Action, ApiError, Event};
use crate::render::escape::Clean;
use crate::render::style::{Style, Tone};
use crate::render::why::ErrorWords;
use crate::render::words::{self, counted, elapsed, span, tenths};

/// The line for an event, without a line end. `None` for a change that was not attempted: there can be thousands,
/// and the report lists them.
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
                "; it was already there, and its key and token may differ from yours"
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
            "{}: {} ({action}): it is unknown whether the call arrived; {}: {}",
            strong(style, address),
            style.paint(Tone::Warning, "Unknown"),
            if *action == Action::Heal {
                "the callback stays recorded as present"
            } else {
                "the call stays open in the state"
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
        0 => format!("{interrupted} No calls are in flight, and no new ones are sent."),
        some => format!(
            "{interrupted} No new calls; waiting for {} in flight. Press Ctrl-C again to quit now: the next apply settles these calls.",
            counted(some, "call", "calls")
        ),
    }
}

fn throttled(account: &AccountName, rate_per_minute: u32, style: &Style) -> String {
    format!(
        "{} Account {}: eSign refuses calls for the rate limit; continuing at {} calls/s for a while. Something else may be using the same credentials.",
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
        "{} Account {}: no more calls in this run: {}. It means: {}. What to do: {}.",
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
