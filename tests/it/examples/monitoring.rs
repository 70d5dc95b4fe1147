//! Alerts and dashboards are about metrics that exist: about another one they would show nothing and
//! never fire.

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;
use serde_json::Value;

use super::controller::Controller;
use super::{machine, root, yaml_files};
use crate::support::{KEY, configuration, eventually};

/// What an apply writes, and what a controller serves after it.
fn metrics() -> String {
    let mut env = machine();
    let acme = configuration(&[("acme", &["https://hooks.example/one"])]);
    env.write("callbacks.yaml", acme);
    env.set("KEY", KEY);
    let apply = [
        "--sandbox",
        "apply",
        "--auto-approve",
        "--metrics-file",
        "esign.prom",
    ];
    env.run(&apply).exits(0);
    let controller = Controller::start(
        &env,
        &["--sandbox", "controller", "--listen", "127.0.0.1:0"],
    );
    let last = "ess_callbacks_last_round_timestamp_seconds";
    let served = eventually("a round ends", || {
        let metrics = controller.answers("/metrics");
        metrics.contains(last).then_some(metrics)
    });
    controller.stop();
    env.read("esign.prom") + &served
}

/// The metrics that a query names; panics at a metric, a label or a value that is never written.
fn names(query: &str, metrics: &str) -> BTreeSet<String> {
    let selector = Regex::new(r"(ess_callbacks_[a-z_]+)(?:\{([^}]*)\})?").unwrap();
    let mut found = BTreeSet::new();
    for parts in selector.captures_iter(query) {
        let name = &parts[1];
        let samples: Vec<&str> = metrics
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")))
            .collect();
        assert!(!samples.is_empty(), "nobody writes {name}: {query}");
        for label in parts
            .get(2)
            .map_or("", |labels| labels.as_str())
            .split(',')
            .filter(|label| !label.is_empty())
        {
            let (key, value) = label.split_once('=').unwrap();
            let shown = match value.strip_prefix('~') {
                // A variable of the dashboard.
                Some(_) => format!("{key}=\""),
                None => label.to_owned(),
            };
            assert!(
                samples.iter().any(|sample| sample.contains(&shown)),
                "{name} has no {label}: {query}"
            );
        }
        found.insert(name.to_owned());
    }
    found
}

/// Every text below a key of this name.
fn texts<'a>(value: &'a Value, key: &str, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if name == key {
                    into.extend(value.as_str());
                }
                texts(value, key, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn alerts_are_about_metrics_that_exist() {
    let metrics = metrics();
    let files = yaml_files();
    let (_, alerts) = files
        .iter()
        .find(|file| file.0.ends_with("alerts.yml"))
        .unwrap();
    let mut queries = Vec::new();
    texts(alerts, "expr", &mut queries);
    let named: BTreeSet<String> = queries
        .iter()
        .flat_map(|query| names(query, &metrics))
        .collect();
    assert!(queries.len() >= 15 && named.len() >= 13, "{named:?}");
}

#[test]
fn the_dashboard_shows_every_metric_there_is() {
    let metrics = metrics();
    let text = fs::read_to_string(root().join("examples/grafana/ess-callbacks.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    texts(&dashboard, "expr", &mut queries);
    texts(&dashboard, "definition", &mut queries);
    let shown: BTreeSet<String> = queries
        .iter()
        .flat_map(|query| names(query, &metrics))
        .collect();
    let mut all: BTreeSet<String> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, _)| name.to_owned())
        .collect();
    // The last success is what matters; a run that fails is shown by its exit code.
    assert!(all.remove("ess_callbacks_last_run_timestamp_seconds"));
    assert_eq!(shown, all);
}

/// Grafana draws panels over each other without a word.
#[test]
fn panels_of_the_dashboard_do_not_overlap() {
    let text = fs::read_to_string(root().join("examples/grafana/ess-callbacks.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(at("x") + at("w") <= 24, "{panel}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(cells.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}
