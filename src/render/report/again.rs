//! Advice of `apply`, for whoever runs a controller, which runs again by itself.

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::terminal::Ui;
use crate::model::Report;
use crate::render::{self, Style};

/// What `apply` says, and what is said instead. The longer ones are first.
const WORDS: [(&str, &str); 13] = [
    (
        "run apply again: it settles the open call",
        "the next round settles the open call",
    ),
    (
        "run apply again: it sends the same call again",
        "the next round sends the same call again",
    ),
    (
        "run apply again: that call can't arrive any more",
        "the next round makes this change",
    ),
    (
        "run apply again; it can't finish before then",
        "a round after that time makes this change",
    ),
    ("run apply again to continue", "the next round continues"),
    ("Run apply again to continue.", "The next round continues."),
    (", and run apply again", ""),
    (", then run apply again", ""),
    ("; then run apply again", ""),
    ("Run apply again after", "The calls are made after"),
    ("Run apply again", "The next round tries again"),
    ("run apply again", "the next round tries again"),
    ("The next apply", "The next round"),
];

/// The same text, without the request to run apply again.
pub(super) fn by_itself(text: &str) -> String {
    let replaced = |text: String, (theirs, ours): &(&str, &str)| text.replace(theirs, ours);
    WORDS.iter().fold(text.to_owned(), replaced)
}

/// Prints the end of a run.
pub(super) fn conclude(report: &Report, ui: &mut Ui) {
    let now = SystemClock.now();
    ui.json_line(&render::apply_summary_json(report, now));
    ui.json_line(&render::report_json(report, now));
    if !ui.json() {
        // Words that are wrapped would not be found.
        let text = |style: Style| {
            let mut text = String::new();
            let style = Style { width: 0, ..style };
            // Writing to a String does not fail.
            let _ = render::report_text(report, &style, &mut text);
            by_itself(&text)
        };
        if render::is_complete(report) {
            let text = text(ui.style(0));
            ui.print(format_args!("{text}"));
        } else {
            ui.complain(|style, out| out.write_str(&text(*style)));
        }
    }
    ui.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_asked_to_run_apply() {
        for (theirs, ours) in [
            (
                "correct the credentials of the account, then run apply again",
                "correct the credentials of the account",
            ),
            (
                "check HTTPS_PROXY; then run apply again: it settles the open call",
                "check HTTPS_PROXY; then the next round settles the open call",
            ),
            (
                "run apply again: it settles the open call before anything else; if it persists, ask",
                "the next round settles the open call before anything else; if it persists, ask",
            ),
            (
                "Run apply again after 2026-11-23 12:03:04 UTC: until then",
                "The calls are made after 2026-11-23 12:03:04 UTC: until then",
            ),
        ] {
            assert_eq!(by_itself(theirs), ours);
        }
    }
}
