//! What the server answers.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harmless;

/// What is answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) body: String,
    /// The method that the path takes, when it was another.
    pub(super) allow: Option<&'static str>,
}

impl Answer {
    pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Self {
        let mut body = Vec::new();
        value
            .serialize(&mut serde_json::Serializer::with_formatter(
                &mut body,
                harmless::Json,
            ))
            .expect("names, numbers and times are always JSON");
        body.push(b'\n');
        Self {
            status,
            kind: "application/json",
            body: String::from_utf8(body).expect("JSON is UTF-8"),
            allow: None,
        }
    }

    pub(super) fn error(status: StatusCode, error: &str, advice: Option<&str>) -> Self {
        let mut value = json!({ "error": error });
        if let Some(advice) = advice {
            value["advice"] = Value::String(advice.to_owned());
        }
        Self::json(status, &value)
    }

    pub(super) fn text(status: StatusCode, kind: &'static str, body: String) -> Self {
        Self {
            status,
            kind,
            body,
            allow: None,
        }
    }
}
