//! Sibling modules do not use each other in a circle, at every depth below `src/`.
//!
//! A folder counts as one module, with everything in it. What a `mod.rs` defines may be used by its
//! children and may use them. A name that a `mod.rs` only re-exports belongs to the child that defines it.
//! Code for tests does not count.

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use self::names::Names;
use crate::layering::rust_files;

type Module = Vec<String>;

/// Which children of a module use which of their siblings, each with one example.
type Edges = BTreeMap<Module, BTreeMap<(String, String), String>>;

fn module_of(file: &Path) -> Module {
    let mut module: Module = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if matches!(
        module.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        module.pop();
    }
    module
}

struct Source {
    files: BTreeMap<Module, Names>,
}

impl Source {
    fn new(texts: &BTreeMap<Module, String>) -> Self {
        let mut files: BTreeMap<Module, Names> = texts
            .iter()
            .map(|(module, text)| (module.clone(), Names::of(text)))
            .collect();
        let tests: Vec<Module> = files
            .iter()
            .flat_map(|(module, names)| names.test_modules.iter().map(|name| child(module, name)))
            .collect();
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { files }
    }

    /// The module that defines what this path, seen from a module, leads to. `None` if it is not one of ours.
    fn resolve(&self, from: &Module, path: &[String], depth: u32) -> Option<Module> {
        let (first, mut rest) = path.split_first()?;
        let names = self.files.get(from)?;
        let mut at = match first.as_str() {
            "crate" => Module::new(),
            "self" => from.clone(),
            "super" => from.split_last()?.1.to_vec(),
            name if self.files.contains_key(&child(from, name)) => child(from, name),
            name => {
                let import = names.imports.get(name)?;
                // An import that begins with its own name comes from another crate.
                if depth == 0 || import.first() == Some(first) {
                    return None;
                }
                return self.resolve(from, &[import, rest].concat(), depth - 1);
            }
        };
        while let Some((name, after)) = rest.split_first() {
            let inner = child(&at, name);
            if name == "super" {
                at.pop();
            } else if self.files.contains_key(&inner) {
                at = inner;
            } else {
                // Re-exported, or defined here.
                let import = self
                    .files
                    .get(&at)
                    .and_then(|names| names.imports.get(name));
                return match import {
                    Some(import) if depth > 0 => {
                        self.resolve(&at, &[import, after].concat(), depth - 1)
                    }
                    Some(_) | None => Some(at),
                };
            }
            rest = after;
        }
        Some(at)
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (from, names) in &self.files {
            for path in &names.uses {
                let Some(to) = self.resolve(from, path, 9) else {
                    continue;
                };
                let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                if let (Some(user), Some(used)) = (from.get(common), to.get(common)) {
                    let example = format!("{} uses {}", from.join("::"), to.join("::"));
                    edges
                        .entry(from[..common].to_vec())
                        .or_default()
                        .entry((user.clone(), used.clone()))
                        .or_insert(example);
                }
            }
        }
        edges
    }
}

fn child(module: &Module, name: &str) -> Module {
    [module.as_slice(), &[name.to_owned()]].concat()
}

/// All that can be reached along the edges from one child.
fn reached<'e>(
    siblings: &'e BTreeMap<(String, String), String>,
    begin: &'e str,
) -> BTreeSet<&'e str> {
    let (mut found, mut todo) = (BTreeSet::new(), vec![begin]);
    while let Some(at) = todo.pop() {
        for (user, used) in siblings.keys() {
            if user == at && found.insert(used.as_str()) {
                todo.push(used);
            }
        }
    }
    found
}

/// Each group of siblings that all use each other, directly or not, with an example of each use.
fn circles(edges: &Edges) -> BTreeMap<(String, Vec<&str>), Vec<&str>> {
    let mut circles = BTreeMap::new();
    for (parent, siblings) in edges {
        let children: BTreeSet<&str> = siblings.keys().map(|(user, _)| user.as_str()).collect();
        for begin in children {
            let circle: Vec<&str> = reached(siblings, begin)
                .into_iter()
                .filter(|other| reached(siblings, other).contains(begin))
                .collect();
            if circle.contains(&begin) {
                let inside = |name: &String| circle.contains(&name.as_str());
                let examples = siblings
                    .iter()
                    .filter(|((user, used), _)| inside(user) && inside(used))
                    .map(|(_, example)| example.as_str())
                    .collect();
                circles.insert((parent.join("::"), circle), examples);
            }
        }
    }
    circles
}

#[test]
fn siblings_do_not_use_each_other_in_a_circle() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let texts = rust_files(&source)
        .into_iter()
        .filter(|file| !file.ends_with("src/main.rs"))
        .map(|file| {
            let module = module_of(file.strip_prefix(&source).unwrap());
            (module, fs::read_to_string(&file).unwrap())
        })
        .collect();
    let edges = Source::new(&texts).edges();
    let mut wrong = Vec::new();
    for ((parent, circle), examples) in circles(&edges) {
        let (members, examples) = (circle.join(", "), examples.join("\n    "));
        wrong.push(format!("a circle in `{parent}`: {members}\n    {examples}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_circle_is_found_through_groups_and_re_exports_but_not_in_tests() {
    let text = |module: &str, text: &str| {
        let module = module.split("::").map(str::to_owned).collect();
        (module, text.to_owned())
    };
    let mut texts = BTreeMap::from([
        (Module::new(), "mod a; mod b; mod c;".to_owned()),
        text(
            "a",
            "pub(crate) mod one; mod two; pub use two::{Two, Other as Renamed}; pub struct Own;",
        ),
        text("a::one", "use super::{Own, Renamed as Again}; // crate::b"),
        text(
            "a::two",
            "fn two() { let text = \"crate::a::one\"; }\n#[cfg(test)]\nmod tests { use crate::a::one::X; }",
        ),
        text(
            "b",
            "use crate::a::{self, one::{X, Y}};\n#[cfg(test)]\nmod b_tests;",
        ),
        text("b::b_tests", "use crate::c::Z;"),
        text("c", "fn c() { crate::b::call::<'a', 1>() }"),
    ]);
    assert_eq!(circles(&Source::new(&texts).edges()), BTreeMap::new());
    texts.extend([
        text("a::two", "fn two(x: super::one::X) {}"),
        text(
            "a::one",
            "use super::{Own, Renamed as Again}; use crate::c;",
        ),
    ]);
    let edges = Source::new(&texts).edges();
    let found: Vec<_> = circles(&edges).into_keys().collect();
    let expected = [
        (String::new(), vec!["a", "b", "c"]),
        ("a".to_owned(), vec!["one", "two"]),
    ];
    assert_eq!(found, expected);
}
