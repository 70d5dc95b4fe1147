//! Environment variables: a pair of ID and key, and the role to assume with what the chain found.

use super::candidate::{Candidate, Looked};
use super::machine::{Machine, Variable};
use super::value::is_session_name;
use super::{fixed, value};
use crate::model::{AssumedRole, CredentialVariables};

const ID: &str = "TENCENTCLOUD_SECRET_ID";
const KEY: &str = "TENCENTCLOUD_SECRET_KEY";
/// Of the vendor's command line, and of its provider for Terraform.
const TOKENS: [&str; 2] = ["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"];
/// The same two.
const ROLES: [&str; 2] = ["TENCENTCLOUD_ROLE_ARN", WEB_IDENTITY_ROLE];
const SESSIONS: [&str; 2] = ["TENCENTCLOUD_ROLE_SESSION_NAME", WEB_IDENTITY_SESSION];
/// The role of a web identity too.
pub(super) const WEB_IDENTITY_ROLE: &str = "TENCENTCLOUD_ASSUME_ROLE_ARN";
pub(super) const WEB_IDENTITY_SESSION: &str = "TENCENTCLOUD_ASSUME_ROLE_SESSION_NAME";
const DURATION: &str = "TENCENTCLOUD_ASSUME_ROLE_SESSION_DURATION";
const EXTERNAL_ID: &str = "TENCENTCLOUD_ASSUME_ROLE_EXTERNAL_ID";

/// What names credentials, or a role for them.
pub(super) const NAMED: [&str; 6] = [ID, KEY, TOKENS[0], TOKENS[1], ROLES[0], ROLES[1]];

/// The variables of Tencent Cloud's tools.
pub(super) fn usual(machine: &Machine) -> Result<Looked, String> {
    let (id, key) = (machine.variable(ID)?, machine.variable(KEY)?);
    let why = match (&id, &key) {
        (Variable::NotSet, Variable::NotSet) => Some("not set"),
        // A CI system sets a missing secret to nothing.
        (Variable::Empty | Variable::NotSet, Variable::Empty | Variable::NotSet) => {
            Some("empty, which counts as not set")
        }
        (Variable::Set(_), _) | (_, Variable::Set(_)) => None,
    };
    let token = agreed(machine, TOKENS)?.map(|(name, _)| name.to_owned());
    if let Some(why) = why {
        let why = format!("{ID} and {KEY} are {why}");
        return match token {
            // Half of a set of temporary credentials.
            Some(token) => Err(format!(
                "the environment variable {token} is set, but {why}"
            )),
            None => Ok(Looked::NotHere(why)),
        };
    }
    let variables = CredentialVariables {
        secret_id: ID.to_owned(),
        secret_key: KEY.to_owned(),
        token,
    };
    named(&variables, machine).map(Looked::Serves)
}

/// The variables that an account names.
pub(super) fn named(
    variables: &CredentialVariables,
    machine: &Machine,
) -> Result<Candidate, String> {
    let CredentialVariables {
        secret_id,
        secret_key,
        token,
    } = variables;
    let read = |name: &str| match machine.variable(name)? {
        Variable::Set(value) => Ok(value),
        Variable::Empty => Err(format!("the environment variable {name} is empty")),
        Variable::NotSet => Err(format!("the environment variable {name} is not set")),
    };
    let (id, key) = match (read(secret_id), read(secret_key)) {
        (Ok(id), Ok(key)) => (id, key),
        (Err(one), Err(two)) => return Err(format!("{one} and {two}")),
        (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => return Err(problem),
    };
    let token_value = token.as_deref().map(read).transpose()?;
    let place = |name: &str| format!("the environment variable {name}");
    let names = [secret_id, secret_key, token.as_deref().unwrap_or_default()];
    let credential = value::credential(&id, &key, token_value.as_deref(), place, names)?;
    let shown = format!("the environment variables {secret_id} and {secret_key}");
    Ok(fixed::candidate(shown, credential))
}

/// The role to assume with what the chain found. `web_identity` when its role was assumed already.
pub(super) fn role(machine: &Machine, web_identity: bool) -> Result<Option<AssumedRole>, String> {
    let found = if web_identity {
        machine.value(ROLES[0])?.map(|role| (ROLES[0], role))
    } else {
        agreed(machine, ROLES)?
    };
    // A job whose variable is missing would act as the user, and not as the role.
    for name in ROLES {
        if matches!(machine.variable(name)?, Variable::Empty) && found.is_none() {
            return Err(format!(
                "the environment variable {name} is set to nothing; set it to the role, or unset it"
            ));
        }
    }
    let Some((name, role_arn)) = found else {
        return if web_identity {
            Ok(None)
        } else {
            without_role(machine).map(|()| None)
        };
    };
    let role_arn = value::role_arn(&role_arn, &format!("the environment variable {name}"))?;
    if web_identity && machine.value(WEB_IDENTITY_ROLE)? == Some(role_arn.clone()) {
        return Ok(None);
    }
    Ok(Some(AssumedRole {
        role_arn,
        session_name: session(machine, SESSIONS)?,
        duration: duration(machine)?,
        external_id: machine.value(EXTERNAL_ID)?,
    }))
}

/// Refuses variables that only a role has a use for: the name of the role's variable was mistyped.
fn without_role(machine: &Machine) -> Result<(), String> {
    let [session, other_session] = SESSIONS;
    for name in [session, other_session, DURATION, EXTERNAL_ID] {
        if machine.value(name)?.is_some() {
            let [one, other] = ROLES;
            return Err(format!(
                "the environment variable {name} is set, but there is no role for it: neither {one} nor {other} is set"
            ));
        }
    }
    Ok(())
}

pub(super) fn session<const N: usize>(
    machine: &Machine,
    names: [&'static str; N],
) -> Result<Option<String>, String> {
    let Some((name, session)) = agreed(machine, names)? else {
        return Ok(None);
    };
    if is_session_name(&session) {
        Ok(Some(session))
    } else {
        Err(format!(
            "the environment variable {name} is not the name of a session: 2 to 128 letters, digits and `_+=,.@-`"
        ))
    }
}

/// How many seconds the credentials of a role are to be valid.
pub(super) fn duration(machine: &Machine) -> Result<Option<u32>, String> {
    let Some(text) = machine.value(DURATION)? else {
        return Ok(None);
    };
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| (1..=43200).contains(seconds));
    seconds.map(Some).ok_or_else(|| {
        format!("the environment variable {DURATION} must be a number of seconds, at most 43200")
    })
}

/// The value of variables with one meaning, and the name of the first that is set.
fn agreed<const N: usize>(
    machine: &Machine,
    names: [&'static str; N],
) -> Result<Option<(&'static str, String)>, String> {
    let mut found: Option<(&'static str, String)> = None;
    for name in names {
        match (machine.value(name)?, &found) {
            (Some(value), Some((first, other))) if value != *other => {
                return Err(format!(
                    "the environment variables {first} and {name} are both set, to different values; unset one"
                ));
            }
            (Some(value), None) => found = Some((name, value)),
            (Some(_) | None, _) => {}
        }
    }
    Ok(found)
}
