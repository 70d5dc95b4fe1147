//! What secrets and references to them may look like. Values are looked at and never shown.

use serde_json::{Value, json};

use super::code;
use crate::diag::{Code, Diagnostic, Severity, Snippet};
use crate::secret::{Secret, SecretReference};

/// Of an environment variable's name. Kept equal to [`is_variable`].
pub(super) const VARIABLE_PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// Prefixes of the variables that hold credentials for the API itself.
const RESERVED: [&str; 2] = ["TENCENTCLOUD_", "TKE_"];

/// How many bytes a `CallbackKey` has: the key of AES-256.
const KEY_BYTES: usize = 32;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretRole {
    /// `CallbackKey`: encrypts the messages.
    Key,
    /// `CallbackToken`: signs them.
    Token,
}

/// Why a secret can't be used. Holds nothing of its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SecretProblem {
    /// Which kind.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl SecretProblem {
    fn new(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: help.into(),
        }
    }

    /// The code of [`Self::not_set`].
    pub const NOT_SET: Code = code::NOT_SET;

    /// The environment variable of a reference is not set.
    pub fn not_set(variable: &str) -> Self {
        Self::new(
            code::NOT_SET,
            format!("the environment variable {variable} is not set"),
            format!("set {variable} where this command runs"),
        )
    }

    /// The file of a reference can't be read; `why` is the system's reason.
    pub fn unreadable(path: &str, why: &str) -> Self {
        Self::new(
            code::UNREADABLE,
            format!("the secret file {path} can't be read: {why}"),
            "a relative path starts at the folder of the configuration file",
        )
    }

    /// A command may not run without the flag.
    pub fn command_not_allowed(program: &str) -> Self {
        Self::new(
            code::COMMAND_NOT_ALLOWED,
            format!("this secret comes from the command `{program}`, which may not run"),
            "pass `--allow-commands` if you trust everybody who can change this file",
        )
    }

    /// A command could not be run or ended badly; `why` says how, without its output.
    pub fn command_failed(program: &str, why: &str) -> Self {
        Self::new(
            code::COMMAND_FAILED,
            format!("the command `{program}` gave no secret: {why}"),
            "run it by hand in the folder of the configuration file to see what it says",
        )
    }

    /// The value is not UTF-8.
    pub fn not_text(reference: &SecretReference) -> Self {
        Self::new(
            code::NOT_TEXT,
            format!("the secret from {reference} is not UTF-8 text"),
            "eSign takes keys and tokens as text; `ess-callbacks secret new` makes one",
        )
    }

    /// The same, drawn at the place of use.
    pub fn at(self, snippet: Option<Snippet>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: self.code,
            message: self.message,
            snippet,
            help: Some(self.help),
        }
    }
}

/// Whether a resolved value can be what it is used as.
///
/// # Errors
/// When it is empty, looks like something that stands for a secret rather than one, or is a key of
/// another length than 32 bytes.
pub fn check_secret(role: SecretRole, value: &Secret) -> Result<(), SecretProblem> {
    let text = value.expose();
    let name = match role {
        SecretRole::Key => "key",
        SecretRole::Token => "token",
    };
    if text.trim().is_empty() {
        return Err(SecretProblem::new(
            code::EMPTY_SECRET,
            format!("the {name} is empty"),
            format!("give it a value, or leave `{name}` out if you mean to have none"),
        ));
    }
    if is_masked(text) {
        return Err(SecretProblem::new(
            code::MASKED_SECRET,
            format!("the {name} looks like something that stands for a secret, not like one"),
            "use the real value; `ess-callbacks secret new` makes one",
        ));
    }
    if role == SecretRole::Key && text.len() != KEY_BYTES {
        let help = if text.trim().len() == KEY_BYTES {
            "it has white space or line breaks around it; remove them"
        } else {
            "`ess-callbacks secret new` makes one"
        };
        return Err(SecretProblem::new(
            code::KEY_LENGTH,
            format!(
                "the key has {} bytes, and eSign encrypts with exactly {KEY_BYTES}",
                text.len()
            ),
            help,
        ));
    }
    Ok(())
}

