//! The code blocks of a Markdown file, with the marks that say what the tests do with them.
//!
//! A mark is a comment on the line before a block:
//!
//! | mark | meaning |
//! |---|---|
//! | `<!-- file: NAME -->` | the block is a file that the reader writes |
//! | `<!-- edit: NAME -->` | the block is a diff whose lines the reader replaces in a file |
//! | `<!-- prints -->` | the block is what the commands before it print |
//! | `<!-- not run: REASON -->` | the commands can't be run here; their flags are checked |

use std::fs;
use std::path::Path;

/// The comment before a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    File(String),
    Edit(String),
    Prints,
    NotRun(String),
}

/// A fenced code block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The heading above it, without its signs.
    pub(super) heading: String,
    pub(super) language: String,
    pub(super) mark: Option<Mark>,
    pub(super) text: String,
    /// The line of the opening fence, from 1.
    pub(super) line: usize,
}

/// A page of the documentation.
#[derive(Debug)]
pub(super) struct Page {
    /// Its path in the repository.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
}

impl Page {
    pub(super) fn read(root: &Path, name: &str) -> Self {
        let text =
            fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self::parse(name, text)
    }

    pub(super) fn parse(name: &str, text: String) -> Self {
        Self {
            name: name.to_owned(),
            blocks: blocks(name, &text),
            text,
        }
    }

    /// The lines outside of code blocks.
    pub(super) fn prose(&self) -> impl Iterator<Item = &str> {
        let mut inside = false;
        self.text.lines().filter(move |line| {
            let fence = line.starts_with("```");
            inside ^= fence;
            !inside && !fence
        })
    }
}

/// Every page there is, by name.
pub(super) fn pages(root: &Path) -> Vec<Page> {
    let mut names = Vec::new();
    for folder in [".", "docs"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root).expect("it is below");
                let name = name.strip_prefix(".").unwrap_or(name);
                names.push(name.to_str().expect("a name in UTF-8").to_owned());
            }
        }
    }
    names.sort();
    names.iter().map(|name| Page::read(root, name)).collect()
}

fn blocks(name: &str, text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut heading = String::new();
    let mut mark = None;
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(language) if !inside => {
                found.push(Block {
                    heading: heading.clone(),
                    language: language.to_owned(),
                    mark: mark.take(),
                    text: String::new(),
                    line: index + 1,
                });
                inside = true;
            }
            Some(_) => inside = false,
            None if inside => {
                let text = &mut found.last_mut().expect("it was pushed").text;
                text.push_str(line);
                text.push('\n');
            }
            None => {
                if line.starts_with('#') {
                    line.trim_start_matches('#').trim().clone_into(&mut heading);
                }
                if !line.trim().is_empty() {
                    mark = read_mark(line);
                }
            }
        }
    }
    assert!(!inside, "{name} ends inside a code block");
    found
}

fn read_mark(line: &str) -> Option<Mark> {
    let mark = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    if mark == "prints" {
        return Some(Mark::Prints);
    }
    let (name, value) = mark.split_once(": ")?;
    match name {
        "file" => Some(Mark::File(value.to_owned())),
        "edit" => Some(Mark::Edit(value.to_owned())),
        "not run" => Some(Mark::NotRun(value.to_owned())),
        _ => None,
    }
}
