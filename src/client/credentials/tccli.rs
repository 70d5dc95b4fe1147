//! Profiles of Tencent Cloud's command line, `~/.tccli/NAME.credential`.
//!
//! Source: tccli/credentials.py, oauth.py and sso.py of tccli 3.1.189. Its sessions are used while they are valid, and
//! read again when they end; renewing them is left to tccli, whose files they are.

use std::path::{Path, PathBuf};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use serde::Deserialize;

use super::cache::LEAST;
use super::candidate::{Candidate, Looked, Principal, broken};
use super::machine::{Clock, Machine, text};
use super::value::is_session_name;
use super::{CredentialError, CredentialProvider, Issued, fixed, metadata, sts, value};
use crate::model::{AssumedRole, Timestamp};

const FOLDER: &str = "TENCENTCLOUD_SHARED_CREDENTIALS_DIR";
const PROFILES: [&str; 2] = ["TCCLI_PROFILE", "TENCENTCLOUD_PROFILE"];
const DEFAULT: &str = "default";
/// What selects a profile.
pub(super) const NAMED: [&str; 3] = [FOLDER, PROFILES[0], PROFILES[1]];
/// Later than any moment in seconds that is meant: a time in milliseconds.
const MILLISECONDS: i64 = 100_000_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    secret_id: Option<String>,
    #[serde(default)]
    secret_key: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    expires_at: Option<i64>,
    #[serde(rename = "role-arn", default)]
    role_arn: Option<String>,
    #[serde(rename = "role-session-name", default)]
    role_session_name: Option<String>,
    #[serde(default)]
    oauth: Option<OAuth>,
    #[serde(default)]
    sso: Option<Sso>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OAuth {
    #[serde(default)]
    open_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sso {
    #[serde(default)]
    uin: Option<serde_json::Value>,
    #[serde(default)]
    role_configuration_id: Option<serde_json::Value>,
}

/// A login whose credentials tccli renews.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    OAuth,
    Sso,
}

impl Login {
    const fn command(self) -> &'static str {
        match self {
            Self::OAuth => "tccli auth login --profile",
            Self::Sso => "tccli sso login --profile",
        }
    }
}

struct Session {
    path: PathBuf,
    profile: String,
    login: Login,
    principal: Principal,
    clock: Clock,
}

/// The profile of the default chain. One that a variable names must exist.
pub(super) async fn of_chain(machine: &Machine) -> Result<Looked, CredentialError> {
    let wrong = |problem| broken(problem, "correct the variable");
    for name in PROFILES {
        if let Some(profile) = machine.value(name).map_err(wrong)? {
            if profile.contains(['/', '\\']) {
                let message =
                    format!("the environment variable {name} is not the name of a profile");
                return Err(wrong(message));
            }
            return named(machine, &profile).await.map(Looked::Serves);
        }
    }
    look(machine, DEFAULT).await
}

/// The profile that an account names.
pub(super) async fn named(machine: &Machine, profile: &str) -> Result<Candidate, CredentialError> {
    match look(machine, profile).await? {
        Looked::Serves(candidate) => Ok(candidate),
        Looked::NotHere(why) => Err(broken(why, configure(profile))),
    }
}

fn configure(profile: &str) -> String {
    format!("write the profile `{profile}` with `tccli configure --profile {profile}`")
}

async fn look(machine: &Machine, profile: &str) -> Result<Looked, CredentialError> {
    let wrong = |problem| broken(problem, configure(profile));
    let named = machine.value(FOLDER).map_err(wrong)?;
    let is_named = named.is_some();
    let folder = match (named, &machine.home) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Some(home)) => home.join(".tccli"),
        (None, None) => {
            return Ok(Looked::NotHere(
                "there is no home directory with the profile".to_owned(),
            ));
        }
    };
    let path = folder.join(format!("{profile}.credential"));
    let shown = path.display().to_string();
    let Some(file) = read(&path).map_err(wrong)? else {
        let why = format!("there is no profile `{shown}`");
        return if is_named {
            let message = format!("{why} in the folder that {FOLDER} names");
            Err(broken(
                message,
                format!("correct {FOLDER}, or {}", configure(profile)),
            ))
        } else {
            Ok(Looked::NotHere(why))
        };
    };
    let kind = file.kind.as_deref().unwrap_or(DEFAULT);
    let role = role(&file, &shown).map_err(wrong)?;
    let base = match kind {
        "cvm-role" => match metadata::look(machine).await? {
            Looked::Serves(candidate) => candidate,
            Looked::NotHere(why) => {
                let message = format!("the profile `{shown}` has the type cvm-role, but {why}");
                return Err(broken(
                    message,
                    "run this on a CVM instance that has a role",
                ));
            }
        },
        "oauth" => session(machine, path, profile, Login::OAuth, &file)?,
        "sso" => session(machine, path, profile, Login::Sso, &file)?,
        "default" | "" => {
            let credential = credential(&file, &shown).map_err(wrong)?;
            fixed::candidate(format!("the profile `{shown}`"), credential)
        }
        _ => {
            let message = format!("the profile `{shown}` has a type that is not supported");
            return Err(broken(
                message,
                "use a profile of the type default, oauth, sso or cvm-role",
            ));
        }
    };
    Ok(Looked::Serves(match role {
        Some(role) => sts::assumed(machine, base, role),
        None => base,
    }))
}

