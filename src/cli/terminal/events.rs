//! The events of an apply: their text, the progress bar, and what is under way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Ui;
use super::progress::Progress;
use crate::apply::{Sink, WallClock as _};
use crate::cli::clock::SystemClock;
use crate::model::Event;
use crate::render::{self, Style};

impl Ui {
    /// What to print when the program ends in the middle of an apply: which changes stay open.
    pub(crate) fn open_changes(&self) -> impl Fn() -> String + Send + use<> {
        let under_way = Arc::clone(&self.under_way);
        move || match under_way.load(Ordering::Relaxed) {
            0 => "No change was under way.".to_owned(),
            some => format!(
                "{} under way. The state records a call without an answer as open, and the next apply settles it.",
                render::counted(some, "change was", "changes were")
            ),
        }
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::Started { address, .. } => {
                self.begun_changes.insert(address.clone());
            }
            Event::Completed { address, .. }
            | Event::Failed { address, .. }
            | Event::Unknown { address, .. }
            | Event::NotAttempted { address, .. } => {
                self.begun_changes.remove(address);
            }
            Event::Retrying { .. }
            | Event::Throttled { .. }
            | Event::FenceWait { .. }
            | Event::Drifted { .. }
            | Event::ClockOffset { .. }
            | Event::AccountStopped { .. }
            | Event::Interrupted { .. } => return,
        }
        self.under_way
            .store(self.begun_changes.len(), Ordering::Relaxed);
    }

    /// Shows a progress bar for this many changes, on a terminal.
    pub(crate) fn start_progress(&mut self, changes: usize) {
        if !self.json && !self.quiet && self.out.terminal && self.err.terminal {
            self.progress = Some(Progress::new(changes, self.err.style.width));
        }
    }

    pub(crate) fn finish_progress(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
    }
}

impl Sink for Ui {
    fn event(&mut self, event: Event) {
        self.count(&event);
        let now = SystemClock.now();
        if self.json || self.into.is_some() {
            self.json_line(&render::event_json(&event, now));
            self.flush();
        }
        if self.json || self.quiet {
            return;
        }
        let style = Style {
            now,
            ..self.out.style
        };
        let text = self.fold.text(&event, render::event_text(&event, &style));
        if let Some(progress) = &mut self.progress {
            progress.event(&event, text);
        } else if let Some(text) = text {
            if matches!(event, Event::Interrupted { .. }) {
                self.note(format_args!("{text}"));
            } else {
                self.out.write(format_args!("{text}\n"));
                self.out.flush();
            }
        }
    }
}
