//! What `verify` found, as text and as JSON.

use std::fmt;
use std::io;

use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::escape::Clean;
use super::style::{Style, Tone};
use super::words::counted;
use super::wrap::write_wrapped;
use crate::harmless;
use crate::model::{Finding, Gravity, Verdict, Verified};

/// The width of the columns before the address.
const INDENT: &str = "                    ";

/// Writes a row for each receiver, with its findings below it, and nothing for none.
pub fn verified_text(all: &[Verified], style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "{}",
        style.paint(Tone::Strong, "VERDICT    LATENCY  ADDRESS")
    )?;
    for one in all {
        let Verified {
            address,
            latency_ms,
            findings,
        } = one;
        let (tone, word) = verdict_word(one.verdict());
        let latency = latency_ms.map_or_else(|| "-".to_owned(), |time| format!("{time} ms"));
        writeln!(
            out,
            "{}{} {latency:>9}  {}",
            style.paint(tone, word),
            " ".repeat(8_usize.saturating_sub(word.width())),
            Clean(address)
        )?;
        for finding in findings {
            finding_text(finding, style, out)?;
        }
    }
    Ok(())
}

fn finding_text(finding: &Finding, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let Finding {
        code,
        severity,
        message,
        remedy,
    } = finding;
    // On a narrow terminal, the columns would leave no place for words.
    let indent = if style.width == 0 || style.width >= 60 {
        INDENT
    } else {
        "  "
    };
    let severity = gravity_word(*severity);
    let text = format!("{severity} {code}: {}", Clean(message));
    write_wrapped(out, (indent, &format!("{indent}  ")), &text, style.width)?;
    let (first, rest) = (format!("{indent}  what to do: "), format!("{indent}    "));
    write_wrapped(
        out,
        (&first, &rest),
        &Clean(remedy).to_string(),
        style.width,
    )
}

/// `3 callbacks verified: 1 ok, 1 with warnings, 1 failed. 2 were left out …`
///
/// `left_out` are suspended or disabled ones, and `not_done` those that an interruption left.
pub fn verified_summary(all: &[Verified], left_out: usize, not_done: usize) -> String {
    let count = |verdict| all.iter().filter(|one| one.verdict() == verdict).count();
    let mut parts = vec![format!(
        "{} verified: {} ok, {} with warnings, {} failed.",
        counted(all.len(), "callback", "callbacks"),
        count(Verdict::Ok),
        count(Verdict::Warning),
        count(Verdict::Failed),
    )];
    if left_out > 0 {
        let (one, many) = (
            "suspended or disabled one was",
            "suspended or disabled ones were",
        );
        parts.push(format!("{} left out.", counted(left_out, one, many)));
    }
    if not_done > 0 {
        let were = counted(not_done, "was", "were");
        parts.push(format!("Interrupted: {were} not verified."));
    }
    parts.join(" ")
}

/// A line for each finding of a receiver.
pub fn verified_lines(one: &Verified) -> impl Iterator<Item = String> {
    one.findings.iter().map(|finding| {
        let severity = gravity_word(finding.severity);
        format!(
            "{}: {severity} {}: {}; what to do: {}",
            Clean(&one.address),
            finding.code,
            Clean(&finding.message),
            Clean(&finding.remedy)
        )
    })
}

/// Writes `{"results":[…]}`, an object on one line.
pub fn verified_json(all: &[Verified], mut out: impl io::Write) -> io::Result<()> {
    let results = all.iter().map(Row::of).collect();
    Document { results }
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut out,
            harmless::Json,
        ))
        .map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    results: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    address: String,
    url: String,
    verdict: Verdict,
    latency_ms: Option<u64>,
    findings: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    code: &'static str,
    severity: Gravity,
    message: &'a str,
    remedy: &'a str,
}

impl<'a> Row<'a> {
    fn of(one: &'a Verified) -> Self {
        let Verified {
            address,
            latency_ms,
            findings,
        } = one;
        let finding = |finding: &'a Finding| {
            let Finding {
                code,
                severity,
                message,
                remedy,
            } = finding;
            FindingJson {
                code,
                severity: *severity,
                message,
                remedy,
            }
        };
        Self {
            address: address.to_string(),
            url: address.url.to_string(),
            verdict: one.verdict(),
            latency_ms: *latency_ms,
            findings: findings.iter().map(finding).collect(),
        }
    }
}

