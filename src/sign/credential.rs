//! What signs a request, and whether it can.

use std::fmt;

use thiserror::Error;

use crate::secret::Secret;

/// What signs a request.
#[derive(Clone)]
pub struct Credential {
    /// The public part: it is sent and may be logged.
    pub secret_id: String,
    /// Never leaves this machine.
    pub secret_key: Secret,
    /// `X-TC-Token` of temporary credentials. Sent, not signed.
    pub token: Option<Secret>,
}

/// Why a credential can't sign anything. Names the part, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CredentialProblem {
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A common result of copying, or of `echo` into a file. eSign would only answer
    /// `AuthFailure.SignatureFailure`.
    #[error("the {0} begins or ends with white space")]
    WhiteSpace(&'static str),
    /// It would not fit into an HTTP header.
    #[error("the {0} holds a character that is not printable ASCII")]
    Characters(&'static str),
}

impl Credential {
    /// Whether every part is there and fits into the headers it is sent in.
    pub fn check(&self) -> Result<(), CredentialProblem> {
        check("SecretId", &self.secret_id)?;
        check("SecretKey", self.secret_key.expose())?;
        match &self.token {
            Some(token) => check("session token", token.expose()),
            None => Ok(()),
        }
    }
}

fn check(part: &'static str, value: &str) -> Result<(), CredentialProblem> {
    if value.is_empty() {
        Err(CredentialProblem::Empty(part))
    } else if value.trim() != value {
        Err(CredentialProblem::WhiteSpace(part))
    } else if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        Err(CredentialProblem::Characters(part))
    } else {
        Ok(())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("secret_id", &self.secret_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(id: &str, key: &str, token: Option<&str>) -> Credential {
        Credential {
            secret_id: id.to_owned(),
            secret_key: Secret::new(key),
            token: token.map(Secret::new),
        }
    }

    #[test]
    fn each_part_is_checked_and_named() {
        use CredentialProblem::{Characters, Empty, WhiteSpace};
        let cases = [
            (credential("AKID", "key", Some("token")), Ok(())),
            (credential("AKID", "key", None), Ok(())),
            (credential("", "key", None), Err(Empty("SecretId"))),
            (credential("AKID", "", None), Err(Empty("SecretKey"))),
            (
                credential("AKID", "key", Some("")),
                Err(Empty("session token")),
            ),
            (
                credential(" AKID", "key", None),
                Err(WhiteSpace("SecretId")),
            ),
            (
                credential("AKID", "key\n", None),
                Err(WhiteSpace("SecretKey")),
            ),
            (
                credential("AK\nID", "key", None),
                Err(Characters("SecretId")),
            ),
            (
                credential("AKID", "ключ", None),
                Err(Characters("SecretKey")),
            ),
        ];
        for (credential, expected) in cases {
            assert_eq!(credential.check(), expected, "{credential:?}");
        }
    }

    #[test]
    fn a_credential_prints_only_its_id() {
        let text = format!(
            "{:?}",
            credential("AKID", "canary-key", Some("canary-token"))
        );
        assert_eq!(text, r#"Credential { secret_id: "AKID", .. }"#);
    }
}
