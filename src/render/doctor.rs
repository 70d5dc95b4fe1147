//! The checks of `doctor` as text and as JSON.

use std::fmt::{self, Write as _};
use std::io;

use serde::Serialize;

use super::escape::Clean;
use super::style::{Style, Tone};
use super::words::counted;
use super::wrap::write_wrapped;
use crate::doctor::{Check, CheckResult, Finding};
use crate::harmless;
use crate::model::{AccountName, Handle};

/// The width of the results and of the names of checks.
const COLUMNS: (usize, usize) = (9, 13);
/// On a terminal narrower than this, reasons are below the names.
const NARROW: usize = 60;

/// Writes the checks, in their order, and how many ended in which way.
pub fn checks_text(checks: &[Check], style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let mut account: Option<&AccountName> = None;
    for check in checks {
        if check.account.as_ref() != account {
            account = check.account.as_ref();
            if let Some(account) = account {
                let title = format!("Account {}", Clean(account));
                writeln!(out, "\n{}", style.paint(Tone::Strong, title))?;
            }
        }
        write_check(check, style, out)?;
    }
    let count = |result| {
        let same = checks.iter().filter(|check| check.finding.result == result);
        same.count()
    };
    let failed = count(CheckResult::Failed);
    let tone = if failed > 0 { Tone::Error } else { Tone::Add };
    let summary = format!(
        "{} ok, {}, {failed} failed, {} skipped.",
        count(CheckResult::Ok),
        counted(count(CheckResult::Warning), "warning", "warnings"),
        count(CheckResult::Skipped)
    );
    writeln!(out, "\n{}", style.paint(tone, summary))
}

fn write_check(check: &Check, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let Check {
        name,
        account: _,
        organization,
        finding:
            Finding {
                result,
                reason,
                lines: reasons,
                remedy,
            },
    } = check;
    let (reason, below) = match reasons.split_first() {
        Some((first, below)) => (first, below),
        None => (reason, [].as_slice()),
    };
    let (word, tone) = (result.word(), tone(*result));
    let (of_result, of_name) = COLUMNS;
    let mut text = String::new();
    if let Some(organization) = organization {
        write!(text, "{}: ", Clean(organization))?;
    }
    write!(text, "{}", Clean(reason))?;
    let narrow = style.width > 0 && style.width < NARROW;
    let rest = if narrow {
        writeln!(out, "{} {}", style.paint(tone, word), name.word())?;
        "  ".to_owned()
    } else {
        let gap = " ".repeat(of_result - word.len());
        write!(
            out,
            "{}{gap}{:of_name$}",
            style.paint(tone, word),
            name.word()
        )?;
        " ".repeat(of_result + of_name)
    };
    let mut lines = String::new();
    write_wrapped(&mut lines, (&rest, &rest), &text, style.width)?;
    for line in below {
        let (first, rest) = (format!("{rest}  "), format!("{rest}    "));
        write_wrapped(
            &mut lines,
            (&first, &rest),
            &Clean(line).to_string(),
            style.width,
        )?;
    }
    if let Some(remedy) = remedy {
        let below = format!("{rest}   ");
        let first = format!("{rest}-> ");
        write_wrapped(
            &mut lines,
            (&first, &below),
            &Clean(remedy).to_string(),
            style.width,
        )?;
    }
    // Beside the name, the first line has its indentation already.
    let lines = if narrow {
        &lines
    } else {
        lines.strip_prefix(&rest).unwrap_or(&lines)
    };
    out.write_str(lines)
}

const fn tone(result: CheckResult) -> Tone {
    match result {
        CheckResult::Ok => Tone::Add,
        CheckResult::Warning => Tone::Warning,
        CheckResult::Failed => Tone::Error,
        CheckResult::Skipped => Tone::Faint,
    }
}

