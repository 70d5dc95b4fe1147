//! The flags that every command takes, as they were given.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{switch, variables};

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration: a file, a directory of *.yaml files, or - for standard input.
    #[arg(
        short = 'f',
        long,
        global = true,
        env = "ESS_CALLBACKS_CONFIG",
        value_name = "PATH"
    )]
    #[arg(default_value = "callbacks.yaml", hide_env_values = true)]
    pub(crate) config: PathBuf,
    /// Override a variable that the configuration declares under `vars`.
    /// `ESS_CALLBACKS_VAR_<NAME>` does the same.
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = variables::parse)]
    pub(crate) var: Vec<(String, String)>,
    /// The state file [default: NAME.state.json beside NAME.yaml, callbacks.state.json beside all else].
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_STATE",
        value_name = "PATH",
        hide_env_values = true
    )]
    pub(crate) state: Option<PathBuf>,
    /// Work on the embedded sandbox instead of eSign, with a state of its own.
    #[arg(long, global = true, env = "ESS_CALLBACKS_SANDBOX", value_parser = switch::parse)]
    pub(crate) sandbox: bool,
    /// Call this address instead of eSign's (https, or http to this machine only).
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) endpoint: Option<String>,
    /// Trust the certificates in this PEM file too.
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_CA_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) ca_file: Option<PathBuf>,
    /// When to print in colour.
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_COLOR",
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub(crate) color: Colour,
    /// Print without colour. `NO_COLOR` does the same.
    #[arg(long, global = true, env = "ESS_CALLBACKS_NO_COLOR", value_parser = switch::parse)]
    pub(crate) no_color: bool,
    /// Print one JSON event a line instead of text.
    #[arg(long, global = true, env = "ESS_CALLBACKS_JSON", value_parser = switch::parse)]
    pub(crate) json: bool,
    /// Log more on standard error; twice for debugging.
    #[arg(short, long, global = true, env = "ESS_CALLBACKS_VERBOSE", action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How log lines on standard error look.
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
}

/// When output is in colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, as the environment says.
    Auto,
    /// In any case, in JSON excepted.
    Always,
    /// Nowhere.
    Never,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}
