//! The credentials that sign requests to a bucket.
//!
//! For COS they are Tencent Cloud's, found as those of an account are. For S3 they come from the first of: variables
//! of the environment, a profile of the shared files, a web identity, a container's endpoint, the instance's metadata
//! service (`IMDSv2`). A source that is set up and unusable is an error, never a reason to try the next one, which may
//! be somebody else's.

mod fetch;
mod local;
mod profile;
mod web_identity;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::address::Dialect;
use crate::client::credentials::{Found, Machine, find};
use crate::client::credentials::{NoneServes, PassedOver};
use crate::client::{CredentialCache, CredentialError, CredentialProvider, ExtraRoots, Issued};
use crate::model::AccountSource;
use crate::secret::Secret;
use crate::sign::Credential;

const ADVICE: &str =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role";

/// What looking at one source gave.
enum Looked {
    Serves(Issued),
    /// It is not set up here. In words.
    NotHere(String),
}

/// Finds credentials as AWS's tools do.
struct Aws {
    machine: Machine,
    /// Of the bucket; its token service is asked.
    region: String,
    extra_roots: Option<ExtraRoots>,
}

/// The credentials of one state. They are looked for at the first request.
pub(super) enum Keys {
    Aws(CredentialCache),
    /// As those of an account that names no source.
    Tencent {
        machine: Box<Machine>,
        found: OnceCell<Found>,
    },
}

impl Keys {
    pub(super) fn aws(machine: Machine, region: String, extra_roots: Option<ExtraRoots>) -> Self {
        Self::Aws(CredentialCache::new(Aws {
            machine,
            region,
            extra_roots,
        }))
    }

    pub(super) fn tencent(machine: Machine) -> Self {
        Self::Tencent {
            machine: Box::new(machine),
            found: OnceCell::new(),
        }
    }

    /// What to sign with now.
    pub(super) async fn get(&self) -> Result<Arc<Credential>, CredentialError> {
        match self {
            Self::Aws(cache) => cache.get().await,
            Self::Tencent { machine, found } => {
                let find = || find(&AccountSource::Default {}, machine);
                found.get_or_try_init(find).await?.cache.get().await
            }
        }
    }

    /// The store refused this credential as expired, so it is not used again.
    pub(super) fn refuse(&self, credential: &Credential) {
        match self {
            Self::Aws(cache) => cache.refuse(credential),
            Self::Tencent { machine: _, found } => {
                if let Some(found) = found.get() {
                    found.cache.refuse(credential);
                }
            }
        }
    }
}

/// Endpoint and region of the environment.
///
/// # Errors
/// A variable or a file can't be read.
pub(super) fn settings(
    machine: &Machine,
    dialect: Dialect,
) -> Result<(Option<String>, Option<String>), String> {
    if dialect == Dialect::Cos {
        return Ok((None, None));
    }
    let endpoint = match variable(machine, "AWS_ENDPOINT_URL_S3")? {
        Some(endpoint) => Some(endpoint),
        None => variable(machine, "AWS_ENDPOINT_URL")?,
    };
    let region = match variable(machine, "AWS_REGION")? {
        Some(region) => Some(region),
        None => variable(machine, "AWS_DEFAULT_REGION")?,
    };
    // A profile that can't be read matters when credentials are looked for.
    let region = region.or_else(|| profile::region(machine).ok().flatten());
    Ok((endpoint, region))
}

impl Aws {
    async fn look(&self) -> Result<Issued, CredentialError> {
        let mut asked = Vec::new();
        for source in 0..5 {
            let (name, looked) = match source {
                0 => ("the environment", of_environment(&self.machine)),
                1 => ("profile", profile::look(&self.machine)),
                2 => ("web identity", web_identity::look(self).await),
                3 => ("container", local::of_container(self).await),
                _ => ("instance", local::of_instance(self).await),
            };
            match looked {
                Ok(Looked::Serves(issued)) => return Ok(issued),
                Ok(Looked::NotHere(why)) => asked.push(PassedOver {
                    provider: name.to_owned(),
                    why,
                }),
                Err(message) => {
                    return Err(broken(
                        message,
                        "correct it, or unset it to use another source",
                    ));
                }
            }
        }
        Err(CredentialError::NoneServes(NoneServes {
            asked,
            advice: ADVICE,
        }))
    }
}

impl CredentialProvider for Aws {
    fn fetch(&self) -> BoxFuture<'_, Result<Issued, CredentialError>> {
        self.look().boxed()
    }
}

fn broken(message: String, advice: &'static str) -> CredentialError {
    CredentialError::Provider {
        message,
        advice: advice.into(),
    }
}

/// The value of a variable. An empty one is not set.
fn variable(machine: &Machine, name: &str) -> Result<Option<String>, String> {
    match (machine.variables)(name).map(std::ffi::OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok((!value.is_empty()).then_some(value)),
        Some(Err(_)) => Err(format!("the environment variable {name} is not UTF-8")),
    }
}

/// The text of a file that must exist.
fn file(path: &Path, what: &str) -> Result<String, String> {
    let shown = path.display();
    let text = profile::text(path)?;
    text.ok_or_else(|| format!("there is no file `{shown}`, which {what} names"))
}

/// Refuses what can't be a part of a credential. The value is never quoted.
fn checked(value: &str, place: &str) -> Result<String, String> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "{place} is empty, or has white space or characters that are invalid in a credential"
        ));
    }
    Ok(value.to_owned())
}

fn of_environment(machine: &Machine) -> Result<Looked, String> {
    let [id_name, key_name, token_name] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];
    let (id, key) = (variable(machine, id_name)?, variable(machine, key_name)?);
    let (id, key) = match (id, key) {
        (None, None) => return Ok(Looked::NotHere(format!("{id_name} is not set"))),
        (Some(id), Some(key)) => (id, key),
        (Some(_), None) => return Err(format!("{id_name} is set, and {key_name} is not")),
        (None, Some(_)) => return Err(format!("{key_name} is set, and {id_name} is not")),
    };
    let token = variable(machine, token_name)?;
    let token = token.map(|token| checked(&token, token_name)).transpose()?;
    Ok(Looked::Serves(Issued::lasting(Credential {
        secret_id: checked(&id, id_name)?,
        secret_key: Secret::new(checked(&key, key_name)?),
        token: token.map(Secret::new),
    })))
}
