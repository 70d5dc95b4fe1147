//! The metrics of an apply in Prometheus' text format, for the node exporter's textfile collector.

use crate::exposition::{Exposition, Kind};
use crate::model::{Drift, Environment, Holdings, Report, Tally, Timestamp};

/// The series that [`last_success`] reads.
const LAST_SUCCESS: &str = "ess_callbacks_last_success_timestamp_seconds";

/// The metrics of an apply. Unknown ones are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    pub version: &'static str,
    /// When the run ended.
    pub at: Timestamp,
    /// The duration of the run.
    pub elapsed_ms: u64,
    pub exit_code: u8,
    /// The end of the last run with exit code 0, including this one.
    pub last_success: Option<Timestamp>,
    /// `None` if the configuration could not be read.
    pub environment: Option<Environment>,
    /// `None` if the run ended before it applied a plan.
    pub report: Option<Report>,
    pub healed: usize,
    /// The counts of the state at the end.
    pub recorded: Option<Holdings>,
}

/// The last success in the metrics of an earlier run.
pub fn last_success(text: &str) -> Option<Timestamp> {
    let line = text.lines().find(|line| line.starts_with(LAST_SUCCESS))?;
    let value: i64 = line.rsplit(' ').next()?.parse().ok()?;
    Some(Timestamp(value))
}

/// The environment in the metrics of an earlier run, for a run that can't read its configuration: without the
/// label its series would be different ones.
pub fn last_environment(text: &str) -> Option<Environment> {
    let mut all = [Environment::Production, Environment::Test].into_iter();
    all.find(|environment| text.contains(&format!("environment=\"{environment}\"")))
}

pub fn metrics_text(metrics: &Metrics) -> String {
    let mut out = Exposition::new(metrics.environment);
    let Metrics {
        version,
        at,
        elapsed_ms,
        exit_code,
        last_success,
        environment: _,
        report,
        healed,
        recorded,
    } = metrics;
    out.family(
        ("info", Kind::Gauge, "Version of the program."),
        [([("version", *version)], 1)],
    );
    out.gauge(
        "last_run_timestamp_seconds",
        "When the last apply ended.",
        at.0,
    );
    if let Some(success) = last_success {
        out.gauge(
            "last_success_timestamp_seconds",
            "When the last apply that exited with 0 ended.",
            success.0,
        );
    }
    out.gauge(
        "last_run_exit_code",
        "Exit code of the last apply.",
        exit_code,
    );
    let seconds = format!("{}.{:03}", elapsed_ms / 1000, elapsed_ms % 1000);
    out.gauge(
        "last_run_duration_seconds",
        "How long the last apply took.",
        seconds,
    );
    if let Some(report) = report {
        of_report(&mut out, report, *healed);
    }
    if let Some(holdings) = recorded {
        of_holdings(&mut out, *holdings);
    }
    out.into_text()
}

fn of_report(out: &mut Exposition, report: &Report, healed: usize) {
    let Report {
        tally,
        unfinished: _,
        drifted,
        were_there: _,
        calls,
        throttled,
        interrupted: _,
        fenced: _,
        journal_error: _,
    } = report;
    let Tally {
        added,
        changed,
        destroyed,
        failed,
        unknown,
        not_attempted,
    } = *tally;
    out.family(
        (
            "last_run_changes",
            Kind::Gauge,
            "Callbacks of the last apply, by outcome.",
        ),
        [
            ([("outcome", "added")], added),
            ([("outcome", "changed")], changed),
            ([("outcome", "destroyed")], destroyed),
            ([("outcome", "failed")], failed),
            ([("outcome", "unknown")], unknown),
            ([("outcome", "not_attempted")], not_attempted),
        ],
    );
    out.gauge(
        "last_run_healed",
        "Callbacks that the last apply added again to heal them.",
        healed,
    );
    let drift = |kind| drifted.iter().filter(|(_, drift)| *drift == kind).count();
    out.family(
        (
            "last_run_drift",
            Kind::Gauge,
            "Callbacks that the last apply found not to be as recorded.",
        ),
        [
            ([("kind", "was_gone")], drift(Drift::WasGone)),
            ([("kind", "never_confirmed")], drift(Drift::NeverConfirmed)),
            ([("kind", "was_there")], drift(Drift::WasThere)),
        ],
    );
    out.gauge("last_run_calls", "Calls that the last apply sent.", calls);
    out.gauge(
        "last_run_throttled",
        "Calls of the last apply that eSign refused for the rate limit.",
        throttled,
    );
}

