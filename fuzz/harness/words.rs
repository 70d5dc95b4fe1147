//! Short texts of the command line: patterns of addresses, faults and scripts of the sandbox, its
//! members.
//!
//! Of a pattern, the address to match follows after a line break.

use ess_callbacks::model::{Address, CallbackUrl, Handle};
use ess_callbacks::plan::Pattern;
use ess_callbacks::sandbox::{FaultSpec, Member, Script};

/// Reads one text as everything it could be.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(spec) = text.parse::<FaultSpec>() {
        assert_eq!(spec.to_string().parse::<FaultSpec>(), Ok(spec));
    }
    if let Ok(script) = text.parse::<Script>() {
        assert_eq!(script.to_string().parse::<Script>(), Ok(script));
    }
    drop(text.parse::<Member>());
    let (pattern, address) = text.split_once('\n').unwrap_or((text, "acme/https://a"));
    let (handle, url) = address.split_once('/').unwrap_or((address, ""));
    let Ok(parsed) = Pattern::parse(pattern) else {
        return;
    };
    assert_eq!(Pattern::parse(&parsed.to_string()), Ok(parsed.clone()));
    let address = Address {
        handle: Handle::new(handle),
        url: CallbackUrl::new(url),
    };
    // A handle alone is all of its organization.
    let (first, second) = pattern.split_once('/').unwrap_or((pattern, "*"));
    assert_eq!(
        parsed.matches(&address),
        matches(first, handle) && matches(second, url),
        "{pattern:?} {address:?}"
    );
}

/// The slow and obvious way: row by row, which beginnings of `text` the pattern so far matches.
fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for c in pattern.chars() {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match c {
                '*' => reached[at] || (at > 0 && next[at - 1]),
                '?' => at > 0 && reached[at - 1],
                _ => at > 0 && reached[at - 1] && text[at - 1] == c,
            };
        }
        reached = next;
    }
    reached[text.len()]
}
