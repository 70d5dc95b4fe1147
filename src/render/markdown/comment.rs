//! The subject of a comment: its label, by which a bot finds it, and the commit.

use std::fmt;
use std::str::FromStr;

/// The longest label, in characters.
const LONGEST: usize = 64;

/// Distinguishes the comments of several configurations. It is written into an HTML comment and as code in
/// Markdown, so it has only letters, digits, spaces and `.`, `_`, `/`, `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// The label of a configuration with this name. Characters that a label can't have become `-`, and
    /// of a long name the end is kept.
    pub fn of_name(name: &str) -> Self {
        let mut label = String::new();
        for c in name.chars() {
            let c = if is_fit(c) { c } else { '-' };
            if !(c == '-' && label.ends_with('-')) {
                label.push(c);
            }
        }
        let surplus = label.chars().count().saturating_sub(LONGEST);
        let label: String = label.chars().skip(surplus).collect();
        let label = label.trim_matches([' ', '-']);
        Self(if label.is_empty() { "-" } else { label }.to_owned())
    }
}

fn is_fit(c: char) -> bool {
    c.is_alphanumeric() || " ._/-".contains(c)
}

impl FromStr for Label {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fit = !text.trim().is_empty()
            && text == text.trim()
            && text.chars().count() <= LONGEST
            && text.chars().all(is_fit)
            && !text.contains("--");
        if fit {
            Ok(Self(text.to_owned()))
        } else {
            Err(
                "a label has up to 64 letters, digits, spaces, `.`, `_`, `/` and single `-`, and no \
                 space at its ends",
            )
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a commit, in full or cut: 7 to 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit(String);

impl FromStr for Commit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.chars().all(|c| c.is_ascii_hexdigit());
        if digits && (7..=64).contains(&text.len()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err("a commit's id has 7 to 64 hexadecimal digits")
        }
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which configuration. A label that the user set is also in the heading.
    pub label: Label,
    /// Whether the label is shown in the heading.
    pub named: bool,
    /// Which commit was planned, if known.
    pub commit: Option<Commit>,
}

impl Subject {
    /// A configuration without a name in the heading, at an unknown commit.
    pub fn of(name: &str) -> Self {
        Self {
            label: Label::of_name(name),
            named: false,
            commit: None,
        }
    }

    /// The first line, an HTML comment. No character of a label can end it.
    pub(super) fn marker(&self) -> String {
        format!("<!-- ess-callbacks plan {} -->\n", self.label)
    }

    pub(super) fn program(&self) -> String {
        if self.named {
            format!("ess-callbacks `{}`", self.label)
        } else {
            "ess-callbacks".to_owned()
        }
    }

    /// The commit as plain text, which GitHub and GitLab turn into a link.
    pub(super) fn commit(&self) -> String {
        match &self.commit {
            Some(commit) => format!("Commit {commit}\n\n"),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels() {
        for fit in ["callbacks", "teams/pay_ments.yaml", "生产 2", "a-b"] {
            assert_eq!(fit.parse::<Label>().unwrap().to_string(), fit);
        }
        for unfit in [
            "",
            " a",
            "a ",
            "a--b",
            "-->",
            "a`b",
            "a\nb",
            "<b>",
            &"x".repeat(65),
        ] {
            assert!(unfit.parse::<Label>().is_err(), "{unfit}");
        }
        for (name, label) in [
            ("callbacks.yaml", "callbacks.yaml"),
            ("a--b.yaml", "a-b.yaml"),
            ("-->`.yaml", ".yaml"),
            ("", "-"),
            ("--", "-"),
        ] {
            assert_eq!(Label::of_name(name).to_string(), label);
        }
    }

    #[test]
    fn commits() {
        assert_eq!("0123ABC".parse::<Commit>().unwrap().to_string(), "0123abc");
        for unfit in ["", "012345", "0123abg", "0123abc ", &"0".repeat(65)] {
            assert!(unfit.parse::<Commit>().is_err(), "{unfit}");
        }
    }

    proptest! {
        #[test]
        fn the_label_of_any_name_is_a_label(name in ".*") {
            let label = Label::of_name(&name);
            prop_assert_eq!(label.to_string().parse::<Label>(), Ok(label));
        }
    }
}
