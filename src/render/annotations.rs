//! Diagnostics as GitHub annotations and as GitLab's code quality report.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::escape::Clean;
use crate::diag::{Diagnostic, Severity, Snippet};
use crate::harmless::{PrettyJson, neutral};

/// GitHub's workflow commands, a line for each diagnostic, without any other command in it. GitHub shows ten
/// errors and ten warnings of a step; its log has all.
pub fn github_annotations(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let Diagnostic {
            severity,
            code,
            message,
            snippet,
            help,
        } = diagnostic;
        write!(text, "::{severity} ").expect("memory");
        if let Some(Snippet {
            file,
            line,
            column,
            length,
            text: _,
            text_column: _,
        }) = snippet
        {
            write!(
                text,
                "file={},line={line},col={column},endColumn={},",
                property(&harmless(relative(file))),
                column.saturating_add(*length)
            )
            .expect("memory");
        }
        let help = help
            .as_ref()
            .map(|help| format!("\nhelp: {}", Clean(help)))
            .unwrap_or_default();
        let body = data(&format!("{}{help}", Clean(message)));
        writeln!(text, "title={code}::{body}").expect("memory");
    }
    text
}

/// Both systems identify files by their path in the repository.
fn relative(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

/// Replaces the characters of a file name that a log could read as a command. No escape keeps the name usable, so
/// GitHub then shows the problem without a file.
fn harmless(path: &str) -> String {
    neutral(&path.replace(char::is_control, "\u{fffd}"))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// GitLab's code quality report: a JSON array. A diagnostic without a line is reported at the first line of
/// `configuration`.
///
/// A fingerprint does not cover the line number, so that an edit above a problem does not make it a new one.
pub fn gitlab_code_quality(diagnostics: &[Diagnostic], configuration: &str) -> String {
    let mut seen = BTreeMap::<(&str, &str, &str), usize>::new();
    let issues: Vec<Issue<'_>> = diagnostics
        .iter()
        .map(|diagnostic| {
            let Diagnostic {
                severity,
                code,
                message,
                snippet,
                help,
            } = diagnostic;
            let (path, begin) = match snippet {
                Some(snippet) => (&*snippet.file, snippet.line),
                None => (configuration, 1),
            };
            let path = relative(path);
            let again = seen.entry((code.0, path, message)).or_default();
            *again += 1;
            let mut digest = Sha256::new();
            for part in [code.0, path, message, &again.to_string()] {
                digest.update(part.as_bytes());
                digest.update([0]);
            }
            let help = help
                .as_ref()
                .map(|help| format!(" ({})", Clean(help)))
                .unwrap_or_default();
            Issue {
                description: format!("{}{help}", Clean(message)),
                check_name: code.0,
                fingerprint: hex::encode(&digest.finalize()[..16]),
                severity: match severity {
                    Severity::Error => "blocker",
                    Severity::Warning => "minor",
                },
                location: Location {
                    path,
                    lines: Lines { begin },
                },
            }
        })
        .collect();
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, PrettyJson::default());
    issues
        .serialize(&mut serializer)
        .expect("texts and numbers are always JSON");
    json.push(b'\n');
    String::from_utf8(json).expect("JSON is UTF-8")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diag::Code;
    use crate::plan::arbitrary;

    fn examples() -> Vec<Diagnostic> {
        let at = |line| Diagnostic {
            severity: Severity::Error,
            code: Code("E010"),
            message: "a callback has no key `100%`,\n::warning::forged".to_owned(),
            snippet: Some(Snippet {
                file: Arc::from("./teams/a:b,c.yaml"),
                line,
                column: 9,
                length: 3,
                text: "        kye: x".to_owned(),
                text_column: 1,
            }),
            help: Some("did you mean `key`?".to_owned()),
        };
        let nowhere = Diagnostic {
            severity: Severity::Warning,
            code: Code("W002"),
            message: "no token".to_owned(),
            snippet: None,
            help: None,
        };
        vec![at(12), at(30), nowhere]
    }

    #[test]
    fn github_reads_a_line_each_and_nothing_can_forge_another() {
        insta::assert_snapshot!(github_annotations(&examples()), @r"
        ::error file=teams/a%3Ab%2Cc.yaml,line=12,col=9,endColumn=12,title=E010::a callback has no key `100%25`,\u{a}::warning::forged%0Ahelp: did you mean `key`?
        ::error file=teams/a%3Ab%2Cc.yaml,line=30,col=9,endColumn=12,title=E010::a callback has no key `100%25`,\u{a}::warning::forged%0Ahelp: did you mean `key`?
        ::warning title=W002::no token
        ");
    }

    proptest::proptest! {
        /// GitHub reads one command per line, and unescaping gives the texts back.
        #[test]
        fn no_text_can_make_a_command(message in arbitrary::text(), file in arbitrary::text()) {
            let mut diagnostic = examples().remove(0);
            diagnostic.message = message;
            diagnostic.snippet.as_mut().unwrap().file = Arc::from(file.as_str());
            let text = github_annotations(&[diagnostic.clone()]);
            let line = text.strip_suffix('\n').unwrap();
            proptest::prop_assert!(!line.contains(['\n', '\r']), "{line:?}");
            let (properties, body) = line.strip_prefix("::error ").unwrap().split_once("::").unwrap();
            proptest::prop_assert_eq!(properties.split(',').count(), 5);
            let undone = |text: &str| {
                let marks = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];
                marks.iter().fold(text.to_owned(), |text, (code, sign)| text.replace(code, sign))
            };
            let shown = format!("{}\nhelp: did you mean `key`?", Clean(&diagnostic.message));
            proptest::prop_assert_eq!(undone(body), shown);
            let named = properties.split(',').next().unwrap().strip_prefix("file=").unwrap();
            proptest::prop_assert_eq!(undone(named), harmless(relative(&file)));
        }

        /// Equal issues have different fingerprints.
        #[test]
        fn no_two_issues_are_one(messages in proptest::collection::vec("[ab]{0,2}", 0..20)) {
            let diagnostics: Vec<Diagnostic> = messages
                .into_iter()
                .map(|message| Diagnostic { message, ..examples().remove(0) })
                .collect();
            let text = gitlab_code_quality(&diagnostics, "callbacks.yaml");
            let issues: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            let print = |issue: &serde_json::Value| issue["fingerprint"].to_string();
            let prints: std::collections::BTreeSet<String> = issues.iter().map(print).collect();
            proptest::prop_assert_eq!(prints.len(), diagnostics.len());
        }
    }

    #[test]
    fn gitlab_tells_them_apart_and_knows_them_again() {
        insta::assert_snapshot!(gitlab_code_quality(&examples(), "callbacks.yaml"), @r#"
        [
          {
            "description": "a callback has no key `100%`,\\u{a}::warning::forged (did you mean `key`?)",
            "check_name": "E010",
            "fingerprint": "07917386ca4059b75ab6d5d1ed3e28ef",
            "severity": "blocker",
            "location": {
              "path": "teams/a:b,c.yaml",
              "lines": {
                "begin": 12
              }
            }
          },
          {
            "description": "a callback has no key `100%`,\\u{a}::warning::forged (did you mean `key`?)",
            "check_name": "E010",
            "fingerprint": "4c06ebbc0c984c61ec248dc0260a34bb",
            "severity": "blocker",
            "location": {
              "path": "teams/a:b,c.yaml",
              "lines": {
                "begin": 30
              }
            }
          },
          {
            "description": "no token",
            "check_name": "W002",
            "fingerprint": "417f149571491b91ba3a597a890d6e8b",
            "severity": "minor",
            "location": {
              "path": "callbacks.yaml",
              "lines": {
                "begin": 1
              }
            }
          }
        ]
        "#);
        let print = |diagnostics: &[Diagnostic]| -> Vec<String> {
            let text = gitlab_code_quality(diagnostics, "callbacks.yaml");
            let issues: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            let print = |issue: &serde_json::Value| issue["fingerprint"].to_string();
            issues.iter().map(print).collect()
        };
        let mut moved = examples();
        moved[0].snippet.as_mut().unwrap().line = 13;
        assert_eq!(print(&moved), print(&examples()));
        assert_ne!(print(&examples())[0], print(&examples())[1]);
        assert_eq!(gitlab_code_quality(&[], "callbacks.yaml"), "[]\n");
    }
}
