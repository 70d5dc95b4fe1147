//! Finds the credentials of the accounts that the calls of a plan need.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::model::{Account, AccountName, AccountSource, CredentialVariables};
use crate::secret::Secret;
use crate::sign::Credential;

/// The credentials of each account. The error has the problems of all accounts.
pub(crate) fn find(
    accounts: &BTreeMap<AccountName, Account>,
    locations: &Locations,
) -> Result<BTreeMap<AccountName, Credential>, Failure> {
    let mut found = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, account) in accounts {
        match one(&account.source) {
            Ok(credential) => {
                found.insert(name.clone(), credential);
            }
            Err(problem) => problems.push(format!("account `{name}`: {problem}")),
        }
    }
    if problems.is_empty() {
        return distinct(&found).map(|()| found);
    }
    let message = format!("invalid or missing credentials: {}", problems.join("; "));
    let sandbox = if locations.are_default() {
        " `--sandbox` needs none."
    } else {
        ""
    };
    Err(Failure::error(message).advice(format!(
        "Set them in the environment of this command.{sandbox} The Tencent Cloud console shows them under access management (CAM); \
         production and test have different ones.",
    )))
}

/// Refuses two accounts with one `SecretId`, which would add and delete the same callbacks.
fn distinct(found: &BTreeMap<AccountName, Credential>) -> Result<(), Failure> {
    let mut names: BTreeMap<&str, &AccountName> = BTreeMap::new();
    for (name, credential) in found {
        if let Some(other) = names.insert(&credential.secret_id, name) {
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
fn usual() -> CredentialVariables {
    let token = ["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"]
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    CredentialVariables {
        secret_id: "TENCENTCLOUD_SECRET_ID".to_owned(),
        secret_key: "TENCENTCLOUD_SECRET_KEY".to_owned(),
        token: token.map(str::to_owned),
    }
}

fn one(source: &AccountSource) -> Result<Credential, String> {
    match source {
        AccountSource::Default {} => from_environment(&usual()),
        AccountSource::Env(variables) => from_environment(variables),
        AccountSource::Profile(profile) => from_profile(profile),
    }
}

fn from_environment(variables: &CredentialVariables) -> Result<Credential, String> {
    let CredentialVariables {
        secret_id,
        secret_key,
        token,
    } = variables;
    let read = |name: &str| match std::env::var(name) {
        Ok(value) if !value.is_empty() => {
            checked(value, &format!("the environment variable {name}"))
        }
        Ok(_) => Err(format!("the environment variable {name} is empty")),
        Err(std::env::VarError::NotPresent) => {
            Err(format!("the environment variable {name} is not set"))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(format!("the environment variable {name} is not UTF-8"))
        }
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

fn from_profile(name: &str) -> Result<Credential, String> {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    let home = home.ok_or("there is no home directory with the profile")?;
    let path = PathBuf::from(home)
        .join(".tccli")
        .join(format!("{name}.credential"));
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
