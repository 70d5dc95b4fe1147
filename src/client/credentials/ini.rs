//! The credentials file of Tencent Cloud's SDKs: INI, with the section `[default]`.
//!
//! Source: `ProfileCredential` of tencentcloud-sdk-python. Values are not quoted there: quotes would be part of the
//! key, so they are refused.

use std::path::PathBuf;

use super::candidate::Looked;
use super::machine::{Machine, Variable, text};
use super::{fixed, value};
use crate::sign::Credential;

const FILE: &str = "TENCENTCLOUD_CREDENTIALS_FILE";
const SECTION: &str = "default";

/// The first of the files that exists. One that is named must exist.
pub(super) fn look(machine: &Machine) -> Result<Looked, String> {
    let (paths, named) = match machine.variable(FILE)? {
        Variable::Set(path) => (vec![PathBuf::from(path)], true),
        Variable::Empty => return Err(format!("the environment variable {FILE} is empty")),
        Variable::NotSet => {
            let own = machine.home.as_ref();
            let own = own.map(|home| home.join(".tencentcloud").join("credentials"));
            let system = machine.system_file.clone();
            (own.into_iter().chain([system]).collect(), false)
        }
    };
    for path in &paths {
        if let Some(text) = text(path)? {
            let shown = path.display().to_string();
            let credential = parse(&text, &shown)?;
            return Ok(Looked::Serves(fixed::candidate(
                format!("the file `{shown}`"),
                credential,
            )));
        }
    }
    let shown: Vec<_> = paths
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if named {
        return Err(format!("there is no file {}, which {FILE} names", shown[0]));
    }
    Ok(Looked::NotHere(format!(
        "there is no file {}",
        shown.join(" or ")
    )))
}

fn parse(text: &str, shown: &str) -> Result<Credential, String> {
    let (mut inside, mut seen) = (false, false);
    let mut similar = None;
    let (mut id, mut key) = (None, None);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            // With anything after it, other readers take it for a section, or for a value of the one before.
            let Some(section) = section.strip_suffix(']') else {
                return Err(format!(
                    "line {number} of `{shown}` is not a section: write [NAME] alone on its line"
                ));
            };
            if section == SECTION && std::mem::replace(&mut seen, true) {
                return Err(format!(
                    "line {number} of `{shown}` begins the section [{SECTION}] a second time"
                ));
            }
            inside = section == SECTION;
            if !inside && section.trim().eq_ignore_ascii_case(SECTION) {
                similar = Some((number, section));
            }
            continue;
        }
        if !inside {
            continue;
        }
        let Some(at) = line.find(['=', ':']) else {
            return Err(format!("line {number} of `{shown}` is not `name = value`"));
        };
        let (name, value) = (
            line[..at].trim().to_ascii_lowercase(),
            line[at + 1..].trim(),
        );
        let field = match name.as_str() {
            "secret_id" => &mut id,
            "secret_key" => &mut key,
            _ => continue,
        };
        if field.replace(value.to_owned()).is_some() {
            return Err(format!(
                "line {number} of `{shown}` sets {name} a second time"
            ));
        }
    }
    let (Some(id), Some(key)) = (id, key) else {
        if let Some((number, section)) = similar {
            return Err(format!(
                "line {number} of `{shown}` begins the section [{section}], which is not [{SECTION}]"
            ));
        }
        return Err(format!(
            "`{shown}` has no secret_id and secret_key in its section [{SECTION}]"
        ));
    };
    let place = |name: &str| format!("{name} in `{shown}`");
    value::credential(&id, &key, None, place, ["secret_id", "secret_key", ""])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_s_file_is_read() {
        let text = "# ours\n[other]\nsecret_id = no\nrubbish\n\n[default]\r\nSecret_Id = AKID\n; old\nsecret_key: k=e:y\nrole_arn = x\n";
        let credential = parse(text, "file").unwrap();
        assert_eq!(credential.secret_id, "AKID");
        assert_eq!(credential.secret_key.expose(), "k=e:y");
        assert!(credential.token.is_none());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, problem) in [
            (
                "[default]\nregion = x\n[prod] # the keys: of prod\nsecret_id = a\nsecret_key = b\n",
                "line 3 of `file` is not a section: write [NAME] alone on its line",
            ),
            (
                "[default]\nsecret_id = a\n[default]\nsecret_key = b\n",
                "line 3 of `file` begins the section [default] a second time",
            ),
            (
                "",
                "`file` has no secret_id and secret_key in its section [default]",
            ),
            (
                "[default]\nsecret_id=a\n[x]\nsecret_key=canary",
                "`file` has no secret_id and secret_key in its section [default]",
            ),
            (
                "[default]\nsecret_id = a\nsecret_key = \"canary\"",
                "secret_key in `file` has a quotation mark around its value, which would be part of it; remove it",
            ),
            (
                "# ours\n[Default]\nsecret_id = a\nsecret_key = canary",
                "line 2 of `file` begins the section [Default], which is not [default]",
            ),
            (
                "[ default ]\nsecret_id = a\nsecret_key = canary",
                "line 1 of `file` begins the section [ default ], which is not [default]",
            ),
            (
                "[default]\ncanary",
                "line 2 of `file` is not `name = value`",
            ),
            (
                "[default]\nsecret_id=canary\nsecret_id=b",
                "line 3 of `file` sets secret_id a second time",
            ),
            (
                "[default]\nsecret_id=\nsecret_key=canary",
                "secret_id in `file` is empty or has characters that are invalid in a credential",
            ),
        ] {
            assert_eq!(parse(text, "file").unwrap_err(), problem);
        }
    }
}
