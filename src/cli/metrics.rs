//! `apply --metrics-file`: what became of a run, for Prometheus.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use super::exit::Exit;
use super::ui::SystemClock;
use crate::apply::WallClock as _;
use crate::model::{Action, Environment, Report};
use crate::plan::Plan;
use crate::render::{Holdings, Metrics, last_environment, last_success, metrics_text};

/// What is learnt while a run goes on, however it ends.
#[derive(Debug)]
pub(super) struct Told {
    begun: Instant,
    pub(super) environment: Option<Environment>,
    report: Option<Report>,
    healed: usize,
    pub(super) recorded: Option<Holdings>,
}

impl Told {
    pub(super) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            environment: None,
            report: None,
            healed: 0,
            recorded: None,
        }
    }

    /// What became of a plan.
    pub(super) fn report(&mut self, plan: &Plan, report: Report) {
        let unfinished = report.unfinished.iter();
        let heals = unfinished.filter(|one| one.action == Action::Heal).count();
        self.healed = plan.summary.heal.saturating_sub(heals);
        self.report = Some(report);
    }

    /// Writes the file whole or not at all, readable by all: the collector is another user.
    pub(super) fn write(self, path: &Path, exit: Exit) -> io::Result<()> {
        let Self {
            begun,
            environment,
            report,
            healed,
            recorded,
        } = self;
        let now = SystemClock.now();
        let earlier = std::fs::read_to_string(path).unwrap_or_default();
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
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        // Not *.prom, so that the collector does not read it half written.
        let mut file = tempfile::Builder::new()
            .prefix(".ess-callbacks-")
            .suffix(".tmp")
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        readable_by_all(file.as_file())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(unix)]
fn readable_by_all(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}
