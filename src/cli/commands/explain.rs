//! `explain`: prints the section of docs/errors.md about a code.

use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The code, such as E053, W003 or V001; without it, all codes are listed.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

const PAGE: &str = include_str!("../../../docs/errors.md");

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let text = match args.code.as_deref() {
        None => list(),
        Some(code) => section(code).ok_or_else(|| unknown(code))?.to_owned(),
    };
    ui.print(format_args!("{}\n", text.trim_end()));
    Ok(Exit::Done)
}

/// Every code with its title.
fn list() -> String {
    let titles = PAGE.lines().filter_map(|line| line.strip_prefix("### "));
    titles.collect::<Vec<_>>().join("\n")
}

/// The section about a code. Case does not matter.
fn section(code: &str) -> Option<&'static str> {
    let start = PAGE
        .match_indices("\n### ")
        .map(|(at, mark)| at + mark.len())
        .find(|at| {
            let title = PAGE[*at..].split([' ', '\n']).next();
            title.is_some_and(|title| title.eq_ignore_ascii_case(code.trim()))
        })?;
    let section = &PAGE[start..];
    let end = ["\n### ", "\n## "]
        .iter()
        .filter_map(|mark| section.find(mark))
        .min();
    Some(section[..end.unwrap_or(section.len())].trim_end())
}

fn unknown(code: &str) -> Failure {
    Failure::usage(format!("unknown code `{}`", code.escape_debug()))
        .advice("`ess-callbacks explain` lists all codes. Error codes of eSign, such as `InvalidParameter`, are explained in the output of apply.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CODES;
    use crate::verify;

    #[test]
    fn every_code_is_explained() {
        for doc in CODES {
            let section = section(doc.code.0).unwrap_or_default();
            let title = format!("{} {}", doc.code.0, doc.title);
            assert!(section.starts_with(&title), "{title}: {section}");
            assert!(section.lines().count() > 2, "{section}");
        }
        for doc in verify::CODES {
            let section = section(doc.code).unwrap_or_default();
            let title = format!("{} {}", doc.code, doc.title);
            assert!(section.starts_with(&title), "{title}: {section}");
            assert!(section.lines().count() > 2, "{section}");
        }
        assert_eq!(list().lines().count(), CODES.len() + verify::CODES.len());
        assert_eq!(section("e053"), section("E053"));
        assert_eq!(section("E0"), None);
    }
}
