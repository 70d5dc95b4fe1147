//! `--metrics-file`: the result of a run, for Prometheus.

use std::io;
use std::path::Path;
use std::time::Instant;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Exit;
use crate::cli::written::{self, Readers};
use crate::model::{Action, Environment, Holdings, Report};
use crate::plan::Plan;
use crate::render::{Metrics, last_environment, last_success, metrics_text};

/// The values of a run, collected until its end.
#[derive(Debug)]
pub(crate) struct Told {
    begun: Instant,
    pub(crate) environment: Option<Environment>,
    report: Option<Report>,
    healed: usize,
    pub(crate) recorded: Option<Holdings>,
}

impl Told {
    pub(crate) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            environment: None,
            report: None,
            healed: 0,
            recorded: None,
        }
    }

    /// Adds the result of plans that heal nothing.
    pub(crate) fn made(&mut self, report: Report) {
        self.report = Some(report);
    }

    /// Adds the result of a plan.
    pub(crate) fn report(&mut self, plan: &Plan, report: Report) {
        let unfinished = report.unfinished.iter();
        let heals = unfinished.filter(|one| one.action == Action::Heal).count();
        self.healed = plan.summary.heal.saturating_sub(heals);
        self.report = Some(report);
    }

    /// Writes the file completely or not at all, readable by all users: the collector is another user.
    pub(crate) fn write(self, path: &Path, exit: Exit) -> io::Result<()> {
        let Self {
            begun,
            environment,
            report,
            healed,
            recorded,
        } = self;
        let now = SystemClock.now();
        // Reading a stream could block.
        let earlier = if written::is_stream(path) {
            String::new()
        } else {
            std::fs::read_to_string(path).unwrap_or_default()
        };
        let text = metrics_text(&Metrics {
            version: env!("CARGO_PKG_VERSION"),
            at: now,
            elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            exit_code: exit.code(),
            last_success: if exit == Exit::Done {
                Some(now)
            } else {
                last_success(&earlier)
            },
            environment: environment.or_else(|| last_environment(&earlier)),
            report,
            healed,
            recorded,
        });
        written::write(path, Readers::All, |out| out.write_all(text.as_bytes()))
    }
}
