//! One file: from bytes to a tree with places, and to its organizations. A pure function of the file
//! alone, so that files can be read side by side, and large ones in stretches ([`cut`](super::cut)).

use std::iter::once;

use super::cut::{Cuts, cuts};
use super::organization::Organizations;
use super::raw::{self, Document, Entries, Fields, Kind, Loose};
use super::report::{Reader, Report};
use super::source::{At, Failure, Malformed, Span, Start, Tokens};
use super::variables::Variables;
use super::{Source, code, conceal};
use crate::diag::Place;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The root of a file.
pub(super) type Root<'s> = At<Loose<Fields<'s, Document<'s>>>>;

/// A file as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct File<'s> {
    /// Without a byte order mark; up to the first wrong byte when it is not UTF-8.
    pub(super) text: &'s str,
    /// Without its organizations. `None` when it is not YAML.
    pub(super) root: Option<Root<'s>>,
    /// In one part or in several; none when the file has no such key.
    pub(super) organizations: Vec<Organizations>,
    pub(super) report: Report,
}

/// A file that holds text.
#[derive(Debug)]
pub(super) struct Sheet<'s> {
    number: u32,
    text: &'s str,
    cuts: Option<Cuts>,
    variables: &'s Variables,
}

/// A file, or a part of one that holds whole organizations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'s> {
    number: u32,
    /// Of the whole file.
    text: &'s str,
    start: Start,
    /// In bytes of the file.
    end: usize,
    variables: &'s Variables,
}

/// What stands in a stretch.
#[derive(Debug)]
pub(super) struct Part<'s> {
    /// Without its organizations; `None` of all stretches but the first.
    root: Option<Root<'s>>,
    organizations: Option<Organizations>,
    /// Where the first organization stands, when they stand below each other without brackets.
    first: Option<Span>,
    has_anchors: bool,
    report: Report,
}

type Listed<'s> = Entries<'s, Fields<'s, raw::Organization<'s>>>;

impl Source {
    /// Its text without a byte order mark, up to the first byte that is not UTF-8.
    pub(super) fn decoded(&self) -> &str {
        let bytes = self.text.strip_prefix(BOM).unwrap_or(&self.text);
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        }
    }
}

/// Decides how the file with this number is read, in stretches of about so many bytes. Without text
/// in it, it is read to its end.
pub(super) fn look<'s>(
    number: u32,
    source: &'s Source,
    stretch: usize,
    variables: &'s Variables,
) -> Result<Sheet<'s>, Box<File<'s>>> {
    let mut file = Box::new(File::default());
    if let Some(malformed) = too_large(source).or_else(|| utf16(source)) {
        file.fail(number, malformed);
        return Err(file);
    }
    file.text = source.decoded();
    if let Some(malformed) = not_text(source, file.text) {
        file.fail(number, malformed);
        return Err(file);
    }
    Ok(Sheet {
        number,
        text: file.text,
        cuts: cuts(file.text, stretch),
        variables,
    })
}

impl<'s> Sheet<'s> {
    /// What to read of it.
    pub(super) fn stretches(&self) -> Vec<Stretch<'s>> {
        let starts = self.cuts.as_ref().map_or(&[][..], |cuts| &cuts.starts);
        let ends = starts.iter().map(|start| start.byte as usize);
        let (number, text, variables) = (self.number, self.text, self.variables);
        once(Start::default())
            .chain(starts.iter().copied())
            .zip(ends.chain(once(text.len())))
            .map(|(start, end)| Stretch {
                number,
                text,
                start,
                end,
                variables,
            })
            .collect()
    }

    /// The file, given what was read of its stretches.
    pub(super) fn file(self, parts: Vec<Result<Part<'s>, Failure>>) -> File<'s> {
        let parts: Result<Vec<_>, _> = parts.into_iter().collect();
        let parts = match (self.cuts, parts) {
            (Some(cuts), Ok(parts)) if are_whole(&cuts, &parts) => Ok(parts),
            (Some(_), _) => Stretch {
                number: self.number,
                text: self.text,
                start: Start::default(),
                end: self.text.len(),
                variables: self.variables,
            }
            .read()
            .map(|part| vec![part]),
            (None, parts) => parts,
        };
        let mut file = File {
            text: self.text,
            ..File::default()
        };
        match parts {
            Ok(parts) => {
                for part in parts {
                    file.root = file.root.or(part.root);
                    file.organizations.extend(part.organizations);
                    file.report.absorb(part.report);
                }
            }
            Err(malformed) => file.fail(self.number, *malformed),
        }
        file
    }
}

