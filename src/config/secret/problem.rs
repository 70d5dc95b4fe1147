//! Why a secret can't be used, or seldom is meant as it is. Holds nothing of its value.

use std::time::Duration;

use crate::config::code;
use crate::diag::{Code, Diagnostic, Severity, Snippet};
use crate::secret::SecretReference;

/// Something wrong with a secret or with where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SecretProblem {
    /// An error, or a warning about a value that can be used.
    pub severity: Severity,
    /// Which kind.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl SecretProblem {
    pub(super) fn error(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            help: help.into(),
        }
    }

    pub(super) fn warning(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, help)
        }
    }

    /// The code of [`Self::not_set`].
    pub const NOT_SET: Code = code::NOT_SET;

    /// The environment variable of a reference is not set.
    pub fn not_set(variable: &str) -> Self {
        Self::error(
            code::NOT_SET,
            format!("the environment variable {variable} is not set"),
            format!("set {variable} where this command runs"),
        )
    }

    /// The file of a reference can't be read; `why` is the system's reason.
    pub fn unreadable(path: &str, why: &str) -> Self {
        Self::error(
            code::UNREADABLE,
            format!("the secret file {path} can't be read: {why}"),
            "a relative path starts at the folder of the configuration file",
        )
    }

    /// What a reference calls a file is something else: a folder, a pipe, a device.
    pub fn not_a_file(path: &str, what: &str) -> Self {
        Self::error(
            code::UNREADABLE,
            format!("the secret file {path} is {what}, not a regular file"),
            "a secret is read from a regular file; use `command` for what a program prints and `env` for a variable",
        )
    }

    /// There is more than a secret can have; `limit` is in bytes.
    pub fn too_much(reference: &SecretReference, limit: usize) -> Self {
        Self::error(
            code::SECRET_TOO_LONG,
            format!(
                "the secret from {reference} has more than {} KiB",
                limit >> 10
            ),
            "this is probably not the secret; `ess-callbacks secret new` makes one of 32 characters",
        )
    }

    /// A command may not run without the flag.
    pub fn command_not_allowed(program: &str) -> Self {
        Self::error(
            code::COMMAND_NOT_ALLOWED,
            format!("this secret comes from the command `{program}`, which may not run"),
            "pass `--allow-commands` if you trust everybody who can change this file",
        )
    }

    /// A command could not be run or ended badly; `why` says how, without its output.
    pub fn command_failed(program: &str, why: &str) -> Self {
        Self::error(
            code::COMMAND_FAILED,
            format!("the command `{program}` gave no secret: {why}"),
            "run it by hand in the folder of the configuration file to see what it says",
        )
    }

    /// A command did not end in time, and was ended.
    pub fn command_too_slow(program: &str, limit: Duration) -> Self {
        Self::error(
            code::COMMAND_FAILED,
            format!(
                "the command `{program}` did not end within {} s and was stopped",
                limit.as_secs()
            ),
            "it may wait for an answer, and it has no terminal; give it more time with `--command-timeout`",
        )
    }

    /// A command ended, and something that it started keeps its output open.
    pub fn command_left_open(program: &str) -> Self {
        Self::error(
            code::COMMAND_FAILED,
            format!(
                "the command `{program}` ended, but a program that it started keeps its output open, so the secret may \
                 not be complete"
            ),
            "redirect the output of what runs in the background: `… >/dev/null &`",
        )
    }

    /// The value is not UTF-8.
    pub fn not_text(reference: &SecretReference) -> Self {
        Self::error(
            code::NOT_TEXT,
            format!("the secret from {reference} is not UTF-8 text"),
            "eSign takes keys and tokens as text; `ess-callbacks secret new` makes one",
        )
    }

    /// The same, drawn at the place of use.
    pub fn at(self, snippet: Option<Snippet>) -> Diagnostic {
        let Self {
            severity,
            code,
            message,
            help,
        } = self;
        Diagnostic {
            severity,
            code,
            message,
            snippet,
            help: Some(help),
        }
    }
}
