//! The metrics that only a controller has, in Prometheus' text format. Those of its last run have the names of
//! `apply --metrics-file`.

use super::board::Totals;
use super::status::{Condition, Status};
use crate::exposition::{Exposition, Kind};
use crate::notify::Deliveries;

/// With more organizations, only counts are given.
const MOST_ORGANIZATIONS: usize = 1000;

/// What the status says, and what was counted since the start.
pub fn metrics_text(status: &Status, totals: &Totals) -> String {
    let mut out = Exposition::new(status.environment);
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
        out.family((name, Kind::Counter, help), [([], value)]);
    }
    let outcomes = [
        ("added", added),
        ("changed", changed),
        ("destroyed", destroyed),
        ("failed", failed),
    ];
    let outcomes = outcomes.map(|(outcome, value)| ([("outcome", outcome)], value));
    out.family(
        (
            "changes_total",
            Kind::Counter,
            "Changes since the start, by outcome.",
        ),
        outcomes,
    );
    out.gauge(
        "ready",
        "Whether a plan was made, and the state could be read in the last round.",
        u64::from(status.ready),
    );
    out.gauge("problems", "Problems that last.", status.problems.len());
    out.gauge(
        "plan_waiting",
        "Whether a plan waits for an approval or for other files.",
        u64::from(status.waiting.is_some()),
    );
    out.gauge(
        "suspended",
        "Whether a suspension holds, so that no calls are made.",
        u64::from(status.suspended.is_some()),
    );
    out.gauge(
        "files_unusable",
        "Files that are not in force.",
        status.files.unusable.len(),
    );
    if let Some(at) = status.last_round {
        out.gauge(
            "last_round_timestamp_seconds",
            "When the last round ended.",
            at.0.unsigned_abs(),
        );
    }
    pending(&mut out, status);
    conditions(&mut out, status);
    notifications(&mut out, &status.notifications);
    out.into_text()
}

fn pending(out: &mut Exposition, status: &Status) {
    if let Some(pending) = status.pending {
        let pending = [
            ("add", pending.add),
            ("replace", pending.replace),
            ("delete", pending.delete),
            ("finish", pending.finish),
            ("heal", pending.heal),
        ];
        let pending = pending.map(|(action, count)| ([("action", action)], count));
        out.family(
            (
                "pending_changes",
                Kind::Gauge,
                "Changes of the last plan that are not done.",
            ),
            pending,
        );
    }
}

fn conditions(out: &mut Exposition, status: &Status) {
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
        ([("condition", word)], count.count())
    });
    out.family(
        ("organizations", Kind::Gauge, "Organizations, by condition: as declared, suspended, with changes under way, or with changes that wait or failed."),
        counts,
    );
    if organizations.len() > MOST_ORGANIZATIONS {
        return;
    }
    let stalled = organizations.iter().map(|one| {
        let handle = one.handle.as_str();
        (
            [("organization", handle)],
            u64::from(one.condition == Condition::Stalled),
        )
    });
    out.family(
        (
            "organization_stalled",
            Kind::Gauge,
            "Whether changes of an organization wait or failed.",
        ),
        stalled,
    );
}

/// By name: a host may be one that not everybody should know.
fn notifications(out: &mut Exposition, targets: &[Deliveries]) {
    if targets.is_empty() {
        return;
    }
    let outcomes = targets.iter().flat_map(|target| {
        [
            ("sent", target.sent),
            ("failed", target.failed),
            ("dropped", target.dropped),
        ]
        .map(|(outcome, count)| {
            let [service, name] = labels(target);
            ([service, name, ("outcome", outcome)], count)
        })
    });
    out.family(
        (
            "notifications_total",
            Kind::Counter,
            "Messages since the start that were taken or given up, and notices that were dropped.",
        ),
        outcomes,
    );
    let waiting = targets
        .iter()
        .map(|target| (labels(target), target.waiting));
    out.family(
        ("notifications_waiting", Kind::Gauge, "Notices that wait."),
        waiting,
    );
}

fn labels(target: &Deliveries) -> [(&'static str, &str); 2] {
    [("service", target.service.id()), ("target", &target.name)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::{Board, Organization};
    use crate::model::{Environment, Handle, Holdings};
    use crate::notify::Service;
    use insta::assert_snapshot;

    fn target(name: &str) -> Deliveries {
        Deliveries {
            name: name.to_owned(),
            service: Service::Wecom,
            host: "canary.example".to_owned(),
            sent: name.len() as u64,
            failed: 1,
            dropped: 0,
            waiting: 2,
            last_sent: None,
            problem: None,
            repeated_until: None,
            given_up: None,
        }
    }

    #[test]
    fn they_say_what_the_status_says() {
        let board = Board::new("1", String::new());
        board.update(|status| {
            status.environment = Some(Environment::Test);
            status.ready = true;
            status.organizations = vec![Organization {
                handle: Handle::new("a\"b\\c\nd"),
                condition: Condition::Stalled,
                callbacks: Holdings::default(),
                pending: 1,
                waits_for: Vec::new(),
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
        board.update(|status| {
            status.notifications = ["wecom", "wecom 2"].map(target).to_vec();
        });
        let text = metrics_text(&board.status(), &totals);
        let samples = text
            .lines()
            .filter(|line| line.starts_with("ess_callbacks_notif"));
        assert_snapshot!(samples.collect::<Vec<_>>().join("\n"), @r#"
        ess_callbacks_notifications_total{environment="test",service="wecom",target="wecom",outcome="sent"} 5
        ess_callbacks_notifications_total{environment="test",service="wecom",target="wecom",outcome="failed"} 1
        ess_callbacks_notifications_total{environment="test",service="wecom",target="wecom",outcome="dropped"} 0
        ess_callbacks_notifications_total{environment="test",service="wecom",target="wecom 2",outcome="sent"} 7
        ess_callbacks_notifications_total{environment="test",service="wecom",target="wecom 2",outcome="failed"} 1
        ess_callbacks_notifications_total{environment="test",service="wecom",target="wecom 2",outcome="dropped"} 0
        ess_callbacks_notifications_waiting{environment="test",service="wecom",target="wecom"} 2
        ess_callbacks_notifications_waiting{environment="test",service="wecom",target="wecom 2"} 2
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
