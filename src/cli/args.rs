//! The command line, word for word. What it means is resolved in `settings`; nothing deeper sees clap.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::form::{Brief, Forms};
use super::secrets::Commands;
use crate::sandbox::{FaultSpec, Member, OnExists, Script};

/// Declarative callback URLs for Tencent eSign (腾讯电子签).
///
/// callbacks.yaml says which URLs each organization shall have; `plan` shows what would change,
/// `apply` changes it, and a state file remembers what is proven, assumed and unknown of an API that
/// can't be read back.
#[derive(Debug, Parser)]
#[command(name = "ess-callbacks", version, propagate_version = true)]
#[command(max_term_width = 100, arg_required_else_help = true)]
#[command(after_long_help = super::manual::examples_and_exit_codes())]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The configuration: a file, a directory of *.yaml files, or - for standard input.
    #[arg(
        short = 'f',
        long,
        global = true,
        env = "ESS_CALLBACKS_CONFIG",
        value_name = "PATH"
    )]
    #[arg(default_value = "callbacks.yaml", hide_env_values = true)]
    pub(super) config: PathBuf,
    /// Override a variable that the configuration declares under `vars`.
    /// `ESS_CALLBACKS_VAR_<NAME>` does the same.
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = super::variables::parse)]
    pub(super) var: Vec<(String, String)>,
    /// The state file [default: NAME.state.json beside NAME.yaml, callbacks.state.json beside all else].
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_STATE",
        value_name = "PATH",
        hide_env_values = true
    )]
    pub(super) state: Option<PathBuf>,
    /// Work on the embedded sandbox instead of eSign, with a state of its own.
    #[arg(long, global = true, env = "ESS_CALLBACKS_SANDBOX", value_parser = super::parse::switch)]
    pub(super) sandbox: bool,
    /// Call this address instead of eSign's (https, or http to this machine only).
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(super) endpoint: Option<String>,
    /// Trust the certificates in this PEM file too.
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_CA_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(super) ca_file: Option<PathBuf>,
    /// When to print in colour.
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_COLOR",
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub(super) color: Colour,
    /// Print without colour. `NO_COLOR` does the same.
    #[arg(long, global = true, env = "ESS_CALLBACKS_NO_COLOR", value_parser = super::parse::switch)]
    pub(super) no_color: bool,
    /// Print one JSON event a line instead of text.
    #[arg(long, global = true, env = "ESS_CALLBACKS_JSON", value_parser = super::parse::switch)]
    pub(super) json: bool,
    /// Log more on standard error; twice for debugging.
    #[arg(short, long, global = true, env = "ESS_CALLBACKS_VERBOSE", action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// How log lines on standard error look.
    #[arg(
        long,
        global = true,
        env = "ESS_CALLBACKS_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(super) log_format: LogFormat,
}

/// When output is in colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, as the environment says.
    Auto,
    /// In any case, in JSON excepted.
    Always,
    /// Nowhere.
    Never,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented callbacks.yaml, its schema and .gitignore lines. Asks nothing.
    Init,
    /// Check the configuration, reporting every problem at once.
    Validate(Validate),
    /// Show what apply would change. Needs no eSign credentials and no network.
    #[command(after_long_help = super::manual::exit_codes())]
    Plan(Plan),
    /// Make eSign hold what the configuration declares.
    #[command(after_long_help = super::manual::credentials_and_exit_codes())]
    Apply(Apply),
    /// Show a saved plan, or the state.
    Show(Show),
    /// Record callbacks that eSign already has, as assumed. Makes no call.
    Import(Import),
    /// Look at the state, or repair it.
    #[command(subcommand)]
    State(State),
    /// Remove a lock that its owner left behind.
    Unlock(Unlock),
    /// Make secrets.
    #[command(subcommand)]
    Secret(Secret),
    /// Serve the sandbox: an eSign of your own, for any client.
    Sandbox(Sandbox),
    /// Explain an error or warning, as docs/errors.md does.
    Explain {
        /// Its code, such as E053 or W003; without it, all codes are listed.
        #[arg(value_name = "CODE")]
        code: Option<String>,
    },
    /// Format the configuration, and print the names of the files that changed.
    Fmt {
        /// Change nothing; exit with 1 when a file is not in that style.
        #[arg(long, env = "ESS_CALLBACKS_CHECK", value_parser = super::parse::switch)]
        check: bool,
    },
    /// Print the version, as --version does.
    #[command(hide = true)]
    Version,
    /// Print the JSON Schema of callbacks.yaml.
    Schema,
    /// Print a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Who shows problems beside the lines they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Annotate {
    /// Annotations of a GitHub Actions step.
    Github,
    /// GitLab's code quality report.
    Gitlab,
}

