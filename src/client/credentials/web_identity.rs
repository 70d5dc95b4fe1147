//! A role for whoever has a token of an identity provider: CI systems, Kubernetes pods (TKE), or a declared one.
//!
//! Where it can be, the token is fetched or read again at each renewal: it is valid for minutes. One in an
//! environment variable can't.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use serde::Deserialize;
use url::Url;

use super::candidate::{Candidate, Looked, Principal, broken};
use super::environment::{WEB_IDENTITY_ROLE, WEB_IDENTITY_SESSION, duration, session};
use super::machine::{Machine, text};
use super::sts::with_token;
use super::value::{checked, role_arn};
use super::web::{Answer, Request};
use super::{CredentialError, CredentialProvider, Issued};
use crate::client::Endpoint;
use crate::client::redact::Redactor;
use crate::model::{AssumedRole, IdentityToken, WebIdentity};
use crate::secret::Secret;

const TOKEN: &str = "TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN";
const TOKEN_FILE: &str = "TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN_FILE";
const PROVIDER: &str = "TENCENTCLOUD_ASSUME_ROLE_PROVIDER_ID";
/// Terraform's.
const DEFAULT_PROVIDER: &str = "OIDC";
const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
const GITHUB: &str = "GITHUB_ACTIONS";
const GITLAB: &str = "GITLAB_CI";
const PERMISSION: &str =
    "add `permissions: { id-token: write }` to the job in the workflow (docs/credentials.md)";
/// The one of the vendor's documentation.
const AUDIENCE: &str = "sts.tencentcloudapi.com";
const TKE: [&str; 4] = [
    "TKE_REGION",
    "TKE_PROVIDER_ID",
    "TKE_WEB_IDENTITY_TOKEN_FILE",
    "TKE_ROLE_ARN",
];
/// What sets up a web identity.
pub(super) const NAMED: [&str; 6] = [TOKEN, TOKEN_FILE, PROVIDER, TKE[1], TKE[2], TKE[3]];
/// How long GitHub may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// A role that a token is exchanged for.
struct Exchange {
    machine: Machine,
    identity: WebIdentity,
}

/// What an account declares.
pub(super) fn declared(machine: &Machine, identity: &WebIdentity) -> Candidate {
    let identity = identity.clone();
    let from = match &identity.token {
        IdentityToken::Env(name) => format!("the token in the environment variable {name}"),
        IdentityToken::File(path) => format!("the token in `{path}`"),
        IdentityToken::Github { audience: _ } => "a token of GitHub Actions".to_owned(),
    };
    Candidate {
        name: format!("the role {}, assumed with {from}", identity.role.role_arn),
        principal: Principal::Session(format!("role {}", identity.role.role_arn)),
        provider: Box::new(Exchange {
            machine: machine.clone(),
            identity,
        }),
    }
}

/// The variables of the vendor's provider for Terraform, and those of GitHub Actions.
pub(super) fn from_environment(machine: &Machine) -> Result<Looked, CredentialError> {
    let wrong = |problem| {
        let advice = "correct the variables of the web identity, as docs/credentials.md has them";
        broken(problem, advice)
    };
    match of_variables(machine).map_err(wrong)? {
        Looked::NotHere(why) => match without_token(machine).map_err(wrong)? {
            Some(error) => Err(error),
            None => Ok(Looked::NotHere(why)),
        },
        serves @ Looked::Serves(_) => Ok(serves),
    }
}

/// The error of an identity provider that is set, of which there is no token: the role of the machine would serve in
/// its place.
fn without_token(machine: &Machine) -> Result<Option<CredentialError>, String> {
    if machine.value(PROVIDER)?.is_none() {
        return Ok(None);
    }
    let is_on = |name| Ok::<_, String>(machine.value(name)?.as_deref() == Some("true"));
    let has_role = machine.value(WEB_IDENTITY_ROLE)?.is_some();
    let (missing, advice) = if !has_role {
        let missing = format!("{WEB_IDENTITY_ROLE} is not set");
        (
            missing,
            format!("set {WEB_IDENTITY_ROLE} to the ARN of the role (docs/credentials.md)"),
        )
    } else if is_on(GITHUB)? {
        let missing =
            format!("this job of GitHub Actions may not ask for a token: {GITHUB_URL} is not set");
        (missing, PERMISSION.to_owned())
    } else {
        let missing = format!("there is no token: neither {TOKEN} nor {TOKEN_FILE} is set");
        let advice = if is_on(GITLAB)? {
            format!(
                "add `id_tokens: {{ {TOKEN}: {{ aud: {AUDIENCE} }} }}` to the job (docs/credentials.md)"
            )
        } else {
            format!(
                "set {TOKEN_FILE} to the file with the token, or unset {PROVIDER} (docs/credentials.md)"
            )
        };
        (missing, advice)
    };
    let message = format!("the environment variable {PROVIDER} is set, but {missing}");
    Ok(Some(broken(message, advice)))
}

