//! The environment of this process as a value, so that what reads it can be tested with any other.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;

use super::exit::Failure;

#[derive(Clone, Default)]
pub(crate) struct ProcessEnvironment(Vec<(OsString, OsString)>);

impl ProcessEnvironment {
    pub(crate) fn of_this_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        Self(variables.iter().map(pair).collect())
    }

    /// The value of a variable. Windows ignores the case of names.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        let has_name = |(known, _): &&(OsString, OsString)| {
            if cfg!(windows) {
                known.eq_ignore_ascii_case(name)
            } else {
                known == name
            }
        };
        let found = self.0.iter().find(has_name);
        found.map(|(_, value)| value.as_os_str())
    }

    /// The home directory of the user.
    ///
    /// # Errors
    /// It is not an absolute path: files would be looked for in the current folder, which may be anybody's.
    pub(crate) fn home(&self) -> Result<Option<&Path>, Failure> {
        for name in ["HOME", "USERPROFILE"] {
            let Some(home) = self.variable(name).map(Path::new) else {
                continue;
            };
            if home.is_absolute() {
                return Ok(Some(home));
            }
            let message =
                format!("{name} is not an absolute path, so no credentials are looked for there");
            return Err(Failure::error(message)
                .advice(format!("Set {name} to the home folder, or unset it.")));
        }
        Ok(None)
    }
}

/// Names only: values may be secret.
impl fmt::Debug for ProcessEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_in_the_current_folder_is_none() {
        let home = |variables: &[(&str, &str)]| {
            let environment = ProcessEnvironment::of(variables);
            let home = environment.home();
            home.map(|home| home.map(Path::to_path_buf))
                .map_err(|failure| failure.message)
        };
        assert_eq!(home(&[]), Ok(None));
        let absolute = if cfg!(windows) {
            "C:\\ann"
        } else {
            "/home/ann"
        };
        assert_eq!(home(&[("HOME", absolute)]), Ok(Some(absolute.into())));
        for relative in ["", ".", "home/ann"] {
            let problem = home(&[("HOME", relative), ("USERPROFILE", absolute)]);
            assert!(
                problem
                    .unwrap_err()
                    .contains("HOME is not an absolute path"),
                "{relative}"
            );
        }
    }
}
