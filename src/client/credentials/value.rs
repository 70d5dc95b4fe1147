//! Single values of a credential: what is refused before eSign can only report a wrong signature.

use crate::model::AssumedRole;
use crate::secret::Secret;
use crate::sign::Credential;

/// Quotation marks that a shell, an editor or a word processor leaves around a value.
const QUOTES: [(char, char); 4] = [('"', '"'), ('\'', '\''), ('“', '”'), ('‘', '’')];

/// Refuses a value that can't be part of a credential. `place` says where it is; the value is never quoted.
pub(super) fn checked(value: &str, place: &str) -> Result<String, String> {
    if value.trim() != value {
        return Err(format!(
            "{place} has white space or a line break around its value; remove it"
        ));
    }
    let quoted = |(open, close): &(char, char)| value.starts_with(*open) || value.ends_with(*close);
    if QUOTES.iter().any(quoted) {
        return Err(format!(
            "{place} has a quotation mark around its value, which would be part of it; remove it"
        ));
    }
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "{place} is empty or has characters that are invalid in a credential"
        ));
    }
    Ok(value.to_owned())
}

/// A credential of checked parts; `place` gives the place of the part with this name.
pub(super) fn credential(
    id: &str,
    key: &str,
    token: Option<&str>,
    place: impl Fn(&str) -> String,
    names: [&str; 3],
) -> Result<Credential, String> {
    let [id_name, key_name, token_name] = names;
    Ok(Credential {
        secret_id: checked(id, &place(id_name))?,
        secret_key: Secret::new(checked(key, &place(key_name))?),
        token: token
            .map(|token| checked(token, &place(token_name)))
            .transpose()?
            .map(Secret::new),
    })
}

/// A checked ARN of a role. `place` says where it is. An ARN is not secret.
pub(super) fn role_arn(text: &str, place: &str) -> Result<String, String> {
    let arn = checked(text, place)?;
    if AssumedRole::is_arn(&arn) {
        Ok(arn)
    } else {
        Err(format!(
            "{place} is not the ARN of a role: qcs::cam::uin/NUMBER:roleName/NAME"
        ))
    }
}

/// Whether this can be the name of a session of a role.
pub(super) fn is_session_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (2..=128).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_quotes_and_rubbish_are_refused_without_quoting_them() {
        for (value, why) in [
            (" canary", "white space"),
            ("canary\n", "white space"),
            ("\"canary\"", "quotation mark"),
            ("'canary'", "quotation mark"),
            ("“canary”", "quotation mark"),
            ("canary\"", "quotation mark"),
            ("", "is empty"),
            ("can ary", "characters"),
            ("кanary", "characters"),
        ] {
            let problem = checked(value, "the variable KEY").unwrap_err();
            assert!(problem.contains(why), "{value}: {problem}");
            assert!(problem.starts_with("the variable KEY"), "{problem}");
            assert!(!problem.contains("anary"), "{problem}");
        }
        assert_eq!(checked("a+b/c=", "x").unwrap(), "a+b/c=");
    }
}
