//! Where a large file can be cut, so that its organizations are read on all cores and never lie in
//! memory as a tree all at once.
//!
//! A cut is *proposed* here, by looking at the beginnings of lines only, and *proven* by `file`, by
//! reading the stretches: a stretch that is no YAML, ends too early, holds anything but organizations,
//! or has an error in it makes the file be read whole, so that errors are those of the whole file. What
//! is read without an error is the same in either case, because
//!
//! * a cut comes before a line that is indented like the first organization and begins with a plain
//!   key. In a block mapping such a line ends everything that is nested deeper: plain scalars, block
//!   scalars, lists and mappings. Only quotes and brackets could hold it, and those would be open at
//!   the end of the stretch before, which is an error there;
//! * after the line `organizations:` nothing begins in the first column, so no other key follows;
//! * there are no anchors, no second documents, and no line breaks but `\n`.

use super::source::Start;

/// How many bytes a stretch has, but for its last organization. A file of fewer is not cut.
pub(super) const STRETCH: usize = 1 << 20;

/// The line before the organizations. Nothing but white space may follow on it.
const ORGANIZATIONS: &str = "organizations:";

/// A proposal to read a file in stretches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cuts {
    /// The line of the first organization, from 1.
    pub(super) line: u32,
    /// The column in which every organization begins, from 1.
    pub(super) column: u32,
    /// Where each stretch but the first begins. Not empty.
    pub(super) starts: Vec<Start>,
}

/// Where `text` can be cut into stretches of about so many bytes; `None` when it can't be, or is too
/// short.
pub(super) fn cuts(text: &str, stretch: usize) -> Option<Cuts> {
    if text.len() <= stretch || text.as_bytes().contains(&b'\r') {
        return None;
    }
    let mut lines = Lines { text, next: 0 }.zip(1_u32..);
    loop {
        let ((at, line), _) = lines.next()?;
        if at > 0 && is_marker(line) {
            return None;
        }
        if line.trim_end_matches(' ') == ORGANIZATIONS {
            break;
        }
    }
    let ((_, first), line) = lines.find(|((_, line), _)| !is_blank(line))?;
    let indentation = first.len() - first.trim_start_matches(' ').len();
    if indentation == 0 || !begins_organization(first, indentation) {
        return None;
    }
    let mut starts: Vec<Start> = Vec::new();
    let mut last = 0;
    for ((at, line), number) in lines {
        if !line.starts_with(' ') && !is_blank(line) {
            return None;
        }
        if at - last >= stretch && begins_organization(line, indentation) {
            last = at;
            starts.push(Start {
                byte: u32::try_from(at).ok()?,
                line: number - 1,
                depth: 1,
            });
        }
    }
    let column = u32::try_from(indentation + 1).ok()?;
    (!starts.is_empty()).then_some(Cuts {
        line,
        column,
        starts,
    })
}

/// Whether this line may end a document or begin another one.
fn is_marker(line: &str) -> bool {
    line.starts_with("---") || line.starts_with("...")
}

/// Whether nothing stands on this line but, perhaps, a comment.
fn is_blank(line: &str) -> bool {
    matches!(
        line.trim_start_matches(' ').bytes().next(),
        None | Some(b'#')
    )
}

/// Whether this line is a plain key with so many spaces before it and nothing after its colon.
/// Stricter than YAML: an organization of another look is not cut before.
fn begins_organization(line: &str, indentation: usize) -> bool {
    let Some(key) = line
        .split_at_checked(indentation)
        .filter(|(spaces, _)| spaces.bytes().all(|byte| byte == b' '))
        .and_then(|(_, key)| key.trim_end_matches(' ').strip_suffix(':'))
    else {
        return false;
    };
    let letter = |c: char| c.is_alphanumeric();
    key.starts_with(letter)
        && key
            .chars()
            .all(|c| letter(c) || matches!(c, '-' | '_' | '.'))
}

/// The lines of a text without their ends, each with its offset.
struct Lines<'t> {
    text: &'t str,
    next: usize,
}