fn of_variables(machine: &Machine) -> Result<Looked, String> {
    let token = if machine.value(TOKEN)?.is_some() {
        IdentityToken::Env(TOKEN.to_owned())
    } else if let Some(path) = machine.value(TOKEN_FILE)? {
        IdentityToken::File(path)
    } else if machine.value(GITHUB_URL)?.is_some()
        && machine.value(PROVIDER)?.is_some()
        && machine.value(WEB_IDENTITY_ROLE)?.is_some()
    {
        IdentityToken::Github { audience: None }
    } else {
        let mut why = format!("neither {TOKEN} nor {TOKEN_FILE} is set");
        if machine.value(GITHUB_URL)?.is_some() {
            let add = format!("; a job of GitHub Actions needs {PROVIDER} and {WEB_IDENTITY_ROLE}");
            why.push_str(&add);
        }
        return Ok(Looked::NotHere(why));
    };
    let Some(role_arn) = machine.value(WEB_IDENTITY_ROLE)? else {
        return Err(format!(
            "there is a web identity token, but the environment variable {WEB_IDENTITY_ROLE} is not set"
        ));
    };
    let identity = WebIdentity {
        provider_id: machine
            .value(PROVIDER)?
            .unwrap_or_else(|| DEFAULT_PROVIDER.to_owned()),
        role: AssumedRole {
            role_arn: role_arn_of(&role_arn, WEB_IDENTITY_ROLE)?,
            session_name: session(machine, [WEB_IDENTITY_SESSION])?,
            duration: duration(machine)?,
            external_id: None,
        },
        token,
    };
    Ok(Looked::Serves(declared(machine, &identity)))
}

fn role_arn_of(value: &str, name: &str) -> Result<String, String> {
    role_arn(value, &format!("the environment variable {name}"))
}

/// A pod of Tencent Kubernetes Engine. Of its variables all must be set, or none.
pub(super) fn of_pod(machine: &Machine) -> Result<Looked, String> {
    let mut values = Vec::new();
    let mut missing = Vec::new();
    for name in TKE {
        match machine.value(name)? {
            Some(value) => values.push(value),
            None => missing.push(name),
        }
    }
    let Ok([_region, provider_id, file, role_arn]) = <[String; 4]>::try_from(values) else {
        // A region alone says nothing of an identity.
        return if TKE[1..].iter().all(|name| missing.contains(name)) {
            Ok(Looked::NotHere("TKE_ROLE_ARN is not set".to_owned()))
        } else {
            Err(format!(
                "of the variables of a TKE pod, some are set, but not {}",
                missing.join(", ")
            ))
        };
    };
    let identity = WebIdentity {
        provider_id,
        role: AssumedRole {
            role_arn: role_arn_of(&role_arn, TKE[3])?,
            session_name: None,
            duration: None,
            external_id: None,
        },
        token: IdentityToken::File(file),
    };
    Ok(Looked::Serves(declared(machine, &identity)))
}

impl CredentialProvider for Exchange {
    fn fetch(&self) -> BoxFuture<'_, Result<Issued, CredentialError>> {
        async {
            let WebIdentity {
                provider_id,
                role,
                token,
            } = &self.identity;
            let value = self.token().await?;
            let issued = with_token(&self.machine, role, provider_id, &value).await;
            issued.map_err(|error| match (error, token) {
                (CredentialError::Provider { message, advice }, IdentityToken::Env(name)) => broken(
                    message,
                    format!(
                        "{advice}. The token in {name} is valid for minutes and can't be renewed here: for a longer \
                         run, set a longer `duration` of the role"
                    ),
                ),
                (error, _) => error,
            })
        }
        .boxed()
    }
}

