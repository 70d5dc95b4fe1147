//! The global options, as they were given.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{switch, variables};

/// The options that every command takes. Help shows below a command only those that it uses.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration: a file, a directory of YAML files, or - for standard input.
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
    /// The state: a file, or the address of a store
    /// [default: NAME.state.json beside NAME.yaml, otherwise callbacks.state.json].
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_STATE",
        value_name = "PATH|URL",
        hide_env_values = true
    )]
    pub(crate) state: Option<PathBuf>,
    /// Use the embedded sandbox instead of eSign, with a separate state.
    #[arg(long, global = true, env = "ESS_CALLBACKS_SANDBOX", value_parser = switch::parse)]
    pub(crate) sandbox: bool,
    /// Call this URL instead of eSign's: https, or http to this machine.
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) endpoint: Option<String>,
    /// Also trust the certificates in this PEM file.
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
    /// Print without colour; the environment variable `NO_COLOR` does the same.
    #[arg(long, global = true, env = "ESS_CALLBACKS_NO_COLOR", value_parser = switch::parse)]
    pub(crate) no_color: bool,
    /// Print JSON events, one per line, instead of text.
    #[arg(long, global = true, env = "ESS_CALLBACKS_JSON", value_parser = switch::parse)]
    pub(crate) json: bool,
    /// Log more to standard error; -vv for debugging.
    #[arg(short, long, global = true, env = "ESS_CALLBACKS_VERBOSE", action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// The format of the logs on standard error.
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless the environment says otherwise.
    Auto,
    /// Always, except in JSON.
    Always,
    /// Never.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Plain text.
    Text,
    /// JSON objects, one per line.
    Json,
}
