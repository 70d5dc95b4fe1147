//! Answers of the bots that say with a code in JSON whether they took the message, mostly with HTTP 200.

use std::time::Duration;

use serde_json::Value;

use crate::notify::failure::{Answer, Failure};

/// What a code means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// It may take the message later: after this time, or soon.
    Busy(Option<Duration>),
    /// What to do.
    Refused(&'static str),
}

/// The codes of one service.
pub(super) struct Codes {
    pub(super) name: &'static str,
    /// The names of the code in JSON; the first that is there counts.
    pub(super) fields: &'static [&'static str],
    /// The names of its explanation.
    pub(super) texts: &'static [&'static str],
    pub(super) meaning: fn(i64) -> Meaning,
}

pub(super) fn judge(answer: &Answer, codes: &Codes) -> Result<(), Failure> {
    let Codes {
        name,
        fields,
        texts,
        meaning,
    } = codes;
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(code) = fields.iter().find_map(|field| json.get(field)?.as_i64()) else {
        return Err(if (200..300).contains(&answer.status) {
            Failure::not_the_service(name)
        } else {
            Failure::of_status(answer)
        });
    };
    if code == 0 {
        return Ok(());
    }
    let text = texts.iter().find_map(|field| json.get(field)?.as_str());
    let said = format!("{code} {}", text.unwrap_or_default());
    let failure = match meaning(code) {
        Meaning::Busy(after) => Failure::passing(
            format!("{name} takes no message at the moment"),
            "nothing has to be done unless that lasts",
        )
        .after(answer.retry_after.or(after)),
        Meaning::Refused(advice) => Failure::lasting(format!("{name} refused the message"), advice),
    };
    Err(failure.saying(said.trim_end()))
}
