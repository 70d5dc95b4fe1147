//! What the global flags and the environment mean, resolved once at the start.

use std::path::Path;

use super::exit::Failure;
use super::locations::Locations;
use super::options::global::{Colour, Global};

/// What holds for the whole run of a command.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The flags as they were given: for output, and for commands that a person copies.
    pub(crate) flags: Global,
    /// The command that runs, for those who wait for its lock.
    pub(crate) command: String,
    /// When output is in colour, with all that the environment says.
    pub(crate) colour: Colour,
    /// An error in these flags concerns only the commands that use them.
    locations: Result<Locations, Failure>,
}

impl Settings {
    pub(crate) fn of(flags: Global, command: String) -> Self {
        Self {
            colour: colour(&flags),
            locations: Locations::of(&flags),
            flags,
            command,
        }
    }

    /// The configuration, as `-f` names it.
    pub(crate) fn config(&self) -> &Path {
        &self.flags.config
    }

    /// Where the command works.
    ///
    /// # Errors
    ///
    /// The flags that say it contradict each other, or have an invalid value.
    pub(crate) fn locations(&self) -> Result<&Locations, Failure> {
        self.locations.as_ref().map_err(Clone::clone)
    }
}

/// When to print in colour: the flags say first, then `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and the
/// terminal.
fn colour(global: &Global) -> Colour {
    let value = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let zero = |value: &std::ffi::OsString| value == "0";
    let set = |name: &str| value(name).is_some();
    if global.json || global.no_color {
        Colour::Never
    } else if global.color != Colour::Auto {
        global.color
    } else if set("NO_COLOR") {
        Colour::Never
    } else if value("CLICOLOR_FORCE").is_some_and(|value| !zero(&value)) {
        Colour::Always
    } else if value("CLICOLOR").is_some_and(|value| zero(&value))
        || value("TERM").is_some_and(|term| term == "dumb")
    {
        Colour::Never
    } else {
        Colour::Auto
    }
}
