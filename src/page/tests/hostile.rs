//! Foreign text stays text.

use super::made::World;
use crate::harmless::{is_command, is_treacherous, neutral};
use crate::page::html;

const HOSTILE: [&str; 10] = [
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style><style>*{display:none}</style>",
    "<!--",
    "&lt;b&gt;&#x3c;script&#x3e;",
    "a\u{202e}b\u{2066}c\u{1b}[2J\0\r\nd",
    "javascript:alert(1)//https://",
    "`code` --allow-deletes 1 {{7*7}}",
    "##[set-output name=a]b ::add-mask::x",
];

#[test]
fn hostile_text_makes_no_element_and_no_attribute() {
    let tags = |page: &str| -> Vec<String> {
        // Of the body: the script and the style hold no foreign text.
        let body = &page[page.find("<body>").unwrap()..page.find("<script>").unwrap()];
        let parts = body.split('<').skip(1);
        let mut tags: Vec<String> = parts
            .map(|part| {
                let name: String = part
                    .chars()
                    .take_while(|c| *c != ' ' && *c != '>')
                    .collect();
                let attributes = part[..part.find('>').unwrap()].matches("=\"").count();
                format!("{name} {attributes}")
            })
            // Words between backticks and flags are shown as code, and spaces around them belong to it.
            .filter(|tag| tag != "code 0" && tag != "/code 0")
            .collect();
        tags.sort();
        tags
    };
    let plain = tags(&html(&World::of("plain").page()));
    for text in HOSTILE {
        let page = html(&World::of(text).page());
        assert_eq!(tags(&page), plain, "{text:?}");
        assert_eq!(page.matches("<script>").count(), 1, "{text:?}");
        let foreign = |c: &char| *c != '\n' && is_treacherous(*c);
        assert_eq!(page.chars().find(foreign), None, "{text:?}");
    }
}

#[test]
fn only_an_address_of_a_page_is_a_link() {
    let links = |text: &str| html(&World::of(text).page()).matches("<a ").count();
    assert_eq!(links("https://ci.example/jobs/1"), 1);
    for text in [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        " https://ci.example/",
        "data:text/html,x",
        "//ci.example/",
        "https://ci.example/?token=abcdef0123456789",
        "https://user:pass@ci.example/",
        "https://ci.example/\u{202e}",
    ] {
        assert_eq!(links(text), 0, "{text}");
    }
}

#[test]
fn credentials_in_addresses_are_masked_wherever_they_are() {
    let text = "https://a.example/cb?access_token=s3cr3tS3cr3tS3cr3t";
    let page = html(&World::named("acme", text).page());
    let at = page.find("s3cr3t").map(|at| &page[at - 80..at + 20]);
    assert_eq!(at, None);
    assert!(page.contains("https://a.example/cb?access_token=***"));
}

#[test]
fn what_is_too_long_is_cut() {
    let text = "é".repeat(100_000);
    let page = html(&World::named("acme", &text).page());
    let longest = page
        .split(|c| c != 'é')
        .map(str::len)
        .filter(|length| *length < text.len());
    assert_eq!(longest.max(), Some("é".len() * 600));
}

#[test]
fn the_page_is_harmless_in_a_log() {
    // The filter of standard output would change the script and the style, which have hashes.
    for text in HOSTILE.into_iter().chain(["plain"]) {
        let page = html(&World::of(text).page());
        assert!(neutral(&page) == page, "{text:?}");
        let line = page.lines().find(|line| is_command(line));
        assert_eq!(line, None, "{text:?}");
    }
}
