//! The shared files of AWS's tools: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Source: docs.aws.amazon.com/sdkref/latest/guide/file-format.html. Of what a profile can hold, permanent or
//! temporary credentials are used; what would run a program or ask for a login is refused, with the command that gets
//! the same credentials.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Looked, checked, variable};
use crate::client::Issued;
use crate::client::credentials::Machine;
use crate::secret::Secret;
use crate::sign::Credential;

/// Such files are short. A longer one is another kind of file.
const LARGEST_FILE: u64 = 1 << 20;

type Section = BTreeMap<String, Secret>;

/// A profile of both files.
struct Profile {
    name: String,
    /// Whether a variable names it.
    is_named: bool,
    /// Values, and the file that each is from. Those of the credentials file come first.
    parts: Vec<(PathBuf, Section)>,
}

/// The region of the profile.
pub(super) fn region(machine: &Machine) -> Result<Option<String>, String> {
    let profile = read(machine)?;
    Ok(profile
        .value("region")
        .map(|(_, value)| value.expose().to_owned()))
}

pub(super) fn look(machine: &Machine) -> Result<Looked, String> {
    let profile = read(machine)?;
    let Profile {
        name,
        is_named,
        parts,
    } = &profile;
    if parts.is_empty() {
        let why = format!("the files of AWS have no profile `{name}`");
        return if *is_named {
            Err(format!("{why}, which AWS_PROFILE names"))
        } else {
            Ok(Looked::NotHere(why))
        };
    }
    let id = profile.value("aws_access_key_id");
    let key = profile.value("aws_secret_access_key");
    let (Some((file, id)), Some((_, key))) = (id, key) else {
        if id.is_some() || key.is_some() {
            return Err(format!(
                "the profile `{name}` has only one of aws_access_key_id and aws_secret_access_key"
            ));
        }
        return no_keys(&profile);
    };
    let place = |part: &str| format!("{part} of the profile `{name}` in `{}`", file.display());
    let token = profile.value("aws_session_token");
    let token = token
        .map(|(_, token)| checked(token.expose(), &place("aws_session_token")))
        .transpose()?;
    Ok(Looked::Serves(Issued::lasting(Credential {
        secret_id: checked(id.expose(), &place("aws_access_key_id"))?,
        secret_key: Secret::new(checked(key.expose(), &place("aws_secret_access_key"))?),
        token: token.map(Secret::new),
    })))
}

/// A profile without permanent or temporary credentials.
fn no_keys(profile: &Profile) -> Result<Looked, String> {
    let name = &profile.name;
    for (setting, what) in [
        ("credential_process", "runs a program (credential_process)"),
        ("sso_session", "needs a login (sso_session)"),
        ("sso_start_url", "needs a login (sso_start_url)"),
        ("login_session", "needs a login (login_session)"),
        ("role_arn", "assumes a role (role_arn)"),
    ] {
        if profile.value(setting).is_some() {
            return Err(format!(
                "the profile `{name}` {what}, which is not supported here; \
                 `eval \"$(aws configure export-credentials --profile {name} --format env)\"` sets the same credentials"
            ));
        }
    }
    let why = format!("the profile `{name}` has no aws_access_key_id");
    if profile.is_named {
        Err(why)
    } else {
        Ok(Looked::NotHere(why))
    }
}

impl Profile {
    fn value(&self, name: &str) -> Option<(&Path, &Secret)> {
        let mut found = self.parts.iter();
        found.find_map(|(file, section)| Some((file.as_path(), section.get(name)?)))
    }
}

fn read(machine: &Machine) -> Result<Profile, String> {
    let named = variable(machine, "AWS_PROFILE")?;
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    let mut parts = Vec::new();
    for (setting, own, is_config) in [
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", false),
        ("AWS_CONFIG_FILE", "config", true),
    ] {
        let path = match variable(machine, setting)? {
            Some(path) => PathBuf::from(path),
            None => match &machine.home {
                Some(home) => home.join(".aws").join(own),
                None => continue,
            },
        };
        if let Some(text) = text(&path)?
            && let Some(section) = section(&text, &name, is_config, &path)?
        {
            parts.push((path, section));
        }
    }
    Ok(Profile {
        name,
        is_named: named.is_some(),
        parts,
    })
}

/// The text of a file; `None` when there is none.
pub(super) fn text(path: &Path) -> Result<Option<String>, String> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| format!("`{shown}` can't be read: {error}");
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("`{shown}` is larger than 1 MiB"));
    }
    let text = String::from_utf8(bytes);
    text.map(Some)
        .map_err(|_| format!("`{shown}` is not UTF-8"))
}

/// The section of a profile: `[name]`, in the config file `[profile name]`.
fn section(
    text: &str,
    name: &str,
    is_config: bool,
    path: &Path,
) -> Result<Option<Section>, String> {
    let shown = path.display();
    let mut found: Option<Section> = None;
    let mut inside = false;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        // An indented line belongs to a nested setting, as of `s3 =`.
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) || is_nested {
            continue;
        }
        if let Some(title) = line
            .strip_prefix('[')
            .and_then(|rest| rest.split(']').next())
        {
            let words: Vec<_> = title.split_whitespace().collect();
            inside = match words.as_slice() {
                ["profile", profile] => is_config && *profile == name,
                [profile] => *profile == name && (!is_config || name == "default"),
                _ => false,
            };
            if inside {
                found.get_or_insert_default();
            }
            continue;
        }
        let Some(section) = found.as_mut().filter(|_| inside) else {
            continue;
        };
        let Some((setting, value)) = line.split_once('=') else {
            return Err(format!("line {number} of `{shown}` is not `name = value`"));
        };
        let setting = setting.trim().to_ascii_lowercase();
        let before = section.insert(setting.clone(), Secret::new(value.trim()));
        if before.is_some() && setting.starts_with("aws_") {
            return Err(format!(
                "line {number} of `{shown}` sets {setting} a second time"
            ));
        }
    }
    Ok(found)
}
