//! A Chinese page, `NAME.zh-CN.md`, has what its English page has, section by section. What the text
//! says is for people to review.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use super::markdown::{Block, Page, pages};
use super::{links_in, root};

const CHINESE: &str = ".zh-CN.md";

/// The name of the page that a page is translated from.
pub(super) fn original(name: &str) -> Option<String> {
    Some(format!("{}.md", name.strip_suffix(CHINESE)?))
}

fn translation(name: &str) -> String {
    format!("{}{CHINESE}", name.trim_end_matches(".md"))
}

/// Every Chinese page with its English one before it.
fn both() -> Vec<(Page, Page)> {
    let all = pages(root()).into_iter();
    let pair = |chinese: Page| Some((Page::read(root(), &original(&chinese.name)?), chinese));
    all.filter_map(pair).collect()
}

/// What both languages have in common: a heading and what is below it, up to the next.
#[derive(Default)]
struct Section {
    title: String,
    depth: usize,
    /// The code or number that the title begins with.
    code: Option<String>,
    paragraphs: usize,
    items: usize,
    strong: usize,
    /// The number of cells of each row of its tables.
    rows: Vec<usize>,
    spans: BTreeSet<String>,
    links: Vec<String>,
    blocks: Vec<Block>,
}

fn sections(page: &Page) -> Vec<Section> {
    let mut found = vec![(Section::default(), String::new())];
    let mut blocks = page.blocks.iter();
    let mut inside = false;
    for line in page.text.lines() {
        let (section, prose) = found.last_mut().expect("one section");
        if line.starts_with("```") {
            inside = !inside;
            if let (true, Some(block)) = (inside, blocks.next()) {
                section.blocks.push(Block {
                    heading: String::new(),
                    line: 0,
                    ..block.clone()
                });
            }
        } else if !inside && line.starts_with('#') {
            let title = line.trim_start_matches('#');
            let code = title
                .split_whitespace()
                .next()
                .filter(|word| word.is_ascii() && word.contains(|c: char| c.is_ascii_digit()));
            let next = Section {
                title: title.trim().to_owned(),
                depth: line.len() - title.len(),
                code: code.map(str::to_owned),
                ..Section::default()
            };
            found.push((next, String::new()));
        } else if !inside {
            *prose += line;
            prose.push('\n');
        }
    }
    let fill = |(section, prose): (Section, String)| filled(page, section, &prose);
    found.into_iter().map(fill).collect()
}

fn filled(page: &Page, section: Section, prose: &str) -> Section {
    let in_order = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let starting = |with: &str| prose.lines().filter(|line| line.starts_with(with)).count();
    let rows = prose.lines().filter(|line| line.starts_with('|'));
    let parts = prose.split("\n\n").filter(|part| !part.trim().is_empty());
    let own = [
        translation(&page.name),
        original(&page.name).unwrap_or_default(),
    ];
    let own = own.map(|name| name.rsplit('/').next().unwrap_or_default().to_owned());
    let mut links = links_in(prose.lines());
    links.retain(|link| !own.contains(link));
    for link in &mut links {
        *link = common(page, link);
    }
    links.sort();
    Section {
        paragraphs: parts.count(),
        items: starting("* ") + starting("1. "),
        strong: prose.matches("**").count(),
        rows: rows.map(|row| row.matches(" |").count()).collect(),
        spans: prose.split('`').skip(1).step_by(2).map(in_order).collect(),
        links,
        ..section
    }
}

/// What both languages have in common of where a link leads. Titles differ, and with them the anchors.
fn common(page: &Page, link: &str) -> String {
    let target = link.split('#').next().unwrap_or_default();
    if target.is_empty() {
        return "#".to_owned();
    }
    let folder = Path::new(&page.name).parent().unwrap_or(Path::new(""));
    let is_translated = root().join(folder).join(translation(target)).is_file();
    original(target).unwrap_or_else(|| if is_translated { target } else { link }.to_owned())
}