/// `validate`.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Print the problems as this system shows them beside the lines; as text they stand on standard
    /// error in any case.
    #[arg(long, env = "ESS_CALLBACKS_ANNOTATE", value_name = "FOR")]
    pub(super) annotate: Option<Annotate>,
    /// Resolve the secret references too, and check their values.
    #[arg(long, env = "ESS_CALLBACKS_SECRETS", value_parser = super::parse::switch)]
    pub(super) secrets: bool,
    #[command(flatten)]
    pub(super) commands: Commands,
}

/// What plan and apply have in common.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Planning options")]
pub(super) struct Planning {
    /// Only these callbacks: handle or handle/URL, with * for any text. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_TARGET",
        value_name = "ADDRESS",
        value_delimiter = ' '
    )]
    pub(super) target: Vec<String>,
    /// Delete these and add them again, which proves their key and token. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_REPLACE",
        value_name = "ADDRESS",
        value_delimiter = ' '
    )]
    pub(super) replace: Vec<String>,
    /// Add again what is recorded as present, in case somebody else deleted it.
    #[arg(long, env = "ESS_CALLBACKS_HEAL", value_parser = super::parse::switch)]
    pub(super) heal: bool,
    /// With --heal: only what was last confirmed longer ago than this (90m, 24h, 7d).
    #[arg(long, env = "ESS_CALLBACKS_OLDER_THAN", value_name = "DURATION", value_parser = super::duration::parse)]
    pub(super) older_than: Option<std::time::Duration>,
    /// With --heal: no more than so many calls; the longest unconfirmed first.
    #[arg(long, env = "ESS_CALLBACKS_MAX_CALLS", value_name = "N")]
    pub(super) max_calls: Option<usize>,
    /// Delete everything that is recorded.
    #[arg(long, env = "ESS_CALLBACKS_DESTROY", value_parser = super::parse::switch)]
    #[arg(conflicts_with_all = ["heal", "replace"])]
    pub(super) destroy: bool,
    /// Allow exactly so many deletes by omission that a guard refuses.
    #[arg(long, env = "ESS_CALLBACKS_ALLOW_DELETES", value_name = "N")]
    pub(super) allow_deletes: Option<usize>,
    #[command(flatten)]
    pub(super) commands: Commands,
}

/// `plan`.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) planning: Planning,
    /// Leave the secrets unresolved: a changed key or token is then not seen.
    #[arg(long, env = "ESS_CALLBACKS_NO_SECRETS", value_parser = super::parse::switch)]
    pub(super) no_secrets: bool,
    /// Save the plan to this file, for `apply FILE`.
    #[arg(
        long,
        env = "ESS_CALLBACKS_OUT",
        value_name = "FILE",
        conflicts_with = "no_secrets"
    )]
    pub(super) out: Option<PathBuf>,
    /// Exit with 2 when there are changes.
    #[arg(long, env = "ESS_CALLBACKS_DETAILED_EXITCODE", value_parser = super::parse::switch)]
    pub(super) detailed_exitcode: bool,
    #[command(flatten)]
    pub(super) forms: Forms,
    /// Plan for this many requests a second; used for the estimate only.
    #[arg(
        long,
        env = "ESS_CALLBACKS_RATE",
        value_name = "N",
        default_value_t = 20
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(super) rate: u32,
}

