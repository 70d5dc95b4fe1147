//! Errors and warnings about secrets. They never contain the value.

use std::time::Duration;

use crate::config::code;
use crate::diag::{Code, Diagnostic, Severity, Snippet};
use crate::secret::SecretReference;

/// An error or warning about a secret or its source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SecretProblem {
    pub severity: Severity,
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
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

    pub fn not_set(variable: &str) -> Self {
        Self::error(
            code::NOT_SET,
            format!("the environment variable {variable} is not set"),
            format!("set {variable} where this command runs"),
        )
    }

    /// `why` is the error of the operating system.
    pub fn unreadable(path: &str, why: &str) -> Self {
        Self::error(
            code::UNREADABLE,
            format!("the secret file {path} can't be read: {why}"),
            "a relative path is relative to the folder of the configuration file",
        )
    }

    /// `what` is the kind of file, with an article: a folder, a pipe, a device.
    pub fn not_a_file(path: &str, what: &str) -> Self {
        Self::error(
            code::UNREADABLE,
            format!("the secret file {path} is {what}, not a regular file"),
            "use `command` for the output of a program, and `env` for an environment variable",
        )
    }

    /// `limit` is in bytes.
    pub fn too_much(reference: &SecretReference, limit: usize) -> Self {
        Self::error(
            code::SECRET_TOO_LONG,
            format!(
                "the secret from {reference} has more than {} KiB",
                limit >> 10
            ),
            "this is probably not the secret; `ess-callbacks secret new` generates one of 32 characters",
        )
    }

    pub fn command_not_allowed(program: &str) -> Self {
        Self::error(
            code::COMMAND_NOT_ALLOWED,
            format!("this secret comes from the command `{program}`, but commands are not allowed"),
            "pass `--allow-commands` if you trust everyone who can change this file",
        )
    }

    /// A command could not be run, or failed. `why` must not contain its output.
    pub fn command_failed(program: &str, why: &str) -> Self {
        Self::error(
            code::COMMAND_FAILED,
            format!("the command `{program}` gave no secret: {why}"),
            "run it by hand in the folder of the configuration file to see its output",
        )
    }

    /// A command was stopped after `limit`.
    pub fn command_too_slow(program: &str, limit: Duration) -> Self {
        Self::error(
            code::COMMAND_FAILED,
            format!(
                "the command `{program}` did not end within {} s and was stopped",
                limit.as_secs()
            ),
            "it may wait for input, and it has no terminal; give it more time with `--command-timeout`",
        )
    }

    /// A command ended, but a program that it started keeps its output open.
    pub fn command_left_open(program: &str) -> Self {
        Self::error(
            code::COMMAND_FAILED,
            format!(
                "the command `{program}` ended, but a program that it started keeps its output open, so the secret may \
                 be incomplete"
            ),
            "redirect the output of what runs in the background: `… >/dev/null &`",
        )
    }

    pub fn not_text(reference: &SecretReference) -> Self {
        Self::error(
            code::NOT_TEXT,
            format!("the secret from {reference} is not UTF-8 text"),
            "keys and tokens must be text; `ess-callbacks secret new` generates one",
        )
    }

    /// The diagnostic at the place where the secret is used.
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
