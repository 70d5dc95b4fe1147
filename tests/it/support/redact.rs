//! The one place that replaces what differs from run to run.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// What is replaced, and by what; in this order.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[UUID]",
        ),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
        (
            r"\b\d\d:\d\d:\d\d UTC \(\d+ (s|min)( \d+ s)?\)",
            "[CLOCK] UTC ([SPAN])",
        ),
        (r"\b(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC", "[CLOCK] UTC"),
        (r"fp [0-9a-f]{4,}…?", "fp [FP]"),
        (r"\bafter [0-9.]+m?s\b", "after [ELAPSED]"),
        (r"\bagain in [0-9.]+m?s\b", "again in [ELAPSED]"),
        (
            r"\bup to \d+ (s|min)( \d+ s)? of waiting",
            "up to [SPAN] of waiting",
        ),
        (r"\b(just now|\d+ (second|minute|hour|day)s? ago)", "[AGO]"),
        (r"\block id [0-9a-f]{12}", "lock id [LOCK]"),
        (r"\bunlock [0-9a-f]{12}", "unlock [LOCK]"),
        (r"\btester@\S+, process \d+", "tester@[HOST], process [PID]"),
        (r"\.ess-callbacks-[0-9A-Za-z]{6}\.tmp", "[TEMPORARY]"),
        (r"\bprocess \d+", "process [PID]"),
    ]
    .into_iter()
    .map(|(pattern, by)| (Regex::new(pattern).expect("it is a pattern"), by))
    .collect()
});

/// The text without what no two runs share.
pub(crate) fn redact(text: &str, folder: &Path) -> String {
    let mut text = text.replace(&folder.display().to_string(), "[DIR]");
    for (pattern, by) in RULES.iter() {
        text = pattern.replace_all(&text, *by).into_owned();
    }
    text
}
