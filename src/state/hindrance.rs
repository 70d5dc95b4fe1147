//! What keeps a state from being replaced by a new version.

use std::fmt;

/// What keeps a file from being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It is a mount point.
    Mounted,
    /// Its folder is sticky, and it belongs to the user with this number.
    Sticky(u32),
    /// It is immutable or can only be appended to.
    Immutable,
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted => f.write_str("it is mounted by itself"),
            Self::Sticky(owner) => write!(
                f,
                "it belongs to another user (uid {owner}), and its folder has the sticky bit"
            ),
            Self::Immutable => f.write_str("it is marked as immutable or append-only"),
        }
    }
}