/// Writes the checks as one JSON object on one line.
pub fn checks_json(checks: &[Check], mut out: impl io::Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        checks: Vec<Row<'a>>,
    }
    #[derive(Serialize)]
    struct Row<'a> {
        name: &'static str,
        account: Option<&'a str>,
        organization: Option<&'a str>,
        result: &'static str,
        reason: &'a str,
        remedy: Option<&'a str>,
    }
    fn of(check: &Check) -> Row<'_> {
        Row {
            name: check.name.word(),
            account: check.account.as_ref().map(AccountName::as_str),
            organization: check.organization.as_ref().map(Handle::as_str),
            result: check.finding.result.word(),
            reason: &check.finding.reason,
            remedy: check.finding.remedy.as_deref(),
        }
    }
    Document {
        checks: checks.iter().map(of).collect(),
    }
    .serialize(&mut serde_json::Serializer::with_formatter(
        &mut out,
        harmless::Json,
    ))
    .map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::CheckName;
    use crate::model::Timestamp;

    fn checks() -> Vec<Check> {
        let of = |name, account: Option<&str>, organization: Option<&str>, finding| Check {
            name,
            account: account.map(AccountName::new),
            organization: organization.map(Handle::new),
            finding,
        };
        vec![
            of(
                CheckName::Endpoint,
                None,
                None,
                Finding::ok("https://ess.example/"),
            ),
            of(
                CheckName::Clock,
                None,
                None,
                Finding::warning("75 s behind eSign's", "Set it."),
            ),
            of(
                CheckName::Credentials,
                Some("default"),
                None,
                Finding::ok("from the environment"),
            ),
            of(
                CheckName::Permission,
                Some("default"),
                Some("上海分公司"),
                Finding::failed(
                    "the operator has no permission to configure callbacks (FailedOperation: 操作人没有权限 \u{1b}[2J)",
                    "Have the super-administrator give the operator the permission.",
                ),
            ),
            of(
                CheckName::Account,
                Some("partner"),
                None,
                Finding::skipped("the check `credentials` failed"),
            ),
            of(
                CheckName::Credentials,
                Some("third"),
                None,
                Finding {
                    lines: vec![
                        "no provider has any".to_owned(),
                        "tsign: no\nfile".to_owned(),
                    ],
                    ..Finding::failed("no provider has any (tsign: no\nfile)", "Set one up.")
                },
            ),
        ]
    }

    fn text(width: usize) -> String {
        let style = Style {
            width,
            ..Style::plain(Timestamp(0))
        };
        let mut out = String::new();
        checks_text(&checks(), &style, &mut out).unwrap();
        out
    }

    #[test]
    fn a_list_for_people() {
        insta::assert_snapshot!(text(80), @r"
        ok       endpoint     https://ess.example/
        warning  clock        75 s behind eSign's
                              -> Set it.

        Account default
        ok       credentials  from the environment
        failed   permission   上海分公司: the operator has no permission to configure
                              callbacks (FailedOperation: 操作人没有权限 \u{1b}[2J)
                              -> Have the super-administrator give the operator the
                                 permission.

        Account partner
        skipped  account      the check `credentials` failed

        Account third
        failed   credentials  no provider has any
                                tsign: no\u{a}file
                              -> Set one up.

        2 ok, 1 warning, 2 failed, 1 skipped.
        ");
    }

    #[test]
    fn on_a_narrow_terminal_reasons_are_below_the_names() {
        let text = text(40);
        assert!(text.contains("failed permission\n  上海分公司: "), "{text}");
        for line in text.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= 40, "{line}");
        }
    }

    #[test]
    fn a_document_for_programs() {
        let mut bytes = Vec::new();
        checks_json(&checks(), &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains('\u{1b}'), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let one = &value["checks"][3];
        let names: Vec<_> = one.as_object().unwrap().keys().collect();
        assert_eq!(names.len(), 6);
        assert_eq!(one["name"], "permission");
        assert_eq!(one["account"], "default");
        assert_eq!(one["organization"], "上海分公司");
        assert_eq!(one["result"], "failed");
        assert_eq!(value["checks"][0]["account"], serde_json::Value::Null);
        assert_eq!(value["checks"][0]["remedy"], serde_json::Value::Null);
    }
}
