//! The layers of `src/lib.rs`: which module may import which.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and the other modules that it may name.
const MAY_IMPORT: [(&str, &[&str]); 32] = [
    ("model", &["diag", "secret"]),
    ("diag", &[]),
    ("harmless", &[]),
    ("exposition", &[]),
    ("secret", &[]),
    ("random", &[]),
    ("facts", &["model"]),
    ("wire", &[]),
    ("sign", &["model", "secret"]),
    ("envelope", &["model", "secret"]),
    ("receiver", &["model", "secret", "envelope"]),
    ("serving", &[]),
    ("config", &["model", "diag", "secret"]),
    ("group", &["model", "diag", "wire"]),
    ("doctor", &["model", "group", "wire"]),
    (
        "observe",
        &["model", "secret", "random", "envelope", "receiver"],
    ),
    ("plan", &["model", "diag", "secret", "harmless", "facts"]),
    (
        "render",
        &[
            "model",
            "diag",
            "secret",
            "harmless",
            "exposition",
            "facts",
            "plan",
            "receiver",
            "group",
            "doctor",
            "observe",
        ],
    ),
    (
        "client",
        &["model", "diag", "secret", "random", "sign", "wire"],
    ),
    ("audit", &["model", "wire", "client"]),
    (
        "state",
        &["model", "diag", "secret", "harmless", "facts", "random"],
    ),
    (
        "backend",
        &["model", "secret", "random", "sign", "client", "state"],
    ),
    (
        "sandbox",
        &[
            "model", "diag", "secret", "random", "sign", "wire", "envelope", "serving",
        ],
    ),
    (
        "apply",
        &["model", "diag", "secret", "plan", "client", "state"],
    ),
    (
        "run",
        &[
            "model", "diag", "secret", "plan", "client", "state", "apply",
        ],
    ),
    (
        "page",
        &["model", "diag", "harmless", "plan", "render", "state"],
    ),
    (
        "controller",
        &["model", "diag", "exposition", "config", "plan", "notify"],
    ),
    (
        "cli",
        &[
            "controller",
            "run",
            "verify",
            "model",
            "diag",
            "secret",
            "wire",
            "sign",
            "envelope",
            "config",
            "plan",
            "render",
            "client",
            "state",
            "sandbox",
            "apply",
            "harmless",
            "receiver",
            "serving",
            "group",
            "doctor",
            "backend",
            "notify",
            "page",
            "observe",
            "audit",
        ],
    ),
    ("verify", &["model", "secret", "envelope", "client"]),
    ("notify", &["model", "secret", "harmless", "client"]),
    // Doubles, for tests only.
    (
        "testing",
        &["model", "secret", "sign", "random", "client", "state"],
    ),
    ("main", &["cli"]),
];

/// Every Rust file below a folder.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The names after `crate::` in a file, with those of a group like `crate::{model, plan}`.
fn imports(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        match rest.strip_prefix('{') {
            Some(group) => names.extend(
                group
                    .split(['}', ';'])
                    .next()
                    .unwrap_or("")
                    .split(',')
                    .map(|n| word(n.trim())),
            ),
            None => names.push(word(rest)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn every_module_imports_only_from_its_layer_and_below() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<_, _> = MAY_IMPORT.into_iter().collect();
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).unwrap();
        let first = inside.iter().next().unwrap().to_string_lossy();
        let module = first.strip_suffix(".rs").unwrap_or(&first);
        if module == "lib" {
            continue;
        }
        let Some(may) = allowed.get(module) else {
            wrong.push(format!("{module} is not in the table of layers"));
            continue;
        };
        for name in imports(&fs::read_to_string(&file).unwrap()) {
            // Without its feature the program does not build where it names a double.
            let ours = allowed.contains_key(name.as_str()) && name != "testing";
            if ours && name != module && !may.contains(&name.as_str()) {
                wrong.push(format!("{} imports crate::{name}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_command_line_reads_clock_environment_and_terminal() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).unwrap();
        // The TLS provider is installed by the client; nothing here reads a clock.
        // Folders of tests may ask which external servers there are.
        let is_test = inside.iter().any(|part| part == "tests");
        if inside.starts_with("cli") || is_test {
            continue;
        }
        // Tests against real servers ask the gate where those are.
        if inside.iter().any(|part| part == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or(&text);
        for word in [
            "SystemTime::now",
            "env::var",
            "is_terminal()",
            "io::stdin",
            "io::stdout",
            "println!",
        ] {
            let comment = |line: &&str| !line.trim_start().starts_with("//");
            if code.lines().filter(comment).any(|line| line.contains(word)) {
                wrong.push(format!("{} uses {word}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
