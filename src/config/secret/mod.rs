//! Which secrets and references to secrets are allowed. No value is shown.

mod problem;
mod role;
mod value;

pub use problem::SecretProblem;
pub use role::SecretRole;
pub use value::check_secret;

use serde_json::{Value, json};

use super::name::{TEMPLATE_PATTERN, VARIABLE_PATTERN};

/// The name of an environment variable, in which a template may be replaced. For the schema.
pub(super) fn variable_or_template_pattern() -> String {
    format!("{VARIABLE_PATTERN}|{TEMPLATE_PATTERN}")
}

/// Prefixes of the variables with credentials for the API.
const RESERVED: [&str; 2] = ["TENCENTCLOUD_", "TKE_"];

/// Whether the variable contains credentials for the API. Ignores case, as Windows does.
pub(super) fn is_reserved(variable: &str) -> bool {
    RESERVED.iter().any(|prefix| {
        variable
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

/// The schema of names for which [`is_reserved`] is true.
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

/// The schema of the first words of a command: the program must not be empty.
pub(super) fn command_schema() -> Value {
    json!([{ "type": "string", "minLength": 1 }])
}

/// The one of those variables whose value is meant to be sent: the token of an identity provider.
const IDENTITY_TOKEN: &str = "TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN";

/// Whether the variable contains credentials that must not be sent as the token of a web identity.
pub(super) fn is_no_identity_token(variable: &str) -> bool {
    is_reserved(variable) && variable != IDENTITY_TOKEN
}

/// The schema of names for which [`is_no_identity_token`] is true.
pub(super) fn no_identity_token_schema() -> Value {
    json!({ "allOf": [reserved_schema(), { "not": { "const": IDENTITY_TOKEN } }] })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::name::is_variable;

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
