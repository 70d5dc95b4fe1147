//! Pieces that several parts of the page share.

use maud::{Markup, html};

use super::survey::{Counts, Known};
use super::verdict::Level;

/// A number with commas: `10,000`.
pub(super) fn number(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 callback`, `10,000 callbacks`
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

impl Known {
    /// The class, which gives it a mark and a colour.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Assumed => "assumed",
            Self::Unknown => "unknown",
            Self::Absent => "absent",
            Self::Not => "new",
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Assumed => "assumed",
            Self::Unknown => "unknown",
            Self::Absent => "absent",
            Self::Not => "not recorded",
        }
    }

    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Proven => "present, with the recorded key and token",
            Self::Assumed => "present, perhaps with another key or token",
            Self::Unknown => "present or absent: the outcome of a call is unknown",
            Self::Absent => "proven absent",
            Self::Not => "declared, and never called for",
        }
    }
}

/// How many callbacks have which evidence, those of which there is none left out.
pub(super) fn tally(counts: &Counts) -> Markup {
    html! {
        @for known in Known::ALL {
            @if counts.of(known) > 0 {
                span.mark.{ (known.class()) } { (number(counts.of(known))) " " (known.word()) }
                " "
            }
        }
    }
}

impl Level {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Pending => "pending",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The path of its sign, in a square of 16 units.
    const fn sign(self) -> &'static str {
        match self {
            Self::Well => "M3.5 8.5l3 3 6-7",
            Self::Pending => "M8 4v4.5l3 2",
            Self::Warning => "M8 4v5M8 11.6v.4",
            Self::Error => "M5 5l6 6M11 5l-6 6",
        }
    }
}

/// The sign of a level. A word is beside it.
pub(super) fn sign(level: Level) -> Markup {
    html! {
        svg.sign.{ (level.class()) } viewBox="0 0 16 16" aria-hidden="true" {
            circle cx="8" cy="8" r="8" {}
            path d=(level.sign()) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        let all = [0, 999, 1_000, 12_345, 1_234_567].map(number);
        assert_eq!(all, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
