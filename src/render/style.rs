//! How text is to look: everything about the terminal and the moment that rendering may know.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Effects};

use crate::model::Timestamp;

/// Colour, width and the moment. Decided by whoever knows the terminal and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour.
    pub colour: bool,
    /// Columns after which prose is wrapped; 0: never (the output is no terminal).
    pub width: usize,
    /// The current time: ages and waits are told relative to it.
    pub now: Timestamp,
    /// Calls a second and account, for estimates; 0: no limit.
    pub rate: u32,
}

impl Style {
    /// Without colour and wrapping, at 20 calls a second.
    pub const fn plain(now: Timestamp) -> Self {
        Self {
            colour: false,
            width: 0,
            now,
            rate: 20,
        }
    }

    /// Shows `text` in the colour of `tone`, if colours are wanted.
    pub const fn paint<T: Display>(&self, tone: Tone, text: T) -> Painted<T> {
        Painted {
            style: if self.colour {
                tone.ansi()
            } else {
                anstyle::Style::new()
            },
            text,
        }
    }
}

/// What a piece of text is, as far as colour is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing of the kind.
    Plain,
    /// A heading.
    Strong,
    /// Something that comes.
    Add,
    /// Something that goes.
    Delete,
    /// Something that becomes something else.
    Change,
    /// Something asserted again.
    Heal,
    /// Something open that is settled.
    Finish,
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// Less important than the rest.
    Faint,
}

impl Tone {
    const fn ansi(self) -> anstyle::Style {
        match self {
            Self::Plain => anstyle::Style::new(),
            Self::Strong => anstyle::Style::new().effects(Effects::BOLD),
            Self::Add => AnsiColor::Green.on_default(),
            Self::Delete => AnsiColor::Red.on_default(),
            Self::Change | Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Heal => AnsiColor::Cyan.on_default(),
            Self::Finish => AnsiColor::Magenta.on_default(),
            Self::Error => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Self::Faint => anstyle::Style::new().effects(Effects::DIMMED),
        }
    }
}

/// Text in a colour.
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    style: anstyle::Style,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { style, text } = self;
        write!(f, "{style}{text}{style:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_added_around_the_text_and_only_when_wanted() {
        let plain = Style::plain(Timestamp(0));
        let coloured = Style {
            colour: true,
            ..plain
        };
        assert_eq!(plain.paint(Tone::Add, "x").to_string(), "x");
        assert_eq!(
            coloured.paint(Tone::Add, "x").to_string(),
            "\x1b[32mx\x1b[0m"
        );
    }
}
