//! The report of a trial of eSign's API, in Markdown, to be pasted into an issue. It names no URL.

use std::fmt;

use super::escape::Clean;
use crate::doctor::trial::{Left, Made, Purpose, Target, Trial, told};
use crate::model::{CallbackUrl, Environment, Timestamp};

/// Where and when a trial was made.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    pub version: &'a str,
    pub environment: Environment,
    /// Whether the answers are eSign's own, and not a sandbox's.
    pub is_esign: bool,
    pub at: Timestamp,
}

/// Writes the report.
pub fn trial_markdown(
    trial: &Trial,
    setting: &Setting<'_>,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let Setting {
        version,
        environment,
        is_esign,
        at,
    } = setting;
    let who = if *is_esign {
        "eSign"
    } else {
        "another server than eSign (--endpoint or --sandbox)"
    };
    writeln!(out, "## What eSign answers\n")?;
    writeln!(
        out,
        "Answered by {who}, environment {environment}, on {at}, with ess-callbacks {version}.\n"
    )?;
    writeln!(out, "| question | answer |\n|---|---|")?;
    for (question, answer) in trial.answers() {
        writeln!(out, "| {question} | {} |", cell(&answer, trial))?;
    }
    writeln!(
        out,
        "\n| | time | call | answer | RequestId |\n|---|---|---|---|---|"
    )?;
    for (number, made) in (1..).zip(trial.made()) {
        let id = made.outcome.request_id().map_or("", |id| id.as_str());
        writeln!(
            out,
            "| {number} | {} UTC | {} | {} | {} |",
            made.at.clock_time(),
            call(made),
            cell(&told(&made.outcome), trial),
            cell(id, trial)
        )?;
    }
    writeln!(out, "\n{}", left(trial))
}

/// What may be at eSign after a trial.
fn left(trial: &Trial) -> String {
    match trial.left() {
        Left::Nothing => "None of it remains at eSign.".to_owned(),
        Left::Perhaps => "The URL may still be at eSign.".to_owned(),
        Left::UntilDead(until) => format!(
            "An add got no answer and may still take effect until {} UTC, so the URL may be at eSign.",
            until.clock_time()
        ),
    }
}

fn call(made: &Made) -> String {
    let what = if made.step.add { "add" } else { "delete" };
    let again = match made.step.purpose {
        Purpose::SecondAdd | Purpose::AddAgain | Purpose::SecondDelete => " again",
        Purpose::DeleteOfMissing
        | Purpose::FirstAdd
        | Purpose::Compare
        | Purpose::FirstDelete
        | Purpose::CleanUp => "",
    };
    match made.step.target {
        Target::Given => format!("{what} the URL{again}"),
        Target::Spelled(spelling) => format!("{what} the URL {}{again}", spelling.words()),
    }
}

/// Foreign text in a cell of a table, without the trial's URLs.
fn cell(text: &str, trial: &Trial) -> String {
    let mut text = text.to_owned();
    let mut urls: Vec<&str> = trial.urls().map(CallbackUrl::as_str).collect();
    urls.sort_by_key(|url| std::cmp::Reverse(url.len()));
    for url in urls {
        text = text.replace(url, "(the URL)");
    }
    let clean = Clean(&text).to_string();
    let mut cell = String::with_capacity(clean.len());
    for c in clean.chars() {
        match c {
            '<' => cell.push_str("&lt;"),
            '&' => cell.push_str("&amp;"),
            '|' | '[' | ']' | '*' | '_' | '`' | '\\' => {
                cell.push('\\');
                cell.push(c);
            }
            // Mentions nobody on GitHub and GitLab.
            '@' => cell.push_str("&#64;"),
            c => cell.push(c),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::trial::Step;
    use crate::model::{ApiError, Blast, Outcome, RequestId};

    #[test]
    fn the_report_names_no_url_and_escapes_what_esign_says() {
        let mut trial = Trial::new("https://canary.example/x").unwrap();
        let at = Timestamp(1_800_000_000);
        let mut take = |step: Step, outcome: Outcome| {
            trial.take(Made {
                step,
                outcome,
                at,
                dated: true,
            });
            trial.next()
        };
        let first = Trial::new("https://canary.example/x")
            .unwrap()
            .next()
            .unwrap();
        let second = take(first, Outcome::NotThere(RequestId::new("r-1"))).unwrap();
        let error = ApiError {
            code: Some("InvalidParameterValue".to_owned()),
            message: "https://canary.example/x | <b>@all</b>".to_owned(),
            request_id: Some(RequestId::new("r-2")),
            meaning: "m".into(),
            advice: "a".into(),
        };
        take(second, Outcome::Rejected(Blast::Call, error));
        let mut out = String::new();
        let setting = Setting {
            version: "0.1.0",
            environment: Environment::Test,
            is_esign: true,
            at,
        };
        trial_markdown(&trial, &setting, &mut out).unwrap();
        assert!(!out.contains("canary"), "{out}");
        insta::assert_snapshot!(out, @r"
        ## What eSign answers

        Answered by eSign, environment test, on 2027-01-15T08:00:00Z, with ess-callbacks 0.1.0.

        | question | answer |
        |---|---|
        | What is the answer to an add of an existing URL? | not asked |
        | Does an add by API probe the URL with `{}`? | look at what the receiver got at 08:00:00 UTC |
        | What exactly is the answer to a delete of a missing URL? | FailedOperation: 当前配置不存在 |
        | What is the answer to a delete of an existing URL? | not asked |
        | What is the answer to the same delete again? | not asked |
        | Is the URL with its host in capitals the same URL? | not asked |
        | Is the URL with a slash more or less at its end the same URL? | not asked |
        | Is the URL with its default port the same URL? | not asked |
        | Is the URL with its path in capitals the same URL? | not asked |
        | Do answers have a `Date` header? | 2 of 2 |

        | | time | call | answer | RequestId |
        |---|---|---|---|---|
        | 1 | 08:00:00 UTC | delete the URL | FailedOperation: 当前配置不存在 | r-1 |
        | 2 | 08:00:00 UTC | add the URL | InvalidParameterValue: (the URL) \| &lt;b>&#64;all&lt;/b> | r-2 |

        None of it remains at eSign.
        ");
    }
}