fn is_masked(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let dots = |c| matches!(c, '*' | '•' | '●');
    text.chars().all(dots)
        || text.contains("****")
        || [
            "<redacted>",
            "[redacted]",
            "(redacted)",
            "<masked>",
            "[masked]",
        ]
        .iter()
        .any(|mask| text.contains(mask))
        || ["changeme", "change-me", "change_me", "redacted"].contains(&text.as_str())
}

/// Whether `text` can be the name of an environment variable.
pub(super) fn is_variable(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether the variable holds credentials. Case does not count, because it does not on Windows.
pub(super) fn is_reserved(variable: &str) -> bool {
    RESERVED.iter().any(|prefix| {
        variable
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

/// The schema of names that [`is_reserved`] bars.
pub(super) fn reserved_schema() -> Value {
    let either = RESERVED.map(|prefix| {
        prefix
            .chars()
            .map(|c| {
                if c.is_ascii_alphabetic() {
                    format!("[{c}{}]", c.to_ascii_lowercase())
                } else {
                    c.to_string()
                }
            })
            .collect::<String>()
    });
    json!({ "pattern": format!("^({})", either.join("|")) })
}

/// The schema of the words of a command, in order: the program may not be empty, the rest may.
pub(super) fn command_schema() -> Value {
    json!([{ "type": "string", "minLength": 1 }])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(SecretRole::Key, "0123456789abcdef0123456789abcdef", None)]
    #[case(SecretRole::Key, "0123456789abcdef0123456789abcde", Some("E050"))]
    #[case(SecretRole::Key, "0123456789abcdef0123456789abcdef\n", Some("E050"))]
    #[case(SecretRole::Key, "十六个汉字是四十八个字节不是三十", Some("E050"))]
    #[case(SecretRole::Token, "t", None)]
    #[case(SecretRole::Token, "", Some("E051"))]
    #[case(SecretRole::Key, " \n", Some("E051"))]
    #[case(SecretRole::Token, "********", Some("E052"))]
    #[case(SecretRole::Token, "abc****xyz", Some("E052"))]
    #[case(SecretRole::Key, "<REDACTED>", Some("E052"))]
    #[case(SecretRole::Token, "ChangeMe", Some("E052"))]
    #[case(SecretRole::Token, "•••", Some("E052"))]
    fn values_are_judged(
        #[case] role: SecretRole,
        #[case] value: &str,
        #[case] expected: Option<&str>,
    ) {
        let code = check_secret(role, &Secret::new(value))
            .err()
            .map(|problem| problem.code.0);
        assert_eq!(code, expected);
    }

    #[test]
    fn no_problem_quotes_the_value() {
        let problem = check_secret(SecretRole::Key, &Secret::new("canary-value"))
            .expect_err("twelve bytes are too few");
        assert!(!format!("{problem:?}").contains("canary"));
    }

    #[rstest]
    #[case("ACME_KEY", true, false)]
    #[case("_1", true, false)]
    #[case("1A", false, false)]
    #[case("A-B", false, false)]
    #[case("", false, false)]
    #[case("TENCENTCLOUD_SECRET_KEY", true, true)]
    #[case("Tke_Role_Arn", true, true)]
    #[case("TKE", true, false)]
    fn variables_are_judged(#[case] name: &str, #[case] variable: bool, #[case] reserved: bool) {
        assert_eq!((is_variable(name), is_reserved(name)), (variable, reserved));
        let matches = |schema: &Value| jsonschema::is_valid(schema, &json!(name));
        assert_eq!(matches(&json!({ "pattern": VARIABLE_PATTERN })), variable);
        assert_eq!(matches(&reserved_schema()), reserved);
    }
}
