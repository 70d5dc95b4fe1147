//! Where things stand in a file, and what the parser says of places in the words of this program.

use serde_yaml::granit_parser::{self, ErrorKind, ScanError};

use super::too_much;
use crate::config::code;
use crate::diag::Code;

/// A stretch of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) struct Span {
    /// From 1.
    pub(in crate::config) line: u32,
    /// In characters, from 1.
    pub(in crate::config) column: u32,
    /// In characters. 0 for a mapping or list.
    pub(in crate::config) length: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(in crate::config) struct At<T> {
    pub(in crate::config) value: T,
    /// Where it is used; of an alias, where the `*alias` stands.
    pub(in crate::config) span: Span,
    /// Where its text stands, in bytes: start and end. Differs from `span` for an alias.
    pub(in crate::config) text: (u32, u32),
}

/// Where a text begins in its file. The default is the file's own beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::config) struct Start {
    /// How many bytes come before it.
    pub(in crate::config) byte: u32,
    /// How many lines come before it. It begins with a line.
    pub(in crate::config) line: u32,
    /// In how many lists and mappings it stands.
    pub(in crate::config) depth: usize,
}

/// Why a file can't be read as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Malformed {
    pub(in crate::config) code: Code,
    pub(in crate::config) message: String,
    pub(in crate::config) help: Option<String>,
    pub(in crate::config) span: Option<Span>,
}

/// Boxed, because every step of reading may end in one and nearly none does.
pub(in crate::config) type Failure = Box<Malformed>;

impl Start {
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "failures are boxed everywhere"
    )]
    pub(super) fn malformed(self, error: &ScanError) -> Failure {
        let marker = error.marker();
        let span = Span {
            line: small(marker.line()).saturating_add(self.line),
            column: small(marker.col()).saturating_add(1),
            length: 1,
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a foreign enum with a hundred variants"
        )]
        let help = match error.kind() {
            ErrorKind::RecursionLimitExceeded => return too_much(span),
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
        Box::new(Malformed {
            code: code::SYNTAX,
            message: format!("this is not valid YAML: {}", error.kind()),
            help: help.map(str::to_owned),
            span: (span.line > 0).then_some(span),
        })
    }

    pub(super) fn place(self, span: &granit_parser::Span) -> Span {
        Span {
            line: small(span.start.line()).saturating_add(self.line),
            column: small(span.start.col()).saturating_add(1),
            length: small(span.len()),
        }
    }

    pub(super) fn bytes(self, span: &granit_parser::Span) -> (u32, u32) {
        let byte = |marker: &granit_parser::Marker| {
            small(marker.byte_offset().unwrap_or(0)).saturating_add(self.byte)
        };
        (byte(&span.start), byte(&span.end))
    }
}

/// Files are at most 64 MiB, so every number of theirs fits.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
