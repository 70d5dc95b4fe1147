//! A role for a token of an identity provider: pods of EKS, CI systems.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use url::form_urlencoded;

use super::fetch::{Ask, ask};
use super::{Aws, Looked, checked, file, variable};
use crate::backend::objects::xml::{Leaves, time};
use crate::client::{Issued, Redactor};
use crate::secret::Secret;
use crate::sign::Credential;

const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE: &str = "AWS_ROLE_ARN";

pub(super) async fn look(aws: &Aws) -> Result<Looked, String> {
    let machine = &aws.machine;
    let Some(path) = variable(machine, TOKEN_FILE)? else {
        // Others use AWS_ROLE_ARN alone for other things.
        return Ok(Looked::NotHere(format!("{TOKEN_FILE} is not set")));
    };
    let Some(role) = variable(machine, ROLE)? else {
        return Err(format!("{TOKEN_FILE} is set, and {ROLE} is not"));
    };
    let session = variable(machine, "AWS_ROLE_SESSION_NAME")?;
    let token = file(Path::new(&path), TOKEN_FILE)?;
    let token = Secret::new(checked(token.trim(), &format!("the token in `{path}`"))?);
    let china = if aws.region.starts_with("cn-") {
        ".cn"
    } else {
        ""
    };
    let endpoint = variable(machine, "AWS_ENDPOINT_URL_STS")?
        .unwrap_or_else(|| format!("https://sts.{}.amazonaws.com{china}/", aws.region));
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "AssumeRoleWithWebIdentity")
        .append_pair("Version", "2011-06-15")
        .append_pair("RoleArn", &role)
        .append_pair(
            "RoleSessionName",
            session.as_deref().unwrap_or("ess-callbacks"),
        )
        .append_pair("WebIdentityToken", token.expose())
        .finish();
    let tried = format!("the role `{role}`, assumed with the token in `{path}`");
    let got = ask(Ask {
        method: Method::POST,
        url: &endpoint,
        headers: Vec::new(),
        body: Some(body),
        patience: Duration::from_secs(10),
        is_local: false,
        extra_roots: aws.extra_roots.as_ref(),
    })
    .await;
    let redactor = Redactor::new([&token]);
    let got = got.map_err(|reason| format!("{tried}: no answer: {}", redactor.clean(&reason)))?;
    let leaves = Leaves::read(&got.body);
    let named = |name: &str| leaves.as_ref().and_then(|leaves| leaves.named(name));
    if got.status != 200 {
        let said = [named("Code"), named("Message")]
            .map(Option::unwrap_or_default)
            .join(": ");
        return Err(format!(
            "{tried}: HTTP status {} ({})",
            got.status,
            redactor.clean(&said)
        ));
    }
    let parts = (
        named("AccessKeyId"),
        named("SecretAccessKey"),
        named("SessionToken"),
    );
    let expires = named("Expiration").and_then(time);
    let ((Some(id), Some(key), Some(token)), Some(expires)) = (parts, expires) else {
        return Err(format!(
            "{tried}: the answer does not have the documented form"
        ));
    };
    let credential = Credential {
        secret_id: id.to_owned(),
        secret_key: Secret::new(key),
        token: Some(Secret::new(token)),
    };
    let now = got.date.unwrap_or_else(|| (machine.clock)());
    Ok(Looked::Serves(Issued::until(credential, expires, now)))
}
