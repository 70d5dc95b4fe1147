//! An error that ends a command.

use std::fmt;

use serde::Serialize;

use super::escape::Clean;
use super::json_line::{Level, line};
use super::style::{Style, Tone};
use super::wrap::write_wrapped;
use crate::model::Timestamp;

/// Advice that is longer than this has each sentence on its own line.
const LONG: usize = 200;

/// Writes `error: …` and, below it, the lines that say more, and what to do next.
pub fn error_text(
    message: &str,
    below: &[String],
    advice: Option<&str>,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let label = style.paint(Tone::Error, "error:").to_string();
    let text = format!("{label} {}", Clean(message));
    write_wrapped(out, ("", "  "), &text, style.width)?;
    for line in below {
        let indented = line.len() - line.trim_start_matches(' ').len();
        let first = " ".repeat(4 + indented);
        let rest = " ".repeat(6 + indented);
        write_wrapped(out, (&first, &rest), &Clean(line).to_string(), style.width)?;
    }
    for sentence in advice.map(sentences).unwrap_or_default() {
        write_wrapped(out, ("  ", "  "), &Clean(sentence).to_string(), style.width)?;
    }
    Ok(())
}

/// The lines of advice: all of it, or its sentences when it is long. What is set as code is not taken apart.
pub(super) fn sentences(advice: &str) -> Vec<&str> {
    if advice.chars().count() <= LONG {
        return vec![advice];
    }
    let mut found = Vec::new();
    let mut from = 0;
    for (at, _) in advice.match_indices(". ") {
        let in_code = advice[..at].matches('`').count() % 2 == 1;
        if !in_code {
            found.push(&advice[from..=at]);
            from = at + 2;
        }
    }
    found.push(&advice[from..]);
    found
}

/// Like [`error_text`], as one JSON line with the exit code.
pub fn error_json(message: &str, advice: Option<&str>, exit_code: u8, at: Timestamp) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        diagnostic: Failure<'a>,
        exit_code: u8,
    }
    #[derive(Serialize)]
    struct Failure<'a> {
        severity: &'static str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
    }
    let payload = Payload {
        diagnostic: Failure {
            severity: "error",
            message,
            help: advice,
        },
        exit_code,
    };
    line(
        (Level::Error, "diagnostic"),
        &format!("error: {}", Clean(message)),
        at,
        payload,
    )
}

/// clap's message about an invalid command line, as one event.
pub fn usage_json(text: &str, exit_code: u8, at: Timestamp) -> String {
    let (message, rest) = text.split_once('\n').unwrap_or((text, ""));
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let help: Vec<_> = rest
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let help = help.join("\n");
    error_json(message, (!help.is_empty()).then_some(&help), exit_code, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_to_do_and_escapes_control_characters() {
        let mut text = String::new();
        let style = Style::plain(Timestamp(0));
        error_text(
            "the file \x1b[31m is gone",
            &["  a\nb".to_owned()],
            Some("Make it."),
            &style,
            &mut text,
        )
        .unwrap();
        insta::assert_snapshot!(text, @r"
        error: the file \u{1b}[31m is gone
              a\u{a}b
          Make it.
        ");
        let advice = format!("Do `a. b`. Then {}. End.", "wait".repeat(50));
        assert_eq!(sentences(&advice).len(), 3, "{advice}");
        assert_eq!(sentences("One. Two."), ["One. Two."]);
        let json = error_json("gone", None, 1, Timestamp(0));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&value["type"], &value["exit_code"]),
            (&"diagnostic".into(), &1.into())
        );
    }
}
