//! Placeholders that were probably meant to be replaced: `${HOST}`, `{{ host }}`, `<id>`, `%NAME%`, `REPLACE_ME`,
//! `null`.

use super::name::is_variable;

/// A form of placeholder. Messages show the form and not the text, which may be part of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// `${X}` or `$(X)`.
    Dollar,
    /// `$X`, as the whole secret.
    Variable,
    /// `{{x}}`.
    Moustache,
    /// `{x}`, in a URL.
    Braces,
    /// `<id>`.
    Angle,
    /// `%NAME%`.
    Percent,
    /// A word instead of a value, such as `changeme`.
    Word(&'static str),
}

impl Placeholder {
    /// For messages.
    pub(super) const fn written(self) -> &'static str {
        match self {
            Self::Dollar => "${…}",
            Self::Variable => "$NAME",
            Self::Moustache => "{{…}}",
            Self::Braces => "{…}",
            Self::Angle => "<…>",
            Self::Percent => "%NAME%",
            Self::Word(word) => word,
        }
    }
}

/// Words that templates and programs write for a missing value, in the form of [`plain`].
const WORDS: [&str; 7] = [
    "null",
    "undefined",
    "replaceme",
    "changeme",
    "placeholder",
    "yourdomain",
    "none",
];

/// The placeholder in this URL, if there is one.
pub(super) fn in_url(url: &str) -> Option<Placeholder> {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let rest = &url[after_scheme..];
    if rest.contains(['{', '<', '%', '$']) {
        let found = anywhere(rest)
            .or_else(|| between(rest, '{', '}').then_some(Placeholder::Braces))
            .or_else(|| between(rest, '<', '>').then_some(Placeholder::Angle))
            .or_else(|| percent(rest).then_some(Placeholder::Percent));
        if found.is_some() {
            return found;
        }
    }
    rest.split(['/', '?', '&', '=', '.', ':', ';', ','])
        .filter(|part| part.len() >= 4 && part.len() <= 24)
        .find_map(word)
        // `/none` may be intended.
        .filter(|found| *found != Placeholder::Word("none"))
}

/// The placeholder in this secret, if there is one.
pub(super) fn in_secret(text: &str) -> Option<Placeholder> {
    let text = text.trim();
    let inner = |open: char, close: char| {
        text.strip_prefix(open)
            .and_then(|text| text.strip_suffix(close))
            .is_some_and(is_wordy)
    };
    let variable = || {
        text.strip_prefix('$')
            .is_some_and(|name| is_variable(name) && name.len() < 30)
    };
    if let Some(found) = anywhere(text) {
        Some(found)
    } else if inner('<', '>') {
        Some(Placeholder::Angle)
    } else if inner('%', '%') {
        Some(Placeholder::Percent)
    } else if inner('{', '}') {
        Some(Placeholder::Braces)
    } else if variable() {
        Some(Placeholder::Variable)
    } else {
        word(text)
    }
}

fn anywhere(text: &str) -> Option<Placeholder> {
    let has = |open: &str, close: &str| {
        text.split_once(open)
            .is_some_and(|(_, rest)| rest.contains(close))
    };
    if has("{{", "}}") {
        Some(Placeholder::Moustache)
    } else if has("${", "}") || has("$(", ")") {
        Some(Placeholder::Dollar)
    } else {
        None
    }
}

/// Whether there is a name between two characters.
fn between(text: &str, open: char, close: char) -> bool {
    text.split(open).skip(1).any(|rest| {
        rest.split_once(close)
            .is_some_and(|(inner, _)| is_wordy(inner))
    })
}

/// Whether there is a name between percent signs; escapes have two digits there.
fn percent(text: &str) -> bool {
    text.split('%').skip(1).any(|inner| {
        inner.len() >= 3
            && inner.starts_with(|c: char| c.is_ascii_alphabetic())
            && inner
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            && text.contains(&format!("%{inner}%"))
    })
}

fn is_wordy(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '))
}

fn word(text: &str) -> Option<Placeholder> {
    let plain = plain(text)?;
    if plain.starts_with("your") && text.len() > 4 && !text.as_bytes()[4].is_ascii_alphanumeric() {
        return Some(Placeholder::Word("your-…"));
    }
    WORDS
        .iter()
        .find(|word| **word == plain)
        .map(|word| Placeholder::Word(word))
}

/// A short text in lower case and without separators.
pub(super) fn plain(text: &str) -> Option<String> {
    (text.is_ascii() && text.len() <= 40).then(|| {
        text.chars()
            .filter(|c| !matches!(c, '_' | '-' | ' ' | '.'))
            .map(|c| c.to_ascii_lowercase())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://a.example/${PATH}", Some("${…}"))]
    #[case("https://a.example/{{ path }}", Some("{{…}}"))]
    #[case("https://a.example/{handle}/x", Some("{…}"))]
    #[case("https://a.example/<id>", Some("<…>"))]
    #[case("https://a.example/%NAME%", Some("%NAME%"))]
    #[case("https://a.example/REPLACE_ME", Some("replaceme"))]
    #[case("https://a.example/x?id=null", Some("null"))]
    #[case("https://undefined/x", Some("undefined"))]
    #[case("https://your-domain.example/x", Some("your-…"))]
    #[case("https://a.example/%E7%AD%BE/%41BC", None)]
    #[case("https://a.example/nullable?x=none&y={}", None)]
    #[case("https://yours.example/a<b>c", Some("<…>"))]
    #[case("https://yourself.example/", None)]
    fn urls(#[case] url: &str, #[case] expected: Option<&str>) {
        assert_eq!(in_url(url).map(Placeholder::written), expected);
    }

    #[rstest]
    #[case("prefix-${TOKEN}", Some("${…}"))]
    #[case("$(pass show x)", Some("${…}"))]
    #[case("{{ token }}", Some("{{…}}"))]
    #[case("<token>", Some("<…>"))]
    #[case("%TOKEN%", Some("%NAME%"))]
    #[case("$ACME_TOKEN", Some("$NAME"))]
    #[case("REPLACE_ME", Some("replaceme"))]
    #[case("null", Some("null"))]
    #[case("None", Some("none"))]
    #[case("your-token-here", Some("your-…"))]
    #[case("yourtokenhere", None)]
    #[case("a<b>c", None)]
    #[case("0123456789abcdef0123456789abcdef", None)]
    fn secrets(#[case] secret: &str, #[case] expected: Option<&str>) {
        assert_eq!(in_secret(secret).map(Placeholder::written), expected);
    }
}
