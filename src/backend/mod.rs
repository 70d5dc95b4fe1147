//! Stores that many machines reach, each a [`Log`] for `state`.
//!
//! A store can create a record with a number once, tell the newest, and give records back. What follows from
//! that is in [`state::log`](crate::state::log). Nothing here repeats a conditional write, and nothing here reads
//! the environment: variables, home and certificates are values that `cli` passes in ([`Surroundings`]).

pub(crate) mod http;
pub(crate) mod objects;
pub(crate) mod postgres;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use crate::client::ExtraRoots;
use crate::client::credentials::Machine;
use crate::secret::Secret;
use crate::state::log::Log;
use crate::state::{StateError, Store};

/// What an address begins with.
const SCHEMES: [&str; 6] = ["s3", "cos", "postgres", "postgresql", "http", "https"];

/// Where a state is that is not a local file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Http(http::Address),
    Postgres(postgres::Address),
    /// As it was given, and checked.
    Objects(String),
}

/// What stores need to know of this process.
pub(crate) struct Surroundings {
    /// Where the credentials of a bucket are looked for, with the variables.
    pub(crate) machine: Machine,
    /// Certificates to trust beside those of the system.
    pub(crate) extra_roots: Option<ExtraRoots>,
}

impl Surroundings {
    fn variable(&self, name: &str) -> Option<String> {
        let value = (self.machine.variables)(name)
            .map(OsString::into_string)?
            .ok()?;
        (!value.is_empty()).then_some(value)
    }
}

impl Address {
    /// The address in this text; `None` when it is a path.
    ///
    /// # Errors
    /// What is wrong with it. Never with a password in it.
    pub(crate) fn parse(text: &str) -> Option<Result<Self, String>> {
        let Some((scheme, _)) = text.split_once("://") else {
            let (scheme, _) = text.split_once(':')?;
            let lower = scheme.to_ascii_lowercase();
            // Otherwise a slip becomes a file with nothing recorded.
            return SCHEMES.contains(&lower.as_str()).then(|| {
                Err(format!("`{scheme}:` is not followed by `//`; write {lower}://…, or ./{scheme}:… for a file"))
            });
        };
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || c == '+';
        if scheme.is_empty() || !scheme.chars().all(is_scheme) {
            return None;
        }
        let url = Url::parse(text).map_err(|error| format!("it is not a URL: {error}"));
        Some(url.and_then(|url| match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => http::Address::parse(url).map(Self::Http),
            "postgres" | "postgresql" => postgres::Address::parse(&url).map(Self::Postgres),
            "s3" | "cos" => objects::check(text).map(|()| Self::Objects(text.to_owned())),
            _ => Err(format!(
                "a state can't be kept at `{scheme}://`; write a path, s3:// or cos:// for a bucket, postgres:// for a \
                 database, or https:// for a server with Terraform's HTTP protocol"
            )),
        }))
    }

    /// The state there. Nothing is sent yet.
    ///
    /// # Errors
    /// A variable or a certificate can't be used.
    pub(crate) fn open(&self, surroundings: &Surroundings) -> Result<Store, StateError> {
        Ok(Store::in_log(self.log(surroundings)?))
    }

    fn log(&self, surroundings: &Surroundings) -> Result<Arc<dyn Log>, StateError> {
        match self {
            Self::Http(address) => http::open(http::Options {
                address: address.clone(),
                user: user(address, surroundings),
                extra_roots: surroundings.extra_roots.clone(),
            }),
            Self::Postgres(address) => postgres::open(postgres::Options {
                address: address.clone(),
                user: ["PGUSER", "USER", "LOGNAME", "USERNAME"]
                    .into_iter()
                    .find_map(|name| surroundings.variable(name)),
                password: surroundings.variable("PGPASSWORD").map(Secret::new),
                password_file: password_file(surroundings),
                extra_roots: surroundings.extra_roots.clone(),
            }),
            Self::Objects(address) => objects::open(objects::Options {
                address: address.clone(),
                machine: surroundings.machine.clone(),
                extra_roots: surroundings.extra_roots.clone(),
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(address) => fmt::Display::fmt(address, f),
            Self::Postgres(address) => fmt::Display::fmt(address, f),
            Self::Objects(address) => f.write_str(address),
        }
    }
}

/// The file with passwords of PostgreSQL.
fn password_file(surroundings: &Surroundings) -> Option<PathBuf> {
    if let Some(file) = surroundings.variable("PGPASSFILE") {
        return Some(file.into());
    }
    if cfg!(windows) {
        let folder = PathBuf::from(surroundings.variable("APPDATA")?);
        return Some(folder.join("postgresql").join("pgpass.conf"));
    }
    Some(PathBuf::from(surroundings.variable("HOME")?).join(".pgpass"))
}

/// The user of Terraform's variables; in a job of GitLab, at that GitLab, the job itself.
fn user(address: &http::Address, surroundings: &Surroundings) -> Option<(String, Secret)> {
    let name = surroundings.variable("TF_HTTP_USERNAME");
    let password = surroundings.variable("TF_HTTP_PASSWORD");
    if let (Some(name), Some(password)) = (name, password) {
        return Some((name, Secret::new(password)));
    }
    let api = surroundings.variable("CI_API_V4_URL")?;
    let token = surroundings.variable("CI_JOB_TOKEN")?;
    let is_here = address
        .to_string()
        .starts_with(&format!("{}/", api.trim_end_matches('/')));
    is_here.then(|| ("gitlab-ci-token".to_owned(), Secret::new(token)))
}
