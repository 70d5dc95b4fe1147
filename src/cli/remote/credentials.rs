//! Finds the credentials of the accounts that the calls of a plan need.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use futures_util::future::join_all;
use serde::Deserialize;

use crate::cli::environment::ProcessEnvironment;
use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::client::{CredentialCache, CredentialError, Credentials};
use crate::model::{Account, AccountName, AccountSource, CredentialVariables};
use crate::secret::Secret;
use crate::sign::Credential;

/// The `SecretId` of each account.
pub(crate) type SecretIds = BTreeMap<AccountName, String>;

/// The credentials of each account, the first of which are fetched. The error has the problems of all accounts.
pub(crate) async fn find(
    accounts: &BTreeMap<AccountName, Account>,
    environment: &ProcessEnvironment,
    locations: &Locations,
) -> Result<(Credentials, SecretIds), Failure> {
    let mut credentials = Credentials::new();
    let mut ids = SecretIds::new();
    let mut problems = Vec::new();
    for (name, fetched) in each(accounts, environment).await {
        match fetched {
            Ok((cache, id)) => {
                credentials.insert(name.clone(), cache);
                ids.insert(name.clone(), id);
            }
            Err(error) => problems.push((name, error)),
        }
    }
    if problems.is_empty() {
        return distinct(&ids).map(|()| (credentials, ids));
    }
    Err(unusable(&problems, locations))
}

/// The credentials of an account with its `SecretId`, or why it has none.
pub(super) type Fetched = Result<(CredentialCache, String), CredentialError>;

/// What came of each account.
pub(super) async fn each<'a>(
    accounts: &'a BTreeMap<AccountName, Account>,
    environment: &ProcessEnvironment,
) -> Vec<(&'a AccountName, Fetched)> {
    let fetched = accounts
        .iter()
        .map(|(name, account)| async move { (name, fetch(&account.source, environment).await) });
    join_all(fetched).await
}

/// The provider that serves an account with this source, in a few words.
pub(super) fn provider(source: &AccountSource, environment: &ProcessEnvironment) -> String {
    let variables = |variables: &CredentialVariables| {
        let CredentialVariables {
            secret_id,
            secret_key,
            token,
        } = variables;
        let token = token
            .as_ref()
            .map_or_else(String::new, |name| format!(", {name}"));
        format!("the environment ({secret_id}, {secret_key}{token})")
    };
    match source {
        AccountSource::Default {} => variables(&usual(environment)),
        AccountSource::Env(named) => variables(named),
        AccountSource::Profile(name) => {
            format!("the profile `{name}` (~/.tccli/{name}.credential)")
        }
    }
}

async fn fetch(source: &AccountSource, environment: &ProcessEnvironment) -> Fetched {
    let cache = cache(source, environment)?;
    let id = cache.get().await?.secret_id.clone();
    Ok((cache, id))
}