impl Exchange {
    async fn token(&self) -> Result<Secret, CredentialError> {
        let machine = &self.machine;
        let (value, place) = match &self.identity.token {
            IdentityToken::Env(name) => {
                let advice = "let the CI system set it: `id_tokens` in GitLab";
                let value = machine
                    .value(name)
                    .map_err(|problem| broken(problem, advice))?;
                let missing = || {
                    broken(
                        format!("the environment variable {name} is not set"),
                        advice,
                    )
                };
                (
                    value.ok_or_else(missing)?,
                    format!("the environment variable {name}"),
                )
            }
            IdentityToken::File(path) => {
                let path = machine.folder.join(PathBuf::from(path));
                let shown = format!("`{}`", path.display());
                let advice = "check the path, and that the token is mounted there";
                let text = text(&path).map_err(|problem| broken(problem, advice))?;
                let missing = || broken(format!("there is no token file {shown}"), advice);
                let token = in_file(&text.ok_or_else(missing)?).ok_or_else(|| {
                    let message = format!(
                        "the token file {shown} is JSON without a text `web_identity_token`"
                    );
                    broken(
                        message,
                        "write the token alone, or {\"web_identity_token\": \"TOKEN\"}",
                    )
                })?;
                (token, shown)
            }
            IdentityToken::Github { audience } => {
                let audience = audience.as_deref().unwrap_or(AUDIENCE);
                (
                    self.of_github(audience).await?,
                    "the token of GitHub".to_owned(),
                )
            }
        };
        let advice = "check the source of the token";
        let value = checked(&value, &place).map_err(|problem| broken(problem, advice))?;
        Ok(Secret::new(value))
    }

    async fn of_github(&self, audience: &str) -> Result<String, CredentialError> {
        #[derive(Deserialize)]
        struct Given {
            value: String,
        }
        let advice = PERMISSION;
        let variable = |name: &str| {
            let found = self.machine.value(name);
            let found = found.map_err(|problem| broken(problem, advice))?;
            found.ok_or_else(|| {
                broken(
                    format!("the environment variable {name} is not set"),
                    advice,
                )
            })
        };
        let (address, bearer) = (variable(GITHUB_URL)?, Secret::new(variable(GITHUB_TOKEN)?));
        let mut url = Url::parse(&address).ok();
        // The bearer goes there.
        url = url.filter(|url| Endpoint::parse(&url.origin().ascii_serialization()).is_ok());
        let Some(mut url) = url else {
            let message = format!("{GITHUB_URL} is not an https URL");
            return Err(broken(message, "run this in GitHub Actions"));
        };
        url.query_pairs_mut().append_pair("audience", audience);
        let host = url.host_str().unwrap_or_default().to_owned();
        let request = Request {
            url,
            body: None,
            headers: vec![
                ("authorization", format!("bearer {}", bearer.expose())),
                ("accept", "application/json".to_owned()),
            ],
            patience: PATIENCE,
            is_metadata: false,
        };
        let answer = self.machine.web.send(request).await.map_err(|reason| {
            let reason = Redactor::new([&bearer]).clean(&reason);
            broken(
                format!("no token from GitHub at {host}: {reason}"),
                "run the job again",
            )
        })?;
        if answer.status != 200 {
            let Answer { status, .. } = answer;
            let message = format!("no token from GitHub at {host}: HTTP status {status}");
            let advice = match status {
                401 | 403 => PERMISSION,
                429 | 500..=599 => {
                    "the failure is GitHub's (www.githubstatus.com); run the job again later"
                }
                300..=399 => "check HTTPS_PROXY: a proxy answers in place of GitHub",
                _ => "run this in the job that got the variables: they are of no use after it",
            };
            return Err(broken(message, advice));
        }
        let given: Given = serde_json::from_slice(&answer.body).map_err(|_| {
            let message = format!(
                "no token from GitHub at {host}: its answer does not have the documented form"
            );
            broken(message, "run the job again")
        })?;
        Ok(given.value)
    }
}

/// The token of a file: raw, as in a pod, or in JSON, as Terraform's provider has it. `None` for other JSON.
fn in_file(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Json {
        web_identity_token: String,
    }
    // No token begins with a brace.
    if text.trim_start().starts_with('{') {
        let json: Json = serde_json::from_str(text).ok()?;
        return Some(json.web_identity_token);
    }
    Some(text.strip_suffix('\n').unwrap_or(text).to_owned())
}