fn read(path: &Path) -> Result<Option<File>, String> {
    let Some(text) = text(path)? else {
        return Ok(None);
    };
    // The parser's error could quote the file.
    serde_json::from_str(&text).map(Some).map_err(|_| {
        let shown = path.display();
        format!("the profile `{shown}` is not JSON with secretId and secretKey")
    })
}

fn credential(file: &File, shown: &str) -> Result<crate::sign::Credential, String> {
    let (Some(id), Some(key)) = (&file.secret_id, &file.secret_key) else {
        return Err(format!(
            "the profile `{shown}` is not JSON with secretId and secretKey"
        ));
    };
    let token = file.token.as_deref().filter(|token| !token.is_empty());
    let place = |name: &str| format!("{name} in `{shown}`");
    value::credential(id, key, token, place, ["secretId", "secretKey", "token"])
}

fn role(file: &File, shown: &str) -> Result<Option<AssumedRole>, String> {
    let session_name = file
        .role_session_name
        .clone()
        .filter(|name| !name.is_empty());
    let Some(role_arn) = file.role_arn.as_deref().filter(|role| !role.is_empty()) else {
        return match session_name {
            Some(_) => Err(format!(
                "the profile `{shown}` has a role-session-name, but no role-arn"
            )),
            None => Ok(None),
        };
    };
    if session_name
        .as_deref()
        .is_some_and(|name| !is_session_name(name))
    {
        return Err(format!(
            "role-session-name in `{shown}` is not the name of a session"
        ));
    }
    Ok(Some(AssumedRole {
        role_arn: value::role_arn(role_arn, &format!("role-arn in `{shown}`"))?,
        session_name,
        duration: None,
        external_id: None,
    }))
}

fn session(
    machine: &Machine,
    path: PathBuf,
    profile: &str,
    login: Login,
    file: &File,
) -> Result<Candidate, CredentialError> {
    let session = Session {
        principal: principal(file),
        path,
        profile: profile.to_owned(),
        login,
        clock: Clock::clone(&machine.clock),
    };
    // One that has expired is reported before anything is asked.
    session.issued(file)?;
    Ok(Candidate {
        name: format!("the login of the profile `{}`", session.path.display()),
        principal: session.principal.clone(),
        provider: Box::new(session),
    })
}

/// Who logged in.
fn principal(file: &File) -> Principal {
    let id = file.secret_id.clone().unwrap_or_default();
    let oauth = file.oauth.as_ref().and_then(|oauth| oauth.open_id.clone());
    let sso = file.sso.as_ref().and_then(|sso| {
        let (uin, role) = (sso.uin.as_ref()?, sso.role_configuration_id.as_ref()?);
        Some(format!("sso {uin} {role}"))
    });
    let named = oauth.map(|id| format!("oauth {id}")).or(sso);
    named.map_or(Principal::Unknown(id), Principal::Session)
}

impl Session {
    fn issued(&self, file: &File) -> Result<Issued, CredentialError> {
        let shown = self.path.display().to_string();
        let again = format!("run `{} {}`", self.login.command(), self.profile);
        let credential =
            credential(file, &shown).map_err(|problem| broken(problem, again.clone()))?;
        let now = (self.clock)();
        let Some(expires) = file.expires_at else {
            let message = format!("the profile `{shown}` does not say when its login expires");
            return Err(broken(message, again));
        };
        if expires >= MILLISECONDS {
            let message = format!(
                "expiresAt in the profile `{shown}` is not a time in seconds, as tccli writes it"
            );
            return Err(broken(message, again));
        }
        let left = Timestamp(expires).seconds_since(now);
        if u64::try_from(left).map_or(true, |left| left <= LEAST.as_secs()) {
            let when = if left > 0 {
                "expires in a moment"
            } else {
                "has expired"
            };
            let message = format!("the login of the profile `{shown}` {when}");
            return Err(broken(message, again));
        }
        Ok(Issued::until(credential, Timestamp(expires), now))
    }
}

impl CredentialProvider for Session {
    fn fetch(&self) -> BoxFuture<'_, Result<Issued, CredentialError>> {
        let shown = self.path.display();
        let again = configure(&self.profile);
        let file = read(&self.path)
            .and_then(|file| file.ok_or_else(|| format!("there is no profile `{shown}` any more")))
            .map_err(|problem| broken(problem, again.clone()));
        let issued = file.and_then(|file| {
            let same = match &self.principal {
                Principal::Session(_) => principal(&file) == self.principal,
                // Whose the new ones are can't be told.
                Principal::SecretId(id) | Principal::Unknown(id) => {
                    file.secret_id.as_ref() == Some(id)
                }
            };
            if !same {
                let message =
                    format!("the profile `{shown}` was changed to another login in mid-run");
                return Err(broken(message, "run the command again"));
            }
            self.issued(&file)
        });
        ready(issued).boxed()
    }
}