fn unusable(problems: &[(&AccountName, CredentialError)], locations: &Locations) -> Failure {
    let mut messages = Vec::new();
    let mut advice = Vec::new();
    for (name, error) in problems {
        messages.push(format!("account `{name}`: {error}"));
        let next = sentence(&error.advice());
        if !advice.contains(&next) {
            advice.push(next);
        }
    }
    let message = format!("invalid or missing credentials: {}", messages.join("; "));
    if locations.are_default() {
        advice.push("`--sandbox` needs none.".to_owned());
    }
    let advice = advice.join(" ");
    Failure::error(message).advice(format!(
        "{advice} The Tencent Cloud console shows them under access management (CAM); production and test have \
         different ones."
    ))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// Refuses two accounts with one `SecretId`, which would add and delete the same callbacks.
fn distinct(ids: &SecretIds) -> Result<(), Failure> {
    let mut names: BTreeMap<&str, &AccountName> = BTreeMap::new();
    for (name, id) in ids {
        if let Some(other) = names.insert(id, name) {
            let message = format!(
                "the accounts `{other}` and `{name}` have the same SecretId, so they are one account to eSign, and a \
                 callback deleted for one would be deleted for the other; nothing was called"
            );
            return Err(Failure::error(message).advice(
                "Use one account for both, or correct the credentials of one. If one is the new name of the other, write \
                 the old name under `formerly:` of the new one.",
            ));
        }
    }
    Ok(())
}

/// The environment variables of Tencent Cloud's tools.
fn usual(environment: &ProcessEnvironment) -> CredentialVariables {
    let token = ["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"]
        .into_iter()
        .find(|name| {
            environment
                .variable(name)
                .is_some_and(|value| !value.is_empty())
        });
    CredentialVariables {
        secret_id: "TENCENTCLOUD_SECRET_ID".to_owned(),
        secret_key: "TENCENTCLOUD_SECRET_KEY".to_owned(),
        token: token.map(str::to_owned),
    }
}

/// Variables and profiles are read once: what the checks before the first call saw signs all calls.
fn cache(
    source: &AccountSource,
    environment: &ProcessEnvironment,
) -> Result<CredentialCache, CredentialError> {
    let found = match source {
        AccountSource::Default {} => from_environment(&usual(environment), environment),
        AccountSource::Env(variables) => from_environment(variables, environment),
        AccountSource::Profile(profile) => from_profile(profile, environment),
    };
    let advice = match source {
        AccountSource::Default {} | AccountSource::Env(_) => {
            "set them in the environment of this command".into()
        }
        AccountSource::Profile(name) => {
            format!("write the profile `{name}` with `tccli configure`").into()
        }
    };
    let credential = found.map_err(|message| CredentialError::Provider { message, advice })?;
    CredentialCache::fixed(credential)
}

fn from_environment(
    variables: &CredentialVariables,
    environment: &ProcessEnvironment,
) -> Result<Credential, String> {
    let CredentialVariables {
        secret_id,
        secret_key,
        token,
    } = variables;
    let read = |name: &str| match environment.variable(name).map(OsStr::to_str) {
        Some(Some("")) => Err(format!("the environment variable {name} is empty")),
        Some(Some(value)) => checked(
            value.to_owned(),
            &format!("the environment variable {name}"),
        ),
        Some(None) => Err(format!("the environment variable {name} is not UTF-8")),
        None => Err(format!("the environment variable {name} is not set")),
    };
    let (id, key) = match (read(secret_id), read(secret_key)) {
        (Ok(id), Ok(key)) => (id, key),
        (Err(one), Err(two)) => return Err(format!("{one} and {two}")),
        (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => return Err(problem),
    };
    let token = token.as_deref().map(read).transpose()?;
    Ok(Credential {
        secret_id: id,
        secret_key: Secret::new(key),
        token: token.map(Secret::new),
    })
}

/// A profile of Tencent Cloud's command line, `tccli`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    secret_id: String,
    secret_key: String,
    #[serde(default)]
    token: Option<String>,
}

fn from_profile(name: &str, environment: &ProcessEnvironment) -> Result<Credential, String> {
    let home = environment
        .home()
        .ok_or("there is no home directory with the profile")?;
    let path = home.join(".tccli").join(format!("{name}.credential"));
    let shown = path.display().to_string();
    let text = std::fs::read(&path)
        .map_err(|error| format!("the profile `{shown}` can't be read: {error}"))?;
    // The parser's error could quote the file.
    let profile: Profile = serde_json::from_slice(&text)
        .map_err(|_| format!("the profile `{shown}` is not JSON with secretId and secretKey"))?;
    let token = profile.token.filter(|token| !token.is_empty());
    Ok(Credential {
        secret_id: checked(profile.secret_id, &format!("secretId in `{shown}`"))?,
        secret_key: Secret::new(checked(
            profile.secret_key,
            &format!("secretKey in `{shown}`"),
        )?),
        token: token
            .map(|token| checked(token, &format!("token in `{shown}`")))
            .transpose()?
            .map(Secret::new),
    })
}

/// Refuses white space around a credential, which eSign would report as a wrong signature.
fn checked(value: String, place: &str) -> Result<String, String> {
    if value.trim() != value {
        return Err(format!(
            "{place} has white space or a line break around its value; remove it"
        ));
    }
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "{place} is empty or has characters that are invalid in a credential"
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(
        source: &AccountSource,
        variables: &[(&str, &str)],
    ) -> Result<CredentialCache, CredentialError> {
        cache(source, &ProcessEnvironment::of(variables))
    }

    #[tokio::test]
    async fn the_usual_variables() {
        let pair = [
            ("TENCENTCLOUD_SECRET_ID", "AKID"),
            ("TENCENTCLOUD_SECRET_KEY", "key"),
        ];
        let tokens = [
            ("TENCENTCLOUD_TOKEN", ""),
            ("TENCENTCLOUD_SECURITY_TOKEN", "token"),
        ];
        for (variables, token) in [
            (pair.to_vec(), None),
            ([&pair[..], &tokens[..1]].concat(), None),
            ([&pair[..], &tokens].concat(), Some("token")),
        ] {
            let cache = from(&AccountSource::Default {}, &variables).unwrap();
            let credential = cache.current().unwrap();
            assert_eq!(credential.secret_id, "AKID");
            assert_eq!(credential.secret_key.expose(), "key");
            assert_eq!(credential.token.as_ref().map(Secret::expose), token);
        }
    }

    #[test]
    fn a_declared_token_is_required() {
        let source = AccountSource::Env(CredentialVariables {
            secret_id: "ID".to_owned(),
            secret_key: "KEY".to_owned(),
            token: Some("TOKEN".to_owned()),
        });
        let problem = |variables: &[_]| from(&source, variables).unwrap_err().to_string();
        let none =
            "the environment variable ID is not set and the environment variable KEY is not set";
        assert_eq!(problem(&[]), none);
        let pair = [("ID", "AKID"), ("KEY", "key")];
        assert_eq!(problem(&pair), "the environment variable TOKEN is not set");
        let spaced = [("ID", "AKID"), ("KEY", "canary-key\n")];
        assert!(problem(&spaced).contains("the environment variable KEY has white space"));
        assert!(!problem(&spaced).contains("canary"));
    }

    #[tokio::test]
    async fn a_profile_is_below_the_home_directory() {
        let source = AccountSource::Profile("partner".to_owned());
        let homeless = from(&source, &[]).unwrap_err().to_string();
        assert!(homeless.contains("no home directory"), "{homeless}");
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".tccli");
        std::fs::create_dir(&path).unwrap();
        let profile = br#"{"secretId": "AKID", "secretKey": "key", "token": ""}"#;
        std::fs::write(path.join("partner.credential"), profile).unwrap();
        let shown = home.path().to_str().unwrap();
        for name in ["HOME", "USERPROFILE"] {
            let cache = from(&source, &[(name, shown)]).unwrap();
            assert_eq!(cache.current().unwrap().secret_id, "AKID");
        }
    }

    #[test]
    fn an_environment_prints_no_values() {
        let environment = ProcessEnvironment::of(&[("TENCENTCLOUD_SECRET_KEY", "canary")]);
        let shown = format!("{environment:?}");
        assert_eq!(shown, r#"["TENCENTCLOUD_SECRET_KEY"]"#);
    }
}
