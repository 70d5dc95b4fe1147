//! The log of a program that keeps running: lines that any task can write, beside the [`super::Ui`].

use std::fmt;

use super::outlet::Lines;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::harmless::neutral;
use crate::render::{self, Clean};

/// How much of a line the time takes: `21:16:35 `.
pub(super) const TIME: usize = 9;

/// Clones write to the same place.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    lines: Lines,
    json: bool,
}

impl Log {
    pub(super) const fn new(lines: Lines, json: bool) -> Self {
        Self { lines, json }
    }

    /// Writes a line, as text or as an event. Never waits.
    pub(crate) fn say(&self, text: fmt::Arguments<'_>) {
        let line = if self.json {
            render::log_json(&text.to_string(), SystemClock.now())
        } else {
            neutral(&Clean(text).to_string())
        };
        // Without a reader there is no log.
        drop(self.lines.send(format!("{line}\n").into_bytes()));
    }
}
