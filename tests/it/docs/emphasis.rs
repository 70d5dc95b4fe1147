//! What a page sets in bold or italics is rendered so.
//!
//! Markdown does not close emphasis after punctuation when a letter follows: `**a。**b` stays as it is. Chinese has no
//! spaces, so it happens easily there.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::markdown::pages;
use super::root;

/// The lines with asterisks that a renderer shows as they are.
fn unrendered(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
    for (event, range) in parser {
        if let Event::Start(Tag::CodeBlock(_)) = event {
            inside = true;
        } else if let Event::End(TagEnd::CodeBlock) = event {
            inside = false;
        } else if let Event::Text(_) = event
            && !inside
        {
            // An escaped one is meant to be seen: the range of its text begins behind the backslash.
            let is_escaped = text[..range.start].ends_with('\\');
            if text[range.clone()].contains('*') && !is_escaped {
                let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
                let line = text[start..].lines().next().unwrap_or_default();
                found.push(line.to_owned());
            }
        }
    }
    found.dedup();
    found
}

#[test]
fn emphasis_is_rendered() {
    let mut wrong = Vec::new();
    for page in pages(root()) {
        let lines = unrendered(&page.text);
        wrong.extend(lines.iter().map(|line| format!("{}: {line}", page.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn emphasis_that_is_not_rendered_is_found() {
    let is_found = |text: &str| !unrendered(text).is_empty();
    for text in [
        "**环境。**ID",
        "标有*（未验证）*的",
        "| a |\n|---|\n| **甲。**乙 |",
    ] {
        assert!(is_found(text), "{text}");
    }
    for text in [
        "**环境**：ID",
        "**环境。** ID",
        "（*未验证*）",
        "`a*b`",
        "* 甲\n* 乙",
        "```\n*.key\n```",
        r"2 \* 3",
    ] {
        assert!(!is_found(text), "{text}");
    }
}
