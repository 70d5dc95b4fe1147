//! Whether output is in colour, as the flags and the environment say.

use crate::cli::options::global::{Colour, Global};

/// When to print in colour: the flags say first, then `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and the
/// terminal.
pub(crate) fn colour(global: &Global) -> Colour {
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
