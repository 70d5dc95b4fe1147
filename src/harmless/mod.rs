//! Text that comes from outside and must stay text, whatever reads the output.
//!
//! A terminal obeys escape sequences and characters that reverse the writing direction. The log of a CI
//! system is read by a program too: GitHub takes `##[…]` anywhere in a line and `::…` at its beginning for
//! commands, Azure Pipelines `##vso[…]`, `TeamCity` `##teamcity[…]`; Buildkite folds at lines that begin
//! with `---`, `+++`, `~~~` or `^^^`; the section marks of GitLab and Travis need a carriage return.
//!
//! Values are escaped where they are rendered, so that they can be read back. [`Neutral`] is the last
//! sieve, at the stream itself, so that no text gets past it that somebody forgot to escape.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a pure function of the text"
)]

mod json;
mod neutral;

pub(crate) use json::{Json, PrettyJson, write_fragment};
pub(crate) use neutral::{Neutral, neutral};

/// Characters that act on a terminal, or on the text around them, instead of being seen. Joiners
/// (U+200C, U+200D) stay: some scripts can't be written without them.
pub(crate) fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// What the programs that read logs take for a command, by their public sources. Written apart from what
/// prevents it.
#[cfg(test)]
pub(crate) fn is_command(line: &str) -> bool {
    let begins = ["::", "---", "+++", "~~~", "^^^"];
    let after_hashes = |rest: &str| {
        rest.trim_start_matches('#')
            .trim_start_matches(char::is_alphanumeric)
            .starts_with('[')
    };
    let trimmed = line.trim_start();
    begins.iter().any(|begin| trimmed.starts_with(begin))
        || line
            .match_indices("##")
            .any(|(at, _)| after_hashes(&line[at..]))
        || (line.contains("section_") && line.contains('\r'))
}
