//! What `observe` found, as text and as JSON.

mod json;

use std::fmt;

use super::escape::Clean;
use super::style::{Style, Tone};
use super::words::{ago, counted, plural};
use super::wrap::write_wrapped;
use crate::model::{Address, CallbackUrl, MASK, Missing};
use crate::observe::{Confidence, Count, Gap, Known, Lesson, Lessons, Observed, Subject, Tally};

pub use json::observed_json;

/// How many callbacks are listed that are as declared, or not seen.
const LISTED: usize = 20;

/// A block for each callback with something to say.
///
/// # Errors
///
/// Those of `out`.
pub fn observed_text(observed: &Observed, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let quiet = |number: usize, subject: &Subject| {
        let gap = observed.missing.iter().any(|gap| gap.callback == number);
        !gap && faults(observed, &subject.tally).is_empty()
    };
    let numbered = || observed.subjects.iter().enumerate();
    let seen =
        numbered().filter(|(number, it)| quiet(*number, it) && it.tally.proven.last.is_some());
    let mut seen: Vec<_> = seen.map(|(_, it)| it).collect();
    seen.sort_by_key(|subject| std::cmp::Reverse(subject.tally.proven.last));
    for subject in seen.iter().take(LISTED) {
        heading(&subject.address, style, out)?;
        paragraph(&proven(&subject.tally, style), style, out)?;
    }
    more(seen.len(), "as declared", out)?;
    let silent =
        numbered().filter(|(number, it)| quiet(*number, it) && it.tally.proven.last.is_none());
    let silent: Vec<_> = silent.map(|(_, it)| it).collect();
    for subject in silent.iter().take(LISTED) {
        heading(&subject.address, style, out)?;
        paragraph(&unseen(&subject.tally), style, out)?;
    }
    more(silent.len(), "not seen", out)?;
    for (number, subject) in numbered().filter(|(number, it)| !quiet(*number, it)) {
        heading(&subject.address, style, out)?;
        if subject.tally.proven.last.is_some() {
            paragraph(&proven(&subject.tally, style), style, out)?;
        }
        for fault in faults(observed, &subject.tally) {
            paragraph(&fault.text(style), style, out)?;
        }
        let gap = observed.missing.iter().find(|gap| gap.callback == number);
        if let Some(gap) = gap {
            paragraph(&missing(gap), style, out)?;
        }
    }
    undeclared(observed, style, out)
}

fn heading(address: &Address, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(out, "{}", style.paint(Tone::Strong, Clean(address)))
}

fn paragraph(text: &str, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    write_wrapped(out, ("  ", "  "), text, style.width)
}

fn more(count: usize, what: &str, out: &mut dyn fmt::Write) -> fmt::Result {
    match count.saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(
            out,
            "and {} {what}",
            counted(more, "more callback", "more callbacks")
        ),
    }
}

fn messages(count: u64) -> String {
    counted(
        usize::try_from(count).unwrap_or(usize::MAX),
        "message",
        "messages",
    )
}

fn last(count: &Count, style: &Style) -> String {
    count
        .last
        .map_or_else(String::new, |at| format!("{} ({at})", ago(style.now, at)))
}

fn proven(tally: &Tally, style: &Style) -> String {
    format!(
        "proven: {} with the declared key and token, the last {}",
        messages(tally.proven.messages),
        last(&tally.proven, style)
    )
}

fn unseen(tally: &Tally) -> String {
    if tally.shared.messages > 0 {
        return format!(
            "not proven: {} may be those of another organization with the same URL and secrets. A query in the URL, such \
             as `?org=HANDLE`, tells them apart",
            messages(tally.shared.messages)
        );
    }
    "not seen: no message in these receipts".to_owned()
}

/// Something that is not as declared.
struct Fault {
    count: Count,
    what: String,
    remedy: &'static str,
}

impl Fault {
    fn text(&self, style: &Style) -> String {
        format!(
            "{} {}, the last {}. {}",
            messages(self.count.messages),
            self.what,
            last(&self.count, style),
            self.remedy
        )
    }
}

/// What to do about messages with other secrets.
const fn replaced(count: &Count, remedy: &'static str) -> &'static str {
    if count.is_enough() {
        remedy
    } else {
        "That is too little to go by: somebody may have sent old ones again."
    }
}

fn faults(observed: &Observed, tally: &Tally) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, count) in &tally.older {
        let name = observed.older.get(*number).map_or("", |name| &**name);
        faults.push(Fault {
            count: *count,
            what: format!("{} encrypted with an older key, `{name}`", was(count)),
            remedy: replaced(
                count,
                "eSign still has it, or has it again; `apply` replaces it.",
            ),
        });
    }
    for (count, what, remedy) in [
        (
            &tally.other_key,
            "encrypted with a key that is not declared, under the declared token",
            replaced(
                &tally.other_key,
                "Someone changed the key at eSign, or in callbacks.yaml without `apply`; `apply` replaces it.",
            ),
        ),
        (
            &tally.clear_text,
            "not encrypted, under the declared token",
            replaced(
                &tally.clear_text,
                "eSign has no key for it; `apply` replaces it.",
            ),
        ),
        (
            &tally.wrong_signature,
            "not signed with the declared token",
            "Anyone can send such; if real ones are missing, eSign has another token, or a proxy changes bodies.",
        ),
        (
            &tally.unproven,
            "without proof of who sent them",
            "Declare a key and a token: without them anyone can send messages.",
        ),
        (
            &tally.unreadable,
            "not a message of eSign, or damaged",
            "See what sends them, or what changes bodies on their way.",
        ),
    ] {
        if count.messages > 0 {
            faults.push(Fault {
                count: *count,
                what: format!("{} {what}", was(count)),
                remedy,
            });
        }
    }
    faults
}

