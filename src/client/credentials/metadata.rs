//! The role of a CVM instance, from its metadata service.
//!
//! Source: `CVMRoleCredential` of tencentcloud-sdk-python. The service is on the machine itself: it gets a second to
//! answer, no proxy is used, and an address that is not link-local is not the service.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use serde::Deserialize;

use super::candidate::{Candidate, Looked, Principal, broken};
use super::machine::Machine;
use super::web::{Answer, Request};
use super::{CredentialError, CredentialProvider, Issued};
use crate::client::redact::Redactor;
use crate::model::Timestamp;
use crate::secret::Secret;
use crate::sign::Credential;

const PATH: &str = "/latest/meta-data/cam/security-credentials/";
const PATIENCE: Duration = Duration::from_secs(1);
const ADVICE: &str =
    "check in the CVM console which role the instance has; then run the command again";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    code: String,
    #[serde(default)]
    tmp_secret_id: String,
    #[serde(default)]
    tmp_secret_key: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    expired_time: i64,
}

struct Role {
    machine: Machine,
    name: String,
}

/// The instance's role, if this is an instance that has one.
pub(super) async fn look(machine: &Machine) -> Result<Looked, CredentialError> {
    let host = machine.metadata.host();
    let answer = match ask(machine, "").await {
        Ok(answer) => answer,
        Err(reason) => {
            return Ok(Looked::NotHere(format!("no answer from {host}: {reason}")));
        }
    };
    match answer.status {
        200 => {}
        404 => {
            return Ok(Looked::NotHere(format!(
                "the instance has no role ({host}: HTTP status 404)"
            )));
        }
        status => return Ok(Looked::NotHere(format!("{host}: HTTP status {status}"))),
    }
    let text = String::from_utf8_lossy(&answer.body);
    let name = text.trim();
    if !is_role_name(name) {
        return Ok(Looked::NotHere(format!(
            "the answer of {host} is not the name of a role, so it is not the metadata service of an instance"
        )));
    }
    Ok(Looked::Serves(Candidate {
        name: format!("the role `{name}` of this CVM instance"),
        principal: Principal::Unknown(format!("the role {name} of this instance")),
        provider: Box::new(Role {
            machine: machine.clone(),
            name: name.to_owned(),
        }),
    }))
}

fn is_role_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(allowed)
}

async fn ask(machine: &Machine, role: &str) -> Result<Answer, String> {
    let mut url = machine.metadata.url().clone();
    url.set_path(&format!("{PATH}{role}"));
    let request = Request {
        url,
        body: None,
        headers: Vec::new(),
        patience: PATIENCE,
        is_metadata: true,
    };
    let answer = machine.web.send(request).await;
    answer.map_err(|reason| Redactor::default().clean(&reason))
}

impl CredentialProvider for Role {
    fn fetch(&self) -> BoxFuture<'_, Result<Issued, CredentialError>> {
        async {
            let tried = format!(
                "the role `{}` at the metadata service {}",
                self.name,
                self.machine.metadata.host()
            );
            let answer = ask(&self.machine, &self.name).await;
            let answer = answer.map_err(|reason| broken(format!("{tried}: {reason}"), ADVICE))?;
            let Answer { status, body, date } = answer;
            if status != 200 {
                return Err(broken(format!("{tried}: HTTP status {status}"), ADVICE));
            }
            // An answer that can't be read is not quoted: it may hold credentials.
            let given: Given = serde_json::from_slice(&body).map_err(|_| {
                let message = format!("{tried}: the answer does not have the documented form");
                broken(message, ADVICE)
            })?;
            let Given {
                code,
                tmp_secret_id,
                tmp_secret_key,
                token,
                expired_time,
            } = given;
            let (key, token) = (Secret::new(tmp_secret_key), Secret::new(token));
            if code != "Success" {
                let code = Redactor::new([&key, &token]).clean(&code);
                return Err(broken(format!("{tried}: {code}"), ADVICE));
            }
            let credential = Credential {
                secret_id: tmp_secret_id,
                secret_key: key,
                token: Some(token),
            };
            let now = date.unwrap_or_else(|| self.machine.now());
            Ok(Issued::until(credential, Timestamp(expired_time), now).answered(tried))
        }
        .boxed()
    }
}