/// `apply`.
#[derive(Debug, Args)]
pub(super) struct Apply {
    /// A plan saved by `plan --out`; without it, apply plans anew and asks.
    #[arg(value_name = "PLAN", conflicts_with_all = ["target", "replace", "heal", "older_than", "max_calls", "destroy", "allow_deletes"])]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) planning: Planning,
    #[command(flatten)]
    pub(super) brief: Brief,
    /// Apply without asking.
    #[arg(long, env = "ESS_CALLBACKS_AUTO_APPROVE", value_parser = super::parse::switch)]
    pub(super) auto_approve: bool,
    /// Requests a second for each set of credentials; 0 lifts the limit (for a sandbox).
    #[arg(
        long,
        env = "ESS_CALLBACKS_RATE",
        value_name = "N",
        default_value_t = 20
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(super) rate: u32,
    /// The most calls in flight for each set of credentials.
    #[arg(
        long,
        env = "ESS_CALLBACKS_PARALLELISM",
        value_name = "N",
        default_value_t = 900
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) parallelism: u32,
    /// How often a call is sent again when its outcome is unknown.
    #[arg(
        long,
        env = "ESS_CALLBACKS_MAX_RETRIES",
        value_name = "N",
        default_value_t = 5
    )]
    pub(super) max_retries: u32,
    /// Leave what must wait for a lost call to the next run (exit code 4).
    #[arg(long, env = "ESS_CALLBACKS_NO_WAIT", value_parser = super::parse::switch)]
    pub(super) no_wait: bool,
    /// Wait up to this long for another apply to finish (30s, 5m).
    #[arg(long, env = "ESS_CALLBACKS_LOCK_TIMEOUT", value_name = "DURATION", value_parser = super::duration::parse)]
    pub(super) lock_timeout: Option<std::time::Duration>,
    /// Make just the calls of the plan with this digest, or none (exit code 7). It is the `digest` of
    /// `plan --json` and `plan --format json`; a comment shows it too.
    #[arg(long, env = "ESS_CALLBACKS_EXPECT_DIGEST", value_name = "DIGEST", value_parser = super::parse::digest)]
    pub(super) expect_digest: Option<String>,
    /// Begin after some part of this time, by chance, so that many cron jobs don't call at once.
    #[arg(long, env = "ESS_CALLBACKS_JITTER", value_name = "DURATION", value_parser = super::duration::parse)]
    pub(super) jitter: Option<std::time::Duration>,
    /// Write JSON events to this file, beside the text.
    #[arg(long, env = "ESS_CALLBACKS_JSON_INTO", value_name = "FILE")]
    pub(super) json_into: Option<PathBuf>,
    /// Write metrics to this file when the run ends, for the textfile collector of Prometheus' node exporter.
    #[arg(long, env = "ESS_CALLBACKS_METRICS_FILE", value_name = "FILE")]
    pub(super) metrics_file: Option<PathBuf>,
    /// Say nothing unless a change is not done, drift was found or a guard refuses. For cron.
    #[arg(long, env = "ESS_CALLBACKS_QUIET", value_parser = super::parse::switch)]
    pub(super) quiet: bool,
}

/// `show`.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// A saved plan or a state file; without it, the state.
    #[arg(value_name = "PLAN|STATE")]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) forms: Forms,
}

/// `import`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// Declared callbacks that eSign already has: handle or handle/URL, with * for any text.
    #[arg(value_name = "ADDRESS", required_unless_present = "all")]
    pub(super) addresses: Vec<String>,
    /// Every declared callback that is not recorded yet, or is recorded as absent.
    #[arg(long, env = "ESS_CALLBACKS_ALL", value_parser = super::parse::switch, conflicts_with = "addresses")]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) commands: Commands,
    #[command(flatten)]
    pub(super) lock: Lock,
}

/// What commands that write the state have in common.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Lock {
    /// Wait up to this long for an apply to finish (30s, 5m).
    #[arg(long, env = "ESS_CALLBACKS_LOCK_TIMEOUT", value_name = "DURATION", value_parser = super::duration::parse)]
    pub(super) lock_timeout: Option<std::time::Duration>,
}

