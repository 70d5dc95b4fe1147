//! What `observe` found, as lines of JSON.

use std::borrow::Cow;
use std::io;

use serde::Serialize;

use super::without_query;
use crate::harmless;
use crate::model::{Address, Timestamp};
use crate::observe::{Confidence, Observed, Subject, Tally};

/// A line for each callback with something to say, and one summary.
///
/// # Errors
///
/// Those of `out`.
pub fn observed_json(observed: &Observed, mut out: impl io::Write) -> io::Result<()> {
    for subject in &observed.subjects {
        if subject.tally != Tally::default() {
            line(&CallbackJson::of(observed, subject), &mut out)?;
        }
    }
    for (url, found) in &observed.undeclared {
        let owner = found
            .secrets_of
            .and_then(|number| observed.subjects.get(number));
        let json = UndeclaredJson {
            kind: "undeclared",
            recorded: found.known.is_some(),
            url: without_query(url),
            requests: found.count.messages,
            last: found.count.last,
            secrets_of: owner.map(|subject| &subject.address),
        };
        line(&json, &mut out)?;
    }
    line(&SummaryJson::of(observed), &mut out)
}

fn line(value: &impl Serialize, out: &mut impl io::Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, harmless::Json);
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct CallbackJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    address: &'a Address,
    proven: u64,
    seen_at: Option<Timestamp>,
    shared: u64,
    before: u64,
    older_keys: Vec<OlderJson<'a>>,
    other_key: u64,
    clear_text: u64,
    wrong_signature: u64,
    unproven: u64,
    unreadable: u64,
}

#[derive(Serialize)]
struct OlderJson<'a> {
    key: &'a str,
    messages: u64,
    last: Option<Timestamp>,
}

impl<'a> CallbackJson<'a> {
    fn of(observed: &'a Observed, subject: &'a Subject) -> Self {
        let Tally {
            proven,
            shared,
            before,
            older,
            other_key,
            clear_text,
            wrong_signature,
            unproven,
            unreadable,
        } = &subject.tally;
        let older = older.iter().map(|(number, count)| OlderJson {
            key: observed.older.get(*number).map_or("", |name| &**name),
            messages: count.messages,
            last: count.last,
        });
        Self {
            kind: "callback",
            address: &subject.address,
            proven: proven.messages,
            seen_at: proven.last,
            shared: shared.messages,
            before: before.messages,
            older_keys: older.collect(),
            other_key: other_key.messages,
            clear_text: clear_text.messages,
            wrong_signature: wrong_signature.messages,
            unproven: unproven.messages,
            unreadable: unreadable.messages,
        }
    }
}

#[derive(Serialize)]
struct UndeclaredJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    recorded: bool,
    url: String,
    requests: u64,
    last: Option<Timestamp>,
    secrets_of: Option<&'a Address>,
}

#[derive(Serialize)]
struct SummaryJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    receipts: u64,
    /// Callbacks, as are `missing`; the rest are messages.
    proven: usize,
    undeclared: u64,
    wrong_key: u64,
    wrong_signature: u64,
    clear_text: u64,
    unreadable: u64,
    unproven: u64,
    shared: u64,
    repeated: u64,
    probes: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    missing: Vec<MissingJson<'a>>,
}

#[derive(Serialize)]
struct MissingJson<'a> {
    address: &'a Address,
    url: Cow<'a, str>,
    messages: u32,
    since: Timestamp,
    confidence: Confidence,
}

impl<'a> SummaryJson<'a> {
    fn of(observed: &'a Observed) -> Self {
        let missing = observed.missing.iter().filter_map(|gap| {
            let subject = observed.subjects.get(gap.callback)?;
            Some(MissingJson {
                address: &subject.address,
                url: subject.address.url.shown(),
                messages: gap.missing.messages.get(),
                since: gap.missing.since,
                confidence: gap.confidence,
            })
        });
        let proven = observed
            .subjects
            .iter()
            .filter(|it| it.tally.proven.last.is_some());
        Self {
            kind: "observed",
            receipts: observed.receipts,
            proven: proven.count(),
            undeclared: observed.undeclared_requests(),
            wrong_key: observed.sum(Tally::wrong_key),
            wrong_signature: observed.sum(|tally| tally.wrong_signature.messages),
            clear_text: observed.sum(|tally| tally.clear_text.messages),
            unreadable: observed.unreadable + observed.sum(|tally| tally.unreadable.messages),
            unproven: observed.sum(|tally| tally.unproven.messages),
            shared: observed.sum(|tally| tally.shared.messages),
            repeated: observed.repeated,
            probes: observed.probes,
            first: observed.first,
            last: observed.last,
            missing: missing.collect(),
        }
    }
}
