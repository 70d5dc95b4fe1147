//! How a command ends: its exit code, and its error.

use std::fmt;
use std::iter;
use std::process::ExitCode;

use crate::diag::Diagnostic;
use crate::state::{ErrorKind, StateError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Success, also if there was nothing to do.
    Done,
    /// An error before any call.
    Error,
    /// Changes are pending; only `plan --detailed-exitcode`.
    Pending,
    /// An apply did not make all changes of its plan.
    Incomplete,
    /// The outcome of a call is unknown.
    Unknown,
    /// A guard refused the plan.
    Guarded,
    /// Another program holds the lock.
    Locked,
    /// The plan is not for this state, or is out of date.
    Stale,
    /// A receiver or a check failed.
    Unverified,
    /// Invalid command line.
    Usage,
    /// Ctrl-C, or a signal that means the same.
    Interrupted,
}

impl Exit {
    /// All, by code.
    pub(crate) const ALL: [Self; 11] = [
        Self::Done,
        Self::Error,
        Self::Pending,
        Self::Incomplete,
        Self::Unknown,
        Self::Guarded,
        Self::Locked,
        Self::Stale,
        Self::Unverified,
        Self::Usage,
        Self::Interrupted,
    ];

    /// What help and docs/commands.md say of it.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Error => {
                "an error before any call was made, or the output could not be written completely"
            }
            Self::Pending => "changes are pending; only with `plan --detailed-exitcode`",
            Self::Incomplete => "apply incomplete: some changes failed or were not attempted",
            Self::Unknown => {
                "the outcome of a call is unknown, or a change waits for a lost call; run `apply` again"
            }
            Self::Guarded => "a guard refused the plan; the output says how to allow it",
            Self::Locked => "another program holds the state's lock",
            Self::Stale => {
                "the saved plan is out of date, for another state or damaged; the state records calls to another place; \
                 or the plan does not have the digest of `--expect-digest`"
            }
            Self::Unverified => {
                "verification failed: a receiver of `verify`, `apply --verify` or `rotate`, whose changes were not \
                 attempted, or a check of `doctor`"
            }
            Self::Usage => "invalid command line, or an invalid environment variable for it",
            Self::Interrupted => "interrupted by Ctrl-C, SIGTERM, SIGHUP or SIGQUIT",
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Pending => 2,
            Self::Incomplete => 3,
            Self::Unknown => 4,
            Self::Guarded => 5,
            Self::Locked => 6,
            Self::Stale => 7,
            Self::Unverified => 8,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The error that ends a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// One sentence without a full stop.
    pub(crate) message: String,
    /// The message for people, if one line is too long for it: a headline and the lines below it, in which spaces at
    /// the beginning are an indentation.
    pub(crate) lines: Vec<String>,
    /// What to do next, in whole sentences.
    pub(crate) advice: Option<String>,
    /// The problems in the configuration, if it is invalid.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            lines: Vec::new(),
            advice: None,
            diagnostics: Vec::new(),
        }
    }

    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self::new(Exit::Error, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    #[must_use]
    pub(crate) fn lines(self, lines: Vec<String>) -> Self {
        Self { lines, ..self }
    }

    #[must_use]
    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The same with `--sandbox`, which can't be combined with `--state`: advice to give another state is
    /// replaced.
    #[must_use]
    pub(crate) fn in_the_sandbox(self) -> Self {
        let Some(advice) = self
            .advice
            .as_deref()
            .filter(|advice| advice.contains("--state"))
        else {
            return self;
        };
        let sentences = advice.split_inclusive(". ");
        let mut followable: String = sentences.filter(|one| !one.contains("--state")).collect();
        if !followable.is_empty() && !followable.ends_with(' ') {
            followable.push(' ');
        }
        followable += "The sandbox keeps its files in `.ess-callbacks/`, beside the configuration; delete that folder \
                       to start over.";
        self.advice(followable)
    }

    /// The same with this command's global options in the commands that the advice names: `all` of them, or
    /// only `configuration` for a command that uses no other.
    #[must_use]
    pub(crate) fn in_place(self, all: &str, configuration: &str) -> Self {
        const COMMANDS: [&str; 6] = ["apply", "import", "plan", "show", "state", "unlock"];
        let Some(advice) = self.advice.as_deref() else {
            return self;
        };
        let place = |advice: String, command: &str, flags: &str| {
            let named = format!("`ess-callbacks {command}");
            advice.replace(&named, &format!("`ess-callbacks{flags} {command}"))
        };
        let advice = place(advice.to_owned(), "validate", configuration);
        let each = COMMANDS.iter();
        let advice = each.fold(advice, |advice, command| place(advice, command, all));
        self.advice(advice)
    }

    pub(crate) fn invalid(diagnostics: Vec<Diagnostic>) -> Self {
        let failure = Self::error("the configuration has errors; nothing was done");
        Self {
            diagnostics,
            ..failure
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let exit = match error.kind() {
            ErrorKind::Locked => Exit::Locked,
            ErrorKind::Io
            | ErrorKind::Corrupt
            | ErrorKind::NewerVersion
            | ErrorKind::Environment
            | ErrorKind::Unlock
            | ErrorKind::Internal => Exit::Error,
        };
        let failure = Self::new(exit, with_causes(&error)).advice(error.advice());
        let StateError::NoCredentials { place, reasons, .. } = &error else {
            return failure;
        };
        let headline = format!("there are no credentials for `{place}`");
        failure.lines(
            iter::once(headline)
                .chain(reasons.iter().cloned())
                .collect(),
        )
    }
}

/// An error and its causes, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_sandbox_no_other_state_can_be_named() {
        let said = |advice: &str| Failure::error("no").advice(advice).in_the_sandbox().advice;
        let start_over = "The sandbox keeps its files in `.ess-callbacks/`, beside the configuration; delete that \
                          folder to start over.";
        assert_eq!(said("Wait. Or not.").unwrap(), "Wait. Or not.");
        assert_eq!(said("Name another with --state.").unwrap(), start_over);
        assert_eq!(
            said("It was left. Move it, or give --state. Or wait.").unwrap(),
            format!("It was left. Or wait. {start_over}")
        );
    }

    #[test]
    fn a_command_that_advice_names_works_where_this_one_did() {
        let failed = |advice: &str| Failure::error("no").advice(advice);
        let said = |advice: &str| failed(advice).in_place(" -f team --sandbox", " -f team");
        assert_eq!(
            said("Run `ess-callbacks state list`, or `ess-callbacks secret new`.").advice,
            Some(
                "Run `ess-callbacks -f team --sandbox state list`, or `ess-callbacks secret new`."
                    .into()
            )
        );
        assert_eq!(
            said("Run `ess-callbacks validate`.").advice,
            Some("Run `ess-callbacks -f team validate`.".into())
        );
        assert_eq!(said("Run `plan`.").advice, Some("Run `plan`.".into()));
    }
}
