//! Secrets that an option names: `env:NAME` or `file:PATH`, never the value itself.

use std::path::Path;

use super::{file, text, variable};
use crate::cli::exit::Failure;
use crate::config::{SecretProblem, SecretRole, check_secret};
use crate::diag::Severity;
use crate::secret::{Secret, SecretReference};

/// Reads the secret that the option `flag` names. A relative path is relative to the working directory. Warnings about
/// the value are returned with it.
pub(crate) fn given(
    flag: &str,
    role: SecretRole,
    named: &str,
) -> Result<(Secret, Vec<SecretProblem>), Failure> {
    // What is given may be the secret itself, so it is not shown.
    let reference = SecretReference::given(named).ok_or_else(|| {
        let message = format!("{flag} needs `env:NAME` or `file:PATH`, the place of the secret and not its value");
        Failure::usage(message).advice(
            "Other programs of this machine can read command lines, and shells record them: if you gave the secret \
             itself, replace it.",
        )
    })?;
    let value = read(flag, &reference)?;
    let (errors, warnings): (Vec<_>, Vec<_>) = check_secret(role, &value)
        .into_iter()
        .partition(|problem| problem.severity == Severity::Error);
    match errors.into_iter().next() {
        Some(error) => Err(failed(flag, error)),
        None => Ok((value, warnings)),
    }
}

/// Reads a secret of any kind.
pub(crate) fn read(flag: &str, reference: &SecretReference) -> Result<Secret, Failure> {
    let value = match reference {
        SecretReference::Env(name) => variable(name, reference),
        SecretReference::File(path) => {
            file::read(Path::new(path), path, reference).and_then(|bytes| text(bytes, reference))
        }
        SecretReference::Command(words) => {
            let program = words.first().map_or("", String::as_str);
            Err(SecretProblem::command_not_allowed(program))
        }
    };
    value.map_err(|problem| failed(flag, problem))
}

fn failed(flag: &str, problem: SecretProblem) -> Failure {
    let SecretProblem {
        severity: _,
        code,
        message,
        help,
    } = problem;
    Failure::error(format!("{flag}: {message} [{code}]")).advice(format!("Help: {help}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_no_reference_and_is_not_shown() {
        for value in [
            "0123456789ABCDEF0123456789ABCDEF",
            "env:",
            "env:a-b",
            "file:",
            "command:x",
            "ENV:X",
        ] {
            let failure = given("--key-from", SecretRole::Key, value).unwrap_err();
            let said = format!("{} {:?}", failure.message, failure.advice);
            assert!(
                said.contains("needs `env:NAME`") && !said.contains("0123456789"),
                "{said}"
            );
        }
    }
}
