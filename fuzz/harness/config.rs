//! callbacks.yaml: any bytes, as one file or as several (each 0xFF begins another file).

use ess_callbacks::config::{Source, parse};
use ess_callbacks::diag::{Diagnostic, Severity};
use ess_callbacks::render::diagnostic;

/// Reads the files, and renders every problem in every format.
pub(crate) fn run(data: &[u8]) {
    let sources: Vec<Source> = data
        .split(|byte| *byte == 0xff)
        .take(4)
        .zip(["a.yaml", "b.yaml", "c.yaml", "d.yaml"])
        .map(|(text, name)| Source {
            name: name.into(),
            text: text.to_vec(),
        })
        .collect();
    let outcome = parse(&sources);
    let has_error = |diagnostics: &[Diagnostic]| {
        diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    };
    let problems = match &outcome {
        Ok(parsed) => {
            assert!(!has_error(&parsed.warnings), "good in spite of an error");
            &parsed.warnings
        }
        Err(problems) => {
            assert!(has_error(problems), "refused without an error");
            problems
        }
    };
    for problem in problems.iter().take(50) {
        let plain = diagnostic::diagnostic(problem, false);
        assert!(
            !plain.chars().any(|c| c.is_control() && c != '\n'),
            "a control character reaches the terminal: {plain:?}"
        );
        drop(diagnostic::diagnostic(problem, true));
    }
    // Another file can add what is missing, but must not cause another error in the same text.
    let again = match parse(&sources) {
        Ok(parsed) => parsed.warnings,
        Err(problems) => problems,
    };
    assert_eq!(&again, problems, "not deterministic");
}
