//! The one place that knows the YAML crate: text in, a tree with places out.
//!
//! [`At`] is a value with where it stands. [`read`] parses one document within tight limits, so that
//! a hostile file (nested a hundred thousand deep, or blown up by aliases) ends in an error and not
//! in a stack overflow or a full memory.
//!
//! Invariant: a [`Malformed`] says nothing that stands in the file, so it can't give a secret away.

use serde::{Deserialize, Deserializer};
use serde_yaml::granit_parser;
use serde_yaml::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_yaml::{Location, Options, Spanned};

use super::code;
use crate::diag::Code;

/// The deepest nesting that is read. A complete configuration needs seven levels.
pub(super) const MAX_DEPTH: usize = 32;

/// A stretch of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// From 1; 0 when it is not known.
    pub(super) line: u32,
    /// In characters, from 1.
    pub(super) column: u32,
    /// In characters. 0 for a mapping or list.
    pub(super) length: u32,
    /// In bytes from the beginning of the text.
    pub(super) offset: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    /// Where it is used; of an alias, where the `*alias` stands.
    pub(super) span: Span,
    /// Where its text stands, in bytes: start and end. Differs from `span` for an alias.
    pub(super) text: (u32, u32),
}

/// Why a file can't be read as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) span: Option<Span>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned {
            value,
            referenced,
            defined,
        } = Spanned::<T>::deserialize(deserializer)?;
        let start = small(defined.span().byte_offset().unwrap_or(0));
        let length = small(defined.span().byte_len().unwrap_or(0));
        Ok(Self {
            value,
            span: span(referenced),
            text: (start, start.saturating_add(length)),
        })
    }
}

/// Reads the single document of `text`.
pub(super) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Malformed> {
    serde_yaml::from_str_with_options(text, options()).map_err(|error| malformed(&error))
}

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            // The crate's own limits are for small files; ours hold a million callbacks.
            max_events: 20_000_000,
            max_nodes: 20_000_000,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: 2,
            max_aliases: 50_000,
            max_anchors: 10_000,
            max_recorded_anchor_events: 200_000,
            max_recorded_anchor_bytes: 4 << 20,
            // One anchored reference may be used by every callback.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: 200_000,
            max_replay_stack_depth: 8,
        },
        // Repeated keys are collected by the readers of each mapping, to report all of them at once.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        // `yes` and `on` are strings.
        strict_booleans: true,
        ignore_binary_tag_for_string: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn malformed(error: &serde_yaml::Error) -> Malformed {
    use serde_yaml::Error as E;

    let span = error.location().map(span).filter(|span| span.line > 0);
    // Only messages that can't quote the file are passed on.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum with sixty variants"
    )]
    let (code, message, help) = match error.without_snippet() {
        E::AliasError { error, .. } => {
            let inner = malformed(error);
            (inner.code, inner.message, inner.help)
        }
        E::MultipleDocuments { .. } => (
            code::SEVERAL_DOCUMENTS,
            "a file may hold one YAML document, but here a second one begins".to_owned(),
            Some("move it to a file of its own in a directory and pass that with -f".to_owned()),
        ),
        E::Budget { .. }
        | E::AliasReplayCounterOverflow { .. }
        | E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. }
        | E::RecursiveReferencesRequireWeakTypes { .. } => too_much(),
        E::ExternalMessage { msg, .. } if is_nesting(msg) => too_much(),
        E::ExternalMessage { msg, .. } => (
            code::SYNTAX,
            format!("this is not valid YAML: {msg}"),
            msg.contains("tab")
                .then(|| "indent with spaces; YAML does not allow tabs there".to_owned()),
        ),
        E::UnknownAnchor { .. } => (
            code::SYNTAX,
            "this alias names an anchor that is not defined above it".to_owned(),
            Some("put a value that begins with `*` in quotes if it is meant as text".to_owned()),
        ),
        E::UnsupportedTag { .. } => (
            code::SYNTAX,
            "tags (`!name`) have no meaning here".to_owned(),
            Some("put a value that begins with `!` in quotes if it is meant as text".to_owned()),
        ),
        E::MergeValueNotMapOrSeqOfMaps { .. } => (
            code::SYNTAX,
            "`<<` merges a mapping or a list of mappings, and this is neither".to_owned(),
            None,
        ),
        _ => (
            code::SYNTAX,
            "this is not valid YAML or has a meaning that callbacks.yaml can't hold".to_owned(),
            None,
        ),
    };
    Malformed {
        code,
        message,
        help,
        span,
    }
}

fn too_much() -> (Code, String, Option<String>) {
    (
        code::BLOWS_UP,
        format!("the file is nested deeper than {MAX_DEPTH} levels or its aliases blow it up"),
        Some("write the values out, or split the file into several in a directory".to_owned()),
    )
}

fn is_nesting(message: &str) -> bool {
    message == granit_parser::ErrorKind::RecursionLimitExceeded.to_string()
        || message.contains("nesting")
        || message.contains("recursion")
}

fn span(location: Location) -> Span {
    Span {
        line: small(location.line()),
        column: small(location.column()),
        length: small(location.span().len()),
        offset: small(location.span().byte_offset().unwrap_or(0)),
    }
}

/// Files are at most 64 MiB, so every number of theirs fits.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
