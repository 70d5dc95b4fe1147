//! The configuration of the vendor's eSign tools, `~/.tsign/config.yaml`.
//!
//! Source: the vendor's ess-skills. A plan never takes its `operator`, which would make it depend on the machine; `init`
//! writes it into a new callbacks.yaml ([`operator`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::candidate::Looked;
use super::machine::{Machine, text};
use super::{fixed, value};
use crate::model::Environment;

/// The variable that names the file.
pub const FILE: &str = "TSIGN_CONFIG_PATH";
/// The profile that is the file's own.
pub(super) const DEFAULT: &str = "default";

#[derive(Deserialize)]
struct Config {
    #[serde(flatten)]
    own: Profile,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    credentials: Option<Pair>,
    #[serde(default)]
    operator: Option<Operator>,
    #[serde(default)]
    env: Option<String>,
}

#[derive(Deserialize)]
struct Operator {
    user_id: String,
}

#[derive(Deserialize)]
struct Pair {
    secret_id: String,
    secret_key: String,
}

/// The `UserId` of the employee in this file, if there is one.
pub fn operator(path: &Path) -> Option<String> {
    let config: Config = serde_yaml::from_str(&text(path).ok()??).ok()?;
    let id = config.own.operator?.user_id;
    let right = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    right.then_some(id)
}

/// Where the file is below this home directory.
pub fn file(home: &Path) -> PathBuf {
    home.join(".tsign").join("config.yaml")
}

/// A profile of the file, or what is missing.
pub(super) fn look(machine: &Machine, profile: &str) -> Result<Looked, String> {
    let path = match machine.value(FILE)? {
        Some(path) => PathBuf::from(path),
        None => match &machine.home {
            Some(home) => file(home),
            None => return Ok(Looked::NotHere("there is no home directory".to_owned())),
        },
    };
    let shown = path.display().to_string();
    let Some(text) = text(&path)? else {
        return Ok(Looked::NotHere(format!("there is no file `{shown}`")));
    };
    // The parser's error could quote the file.
    let config: Config = serde_yaml::from_str(&text)
        .map_err(|_| format!("`{shown}` is not YAML with `credentials`"))?;
    let Config { own, mut profiles } = config;
    let found = match profiles.remove(profile) {
        Some(found) => found,
        None if profile == DEFAULT => own,
        None => {
            return Ok(Looked::NotHere(format!(
                "`{shown}` has no profile `{profile}`"
            )));
        }
    };
    let Profile {
        credentials,
        env,
        operator: _,
    } = found;
    let Some(Pair {
        secret_id,
        secret_key,
    }) = credentials
    else {
        return Ok(Looked::NotHere(format!("`{shown}` has no `credentials`")));
    };
    let is_other = match (env.as_deref(), machine.environment) {
        (Some("test"), Environment::Production) | (Some("online"), Environment::Test) => true,
        (_, Environment::Production | Environment::Test) => false,
    };
    if is_other {
        return Ok(Looked::NotHere(format!(
            "the credentials in `{shown}` are for the other environment"
        )));
    }
    let place = |name: &str| format!("{name} in `{shown}`");
    let names = ["secret_id", "secret_key", ""];
    let credential = value::credential(&secret_id, &secret_key, None, place, names)?;
    let name = format!("the profile `{profile}` of `{shown}`");
    Ok(Looked::Serves(fixed::candidate(name, credential)))
}