impl<'t> Iterator for Lines<'t> {
    type Item = (usize, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next;
        let rest = self.text.get(at..).filter(|rest| !rest.is_empty())?;
        let line = rest.split_once('\n').map_or(rest, |(line, _)| line);
        self.next = at + line.len() + 1;
        Some((at, line))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::config::{Given, Source, parse_in_stretches};

    const HEAD: &str = "version: 1\nenvironment: test\ndefaults:\n  operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8\norganizations:\n";

    /// The bytes at which stretches of any size begin.
    fn bytes(text: &str) -> Vec<usize> {
        let starts = cuts(text, 1).map_or_else(Vec::new, |cuts| cuts.starts);
        starts.iter().map(|start| start.byte as usize).collect()
    }

    /// Everything that reading says, read in stretches of so many bytes.
    fn said(text: &str, stretch: usize) -> String {
        let source = Source {
            name: "callbacks.yaml".into(),
            text: text.as_bytes().to_vec(),
        };
        format!(
            "{:#?}",
            parse_in_stretches(&[source], &Given::default(), &[], stretch)
        )
    }

    #[test]
    fn a_stretch_begins_with_an_organization() {
        let text = format!(
            "{HEAD}  # first\n\n  acme:\n    callbacks:\n      - https://a.example/x\n  上海-1.a_b: \n    suspend: true\n  c:\n"
        );
        let found = bytes(&text);
        let begins = |at: &usize| text[*at..].split('\n').next().unwrap_or_default();
        assert_eq!(
            found.iter().map(begins).collect::<Vec<_>>(),
            ["  上海-1.a_b: ", "  c:"]
        );
        assert_eq!(cuts(&text, text.len()), None, "it is short enough");
        assert_eq!(
            cuts(&text, 10).map(|cuts| (cuts.line, cuts.column)),
            Some((8, 3))
        );
    }

    #[rstest]
    #[case::brackets("organizations: { a: {},\n  b: {} }\n")]
    #[case::another_key_follows("organizations:\n  a:\n  b:\naccounts:\n  c:\n")]
    #[case::another_document("x:\n---\norganizations:\n  a:\n  b:\n")]
    #[case::other_line_breaks("organizations:\r\n  a:\r\n  b:\r\n")]
    #[case::not_indented("organizations:\na:\nb:\n")]
    #[case::no_organizations("accounts:\n  a:\n  b:\n")]
    #[case::values_beside("organizations:\n  a: {}\n  b: {}\n")]
    fn what_can_not_be_cut_is_not(#[case] text: &str) {
        assert_eq!(cuts(text, 1), None);
    }

    /// What looks like a cut and is none, or would change what is said.
    #[rstest]
    #[case::in_quotes(
        "  a:\n    callbacks:\n      - url: \"https://a.example/\n  b:\n    \"\n  c:\n"
    )]
    #[case::in_brackets("  a:\n    callbacks: [\n  b:\n    ]\n")]
    #[case::ends_too_early(
        "  a:\n    callbacks:\n      - { url: https://a.example/x\n  b:\n    suspend: true\n"
    )]
    #[case::an_anchor(
        "  a: \n    callbacks: &x\n      - https://a.example/x\n  b:\n    callbacks: *x\n"
    )]
    #[case::an_unknown_anchor("  a: \n    suspend: true\n  b:\n    callbacks: *x\n")]
    #[case::twice("  a:\n    suspend: true\n  b:\n    suspend: true\n  a:\n    suspend: true\n")]
    #[case::literal("  a:\n    description: |\n      x\n  b:\n    suspend: true\n")]
    #[case::less_indented(
        "  a:\n    suspend: true\n b:\n    suspend: true\n  c:\n    suspend: true\n"
    )]
    #[case::a_list("  a:\n    suspend: true\n  b:\n  - x\n  c:\n    suspend: yes\n")]
    #[case::a_wrong_url(
        "  a:\n    suspend: true\n  b:\n    callbacks:\n      - https://u:p@b.example/\n      - url: x\n        key: SECRETSECRET\n"
    )]
    #[case::nothing("  a:\n  b:\n  c:\n")]
    fn reading_in_stretches_changes_nothing(#[case] organizations: &str) {
        let text = format!("{HEAD}{organizations}");
        assert!(!bytes(&text).is_empty(), "nothing is cut here");
        assert_eq!(said(&text, 1), said(&text, usize::MAX));
    }

    #[test]
    fn what_stands_in_quotes_before_is_no_organization() {
        for opening in ["x: \"\n", "organizations: {\n  a: {},\n  x: \"\n", "x: |\n"] {
            let text = format!("{opening}organizations:\n  a:\n\"}}\n  b:\n  c:\n");
            assert_eq!(said(&text, 1), said(&text, usize::MAX), "{text}");
        }
    }

    #[test]
    fn nesting_is_counted_from_the_beginning_of_the_file() {
        for depth in 25..35 {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            let text =
                format!("{HEAD}  a:\n    suspend: true\n  b:\n    callbacks: {open}{close}\n");
            assert_eq!(said(&text, 1), said(&text, usize::MAX), "{depth}");
        }
    }

    proptest! {
        /// Files that are cut in most cases, with whatever can go wrong put anywhere.
        #[test]
        fn reading_in_stretches_never_changes_anything(
            organizations in prop::collection::vec("  [abc]:\n(    callbacks:\n(      - https://[a-c]\\.example/\n|      - url: https://d\\.example/[xy]\n        key: \\{ env: [AB] \\}\n|      - &x ftp://e\n|      - \\*x\n){0,3}|    suspend: true\n|    absent: \\[\n|  # note\n|    descr: \"\n)", 0..6),
            at in any::<prop::sample::Index>(),
            odd in "|\"|'|\\{|\\}|\\[|\\]|\n|  b:\n|:|#|\\|\n|organizations:\n|---\n|\\.\\.\\.\n|x:\n| |\t|\r|\\? |- |&x|\\*x|\u{85}|\u{2028}|%YAML 1.2\n",
            stretch in 1..80_usize,
        ) {
            let mut text = format!("{HEAD}{}", organizations.concat());
            let places: Vec<_> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
            text.insert_str(*at.get(&places), &odd);
            prop_assert_eq!(said(&text, stretch), said(&text, usize::MAX));
        }
    }
}