fn differences(english: &Page, chinese: &Page) -> Vec<String> {
    let (one, other) = (sections(english), sections(chinese));
    let depths = |all: &[Section]| all.iter().map(|section| section.depth).collect::<Vec<_>>();
    let mut found = Vec::new();
    let mut differ = |title: &str, what: &str, one: &dyn Debug, other: &dyn Debug| {
        let (one, other) = (format!("{one:?}"), format!("{other:?}"));
        if one != other {
            let place = format!("{}, {title:?}: {what}", chinese.name);
            found.push(format!("{place}\n  English: {one}\n  Chinese: {other}"));
        }
    };
    differ("", "the headings", &depths(&one), &depths(&other));
    for (one, other) in one.iter().zip(&other) {
        let title = &one.title;
        differ(title, "its code", &one.code, &other.code);
        differ(title, "the code blocks", &one.blocks, &other.blocks);
        differ(title, "what is set as code", &one.spans, &other.spans);
        differ(title, "the links", &one.links, &other.links);
        differ(title, "the tables", &one.rows, &other.rows);
        differ(title, "the number of list items", &one.items, &other.items);
        differ(
            title,
            "the number of paragraphs",
            &one.paragraphs,
            &other.paragraphs,
        );
        differ(title, "what is set in bold", &one.strong, &other.strong);
    }
    found
}

#[test]
fn both_languages_say_the_same() {
    let all = both();
    assert!(all.iter().any(|(english, _)| english.name == "README.md"));
    let found: Vec<String> = all
        .iter()
        .flat_map(|(english, chinese)| differences(english, chinese))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_page_that_lacks_something_is_found() {
    let english = "# One\n\n[中文](x.zh-CN.md)\n\n## E001 Two\n\n`--flag`, **so**: [a](a.md)\n\n```sh\nls\n```\n\n* a\n";
    let chinese = "# 一\n\n[English](x.md)\n\n## E001 二\n\n[甲](a.zh-CN.md)**如此**：`--flag`\n\n```sh\nls\n```\n\n* 甲\n";
    let compared = |chinese: &str| {
        let english = Page::parse("docs/x.md", english.to_owned());
        differences(
            &english,
            &Page::parse("docs/x.zh-CN.md", chinese.to_owned()),
        )
    };
    assert_eq!(compared(chinese), Vec::<String>::new());
    for part in [
        "`--flag`",
        "[甲](a.zh-CN.md)",
        "**",
        "ls\n",
        "* 甲\n",
        "## ",
        "E001 ",
        "\n\n* 甲",
    ] {
        assert!(chinese.contains(part), "{part}");
        assert_ne!(
            compared(&chinese.replacen(part, "", 1)),
            Vec::<String>::new(),
            "{part}"
        );
    }
}

#[test]
fn each_language_leads_to_the_other() {
    for (english, chinese) in both() {
        for (from, to) in [(&english, &chinese), (&chinese, &english)] {
            let to = to.name.rsplit('/').next().expect("a name");
            let top = links_in(from.text.lines().take(4));
            assert!(
                top.iter().any(|link| link == to),
                "{} begins without a link to {to}",
                from.name
            );
        }
        // Where there is a Chinese page, Chinese readers are led to it.
        let own = english.name.rsplit('/').next().expect("a name");
        let folder = root().join(&chinese.name);
        let folder = folder.parent().expect("a folder");
        for link in links_in(chinese.prose()) {
            let page = link.split('#').next().unwrap_or_default();
            let translated = Path::new(page).extension() == Some(OsStr::new("md"))
                && original(page).is_none()
                && page != own
                && folder.join(translation(page)).exists();
            assert!(
                !translated,
                "{}: there is a Chinese page of {link}",
                chinese.name
            );
        }
    }
}

/// Puts the code of the English pages into the Chinese ones.
pub(super) fn copy_code() {
    for (english, chinese) in both() {
        if english.blocks.len() != chinese.blocks.len() {
            continue;
        }
        let mut lines: Vec<&str> = chinese.text.lines().collect();
        for (from, to) in english.blocks.iter().zip(&chinese.blocks).rev() {
            let end = to.line + to.text.lines().count();
            lines.splice(to.line..end, from.text.lines());
        }
        let text = lines.join("\n") + "\n";
        fs::write(root().join(&chinese.name), text).expect("the page can be written");
    }
}