fn of_holdings(out: &mut Exposition, holdings: Holdings) {
    let Holdings {
        proven,
        assumed,
        unknown,
        oldest_proof,
        missing,
    } = holdings;
    out.family(
        (
            "recorded",
            Kind::Gauge,
            "Recorded callbacks that may be present, by evidence.",
        ),
        [
            ([("evidence", "proven")], proven),
            ([("evidence", "assumed")], assumed),
            ([("evidence", "unknown")], unknown),
        ],
    );
    out.gauge(
        "missing",
        "Recorded callbacks that messages did not reach which went to others.",
        missing,
    );
    if let Some(at) = oldest_proof {
        out.gauge(
            "oldest_proof_timestamp_seconds",
            "When the callback with the oldest confirmation was confirmed.",
            at.0,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures::{NOW, address};

    fn failed_early() -> Metrics {
        Metrics {
            version: "0.1.0",
            at: NOW,
            elapsed_ms: 12,
            exit_code: 1,
            last_success: None,
            environment: None,
            report: None,
            healed: 0,
            recorded: None,
        }
    }

    #[test]
    fn everything_that_is_known() {
        let metrics = Metrics {
            elapsed_ms: 51_007,
            exit_code: 3,
            last_success: Some(NOW.plus(-3600)),
            environment: Some(Environment::Production),
            report: Some(Report {
                tally: Tally {
                    added: 1,
                    changed: 40,
                    failed: 1,
                    ..Tally::default()
                },
                drifted: vec![(address("acme", "https://a.example/cb"), Drift::WasGone)],
                calls: 42,
                throttled: 2,
                ..Report::default()
            }),
            healed: 39,
            recorded: Some(Holdings {
                proven: 40,
                assumed: 2,
                unknown: 1,
                oldest_proof: Some(NOW.plus(-90_000)),
                missing: 1,
            }),
            ..failed_early()
        };
        let text = metrics_text(&metrics);
        assert_eq!(last_success(&text), metrics.last_success);
        assert_eq!(last_environment(&text), metrics.environment);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        insta::assert_snapshot!(samples.join("\n"), @r#"
            ess_callbacks_info{environment="production",version="0.1.0"} 1
            ess_callbacks_last_run_timestamp_seconds{environment="production"} 1795435200
            ess_callbacks_last_success_timestamp_seconds{environment="production"} 1795431600
            ess_callbacks_last_run_exit_code{environment="production"} 3
            ess_callbacks_last_run_duration_seconds{environment="production"} 51.007
            ess_callbacks_last_run_changes{environment="production",outcome="added"} 1
            ess_callbacks_last_run_changes{environment="production",outcome="changed"} 40
            ess_callbacks_last_run_changes{environment="production",outcome="destroyed"} 0
            ess_callbacks_last_run_changes{environment="production",outcome="failed"} 1
            ess_callbacks_last_run_changes{environment="production",outcome="unknown"} 0
            ess_callbacks_last_run_changes{environment="production",outcome="not_attempted"} 0
            ess_callbacks_last_run_healed{environment="production"} 39
            ess_callbacks_last_run_drift{environment="production",kind="was_gone"} 1
            ess_callbacks_last_run_drift{environment="production",kind="never_confirmed"} 0
            ess_callbacks_last_run_drift{environment="production",kind="was_there"} 0
            ess_callbacks_last_run_calls{environment="production"} 42
            ess_callbacks_last_run_throttled{environment="production"} 2
            ess_callbacks_recorded{environment="production",evidence="proven"} 40
            ess_callbacks_recorded{environment="production",evidence="assumed"} 2
            ess_callbacks_recorded{environment="production",evidence="unknown"} 1
            ess_callbacks_missing{environment="production"} 1
            ess_callbacks_oldest_proof_timestamp_seconds{environment="production"} 1795345200
            "#);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let text = metrics_text(&failed_early());
        assert_eq!((last_success(&text), last_environment(&text)), (None, None));
        insta::assert_snapshot!(text, @r#"
        # HELP ess_callbacks_info Version of the program.
        # TYPE ess_callbacks_info gauge
        ess_callbacks_info{version="0.1.0"} 1
        # HELP ess_callbacks_last_run_timestamp_seconds When the last apply ended.
        # TYPE ess_callbacks_last_run_timestamp_seconds gauge
        ess_callbacks_last_run_timestamp_seconds 1795435200
        # HELP ess_callbacks_last_run_exit_code Exit code of the last apply.
        # TYPE ess_callbacks_last_run_exit_code gauge
        ess_callbacks_last_run_exit_code 1
        # HELP ess_callbacks_last_run_duration_seconds How long the last apply took.
        # TYPE ess_callbacks_last_run_duration_seconds gauge
        ess_callbacks_last_run_duration_seconds 0.012
        "#);
    }
}
