//! The source of a secret's value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A reference in callbacks.yaml or a plan file. It is not secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretReference {
    /// The value of an environment variable.
    Env(String),
    /// The contents of a file, relative to the configuration's folder; one trailing newline is
    /// dropped.
    File(String),
    /// What a command prints; one trailing newline is dropped. Runs only with `--allow-commands`.
    Command(Vec<String>),
}

impl SecretReference {
    /// A place that an option gives: `env:NAME` or `file:PATH`. Options run no commands.
    pub fn given(text: &str) -> Option<Self> {
        let (kind, place) = text.split_once(':')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match kind {
            "env" if !place.is_empty() && place.chars().all(is_name) => {
                Some(Self::Env(place.to_owned()))
            }
            "file" if !place.is_empty() => Some(Self::File(place.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {path}"),
            // Arguments may be secret.
            Self::Command(words) => {
                write!(f, "command {}", words.first().map_or("", String::as_str))
            }
        }
    }
}
