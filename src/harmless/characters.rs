//! Characters and lines that are harmful in output.

/// Invisible characters that affect a terminal or the text around them. Joiners (U+200C, U+200D) are not included:
/// some scripts need them.
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

/// Whether a CI system reads a command in this line, by its public source code. Independent of the filter that it
/// tests.
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
