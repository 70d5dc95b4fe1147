//! Errors and warnings about the configuration: what is wrong, where, and what to write instead.
//!
//! A [`Diagnostic`] contains its source line, so that it can be shown when the file is no longer in memory. `render` draws it; `docs/errors.md` explains each [`Code`].
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "diagnostics are values"
)]

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A position in a file. Small, because every callback keeps one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the file, in the order the files of a directory are read. From 0.
    pub file: u32,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No command runs until it is corrected.
    Error,
    /// Commands run.
    Warning,
}

/// The stable identifier of a kind of problem: `E…` for errors, `W…` for warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// Marked text in a file, with its line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Snippet {
    /// The file's name as the user gave it.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// The length of the marked text, in characters; at least 1.
    pub length: u32,
    /// The whole line, without its end. Shortened around the marked text when it is very long.
    pub text: String,
    /// The column of the first character of `text`: 1 unless the line was shortened.
    pub text_column: u32,
}

/// An error or a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// `None` when the problem has no place, such as an empty directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
    /// What to write or run instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}
