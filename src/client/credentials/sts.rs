//! Temporary credentials of a role from Tencent Cloud's security token service (STS).
//!
//! Source: `AssumeRole` and `AssumeRoleWithWebIdentity`, cloud.tencent.com/document/api/1312. The second one is not
//! signed. A request is repeated at most twice, and only when the service says that it is busy or says nothing.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::candidate::{Candidate, Principal, broken};
use super::machine::Machine;
use super::web::{Answer, Request};
use super::{CredentialCache, CredentialError, CredentialProvider, Issued};
use crate::client::redact::Redactor;
use crate::client::retry::delay;
use crate::model::{AssumedRole, Timestamp};
use crate::secret::Secret;
use crate::sign::{Credential, Unsigned, sign};
use crate::wire;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often it is sent, so that the whole is within the time of one fetch.
const TRIES: u32 = 3;
/// The vendor's default, in seconds.
const LIFE: u32 = 7200;
const SESSION: &str = "ess-callbacks";

/// The parameters of both actions.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters<'a> {
    role_arn: &'a str,
    role_session_name: &'a str,
    duration_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_identity_token: Option<&'a str>,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Response")]
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    error: Option<wire::ErrorBody>,
    credentials: Option<Temporary>,
    expired_time: Option<i64>,
    #[serde(default)]
    request_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Temporary {
    token: String,
    tmp_secret_id: String,
    tmp_secret_key: String,
}

/// Who asks for the credentials of a role.
enum Proof<'a> {
    Signed(&'a Credential, Timestamp),
    Token {
        provider: &'a str,
        token: &'a Secret,
    },
}

/// Why there are no credentials.
enum Failed {
    /// The service may answer a moment later.
    Busy(CredentialError),
    /// The credential that signed has expired.
    SignerExpired(CredentialError),
    /// The clock is off; the service's is this.
    ClockOff(CredentialError, Timestamp),
    ForGood(CredentialError),
}

impl Failed {
    fn error(self) -> CredentialError {
        match self {
            Self::Busy(error)
            | Self::SignerExpired(error)
            | Self::ClockOff(error, _)
            | Self::ForGood(error) => error,
        }
    }
}

/// The credentials of a role, assumed with other credentials.
pub(super) struct Assumed {
    machine: Machine,
    base: CredentialCache,
    role: AssumedRole,
}

/// A role on top of what a provider gives.
pub(super) fn assumed(machine: &Machine, base: Candidate, role: AssumedRole) -> Candidate {
    let Candidate {
        name,
        provider,
        principal: _,
    } = base;
    let shown = format!("the role {}, assumed with {name}", role.role_arn);
    Candidate {
        name: shown,
        principal: Principal::Session(format!("role {}", role.role_arn)),
        provider: Box::new(Assumed {
            machine: machine.clone(),
            base: CredentialCache::boxed(name, provider),
            role,
        }),
    }
}

impl Assumed {
    /// The error of a later fetch, while the credentials are still those that were refused.
    fn refused(&self) -> CredentialError {
        let tried = tried(&self.machine, &self.role, wire::ASSUME_ROLE);
        let message = format!(
            "{tried}: it has refused the credentials that assume the role as expired, and there are no others"
        );
        broken(message, advice("AuthFailure.TokenFailure"))
    }
}

impl CredentialProvider for Assumed {
    fn fetch(&self) -> BoxFuture<'_, Result<Issued, CredentialError>> {
        async {
            let mut behind = 0;
            let mut refusal = None;
            loop {
                let credential = match self.base.get().await {
                    // Not eSign refused it: it signs nothing but requests to this service.
                    Err(CredentialError::Unchanged) => {
                        return Err(refusal.unwrap_or_else(|| self.refused()));
                    }
                    found => found?,
                };
                let at = self.machine.now().plus(behind);
                let proof = Proof::Signed(&credential, at);
                match patiently(&self.machine, &self.role, &proof).await {
                    Err(Failed::SignerExpired(error)) if refusal.is_none() => {
                        refusal = Some(error);
                        self.base.refuse(&credential);
                    }
                    Err(Failed::ClockOff(_, server)) if behind == 0 => {
                        behind = server.seconds_since(at);
                        if behind == 0 {
                            behind = 1;
                        }
                    }
                    ended => return ended.map_err(Failed::error),
                }
            }
        }
        .boxed()
    }
}

