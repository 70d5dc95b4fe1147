//! A secret written into callbacks.yaml as a literal: no message shows it, whatever is wrong around it.
//!
//! The first byte selects how the secret is written. The rest is the text before it and, after a 0xFF, the text after
//! it.

use ess_callbacks::config::{Source, parse};
use ess_callbacks::render::diagnostic;

/// Long enough that a fuzzer does not find it by chance.
const CANARY: &str = "cAnArY-7f3a9e51";

/// Ways to write a secret in clear text.
const WAYS: [(&str, &str); 16] = [
    ("\n        key: ", "\n"),
    ("\n        token: ", "\n"),
    ("\n        key: \"", "\"\n"),
    ("\n        token: '", "'\n"),
    ("\n        kye: ", "\n"),
    ("\n        key:\n          ", "\n"),
    ("\n        key: |\n          ", "\n"),
    ("\n        key: [", "]\n"),
    ("\n        key: {env: ", "}\n"),
    ("\n        key: {evn: ", "}\n"),
    ("\n      - {url: https://a.example/x, key: ", "}\n"),
    ("\n      - {url: https://a.example/x, token: \"", "\"}\n"),
    (" key: ", "\n"),
    (", key: ", ","),
    (", token: \"", "\", "),
    ("\n        - key: ", "\n"),
];

/// Reads the file, and looks for the secret in every message.
pub(crate) fn run(data: &[u8]) {
    let Some((way, data)) = data.split_first() else {
        return;
    };
    let (open, close) = WAYS[usize::from(*way) % WAYS.len()];
    let mut parts = data.splitn(2, |byte| *byte == 0xff);
    let before = parts.next().unwrap_or_default();
    let after = parts.next().unwrap_or_default();
    if inside_text(before) {
        return;
    }
    let text = [
        before,
        open.as_bytes(),
        CANARY.as_bytes(),
        close.as_bytes(),
        after,
    ]
    .concat();
    let source = Source {
        name: "a.yaml".into(),
        text,
    };
    let problems = match parse(&[source]) {
        Ok(parsed) => parsed.warnings,
        Err(problems) => problems,
    };
    for problem in &problems {
        let shown = diagnostic::diagnostic(problem, false);
        assert!(!shown.contains(CANARY), "shows the secret:\n{shown}");
        assert!(
            !format!("{problem:?}").contains(CANARY),
            "holds the secret: {problem:?}"
        );
    }
}

/// Whether quotes, a block scalar or a comment may be open, so that the text that follows is not a key.
fn inside_text(before: &[u8]) -> bool {
    let quoted = |byte: &u8| matches!(byte, b'"' | b'\'' | b'|' | b'>');
    let line = before.rsplit(|byte| matches!(byte, b'\n' | b'\r')).next();
    before.iter().any(quoted) || line.is_some_and(|line| line.contains(&b'#'))
}
