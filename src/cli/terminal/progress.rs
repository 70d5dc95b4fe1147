//! The progress bar of an apply: the number of changes, their rate and the time left.
//!
//! Only known values are shown: no rate before the first change, and no time left while every change waits for a
//! lost call, whose wait is counted down instead.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::one_line::OneLine;
use crate::harmless::neutral;
use crate::model::Event;
use crate::render;

/// How often the bar is drawn, at most, in times a second.
const DRAWN: u8 = 20;

/// On a terminal with fewer columns, only numbers and words are shown.
const ROOM_FOR_A_BAR: usize = 80;

/// A line that shows what is waited for, until it is dropped.
pub(crate) struct WaitingLine(ProgressBar);

impl WaitingLine {
    pub(super) fn new() -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(OneLine::on_stderr()), DRAWN);
        let style = ProgressStyle::with_template("{msg}");
        let bar = ProgressBar::with_draw_target(None, target);
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    pub(crate) fn show(&self, text: &str) {
        self.0.set_message(neutral(text));
        self.0.tick();
    }
}

impl Drop for WaitingLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar that counts changes. The lines of events scroll above it.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// When the wait for lost calls ends.
    fence: Arc<Mutex<Option<Instant>>>,
}

impl Progress {
    pub(crate) fn new(changes: usize, columns: usize) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(u64::try_from(changes).unwrap_or(u64::MAX)),
            ProgressDrawTarget::term_like_with_hz(Box::new(OneLine::on_stderr()), DRAWN),
        );
        let fence = Arc::new(Mutex::new(None::<Instant>));
        // The numbers first: what does not fit is cut at the end.
        let template = if columns < ROOM_FOR_A_BAR {
            "{pos}/{len} changes{outlook}"
        } else {
            "{pos}/{len} changes{outlook} {bar:30}"
        };
        let until = Arc::clone(&fence);
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key(
                "outlook",
                move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                    let until = *until.lock().unwrap_or_else(PoisonError::into_inner);
                    let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
                    // A bar that can't be drawn is no error.
                    let _ = out.write_str(&outlook(state.per_sec(), state.eta(), wait));
                },
            );
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, fence }
    }

    /// Shows an event with this text.
    pub(crate) fn event(&self, event: &Event, text: Option<String>) {
        match event {
            // The bar shows that changes are under way.
            Event::Started {
                address: _,
                action: _,
                calls: _,
            } => return,
            Event::Completed { .. }
            | Event::Failed { .. }
            | Event::Unknown { .. }
            | Event::NotAttempted { .. } => {
                self.bar.inc(1);
            }
            Event::FenceWait {
                address: _,
                until: _,
                seconds,
            } => self.wait(Duration::from_secs(*seconds)),
            Event::Retrying { .. }
            | Event::Throttled { .. }
            | Event::Drifted { .. }
            | Event::ClockOffset { .. }
            | Event::AccountStopped { .. }
            | Event::Interrupted { .. } => {}
        }
        if let Some(text) = text {
            self.bar.suspend(|| {
                // A closed terminal is no error.
                drop(writeln!(io::stderr(), "{}", neutral(&text)));
            });
        }
    }

    /// Counts down this wait, unless another one ends later.
    fn wait(&self, wait: Duration) {
        let until = Instant::now().checked_add(wait);
        let mut fence = self.fence.lock().unwrap_or_else(PoisonError::into_inner);
        *fence = (*fence).max(until);
    }

    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// What follows the counts: the rate and the time left, or the wait for a lost call.
fn outlook(per_second: f64, left: Duration, wait: Option<Duration>) -> String {
    let mut text = String::new();
    // A lower rate is rounded to 0, and gives no estimate.
    let moving = per_second >= 0.05;
    if moving {
        // Writing to a String does not fail.
        let _ = write!(text, ", {}/s", render::tenths(per_second));
    }
    // Rounded up, so that the last second is shown and 0 s is not.
    let up = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
    match wait.map(up) {
        Some(wait @ 1..) => {
            let _ = write!(text, ", waiting {} for a lost call", render::span(wait));
        }
        Some(0) | None if moving && !left.is_zero() => {
            let _ = write!(text, ", about {} left", render::span(up(left)));
        }
        Some(0) | None => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn nothing_is_estimated_before_the_first_change() {
        assert_eq!(outlook(0.0, Duration::ZERO, None), "");
        assert_eq!(outlook(0.01, seconds(9_000), None), "");
    }

    #[test]
    fn the_rate_is_rounded() {
        assert_eq!(
            outlook(3.5237, Duration::from_millis(2_100), None),
            ", 3.5/s, about 3 s left"
        );
        assert_eq!(
            outlook(19.98, seconds(95), None),
            ", 20/s, about 1 min 35 s left"
        );
        assert_eq!(outlook(20.0, Duration::ZERO, None), ", 20/s");
    }

    #[test]
    fn a_wait_is_counted_down_and_then_forgotten() {
        let wait = |milliseconds| Some(Duration::from_millis(milliseconds));
        assert_eq!(
            outlook(0.0, Duration::ZERO, wait(251_200)),
            ", waiting 4 min 12 s for a lost call"
        );
        assert_eq!(
            outlook(20.0, seconds(3), wait(200)),
            ", 20/s, waiting 1 s for a lost call"
        );
        assert_eq!(outlook(20.0, seconds(3), wait(0)), ", 20/s, about 3 s left");
    }
}
