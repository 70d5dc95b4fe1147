//! The end of an apply as JSON.

use serde::Serialize;

use super::{headline, is_complete};
use crate::facts::{DriftWord, ErrorJson, ResourceJson, WhyJson};
use crate::model::{Action, HowUnfinished, Report, Tally, Timestamp, Unfinished};
use crate::render::json_line::{Level, line};

/// The end of an apply as one JSON line, of type `apply_report`.
pub fn report_json(report: &Report, at: Timestamp) -> String {
    let level = if is_complete(report) {
        Level::Info
    } else {
        Level::Error
    };
    line(
        (level, "apply_report"),
        &headline(report),
        at,
        ReportPayload {
            report: ReportJson::from(report),
        },
    )
}

#[derive(Serialize)]
struct ReportPayload<'a> {
    report: ReportJson<'a>,
}

#[derive(Serialize)]
struct ReportJson<'a> {
    complete: bool,
    added: usize,
    changed: usize,
    destroyed: usize,
    failed: usize,
    unknown: usize,
    not_attempted: usize,
    calls: usize,
    throttled: usize,
    interrupted: bool,
    fenced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_error: Option<&'a str>,
    unfinished: Vec<UnfinishedJson<'a>>,
    drifted: Vec<DriftJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    were_there: Vec<ResourceJson<'a>>,
}

#[derive(Serialize)]
struct UnfinishedJson<'a> {
    resource: ResourceJson<'a>,
    action: Action,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<WhyJson<'a>>,
}

#[derive(Serialize)]
struct DriftJson<'a> {
    resource: ResourceJson<'a>,
    drift: DriftWord,
}

impl<'a> From<&'a Report> for ReportJson<'a> {
    fn from(report: &'a Report) -> Self {
        let Report {
            tally,
            unfinished,
            drifted,
            were_there,
            calls,
            throttled,
            interrupted,
            fenced,
            journal_error,
        } = report;
        let Tally {
            added,
            changed,
            destroyed,
            failed,
            unknown,
            not_attempted,
        } = *tally;
        Self {
            complete: is_complete(report),
            added,
            changed,
            destroyed,
            failed,
            unknown,
            not_attempted,
            calls: *calls,
            throttled: *throttled,
            interrupted: *interrupted,
            fenced: *fenced,
            journal_error: journal_error.as_deref(),
            unfinished: unfinished.iter().map(UnfinishedJson::from).collect(),
            drifted: drifted
                .iter()
                .map(|(address, drift)| DriftJson {
                    resource: ResourceJson::from(address),
                    drift: DriftWord::from(*drift),
                })
                .collect(),
            were_there: were_there.iter().map(ResourceJson::from).collect(),
        }
    }
}

impl<'a> From<&'a Unfinished> for UnfinishedJson<'a> {
    fn from(unfinished: &'a Unfinished) -> Self {
        let Unfinished {
            address,
            action,
            how,
        } = unfinished;
        let (outcome, error, why) = match how {
            HowUnfinished::Failed(error) => ("failed", Some(error), None),
            HowUnfinished::Unknown(error) => ("unknown", Some(error), None),
            HowUnfinished::NotAttempted(why) => ("not_attempted", None, Some(why)),
        };
        Self {
            resource: ResourceJson::from(address),
            action: *action,
            outcome,
            error: error.map(ErrorJson::from),
            why: why.map(WhyJson::from),
        }
    }
}
