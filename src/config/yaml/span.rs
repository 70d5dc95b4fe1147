//! Positions in a file, and errors of the parser in the words of this program.

use serde_yaml::granit_parser::{self, ErrorKind, ScanError};

use crate::config::code;
use crate::diag::Code;

/// The deepest nesting that is read. A complete configuration needs seven levels.
pub(crate) const MAX_DEPTH: usize = 32;

/// Start and end of a text, in bytes from the beginning of the file.
pub(crate) type ByteRange = (u32, u32);

/// A position in a file, and the length of what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// From 1.
    pub(crate) line: u32,
    /// In characters, from 1.
    pub(crate) column: u32,
    /// In characters. 0 for a mapping or list.
    pub(crate) length: u32,
}

/// A value and its position.
#[derive(Clone, Debug)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    /// For the value of an alias, the position of the `*alias`.
    pub(crate) span: Span,
    /// The text of the value. For an alias, that of the anchored value.
    pub(crate) bytes: ByteRange,
}

/// Why a file can't be read as YAML. Boxed in results, because every step of reading may return one and nearly
/// none does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) span: Option<Span>,
}

impl YamlError {
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "errors are boxed everywhere"
    )]
    pub(super) fn too_deep(span: Span) -> Box<Self> {
        Box::new(Self {
            code: code::BLOWS_UP,
            message: format!(
                "the file is nested deeper than {MAX_DEPTH} levels, or its aliases expand to too much"
            ),
            help: Some(
                "write the values out, or split the file into several files in a directory"
                    .to_owned(),
            ),
            span: Some(span),
        })
    }
}

impl From<ScanError> for Box<YamlError> {
    fn from(error: ScanError) -> Self {
        let marker = error.marker();
        let span = Span {
            line: small(marker.line()),
            column: small(marker.col()).saturating_add(1),
            length: 1,
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a foreign enum with a hundred variants"
        )]
        let help = match error.kind() {
            ErrorKind::RecursionLimitExceeded => return YamlError::too_deep(span),
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar => Some("use spaces; YAML does not allow tabs there"),
            ErrorKind::UnknownAnchor => {
                Some("put a value that begins with `*` in quotes if it is meant as text")
            }
            _ => None,
        };
        Self::new(YamlError {
            code: code::SYNTAX,
            message: format!("this is not valid YAML: {}", error.kind()),
            help: help.map(str::to_owned),
            span: (span.line > 0).then_some(span),
        })
    }
}

impl From<&granit_parser::Span> for Span {
    fn from(span: &granit_parser::Span) -> Self {
        Self {
            line: small(span.start.line()),
            column: small(span.start.col()).saturating_add(1),
            length: small(span.len()),
        }
    }
}

pub(super) fn bytes(span: &granit_parser::Span) -> ByteRange {
    let byte = |marker: &granit_parser::Marker| small(marker.byte_offset().unwrap_or(0));
    (byte(&span.start), byte(&span.end))
}

/// Files are at most 64 MiB, so every number of theirs fits.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