/// `state …`.
#[derive(Debug, Subcommand)]
pub(super) enum State {
    /// List what is recorded, one address per line.
    List {
        /// Only these; * stands for any text.
        #[arg(value_name = "ADDRESS")]
        addresses: Vec<String>,
    },
    /// Show all that is recorded of some callbacks.
    Show {
        /// Which; * stands for any text.
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<String>,
    },
    /// Forget callbacks. They stay at eSign; nothing is called.
    Rm {
        /// Which; * stands for any text.
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<String>,
        /// Only say what would be forgotten.
        #[arg(long, env = "ESS_CALLBACKS_DRY_RUN", value_parser = super::parse::switch)]
        dry_run: bool,
        #[command(flatten)]
        lock: Lock,
    },
    /// Record a callback under another organization of the configuration, or under another account.
    Mv {
        /// The recorded address.
        #[arg(value_name = "FROM")]
        from: String,
        /// The organization's handle in the configuration, or a full address with the same URL.
        #[arg(value_name = "TO")]
        to: String,
        #[command(flatten)]
        lock: Lock,
    },
    /// Print the whole state, with what only the journal knows.
    Pull,
    /// Put a state file in the place of the state. It must be of the same lineage, and not older.
    Push {
        /// What `state pull` has printed; - for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        lock: Lock,
    },
}

/// `secret …`.
#[derive(Debug, Subcommand)]
pub(super) enum Secret {
    /// Print a new random secret: 32 letters and digits, usable as a key and as a token.
    New,
}

/// `unlock`.
#[derive(Debug, Args)]
pub(super) struct Unlock {
    /// The lock's id, as the error that names it prints it.
    #[arg(value_name = "ID")]
    pub(super) id: String,
}

/// `sandbox`.
#[derive(Debug, Args)]
pub(super) struct Sandbox {
    /// Where to listen. Only this machine can reach it, unless --allow-remote is given.
    #[arg(
        long,
        env = "ESS_CALLBACKS_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8901"
    )]
    pub(super) listen: String,
    /// Let other machines reach it. Anybody who does can read its log and make it send requests.
    #[arg(long, env = "ESS_CALLBACKS_ALLOW_REMOTE", value_parser = super::parse::switch)]
    pub(super) allow_remote: bool,
    /// Accept this key pair, of an account of its own or of the one named. Repeatable [default: the
    /// pair in the environment, else a fresh one, which is printed].
    #[arg(
        long,
        env = "ESS_CALLBACKS_CREDENTIAL",
        value_name = "[ACCOUNT=]ID:KEY",
        value_delimiter = ' '
    )]
    #[arg(hide_env_values = true)]
    pub(super) credential: Vec<String>,
    /// A member organization of the group. Repeatable; without any, every organization is a member.
    #[arg(
        long,
        env = "ESS_CALLBACKS_MEMBER",
        value_name = "ID[:NAME[:STATUS]]",
        value_delimiter = ' '
    )]
    pub(super) member: Vec<Member>,
    /// Keep the sandbox's callbacks in this file.
    #[arg(long, env = "ESS_CALLBACKS_CLOUD", value_name = "FILE")]
    pub(super) cloud: Option<PathBuf>,
    /// Requests a second for each key pair; 0 lifts the limit.
    #[arg(
        long,
        env = "ESS_CALLBACKS_LIMIT",
        value_name = "N",
        default_value_t = 20
    )]
    pub(super) limit: u32,
    /// Faults by chance: lost-after=0.1,throttle=0.05,slow=800ms,skew=+400 …
    #[arg(long, env = "ESS_CALLBACKS_FAULT", value_name = "SPEC")]
    pub(super) fault: Option<FaultSpec>,
    /// Faults in order: ok,lost-before,lost-after,ok …
    #[arg(long, env = "ESS_CALLBACKS_SCRIPT", value_name = "SPEC")]
    pub(super) script: Option<Script>,
    /// Makes the faults repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_SEED",
        value_name = "N",
        default_value_t = 0
    )]
    pub(super) seed: u64,
    /// What an add of an existing URL answers: success or error. The vendor does not say.
    #[arg(
        long,
        env = "ESS_CALLBACKS_EXISTS",
        value_name = "ANSWER",
        default_value = "success"
    )]
    pub(super) exists: OnExists,
}
