//! What CloudAudit says: calls that it settled, and the writes of others, as text and as lines of JSON.

use std::fmt;
use std::io;

use serde::Serialize;

use super::escape::Clean;
use super::style::{Style, Tone};
use super::words::counted;
use crate::harmless;
use crate::model::{
    Address, ApiError, Asked, Audited, AuditedAnswer, AuditedCaller, CallbackUrl, OrganizationId,
    Outcome, RequestId, Timestamp, Witnessed, Write,
};

/// Others' writes, and what is beside them in the log.
#[derive(Clone, Debug)]
pub struct AuditedWrites {
    /// From when on the log was read.
    pub since: Timestamp,
    /// The oldest first.
    pub foreign: Vec<Audited>,
    /// How many calls are not listed, because this program made them.
    pub own: usize,
    /// How many calls, of whom ever, the log shows with a key or token in clear.
    pub in_clear: usize,
}

/// How a lost call was settled, on one line.
pub fn witnessed_line(address: &Address, witnessed: &Witnessed) -> String {
    let call = match witnessed.lost.write {
        Write::Add(_) => "an add",
        Write::Delete => "a delete",
    };
    let outcome = &witnessed.testimony.outcome;
    let became = match outcome {
        Outcome::Applied(_) => "was applied".to_owned(),
        Outcome::AlreadyThere(_) => "found the URL there already".to_owned(),
        Outcome::NotThere(_) => "found nothing to delete".to_owned(),
        Outcome::Throttled(error)
        | Outcome::NotSent(error)
        | Outcome::NotSigned(error)
        | Outcome::ClockOff(error)
        | Outcome::TokenExpired(error)
        | Outcome::Rejected(_, error)
        | Outcome::Unknown(error) => format!("was refused: {}", code(error)),
    };
    let id = outcome.request_id();
    let id = id.map_or_else(String::new, |id| format!(" [request id {}]", Clean(id)));
    format!(
        "{}: Settled by CloudAudit (experimental): {call} without an answer {became} at {}{id}",
        Clean(address),
        witnessed.testimony.at
    )
}

fn code(error: &ApiError) -> &str {
    error.code.as_deref().unwrap_or("no code")
}

/// Writes others' writes, the oldest first, and a summary.
pub fn audited_text(
    writes: &AuditedWrites,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let AuditedWrites {
        since,
        foreign,
        own,
        in_clear: _,
    } = writes;
    for write in foreign {
        write_text(write, style, out)?;
    }
    if !foreign.is_empty() {
        writeln!(out)?;
    }
    let count = match foreign.len() {
        0 => "No writes by others".to_owned(),
        count => counted(count, "write", "writes") + " by others",
    };
    writeln!(
        out,
        "{count} since {since} in CloudAudit. {} not listed.",
        counted(
            *own,
            "call of ess-callbacks is",
            "calls of ess-callbacks are"
        )
    )
}

fn write_text(write: &Audited, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let Audited {
        nonce: _,
        at,
        request_id,
        caller,
        asked,
        answer,
        shows_secrets: _,
    } = write;
    let url = match &asked.url {
        Some(url) => Clean(url).to_string(),
        None => "a URL that the log does not show".to_owned(),
    };
    let title = format!("{} {} {url}", time(*at), word(asked).unwrap_or("change"));
    writeln!(out, "{}", style.paint(Tone::Strong, title))?;
    if let Some(organization) = &asked.organization {
        writeln!(out, "  for:    {}", Clean(organization))?;
    }
    writeln!(out, "  by:     {}", by(caller))?;
    let answer = match answer {
        AuditedAnswer::Success => "applied".to_owned(),
        AuditedAnswer::Error(code, _) => format!("error {}", Clean(code)),
        AuditedAnswer::Unclear => "the log does not say how it ended".to_owned(),
    };
    let id = request_id.as_ref();
    let id = id.map_or_else(String::new, |id| format!(" [request id {}]", Clean(id)));
    writeln!(out, "  answer: {answer}{id}")
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "at an unknown time".to_owned(), |at| at.to_string())
}

fn by(caller: &AuditedCaller) -> String {
    let AuditedCaller {
        user,
        secret_id,
        source,
        kind,
        client,
    } = caller;
    let parts = [
        ("user", user),
        ("SecretId", secret_id),
        ("from", source),
        ("by", kind),
        ("client", client),
    ];
    let known = parts.into_iter().filter_map(|(name, value)| {
        let value = value.as_ref()?;
        Some(format!("{name} {}", Clean(value)))
    });
    let known: Vec<String> = known.collect();
    if known.is_empty() {
        return "unknown".to_owned();
    }
    known.join(", ")
}

fn word(asked: &Asked) -> Option<&'static str> {
    match asked.operate_type {
        Some(1) => Some("add"),
        Some(2) => Some("delete"),
        Some(_) | None => None,
    }
}

/// The warning that the log shows secrets, if it does.
pub fn audited_warning(writes: &AuditedWrites) -> Option<String> {
    (writes.in_clear > 0).then(|| {
        format!(
            "Warning: CloudAudit has the key or token of {} in clear, for everyone who may read it. Allow \
             `cloudaudit:DescribeEvents` to few, and rotate these secrets.",
            counted(writes.in_clear, "call", "calls")
        )
    })
}

/// Writes a line for each of others' writes, and a summary.
///
/// # Errors
///
/// Those of `out`.
pub fn audited_json(writes: &AuditedWrites, mut out: impl io::Write) -> io::Result<()> {
    for write in &writes.foreign {
        let (answer, code) = match &write.answer {
            AuditedAnswer::Success => ("applied", None),
            AuditedAnswer::Error(code, _) => ("error", Some(code.as_str())),
            AuditedAnswer::Unclear => ("unclear", None),
        };
        let json = WriteJson {
            kind: "write",
            at: write.at,
            operation: word(&write.asked),
            url: write.asked.url.as_ref().map(CallbackUrl::shown),
            organization: write.asked.organization.as_ref(),
            caller: &write.caller,
            answer,
            code,
            request_id: write.request_id.as_ref(),
        };
        line(&json, &mut out)?;
    }
    let summary = SummaryJson {
        kind: "audited",
        experimental: true,
        since: writes.since,
        foreign: writes.foreign.len(),
        own: writes.own,
        secrets_in_clear: writes.in_clear,
    };
    line(&summary, &mut out)
}

fn line(value: &impl Serialize, out: &mut impl io::Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, harmless::Json);
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct WriteJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    at: Option<Timestamp>,
    operation: Option<&'static str>,
    url: Option<std::borrow::Cow<'a, str>>,
    organization: Option<&'a OrganizationId>,
    caller: &'a AuditedCaller,
    answer: &'static str,
    code: Option<&'a str>,
    request_id: Option<&'a RequestId>,
}

#[derive(Serialize)]
struct SummaryJson {
    #[serde(rename = "type")]
    kind: &'static str,
    experimental: bool,
    since: Timestamp,
    foreign: usize,
    own: usize,
    secrets_in_clear: usize,
}