fn was(count: &Count) -> &'static str {
    let count = usize::try_from(count.messages).unwrap_or(usize::MAX);
    plural(count, "was", "were")
}

fn missing(gap: &Gap) -> String {
    let Gap {
        callback: _,
        missing: Missing {
            since,
            messages: count,
        },
        confidence,
    } = gap;
    let count = messages(u64::from(count.get()));
    match confidence {
        Confidence::High => format!(
            "missing: {count} since {since} went to others of its application and did not arrive here, while its receiver \
             wrote receipts. eSign does not have it any more, or something before the receiver drops them: `apply \
             --heal` adds it again, and `verify` says whether the receiver answers"
        ),
        Confidence::Low => format!(
            "perhaps missing: {count} since {since} went to others of its application and did not arrive here, but its \
             receiver wrote no receipts at that time, so it may have been down. `verify` says whether it answers, and its \
             requests are a sign of life for the next observation"
        ),
    }
}

fn undeclared(observed: &Observed, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    if observed.undeclared.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "{}",
        style.paint(Tone::Strong, "URLs that are not declared")
    )?;
    let mut urls: Vec<_> = observed.undeclared.iter().collect();
    // Those that eSign has come first.
    urls.sort_by_key(|(_, it)| !it.is_foreign());
    for (url, found) in urls.iter().take(LISTED) {
        let requests = usize::try_from(found.count.messages).unwrap_or(usize::MAX);
        let owner = found
            .secrets_of
            .and_then(|number| observed.subjects.get(number));
        let whose = match owner.filter(|_| found.known.is_none()) {
            Some(subject) => format!(
                ". The secrets of `{}` open them: someone configured this URL at eSign. Declare it, or list it under \
                 `absent`",
                Clean(&subject.address)
            ),
            None => match found.known {
                Some(Known::Leaving) => ". It is recorded, and `apply` deletes it".to_owned(),
                Some(Known::Twin) => ". It was the twin of a rotation that ended since".to_owned(),
                Some(Known::Idle) => ". It is declared, and suspended or not enabled".to_owned(),
                None => ". Nothing shows that eSign sent them".to_owned(),
            },
        };
        let text = format!(
            "{}: {}, the last {}{whose}",
            Clean(without_query(url)),
            counted(requests, "request", "requests"),
            last(&found.count, style)
        );
        paragraph(&text, style, out)?;
    }
    let more = urls.len().saturating_sub(LISTED);
    if more > 0 || observed.undeclared_more > 0 {
        let sum = observed.undeclared_requests();
        let listed: u64 = urls
            .iter()
            .take(LISTED)
            .map(|(_, it)| it.count.messages)
            .sum();
        let rest = usize::try_from(sum - listed).unwrap_or(usize::MAX);
        writeln!(
            out,
            "  and {} to other URLs",
            counted(rest, "request", "requests")
        )?;
    }
    Ok(())
}

/// The URL of a stranger: anything may be in its query.
fn without_query(url: &CallbackUrl) -> String {
    match url.shown().split_once('?') {
        Some((path, _)) => format!("{path}?{MASK}"),
        None => url.shown().into_owned(),
    }
}

/// The last line.
pub fn observed_summary(observed: &Observed, lessons: Option<&Lessons>) -> String {
    let of = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let proven = observed
        .subjects
        .iter()
        .filter(|it| it.tally.proven.last.is_some())
        .count();
    let mut text = format!(
        "{}: {proven} of {} proven",
        counted(of(observed.receipts), "receipt", "receipts"),
        counted(
            observed.subjects.len(),
            "declared callback",
            "declared callbacks"
        ),
    );
    let parts = [
        (observed.missing.len(), ["missing", "missing"]),
        (
            of(observed.repeated),
            ["repeated message", "repeated messages"],
        ),
        (of(observed.probes), ["probe", "probes"]),
        (
            of(observed.unreadable),
            ["unreadable line", "unreadable lines"],
        ),
    ];
    for (count, [one, many]) in parts.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(", ");
        text.push_str(&counted(count, one, many));
    }
    let Some(lessons) = lessons else {
        text.push_str(". Nothing was recorded, because of --no-record.");
        return text;
    };
    let unrecorded = match lessons.unrecorded.as_slice() {
        [] => String::new(),
        [one] => format!(" `{}` is not recorded: `import` records it.", Clean(one)),
        [one, more @ ..] => format!(
            " `{}` and {} more are not recorded: `import` records them.",
            Clean(one),
            more.len()
        ),
    };
    let early = match lessons.early {
        0 => String::new(),
        count => format!(
            " {} recorded as assumed: a message may be six hours old, and so older than the last call. One that \
             comes later than that proves it.",
            counted(count, "callback stays", "callbacks stay")
        ),
    };
    if lessons.is_empty() {
        return format!("{text}. Nothing new to record.{early}{unrecorded}");
    }
    let of = |which: Lesson| {
        lessons
            .lessons
            .iter()
            .filter(|(_, it)| *it == which)
            .count()
    };
    let parts = [
        (of(Lesson::Proven), "proven for the first time"),
        (of(Lesson::Changed), "with another key or token"),
        (of(Lesson::Missing), "missing"),
        (lessons.seen, "seen again"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<_> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("{text}. Recorded: {}.{early}{unrecorded}", parts.join(", "))
}