/// Whether these stretches say together what the whole file says; see [`cut`](super::cut).
fn are_whole(cuts: &Cuts, parts: &[Part<'_>]) -> bool {
    let in_column = |part: &Part<'_>| part.first.filter(|first| first.column == cuts.column);
    parts
        .iter()
        .all(|part| !part.has_anchors && !part.report.has_errors() && in_column(part).is_some())
        && parts
            .first()
            .and_then(in_column)
            .is_some_and(|first| first.line == cuts.line)
}

impl<'s> Stretch<'s> {
    /// Reads it.
    pub(super) fn read(&self) -> Result<Part<'s>, Failure> {
        let text = &self.text[self.start.byte as usize..self.end];
        let Some(mut tokens) = Tokens::open(text, self.start, self.variables)? else {
            return Ok(Part::nothing());
        };
        let mut root = None;
        let organizations = if self.start.depth == 0 {
            let mut whole: Root<'s> = At::read(&mut tokens)?;
            let organizations = match &mut whole.value {
                Loose::Is(fields) => fields.record.organizations.take(),
                Loose::Not(_) => None,
            };
            root = Some(whole);
            organizations
        } else {
            Some(At::read(&mut tokens)?)
        };
        let hidden = tokens.hidden();
        let has_anchors = tokens.has_anchors();
        let faults = tokens.faults();
        tokens.close()?;
        let first = organizations.as_ref().and_then(first_of);
        let mut report = Report::default();
        let mut reader = Reader {
            report: &mut report,
            file: self.number,
            text: self.text,
        };
        for bytes in hidden {
            reader.hide(bytes);
        }
        for (span, fault) in faults {
            reader.error(span, fault.code, fault.message, Some(fault.help));
        }
        let organizations = organizations.map(|listed| {
            let listed = reader.field("organizations", Some(listed));
            listed.map_or_else(Organizations::default, |listed| {
                reader.organizations(listed.value)
            })
        });
        Ok(Part {
            root,
            organizations,
            first,
            has_anchors,
            report,
        })
    }
}

impl Part<'_> {
    /// Of an empty file.
    fn nothing() -> Self {
        Self {
            root: Some(At {
                value: Loose::Not(Kind::Nothing),
                span: Span::default(),
                text: (0, 0),
            }),
            organizations: None,
            first: None,
            has_anchors: false,
            report: Report::default(),
        }
    }
}

/// Where the first organization stands, unless they are in brackets: those begin before it.
fn first_of(listed: &At<Loose<Listed<'_>>>) -> Option<Span> {
    let Loose::Is(Entries(entries)) = &listed.value else {
        return None;
    };
    let (key, _) = entries.first()?;
    (key.text.0 == listed.text.0).then_some(key.span)
}

impl File<'_> {
    /// The file can't be read.
    fn fail(&mut self, number: u32, malformed: Malformed) {
        let Malformed {
            code,
            message,
            help,
            span,
        } = malformed;
        let span = span.unwrap_or(Span {
            line: 1,
            column: 1,
            length: 1,
        });
        let place = Place {
            file: number,
            line: span.line,
            column: span.column,
        };
        // What stands there was not understood, so it is not known what of it is secret.
        self.report
            .hide(number, conceal::around(self.text, span.line));
        self.report.error(place, span.length, code, message, help);
    }
}

fn too_large(source: &Source) -> Option<Malformed> {
    (source.text.len() > MAX_BYTES).then(|| Malformed {
        code: code::TOO_LARGE,
        message: format!(
            "this file has {} MiB; at most {} are read",
            source.text.len().div_ceil(1 << 20),
            MAX_BYTES >> 20
        ),
        help: Some("split it into several in a directory and pass that with -f".to_owned()),
        span: None,
    })
}

fn utf16(source: &Source) -> Option<Malformed> {
    let marks = [b"\xff\xfe".as_slice(), b"\xfe\xff"];
    // Without a mark, the first character gives it away: half of it is zero.
    let zero = source.text.iter().take(2).any(|&byte| byte == 0);
    let marked = marks.iter().any(|mark| source.text.starts_with(mark));
    (marked || zero).then(|| Malformed {
        code: code::NOT_UTF8,
        message: "this file is UTF-16, not UTF-8".to_owned(),
        help: Some("save it as UTF-8".to_owned()),
        span: None,
    })
}

fn not_text(source: &Source, text: &str) -> Option<Malformed> {
    let bytes = source.text.strip_prefix(BOM).unwrap_or(&source.text);
    // The YAML crate takes a NUL for the end of the file, and the rest would be lost in silence.
    if let Some(at) = text.bytes().position(|byte| byte == 0) {
        return Some(Malformed {
            code: code::CONTROL_CHARACTER,
            message: "this file holds a NUL character; it may be damaged or not a text file"
                .to_owned(),
            help: None,
            span: Some(span_at(text, at)),
        });
    }
    (text.len() < bytes.len()).then(|| Malformed {
        code: code::NOT_UTF8,
        message: format!(
            "this file is not UTF-8: after this place comes the byte 0x{:02x}",
            bytes[text.len()]
        ),
        help: Some("save it as UTF-8; Chinese text saved as GBK looks like this".to_owned()),
        span: Some(span_at(text, text.len())),
    })
}

fn span_at(text: &str, offset: usize) -> Span {
    let before = &text[..offset];
    let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let crlf = before.matches("\r\n").count();
    let breaks = before.matches(['\n', '\r']).count() - crlf;
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Span {
        line: small(breaks + 1),
        column: small(before[line_start..].chars().count() + 1),
        length: 1,
    }
}
