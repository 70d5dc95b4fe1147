//! The progress bar of an apply, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::Event;
use crate::render::{self, Style};

/// A bar that counts changes, with the lines of what happens scrolling above it.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn new(changes: usize) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(u64::try_from(changes).unwrap_or(u64::MAX)),
            ProgressDrawTarget::stderr(),
        );
        let template = "{bar:30} {pos}/{len} changes, {per_sec}, about {eta} left {msg}";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar }
    }

    pub(super) fn event(&self, event: &Event, style: &Style) {
        match event {
            // The bar shows that something is under way.
            Event::Started {
                address: _,
                action: _,
                steps: _,
            } => return,
            Event::Completed { .. }
            | Event::Failed { .. }
            | Event::Unknown { .. }
            | Event::NotAttempted { .. } => {
                self.bar.inc(1);
            }
            Event::FenceWait {
                address: _,
                until,
                seconds: _,
            } => {
                self.bar.set_message(format!(
                    "(waiting until {} UTC for a lost call)",
                    until.clock_time()
                ));
            }
            Event::Retrying { .. }
            | Event::Throttled { .. }
            | Event::Drifted { .. }
            | Event::ClockOffset { .. }
            | Event::AccountStopped { .. }
            | Event::Interrupted { .. } => {}
        }
        if let Some(text) = render::event_text(event, style) {
            self.bar.println(text);
        }
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
