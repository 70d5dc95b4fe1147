//! The metrics that only a controller has, in Prometheus' text format. Those of its last run have the names of
//! `apply --metrics-file`.

use std::fmt::{self, Write as _};

use super::board::Totals;
use super::status::{Condition, Status};

/// With more organizations, only counts are given.
const MOST_ORGANIZATIONS: usize = 1000;

/// What the status says, and what was counted since the start.
pub fn metrics_text(status: &Status, totals: &Totals) -> String {
    let environment = status
        .environment
        .map(|environment| environment.to_string());
    let mut out = Families {
        text: String::new(),
        environment,
    };
    let Totals {
        rounds,
        runs,
        calls,
        throttled,
        added,
        changed,
        destroyed,
        failed,
        drifted,
    } = *totals;
    for (name, help, value) in [
        ("rounds_total", "Rounds since the start.", rounds),
        ("runs_total", "Runs that made calls since the start.", runs),
        ("calls_total", "Calls since the start.", calls),
        (
            "throttled_total",
            "Calls since the start that were refused for the rate limit.",
            throttled,
        ),
        (
            "drift_total",
            "Callbacks since the start that were not as recorded.",
            drifted,
        ),
    ] {
        out.family((name, "counter", help), [(vec![], value)]);
    }
    let outcomes = [
        ("added", added),
        ("changed", changed),
        ("destroyed", destroyed),
        ("failed", failed),
    ];
    let outcomes = outcomes.map(|(outcome, value)| (vec![("outcome", outcome)], value));
    out.family(
        (
            "changes_total",
            "counter",
            "Changes since the start, by outcome.",
        ),
        outcomes,
    );
    out.one(
        "ready",
        "Whether the state could be read in the last round.",
        u64::from(status.ready),
    );
    out.one(
        "problems",
        "Problems that last.",
        status.problems.len() as u64,
    );
    out.one(
        "plan_waiting",
        "Whether a plan waits for somebody.",
        u64::from(status.waiting.is_some()),
    );
    out.one(
        "suspended",
        "Whether no calls are made.",
        u64::from(status.suspended.is_some()),
    );
    out.one(
        "files_unusable",
        "Files that are not in force.",
        status.files.unusable.len() as u64,
    );
    if let Some(at) = status.last_round {
        out.one(
            "last_round_timestamp_seconds",
            "When the last round ended.",
            at.0.unsigned_abs(),
        );
    }
    out.pending(status);
    out.conditions(status);
    out.text
}

struct Families {
    text: String,
    environment: Option<String>,
}

impl Families {
    fn one(&mut self, name: &str, help: &str, value: u64) {
        self.family((name, "gauge", help), [(vec![], value)]);
    }

    fn pending(&mut self, status: &Status) {
        if let Some(pending) = status.pending {
            let pending = [
                ("add", pending.add),
                ("replace", pending.replace),
                ("delete", pending.delete),
                ("finish", pending.finish),
                ("heal", pending.heal),
            ];
            let pending = pending.map(|(action, count)| (vec![("action", action)], count as u64));
            self.family(
                (
                    "pending_changes",
                    "gauge",
                    "Changes of the last plan that are not done.",
                ),
                pending,
            );
        }
    }

    fn conditions(&mut self, status: &Status) {
        let all = [
            ("ready", Condition::Ready),
            ("suspended", Condition::Suspended),
            ("reconciling", Condition::Reconciling),
            ("stalled", Condition::Stalled),
        ];
        let organizations = &status.organizations;
        let counts = all.map(|(word, condition)| {
            let count = organizations
                .iter()
                .filter(|one| one.condition == condition);
            (vec![("condition", word)], count.count() as u64)
        });
        self.family(
            ("organizations", "gauge", "Organizations, by condition."),
            counts,
        );
        if organizations.len() > MOST_ORGANIZATIONS {
            return;
        }
        let stalled = organizations.iter().map(|one| {
            let handle = one.handle.as_str();
            (
                vec![("organization", handle)],
                u64::from(one.condition == Condition::Stalled),
            )
        });
        self.family(
            (
                "organization_stalled",
                "gauge",
                "Whether changes of an organization wait or failed.",
            ),
            stalled,
        );
    }

    fn family<'a>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        samples: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, u64)>,
    ) {
        let Self { text, environment } = self;
        let environment = environment.as_deref().map(|it| ("environment", it));
        let write = || -> fmt::Result {
            writeln!(text, "# HELP ess_callbacks_{name} {help}")?;
            writeln!(text, "# TYPE ess_callbacks_{name} {kind}")?;
            for (labels, value) in samples {
                write!(text, "ess_callbacks_{name}")?;
                let labels = environment.into_iter().chain(labels);
                let labels: Vec<_> = labels
                    .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                    .collect();
                if !labels.is_empty() {
                    write!(text, "{{{}}}", labels.join(","))?;
                }
                writeln!(text, " {value}")?;
            }
            Ok(())
        };
        write().expect("memory takes everything");
    }
}

/// As the format asks for in the value of a label.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::{Board, Counts, Organization};
    use crate::model::{Environment, Handle};
    use insta::assert_snapshot;

    #[test]
    fn they_say_what_the_status_says() {
        let board = Board::new("1", String::new());
        board.update(|status| {
            status.environment = Some(Environment::Test);
            status.ready = true;
            status.organizations = vec![Organization {
                handle: Handle::new("a\"b\\c\nd"),
                condition: Condition::Stalled,
                callbacks: Counts::default(),
                pending: 1,
            }];
        });
        let totals = Totals {
            calls: 7,
            ..Totals::default()
        };
        let text = metrics_text(&board.status(), &totals);
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_snapshot!(samples.join("\n"), @r#"
        ess_callbacks_rounds_total{environment="test"} 0
        ess_callbacks_runs_total{environment="test"} 0
        ess_callbacks_calls_total{environment="test"} 7
        ess_callbacks_throttled_total{environment="test"} 0
        ess_callbacks_drift_total{environment="test"} 0
        ess_callbacks_changes_total{environment="test",outcome="added"} 0
        ess_callbacks_changes_total{environment="test",outcome="changed"} 0
        ess_callbacks_changes_total{environment="test",outcome="destroyed"} 0
        ess_callbacks_changes_total{environment="test",outcome="failed"} 0
        ess_callbacks_ready{environment="test"} 1
        ess_callbacks_problems{environment="test"} 0
        ess_callbacks_plan_waiting{environment="test"} 0
        ess_callbacks_suspended{environment="test"} 0
        ess_callbacks_files_unusable{environment="test"} 0
        ess_callbacks_organizations{environment="test",condition="ready"} 0
        ess_callbacks_organizations{environment="test",condition="suspended"} 0
        ess_callbacks_organizations{environment="test",condition="reconciling"} 0
        ess_callbacks_organizations{environment="test",condition="stalled"} 1
        ess_callbacks_organization_stalled{environment="test",organization="a\"b\\c\nd"} 1
        "#);
        // Every family has its two lines, and no name comes twice.
        let names: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
            .collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), distinct.len());
    }
}
