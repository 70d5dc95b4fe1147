//! A receiver that speaks Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md):
//! a body with `type`, `timestamp` and `data`; any 2xx is success, 410 asks to stop, 429 and 5xx to come back later.

use serde_json::{Value, json};

use crate::notify::failure::{Answer, Failure};
use crate::notify::memory::{News, Notice};
use crate::notify::text;
use crate::notify::words::{self, Wording};

/// More lines than this are left out. The specification recommends at most 20 kB.
const MOST_LINES: usize = 100;
/// Of a line, in characters.
const LONGEST_LINE: usize = 500;
/// In bytes, for all lines.
const LONGEST: usize = 16_000;

pub(super) fn message(notices: &[Notice], wording: &Wording) -> Value {
    // One by one: see `Service::batch`.
    notices
        .first()
        .map_or(Value::Null, |notice| event(notice, wording))
}

fn event(notice: &Notice, wording: &Wording) -> Value {
    let Notice {
        news,
        condition,
        since,
        at,
    } = notice;
    let key = &condition.key;
    let mut room = LONGEST;
    let mut lines = Vec::new();
    for line in condition.lines.iter().take(MOST_LINES) {
        let line = short(line);
        let size = text::in_json(&line) + 3;
        if size > room {
            break;
        }
        room -= size;
        lines.push(line);
    }
    let happened = *news == News::Appeared && key.kind.is_momentary();
    let name = if happened { "happened" } else { news.id() };
    json!({
        "type": format!("condition.{name}"),
        "timestamp": at,
        "data": {
            "kind": key.kind.id(),
            "about": short(&key.about),
            "severity": condition.severity,
            "since": since,
            "name": wording.name,
            "title": short(&words::headline(notice, wording)),
            "left_out": condition.lines.len() - lines.len(),
            "lines": lines,
            "link": wording.link,
        },
    })
}

fn short(line: &str) -> String {
    text::cut(&text::clean(line), LONGEST_LINE, plain, text::characters)
}

fn plain(c: char, text: &mut String) {
    text.push(c);
}

pub(super) fn judge(answer: &Answer) -> Result<(), Failure> {
    match answer.status {
        200..=299 => Ok(()),
        410 => Err(Failure::lasting(
            "it takes no messages any more (HTTP 410)",
            "remove it from the options",
        )),
        401 | 403 => Err(Failure::lasting(
            format!("it refused the message (HTTP {})", answer.status),
            "check that it has the same secret and that both clocks are right",
        )),
        _ => Err(Failure::of_status(answer)),
    }
}