/// The credentials of a role for whoever has this token.
pub(super) async fn with_token(
    machine: &Machine,
    role: &AssumedRole,
    provider: &str,
    token: &Secret,
) -> Result<Issued, CredentialError> {
    let proof = Proof::Token { provider, token };
    let issued = patiently(machine, role, &proof).await;
    issued.map_err(Failed::error)
}

async fn patiently(
    machine: &Machine,
    role: &AssumedRole,
    proof: &Proof<'_>,
) -> Result<Issued, Failed> {
    let mut tries = 1;
    loop {
        match once(machine, role, proof).await {
            Err(Failed::Busy(_)) if tries < TRIES => {
                sleep(delay(tries, 1.0)).await;
                tries += 1;
            }
            ended => return ended,
        }
    }
}

async fn once(machine: &Machine, role: &AssumedRole, proof: &Proof<'_>) -> Result<Issued, Failed> {
    let (action, secrets): (_, Vec<&Secret>) = match proof {
        Proof::Signed(credential, _) => (
            wire::ASSUME_ROLE,
            [&credential.secret_key]
                .into_iter()
                .chain(&credential.token)
                .collect(),
        ),
        Proof::Token { token, provider: _ } => (wire::ASSUME_ROLE_WITH_WEB_IDENTITY, vec![*token]),
    };
    let redactor = Redactor::new(secrets);
    let tried = tried(machine, role, action);
    let answer = machine
        .web
        .send(request(machine, role, proof, action))
        .await;
    let answer = answer.map_err(|reason| {
        Failed::Busy(broken(
            format!("{tried}: no answer: {}", redactor.clean(&reason)),
            "check the network, HTTPS_PROXY and --ca-file; then run the command again",
        ))
    })?;
    read(&answer, tried, &redactor, machine)
}

/// What is asked of whom, in words.
fn tried(machine: &Machine, role: &AssumedRole, action: &str) -> String {
    format!(
        "{action} of {} at the token service (STS) {}",
        role.role_arn,
        machine.sts.host()
    )
}

fn request(
    machine: &Machine,
    role: &AssumedRole,
    proof: &Proof<'_>,
    action: &'static str,
) -> Request {
    let AssumedRole {
        role_arn,
        session_name,
        duration,
        external_id,
    } = role;
    let (provider_id, web_identity_token) = match proof {
        Proof::Signed(_, _) => (None, None),
        Proof::Token { provider, token } => (Some(*provider), Some(token.expose())),
    };
    let parameters = Parameters {
        role_arn,
        role_session_name: session_name.as_deref().unwrap_or(SESSION),
        duration_seconds: duration.unwrap_or(LIFE),
        external_id: external_id.as_deref(),
        provider_id,
        web_identity_token,
    };
    let body = serde_json::to_vec(&parameters).expect("strings and numbers always fit into JSON");
    let at = match proof {
        Proof::Signed(_, at) => *at,
        Proof::Token { .. } => machine.now(),
    };
    let mut headers = vec![
        ("content-type", wire::CONTENT_TYPE.to_owned()),
        ("x-tc-action", action.to_owned()),
        ("x-tc-version", wire::STS.version.to_owned()),
        ("x-tc-timestamp", at.0.to_string()),
        ("x-tc-language", "zh-CN".to_owned()),
    ];
    headers.extend(
        wire::STS
            .region
            .map(|region| ("x-tc-region", region.to_owned())),
    );
    match proof {
        Proof::Token { .. } => headers.push(("authorization", "SKIP".to_owned())),
        Proof::Signed(credential, at) => {
            let unsigned = Unsigned {
                service: wire::STS.name,
                host: machine.sts.host(),
                content_type: wire::CONTENT_TYPE,
                body: &body,
            };
            headers.push((
                "authorization",
                sign(&unsigned, credential, *at).authorization,
            ));
            if let Some(token) = &credential.token {
                headers.push(("x-tc-token", token.expose().to_owned()));
            }
        }
    }
    Request {
        url: machine.sts.url().clone(),
        body: Some(body),
        headers,
        patience: PATIENCE,
        is_metadata: false,
    }
}

