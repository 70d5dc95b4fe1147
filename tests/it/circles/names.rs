//! What one Rust file names, without a parser of Rust: its imports and the other paths in its code.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// The names in one file's code; comments, texts and tests are left out.
pub(super) struct Names {
    /// Each imported name, with its path.
    pub(super) imports: BTreeMap<String, Vec<String>>,
    /// The paths of imports that are not public.
    pub(super) uses: Vec<Vec<String>>,
    /// The modules that are declared for tests only.
    pub(super) test_modules: Vec<String>,
}

static BLANK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r##"(?s)//[^\n]*|/\*.*?\*/|r#".*?"#|\br"[^"]*"|"(?:\\.|[^"\\])*"|'(?:\\[^']+|[^'\\])'"##,
    )
    .unwrap()
});
static TEST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"#\[cfg\((?:test|(?:any|all)\(test[^\]]*)\)\]").unwrap());
static USE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:(pub)(?:\([^)]*\))?\s+)?\buse\s+([^;]+);").unwrap());
static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[A-Za-z_]\w*(?:\s*::\s*[A-Za-z_]\w*)+").unwrap());
static MODULE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bmod\s+(\w+)\s*;").unwrap());

impl Names {
    pub(super) fn of(text: &str) -> Self {
        let text = BLANK.replace_all(text, " ");
        let (code, test_modules) = without_tests(&text);
        let mut imports = BTreeMap::new();
        let mut uses = Vec::new();
        for found in USE.captures_iter(&code) {
            for (name, path) in leaves(&[], &found[2]) {
                if found.get(1).is_none() {
                    uses.push(path.clone());
                }
                imports.insert(name, path);
            }
        }
        let rest = USE.replace_all(&code, " ");
        uses.extend(PATH.find_iter(&rest).map(|path| segments(path.as_str())));
        Self {
            imports,
            uses,
            test_modules,
        }
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split("::")
        .map(|segment| segment.trim().to_owned())
        .filter(|segment| !segment.is_empty())
        .collect()
}

/// The code without what is compiled for tests only, and the test modules that have files.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let (mut code, mut modules, mut rest) = (String::new(), Vec::new(), text);
    while let Some(attribute) = TEST.find(rest) {
        code.push_str(&rest[..attribute.start()]);
        let after = &rest[attribute.end()..];
        let item = &after[..item_length(after)];
        modules.extend(MODULE.captures(item).map(|found| found[1].to_owned()));
        rest = &after[item.len()..];
    }
    code.push_str(rest);
    (code, modules)
}

/// How far the item at the beginning reaches: to its semicolon, or to its closing brace.
fn item_length(text: &str) -> usize {
    let mut depth = 0_i32;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(letter, ';' | '}') {
            return at + 1;
        }
    }
    text.len()
}

/// Each name that a `use` brings, with its whole path.
fn leaves(prefix: &[String], tree: &str) -> Vec<(String, Vec<String>)> {
    let tree = tree.trim();
    let full = |path: &str| [prefix, &segments(path)].concat();
    if let Some((before, group)) = tree.split_once('{') {
        let group = group.rsplit_once('}').map_or(group, |(inside, _)| inside);
        return branches(group)
            .into_iter()
            .flat_map(|branch| leaves(&full(before), branch))
            .collect();
    }
    let (path, alias) = match tree.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (tree, None),
    };
    let mut path = full(path);
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = alias.or_else(|| path.last().cloned());
    name.filter(|name| !name.is_empty())
        .map(|name| (name, path))
        .into_iter()
        .collect()
}

/// The parts between the commas that are in no inner group.
fn branches(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0_i32, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[begin..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}
