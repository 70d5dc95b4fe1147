//! callbacks.yaml with very many errors: what is said of them, and what is not shown.

use ess_callbacks::config::{Source, parse};
use ess_callbacks::diag::{Diagnostic, Severity};

fn source(name: &str, text: impl Into<Vec<u8>>) -> Source {
    Source {
        name: name.into(),
        text: text.into(),
    }
}

const BEGIN: &str =
    "version: 1\nenvironment: test\ndefaults: { operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }\n";

/// The errors of a text in which no excerpt may show a secret.
fn errors(text: String) -> Vec<Diagnostic> {
    let found = parse(&[source("callbacks.yaml", text)]).expect_err("it has errors");
    for one in &found {
        let shown = one.snippet.as_ref().map_or("", |it| &*it.text);
        assert!(!shown.contains("SECRET"), "{shown}");
    }
    found
}

#[test]
fn what_follows_many_errors_of_a_file_is_neither_checked_nor_shown() {
    let bad = |number: usize| format!("o{number}: {{ callbacks: [{{}}] }}");
    let all: Vec<_> = (0..300).map(bad).collect();
    let good = "z: { callbacks: [{ url: \"https://a.example/\", key: SECRET }] }";
    // In one line, an excerpt shows what is beside an error.
    let text = format!("{BEGIN}organizations: {{ {}, {good} }}\n", all.join(", "));
    let found = errors(text.clone());
    let mut of_callbacks = found.iter().filter(|one| one.code.0 == "E013");
    let last = &of_callbacks.nth(99).unwrap().message;
    assert!(
        last.ends_with("(there are so many errors that 201 more organizations are not checked)"),
        "{last}"
    );
    assert_eq!(of_callbacks.next(), None);
    // What is no YAML at all says only that.
    let found = errors(text.replace(good, "z: [}"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code.0, "E001");
}

#[test]
fn of_a_list_only_so_many_wrong_items_are_kept() {
    let wrong = "{}, ".repeat(1_500);
    let text = format!("{BEGIN}organizations:\n  o: {{ callbacks: [{wrong}{{ key: SECRET }}] }}\n");
    let found = errors(text);
    assert_eq!(found.len(), 1_000);
    let valid = "\"https://a.example/\"";
    let text = format!("{BEGIN}organizations:\n  o: {{ callbacks: [{valid}, {{}}] }}\n");
    assert_eq!(
        errors(text)
            .iter()
            .filter(|one| one.severity == Severity::Error)
            .count(),
        1
    );
}

#[test]
fn a_file_with_millions_of_mistakes_is_not_answered_with_millions_of_errors() {
    let errors = parse(&[source("f", "a: b\n".repeat(200_000))]).unwrap_err();
    assert!(errors.len() < 200, "{}", errors.len());
    let organizations: Vec<_> = (0..12_000).map(|n| format!("  a{n}: 1\n")).collect();
    let organizations = organizations.concat();
    let text = format!("version: 1\nenvironment: test\norganizations:\n{organizations}");
    let errors = parse(&[source("f", text)]).unwrap_err();
    assert_eq!(errors.len(), 100);
    assert!(errors[99].message.contains("11900 more organizations"));
    // Of those that need all files, there are more.
    let organizations: Vec<_> = (0..2_000).map(|n| format!("  a{n}: {{}}\n")).collect();
    let organizations = organizations.concat();
    let text = format!("version: 1\nenvironment: test\norganizations:\n{organizations}");
    let errors = parse(&[source("f", text)]).unwrap_err();
    assert_eq!(errors.len(), 1_000);
    assert!(
        errors[999]
            .message
            .contains("more errors that are not shown")
    );
}
