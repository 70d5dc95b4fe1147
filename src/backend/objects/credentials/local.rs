//! Credentials from a service beside the program: a container's (ECS, EKS), or an instance's metadata service (`IMDSv2`).

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use url::Url;

use super::fetch::{Ask, Got, ask, is_own};
use super::{Aws, Looked, checked, file, variable};
use crate::backend::objects::xml::time;
use crate::client::{Issued, Redactor};
use crate::secret::Secret;
use crate::sign::Credential;

const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// A service on the same machine is quick, or is not there.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    /// Only the metadata service has it.
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    access_key_id: String,
    #[serde(default)]
    secret_access_key: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    expiration: String,
}

fn get<'a>(
    url: &'a str,
    headers: Vec<(&'static str, Secret)>,
    is_local: bool,
    aws: &'a Aws,
) -> Ask<'a> {
    Ask {
        method: Method::GET,
        url,
        headers,
        body: None,
        patience: PATIENCE,
        is_local,
        extra_roots: aws.extra_roots.as_ref(),
    }
}

pub(super) async fn of_container(aws: &Aws) -> Result<Looked, String> {
    let machine = &aws.machine;
    let (text, name) = match (variable(machine, RELATIVE)?, variable(machine, FULL)?) {
        (Some(path), _) => (format!("http://169.254.170.2{path}"), RELATIVE),
        (None, Some(full)) => (full, FULL),
        (None, None) => {
            return Ok(Looked::NotHere(format!(
                "neither {FULL} nor {RELATIVE} is set"
            )));
        }
    };
    let url = Url::parse(&text).ok();
    let url = url.filter(|url| url.scheme() == "https" || (url.scheme() == "http" && is_own(url)));
    let Some(url) = url else {
        return Err(format!(
            "{name} is neither an https URL nor an http URL of this machine (loopback or link-local)"
        ));
    };
    if name == RELATIVE && url.host_str() != Some("169.254.170.2") {
        return Err(format!("{RELATIVE} is not a path"));
    }
    let token = match (variable(machine, TOKEN_FILE)?, variable(machine, TOKEN)?) {
        (Some(path), _) => {
            let token = file(Path::new(&path), TOKEN_FILE)?;
            Some(checked(token.trim(), &format!("the token in `{path}`"))?)
        }
        (None, token) => token,
    };
    let token = token.map(Secret::new);
    let headers = token
        .iter()
        .map(|token| ("authorization", token.clone()))
        .collect();
    let host = url.host_str().unwrap_or_default().to_owned();
    let tried = format!("the credentials of this container at {host}");
    let is_local = url.scheme() == "http";
    let got = ask(get(url.as_str(), headers, is_local, aws)).await;
    let redactor = Redactor::new(&token);
    let got = got.map_err(|reason| format!("{tried}: no answer: {}", redactor.clean(&reason)))?;
    given(aws, &tried, &got).map(Looked::Serves)
}

pub(super) async fn of_instance(aws: &Aws) -> Result<Looked, String> {
    let machine = &aws.machine;
    if variable(machine, "AWS_EC2_METADATA_DISABLED")?
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Ok(Looked::NotHere("AWS_EC2_METADATA_DISABLED is true".into()));
    }
    let set = variable(machine, "AWS_EC2_METADATA_SERVICE_ENDPOINT")?;
    let is_named = set.is_some();
    let base = set.unwrap_or_else(|| "http://169.254.169.254".into());
    let base = base.trim_end_matches('/');
    if !Url::parse(base).is_ok_and(|url| url.scheme() == "http" && is_own(&url)) {
        return Err(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT is not an http URL of this machine (link-local)"
                .into(),
        );
    }
    let tried = format!(
        "the metadata service at {}",
        base.trim_start_matches("http://")
    );
    let (tokens, roles) = (format!("{base}/latest/api/token"), format!("{base}{ROLES}"));
    let ttl = vec![("x-aws-ec2-metadata-token-ttl-seconds", Secret::new("21600"))];
    let put = Ask {
        method: Method::PUT,
        ..get(&tokens, ttl, true, aws)
    };
    let got = match ask(put).await {
        Ok(got) => got,
        Err(reason) if is_named => return Err(format!("{tried}: no answer: {reason}")),
        Err(reason) => return Ok(Looked::NotHere(format!("no answer: {reason}"))),
    };
    if got.status != 200 {
        let why = format!("{tried}: HTTP status {} for a token", got.status);
        return Ok(Looked::NotHere(why));
    }
    let token = checked(
        String::from_utf8_lossy(&got.body).trim(),
        "the token of the metadata service",
    )?;
    let token = Secret::new(token);
    let headers = || vec![("x-aws-ec2-metadata-token", token.clone())];
    let failed = |reason: String| format!("{tried}: no answer: {reason}");
    let got = ask(get(&roles, headers(), true, aws))
        .await
        .map_err(failed)?;
    if got.status == 404 {
        return Ok(Looked::NotHere("the instance has no role".into()));
    }
    let names = String::from_utf8_lossy(&got.body);
    let role = names.lines().next().unwrap_or_default().trim();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if got.status != 200 || role.is_empty() || role.len() > 128 || !role.bytes().all(allowed) {
        return Err(format!(
            "{tried}: HTTP status {}, and no name of a role",
            got.status
        ));
    }
    let tried = format!("the role `{role}` of this instance");
    let url = format!("{roles}{role}");
    let got = ask(get(&url, headers(), true, aws)).await.map_err(failed)?;
    given(aws, &tried, &got).map(Looked::Serves)
}

fn given(aws: &Aws, tried: &str, got: &Got) -> Result<Issued, String> {
    if got.status != 200 {
        return Err(format!("{tried}: HTTP status {}", got.status));
    }
    // An answer that can't be read is not quoted: it may hold credentials.
    let shape = || format!("{tried}: the answer does not have the documented form");
    let given: Given = serde_json::from_slice(&got.body).map_err(|_| shape())?;
    let Given {
        code,
        access_key_id,
        secret_access_key,
        token,
        expiration,
    } = given;
    if let Some(code) = code.filter(|code| code != "Success") {
        return Err(format!("{tried}: {}", Redactor::default().clean(&code)));
    }
    let expires = time(&expiration).ok_or_else(shape)?;
    let credential = Credential {
        secret_id: access_key_id,
        secret_key: Secret::new(secret_access_key),
        token: Some(Secret::new(token)),
    };
    let now = got.date.unwrap_or_else(|| (aws.machine.clock)());
    Ok(Issued::until(credential, expires, now))
}
