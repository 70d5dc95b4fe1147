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

/// A profile of the file, or what is missing. A file without credentials is an error, but not one that has only other
/// profiles.
pub(super) fn look(machine: &Machine, profile: &str) -> Result<Looked, String> {
    let named = machine.value(FILE)?;
    let is_named = named.is_some();
    let path = match (named, &machine.home) {
        (Some(path), _) => PathBuf::from(path),
        (None, Some(home)) => file(home),
        (None, None) => return Ok(Looked::NotHere("there is no home directory".to_owned())),
    };
    let shown = path.display().to_string();
    let Some(text) = text(&path)? else {
        let why = format!("there is no file `{shown}`");
        return if is_named {
            Err(format!("{why}, which {FILE} names"))
        } else {
            Ok(Looked::NotHere(why))
        };
    };
    // The parser's error could quote the file.
    let config: Option<Config> = serde_yaml::from_str(&text)
        .map_err(|_| format!("`{shown}` is not YAML with `credentials`"))?;
    let Some(Config { own, mut profiles }) = config else {
        return Err(format!("`{shown}` is empty: it has no `credentials`"));
    };
    let named_profile = format!("the profile `{profile}` of `{shown}`");
    let (found, place, is_optional) = match profiles.remove(profile) {
        Some(found) => (found, named_profile.clone(), false),
        None if profile == DEFAULT => {
            let has_others = !profiles.is_empty() && !is_named;
            (own, format!("`{shown}`"), has_others)
        }
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
    let written = env.as_deref().map(environment).transpose();
    let written = written.map_err(|problem| format!("`env` in {place} {problem}"))?;
    let Some(Pair {
        secret_id,
        secret_key,
    }) = credentials
    else {
        let why = format!("{place} has no `credentials`");
        return if is_optional {
            Ok(Looked::NotHere(why))
        } else {
            Err(why)
        };
    };
    if written.is_some_and(|written| written != machine.environment) {
        let why = format!("the credentials in {place} are for the other environment");
        return if is_named {
            Err(format!("{why}, and {FILE} names this file"))
        } else {
            Ok(Looked::NotHere(why))
        };
    }
    let part = |name: &str| format!("{name} in `{shown}`");
    let names = ["secret_id", "secret_key", ""];
    let credential = value::credential(&secret_id, &secret_key, None, part, names)?;
    Ok(Looked::Serves(fixed::candidate(named_profile, credential)))
}

/// What the tools call the environments.
fn environment(text: &str) -> Result<Environment, &'static str> {
    match text {
        "test" => Ok(Environment::Test),
        "online" => Ok(Environment::Production),
        _ => Err("must be `test` or `online`"),
    }
}
