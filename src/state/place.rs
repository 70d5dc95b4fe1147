//! Where a part of a state is kept, as people name it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A path, or the address of an object: for messages only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    text: Arc<str>,
    is_file: bool,
}

impl Place {
    /// The address of an object, or something else that is no path.
    pub fn new(address: impl Into<Arc<str>>) -> Self {
        Self {
            text: address.into(),
            is_file: false,
        }
    }

    /// Whether it is a path.
    pub(super) const fn is_file(&self) -> bool {
        self.is_file
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self {
            text: path.to_string_lossy().into(),
            is_file: true,
        }
    }
}

impl From<&Self> for Place {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Self {
        Self::from(path.as_path())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