fn read(
    answer: &Answer,
    tried: String,
    redactor: &Redactor,
    machine: &Machine,
) -> Result<Issued, Failed> {
    let Answer { status, body, date } = answer;
    let foreign = || {
        broken(
            format!("{tried}: HTTP status {status} with an answer that is not the token service's"),
            machine.sts.advice_of_token_service(),
        )
    };
    if *status != 200 {
        let error = foreign();
        return Err(if *status >= 500 {
            Failed::Busy(error)
        } else {
            Failed::ForGood(error)
        });
    }
    // An answer that can't be read is not quoted: it may hold credentials.
    let Ok(Envelope { response }) = serde_json::from_slice(body) else {
        return Err(Failed::ForGood(foreign()));
    };
    let Response {
        error,
        credentials,
        expired_time,
        request_id,
    } = response;
    if let Some(wire::ErrorBody { code, message }) = error {
        let error = broken(
            format!(
                "{tried}: {}: {} [request id {}]",
                redactor.clean(&code),
                redactor.clean(&message),
                redactor.clean(&request_id)
            ),
            advice(&code),
        );
        return Err(match code.as_str() {
            "AuthFailure.TokenFailure" => Failed::SignerExpired(error),
            "AuthFailure.SignatureExpire" => match date {
                Some(date) => Failed::ClockOff(error, *date),
                None => Failed::ForGood(error),
            },
            code if code.starts_with("InternalError")
                || code.starts_with("RequestLimitExceeded") =>
            {
                Failed::Busy(error)
            }
            _ => Failed::ForGood(error),
        });
    }
    let (Some(temporary), Some(expires)) = (credentials, expired_time) else {
        return Err(Failed::ForGood(foreign()));
    };
    let Temporary {
        token,
        tmp_secret_id,
        tmp_secret_key,
    } = temporary;
    let credential = Credential {
        secret_id: tmp_secret_id,
        secret_key: Secret::new(tmp_secret_key),
        token: Some(Secret::new(token)),
    };
    Ok(Issued::until(
        credential,
        Timestamp(expires),
        date.unwrap_or_else(|| machine.now()),
    )
    .answered(tried))
}

/// What to do about a code of the token service.
fn advice(code: &str) -> &'static str {
    match code {
        "InvalidParameter.WebIdentityTokenError" => {
            "check the token: its audience must be the client ID of the identity provider in CAM, and it must not have \
             expired"
        }
        "InvalidParameter.OverTimeError" => {
            "set a shorter `duration`: the role allows less than that"
        }
        "ResourceNotFound.RoleNotFound"
        | "InternalError.GetRoleError"
        | "InternalError.IllegalRole" => {
            "check the role's ARN: qcs::cam::uin/NUMBER:roleName/NAME, as the CAM console shows it"
        }
        "AuthFailure.SignatureExpire" => "set this machine's clock (NTP)",
        "AuthFailure.TokenFailure" => {
            "get new temporary credentials to assume the role with; SecretId, SecretKey and token must come from the same \
             set"
        }
        code if code.starts_with("UnauthorizedOperation") => {
            "let the role trust this user or identity provider, and let the user call sts:AssumeRole, in the CAM console"
        }
        code if code.starts_with("AuthFailure") => {
            "check the credentials that the role is assumed with: copied whole, and of the production environment"
        }
        code if code.starts_with("InternalError") => {
            "the failure is the token service's: run the command again later; if it persists, give the request id to \
             Tencent Cloud's support"
        }
        code if code.starts_with("RequestLimitExceeded") => {
            "too many requests reach the token service at once; run the command again in a minute"
        }
        _ => "check the role and who it trusts in the CAM console; then run the command again",
    }
}

#[cfg(test)]
#[path = "sts_tests.rs"]
mod tests;
