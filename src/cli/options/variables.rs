//! Values for the variables of callbacks.yaml: `--var NAME=VALUE` and `ESS_CALLBACKS_VAR_<NAME>`.

use std::collections::BTreeMap;

use crate::cli::exit::Failure;
use crate::config::Overrides;

/// The prefix of the environment variables.
pub(crate) const PREFIX: &str = "ESS_CALLBACKS_VAR_";

/// The token of the controller's server. It has no option: command lines can be read by others.
pub(crate) const CONTROLLER_TOKEN: &str = "ESS_CALLBACKS_CONTROLLER_TOKEN";

/// Reads one `NAME=VALUE`.
pub(crate) fn parse(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write NAME=VALUE".to_owned()),
    }
}

/// The values in options and in the environment.
pub(crate) fn given(flags: &[(String, String)]) -> Result<Overrides, Failure> {
    let mut by_name = BTreeMap::new();
    for (name, value) in flags {
        let earlier = by_name.insert(name.clone(), value.clone());
        if earlier.is_some_and(|earlier| earlier != *value) {
            let message = format!("--var {name} is given twice with different values");
            return Err(Failure::usage(message));
        }
    }
    let mut environment = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let Some(value) = value.to_str() else {
            let message = format!("the value of {PREFIX}{name} is not UTF-8");
            return Err(Failure::usage(message));
        };
        environment.insert(name.to_owned(), value.to_owned());
    }
    Ok(Overrides {
        flags: by_name,
        environment,
    })
}
