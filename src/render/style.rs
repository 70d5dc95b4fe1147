//! The style of text: all that rendering depends on besides its value.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Effects};

use crate::model::Timestamp;

/// Colour, width and the current time. `cli` sets them, from the terminal and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub colour: bool,
    /// Columns after which prose is wrapped; 0 is never, for output that is not a terminal.
    pub width: usize,
    /// The current time, to which ages and waits are relative.
    pub now: Timestamp,
    /// Calls per second and account, for estimates; 0 is no limit.
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

    /// `text` in the colour of `tone`, if colour is on.
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

/// What a piece of text means, which determines its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Strong,
    /// Something that will exist.
    Add,
    /// Something that will be removed.
    Delete,
    /// Something that changes.
    Change,
    /// Something that is added again.
    Heal,
    /// An open call that is settled.
    Finish,
    Error,
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
