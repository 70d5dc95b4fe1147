//! An error that ends a command.

use std::fmt;

use serde::Serialize;

use super::escape::Clean;
use super::json_line::{Level, line};
use super::style::{Style, Tone};
use super::wrap::write_wrapped;
use crate::model::Timestamp;

/// Writes `error: …` and, below it, what to do next.
pub fn error_text(
    message: &str,
    advice: Option<&str>,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let label = style.paint(Tone::Error, "error:").to_string();
    let text = format!("{label} {}", Clean(message));
    write_wrapped(out, ("", "  "), &text, style.width)?;
    if let Some(advice) = advice {
        write_wrapped(out, ("  ", "  "), &Clean(advice).to_string(), style.width)?;
    }
    Ok(())
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
            Some("Make it."),
            &style,
            &mut text,
        )
        .unwrap();
        insta::assert_snapshot!(text, @r"
        error: the file \u{1b}[31m is gone
          Make it.
        ");
        let json = error_json("gone", None, 1, Timestamp(0));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&value["type"], &value["exit_code"]),
            (&"diagnostic".into(), &1.into())
        );
    }
}
