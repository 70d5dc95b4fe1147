//! The global options, resolved with the environment once at the start.

use std::path::Path;

use super::environment::ProcessEnvironment;
use super::exit::Failure;
use super::locations::Locations;
use super::options::global::{Colour, Global};

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The options as they were given.
    pub(crate) flags: Global,
    /// The running command, as the lock file names it.
    pub(crate) command: String,
    /// When to print in colour, with the environment considered.
    pub(crate) colour: Colour,
    pub(crate) environment: ProcessEnvironment,
    /// An error is reported only by commands that use them.
    locations: Result<Locations, Failure>,
}

impl Settings {
    pub(crate) fn of(flags: Global, command: String, environment: ProcessEnvironment) -> Self {
        Self {
            colour: colour(&flags),
            locations: Locations::of(&flags, &environment),
            flags,
            command,
            environment,
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
    /// The options are invalid, or can't be used together.
    pub(crate) fn locations(&self) -> Result<&Locations, Failure> {
        self.locations.as_ref().map_err(Clone::clone)
    }
}

/// When to print in colour. The options take precedence, then `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and
/// the terminal.
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
