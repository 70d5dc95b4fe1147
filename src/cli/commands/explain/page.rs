//! The page of codes as text: its sections, and the one that a question is about.
//!
//! A section begins with `### CODE title` and ends at the next heading.

/// How alike two codes are at least, from 0 to 1, for one to be suggested for the other.
const ALIKE: f32 = 0.7;

/// Comparing is quadratic, and no code is this long.
const LONGEST: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(super) struct Page(pub(super) &'static str);

/// What the page has about a code.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The section of the code, and the titles of the codes that belong to it.
    Section(String),
    /// The titles of the codes that begin with what was asked.
    Beginning(String),
    /// The code is not listed, and the family that it belongs to is.
    Family {
        asked: String,
        family: &'static str,
        close: Option<&'static str>,
        text: String,
    },
    Nothing {
        asked: String,
        close: Option<&'static str>,
    },
}

struct Section {
    code: &'static str,
    title: &'static str,
    text: &'static str,
}

impl Page {
    fn sections(self) -> impl Iterator<Item = Section> {
        let starts = self.0.match_indices("\n### ");
        starts.filter_map(move |(at, mark)| {
            let text = &self.0[at + mark.len()..];
            let end = ["\n### ", "\n## "]
                .iter()
                .filter_map(|mark| text.find(mark));
            let text = text[..end.min().unwrap_or(text.len())].trim_end();
            let title = text.lines().next()?;
            let code = title.split(' ').next()?;
            Some(Section { code, title, text })
        })
    }

    /// Every code with its title.
    pub(super) fn titles(self) -> String {
        self.titles_of(|_| true)
    }

    fn titles_of(self, wanted: impl Fn(&str) -> bool) -> String {
        let titles = self
            .sections()
            .filter(|section| wanted(section.code))
            .map(|section| section.title);
        titles.collect::<Vec<_>>().join("\n")
    }

    /// What there is about a code, with `heading` above the codes of its family, however it is written: in any case, with a message behind it, or with `.*`.
    pub(super) fn find(self, question: &str, heading: &str) -> Found {
        let asked = code_in(question);
        let begins = |code: &str| starts_with(code, asked);
        let below = |code: &str| begins(code) && code[asked.len()..].starts_with('.');
        if let Some(section) = self.section(asked) {
            let members = self.titles_of(below);
            let mut text = section.text.to_owned();
            if !members.is_empty() {
                text = format!("{text}\n\n{heading}\n\n{members}");
            }
            return Found::Section(text);
        }
        let titles = self.titles_of(begins);
        if !asked.is_empty() && !titles.is_empty() {
            return Found::Beginning(titles);
        }
        let close = self.closest(asked);
        let shown = shown(if asked.is_empty() { question } else { asked });
        let mut rest = asked;
        while let Some((parent, _)) = rest.rsplit_once('.') {
            rest = parent;
            if let Some(family) = self.section(parent) {
                return Found::Family {
                    asked: shown,
                    family: family.code,
                    close,
                    text: family.text.to_owned(),
                };
            }
        }
        Found::Nothing {
            asked: shown,
            close,
        }
    }

    fn section(self, code: &str) -> Option<Section> {
        self.sections()
            .find(|section| section.code.eq_ignore_ascii_case(code))
    }

    fn closest(self, asked: &str) -> Option<&'static str> {
        if asked.len() > LONGEST {
            return None;
        }
        let codes: Vec<_> = self.sections().map(|section| section.code).collect();
        let lower: Vec<_> = codes.iter().map(|code| code.to_lowercase()).collect();
        let words: Vec<_> = lower.iter().map(String::as_str).collect();
        let close = similar::get_close_matches(asked.to_lowercase().as_str(), &words, 1, ALIKE);
        let at = words.iter().position(|word| Some(word) == close.first())?;
        codes.get(at).copied()
    }
}

/// The code at the beginning of a line that was pasted, such as `error[E053]: message` or `AuthFailure.*`.
fn code_in(question: &str) -> &str {
    let word = question.split_whitespace().next().unwrap_or_default();
    let word = word.split_once('[').map_or(word, |(_, inside)| inside);
    let word = word.split([':', '：', ']']).next().unwrap_or_default();
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn starts_with(code: &str, beginning: &str) -> bool {
    code.get(..beginning.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

fn shown(text: &str) -> String {
    let mut shown: String = text.trim().chars().take(LONGEST).collect();
    if text.trim().chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const PAGE: Page = Page(
        "# Page\n\n## Ours\n\n### E010 one\n\nText.\n\n### E011 two\n\nText.\n\n## Codes\n\nIntroduction.\n\n\
         ### AuthFailure refused\n\nFamily.\n\n### AuthFailure.NoKey no key\n\nMember.\n",
    );

    #[rstest]
    #[case("E010")]
    #[case(" e010 ")]
    #[case("error[E010]: unknown field")]
    #[case("E010:")]
    #[case("`E010`")]
    fn a_code_is_found_as_it_was_pasted(#[case] question: &str) {
        let section = Found::Section("E010 one\n\nText.".to_owned());
        assert_eq!(PAGE.find(question, "More:"), section);
    }

    #[rstest]
    #[case("authfailure")]
    #[case("AuthFailure.")]
    #[case("AuthFailure.*")]
    fn a_family_lists_its_members(#[case] question: &str) {
        let text = "AuthFailure refused\n\nFamily.\n\nMore:\n\nAuthFailure.NoKey no key";
        assert_eq!(
            PAGE.find(question, "More:"),
            Found::Section(text.to_owned())
        );
    }

    #[test]
    fn a_beginning_lists_the_codes_that_have_it() {
        let titles = Found::Beginning("E010 one\nE011 two".to_owned());
        assert_eq!(PAGE.find("e01", "More:"), titles);
        let titles = Found::Beginning("AuthFailure.NoKey no key".to_owned());
        assert_eq!(PAGE.find("AuthFailure.No", "More:"), titles);
    }

    #[rstest]
    #[case("AuthFailure.NoKye", Some("AuthFailure.NoKey"))]
    #[case("AuthFailure.Whatever.Else", None)]
    fn an_unlisted_code_is_treated_as_its_family(
        #[case] question: &str,
        #[case] guess: Option<&'static str>,
    ) {
        let expected = Found::Family {
            asked: question.to_owned(),
            family: "AuthFailure",
            close: guess,
            text: "AuthFailure refused\n\nFamily.".to_owned(),
        };
        assert_eq!(PAGE.find(question, "More:"), expected);
    }

    #[rstest]
    #[case("AuthFialure", "AuthFialure", Some("AuthFailure"))]
    #[case("", "", None)]
    #[case("***", "***", None)]
    #[case("\u{1b}[31m", "31m", None)]
    #[case("当前配置不存在", "当前配置不存在", None)]
    fn what_is_not_there_is_said(
        #[case] question: &str,
        #[case] asked: &str,
        #[case] close: Option<&'static str>,
    ) {
        let asked = asked.to_owned();
        assert_eq!(
            PAGE.find(question, "More:"),
            Found::Nothing { asked, close }
        );
    }

    proptest! {
        #[test]
        fn any_question_has_an_answer(question in "\\PC{0,80}|[AEauth.F\\[\\]: ]{0,80}|.{0,20}") {
            match PAGE.find(&question, "More:") {
                Found::Section(text) | Found::Beginning(text) => prop_assert!(!text.is_empty()),
                Found::Family { asked, .. } | Found::Nothing { asked, .. } => {
                    prop_assert!(!asked.chars().any(char::is_control));
                }
            }
        }
    }
}