const fn verdict_word(verdict: Verdict) -> (Tone, &'static str) {
    match verdict {
        Verdict::Ok => (Tone::Add, "ok"),
        Verdict::Warning => (Tone::Warning, "warning"),
        Verdict::Failed => (Tone::Error, "failed"),
    }
}

const fn gravity_word(gravity: Gravity) -> &'static str {
    match gravity {
        Gravity::Note => "note",
        Gravity::Warning => "warning",
        Gravity::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, CallbackUrl, Handle, Timestamp};
    use insta::assert_snapshot;

    fn one(handle: &str, latency_ms: Option<u64>, findings: Vec<Finding>) -> Verified {
        let address = Address {
            handle: Handle::new(handle),
            url: CallbackUrl::new("https://hooks.acme.example/esign?token=canary"),
        };
        Verified {
            address,
            latency_ms,
            findings,
        }
    }

    fn finding(severity: Gravity) -> Finding {
        Finding {
            code: "V040",
            severity,
            message: "a message with a wrong signature got 200\u{1b}[2J".to_owned(),
            remedy: "verify the signature of 每一条消息 before it is parsed".to_owned(),
        }
    }

    fn all() -> Vec<Verified> {
        vec![
            one("acme", Some(52), vec![finding(Gravity::Note)]),
            one("上海分公司", Some(1234), vec![finding(Gravity::Warning)]),
            one("beta", None, vec![finding(Gravity::Error)]),
        ]
    }

    fn text(width: usize) -> String {
        let style = Style {
            width,
            ..Style::plain(Timestamp(0))
        };
        let mut out = String::new();
        verified_text(&all(), &style, &mut out).unwrap();
        out
    }

    #[test]
    fn a_wide_table() {
        assert_snapshot!(text(0), @r"
        VERDICT    LATENCY  ADDRESS
        ok           52 ms  acme/https://hooks.acme.example/esign?token=***
                            note V040: a message with a wrong signature got 200\u{1b}[2J
                              what to do: verify the signature of 每一条消息 before it is parsed
        warning    1234 ms  上海分公司/https://hooks.acme.example/esign?token=***
                            warning V040: a message with a wrong signature got 200\u{1b}[2J
                              what to do: verify the signature of 每一条消息 before it is parsed
        failed           -  beta/https://hooks.acme.example/esign?token=***
                            error V040: a message with a wrong signature got 200\u{1b}[2J
                              what to do: verify the signature of 每一条消息 before it is parsed
        ");
    }

    #[test]
    fn a_narrow_table() {
        assert_snapshot!(text(40), @r"
        VERDICT    LATENCY  ADDRESS
        ok           52 ms  acme/https://hooks.acme.example/esign?token=***
          note V040: a message with a wrong
            signature got 200\u{1b}[2J
            what to do: verify the signature of
              每一条消息 before it is parsed
        warning    1234 ms  上海分公司/https://hooks.acme.example/esign?token=***
          warning V040: a message with a wrong
            signature got 200\u{1b}[2J
            what to do: verify the signature of
              每一条消息 before it is parsed
        failed           -  beta/https://hooks.acme.example/esign?token=***
          error V040: a message with a wrong
            signature got 200\u{1b}[2J
            what to do: verify the signature of
              每一条消息 before it is parsed
        ");
    }

    #[test]
    fn the_document() {
        let mut bytes = Vec::new();
        verified_json(&all()[1..2], &mut bytes).unwrap();
        assert_snapshot!(String::from_utf8(bytes).unwrap(), @r#"{"results":[{"address":"上海分公司/https://hooks.acme.example/esign?token=***","url":"https://hooks.acme.example/esign?token=***","verdict":"warning","latency_ms":1234,"findings":[{"code":"V040","severity":"warning","message":"a message with a wrong signature got 200\u001b[2J","remedy":"verify the signature of 每一条消息 before it is parsed"}]}]}"#);
    }

    #[test]
    fn the_summary() {
        assert_snapshot!(verified_summary(&all(), 0, 0), @"3 callbacks verified: 1 ok, 1 with warnings, 1 failed.");
        assert_snapshot!(verified_summary(&[], 1, 2), @"0 callbacks verified: 0 ok, 0 with warnings, 0 failed. 1 suspended or disabled one was left out. Interrupted: 2 were not verified.");
    }
}
