//! What secrets and references to them may look like. Values are looked at and never shown.

mod problem;
mod value;

pub use problem::SecretProblem;
pub use value::check_secret;

use serde_json::{Value, json};

/// Of an environment variable's name. Kept equal to [`is_variable`].
pub(in crate::config) const VARIABLE_PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// The same of a name that an organization's names are put into.
pub(in crate::config) fn filled_variable_pattern() -> String {
    format!("{VARIABLE_PATTERN}|{}", super::names::PATTERN)
}

/// Prefixes of the variables that hold credentials for the API itself.
const RESERVED: [&str; 2] = ["TENCENTCLOUD_", "TKE_"];

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretRole {
    /// `CallbackKey`: encrypts the messages.
    Key,
    /// `CallbackToken`: signs them.
    Token,
}

impl SecretRole {
    /// The key of callbacks.yaml.
    const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Token => "token",
        }
    }
}

/// Whether `text` can be the name of an environment variable.
pub(in crate::config) fn is_variable(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether the variable holds credentials. Case does not count, because it does not on Windows.
pub(in crate::config) fn is_reserved(variable: &str) -> bool {
    RESERVED.iter().any(|prefix| {
        variable
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

/// The schema of names that [`is_reserved`] bars.
pub(in crate::config) fn reserved_schema() -> Value {
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
pub(in crate::config) fn command_schema() -> Value {
    json!([{ "type": "string", "minLength": 1 }])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

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
