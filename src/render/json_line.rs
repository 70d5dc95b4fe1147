//! One line of JSON: the common members and the payload.

use serde::Serialize;

use crate::harmless;
use crate::model::Timestamp;

/// The severity of a line.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Info,
    Warn,
    Error,
}

/// The members that every line begins with.
#[derive(Serialize)]
struct Line<'a, P> {
    #[serde(rename = "@level")]
    level: Level,
    #[serde(rename = "@message")]
    message: &'a str,
    #[serde(rename = "@module")]
    module: &'static str,
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(flatten)]
    payload: P,
}

/// One line, without a line end.
pub(super) fn line(
    (level, kind): (Level, &str),
    message: &str,
    timestamp: Timestamp,
    payload: impl Serialize,
) -> String {
    let mut bytes = Vec::new();
    Line {
        level,
        message,
        module: "ess-callbacks",
        timestamp,
        kind,
        payload,
    }
    .serialize(&mut serde_json::Serializer::with_formatter(
        &mut bytes,
        harmless::Json,
    ))
    .expect("names, numbers and times are always JSON");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}
